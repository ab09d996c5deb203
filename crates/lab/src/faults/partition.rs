//! Packets between groups of nodes are lost.
//!
//! | measured | allowed |
//! |---|---|
//! | `packets_lost_share` | 1 |

use serde::Deserialize;
use surgetank_layer::units::NodeId;

use super::{
    Allowed, Ended, Fate, Fault, FaultRequest, Hindrance, Packet, Quantity, Reach, Report, Tally,
    Whom,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    groups: Vec<Vec<NodeId>>,
}

struct Partition {
    whom: Whom,
    /// Group number of each node; 0 = the group of the nodes that are not listed.
    group: Vec<u32>,
    lost: Tally,
}

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { groups } = asked.keys()?;
    let mut group = vec![0; asked.nodes as usize];
    for (list, number) in groups.iter().zip(1..) {
        list.iter().for_each(|&node| group[node as usize] = number);
    }
    Ok(Box::new(Partition { whom: Whom::Groups(groups), group, lost: Tally::default() }))
}

impl Fault for Partition {
    fn reach(&self) -> Reach {
        Reach::Links
    }

    fn whom(&self) -> &Whom {
        &self.whom
    }

    fn strike(&mut self, packet: &Packet, fate: &mut Fate) {
        if self.group[packet.from as usize] != self.group[packet.to as usize] {
            fate.lost = true;
            self.lost.note(1.0);
        }
    }

    fn report(&self, _run: &Ended<'_>) -> Report {
        Report {
            quantity: Quantity::PacketsLost,
            asked: 1.0,
            allowed: Allowed::exactly(1.0),
            measured: self.lost.mean(),
            samples: self.lost.samples,
        }
    }

    fn hinders(&self) -> Option<Hindrance> {
        Some(Hindrance::of(&self.whom))
    }
}
