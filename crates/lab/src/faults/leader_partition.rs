//! Packets from and to whoever leads at the time are lost.
//!
//! As a delay of the leader (`leader_delay`), without an end.
//!
//! | measured | allowed |
//! |---|---|
//! | `packets_lost_share` | 1; anything where none leads |

use serde::Deserialize;

use super::{
    Allowed, Ended, Fate, Fault, FaultRequest, Hindrance, Packet, Quantity, Reach, Report, Tally,
    Whom,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {}

struct LeaderPartition {
    /// All nodes, as each may lead.
    whom: Whom,
    lost: Tally,
}

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys {} = asked.keys()?;
    Ok(Box::new(LeaderPartition { whom: Whom::Nodes(Vec::new()), lost: Tally::default() }))
}

impl Fault for LeaderPartition {
    fn reach(&self) -> Reach {
        Reach::Links
    }

    fn whom(&self) -> &Whom {
        &self.whom
    }

    fn follows_leaders(&self) -> bool {
        true
    }

    fn strike(&mut self, packet: &Packet, fate: &mut Fate) {
        if packet.leader {
            fate.lost = true;
            self.lost.note(1.0);
        }
    }

    fn report(&self, run: &Ended<'_>) -> Report {
        Report {
            quantity: Quantity::PacketsLost,
            asked: 1.0,
            allowed: if run.has_leaders { Allowed::exactly(1.0) } else { Allowed::ANY },
            measured: self.lost.mean(),
            samples: self.lost.samples,
        }
    }

    fn hinders(&self) -> Option<Hindrance> {
        Some(Hindrance { chance: 1.0, ..Hindrance::of(&self.whom) })
    }
}
