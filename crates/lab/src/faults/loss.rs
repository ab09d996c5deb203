//! Packets from or to some nodes are lost by chance.

use serde::Deserialize;
use surgetank_layer::units::{NodeId, Ns};

use super::{Asked, Fate, Fault, Hindrance, Members, Packet, Reach, Report, Tally, Whom};
use crate::seed::{packet_bits, unit};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    nodes: Vec<NodeId>,
    probability: f64,
}

struct Loss {
    whom: Whom,
    members: Members,
    probability: f64,
    key: u64,
    lost: Tally,
}

pub(super) fn build(asked: &Asked<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { nodes, probability } = asked.keys()?;
    let (members, key) = (asked.members_or_all(&nodes)?, asked.key);
    Ok(Box::new(Loss {
        whom: Whom::Nodes(nodes),
        members,
        probability,
        key,
        lost: Tally::default(),
    }))
}

impl Fault for Loss {
    fn reach(&self) -> Reach {
        Reach::Links
    }

    fn whom(&self) -> &Whom {
        &self.whom
    }

    fn strike(&mut self, packet: &Packet, fate: &mut Fate) {
        if self.members.meet(packet) {
            let lost = unit(packet_bits(self.key, packet.number)) < self.probability;
            self.lost.note(f64::from(u8::from(lost)));
            fate.lost |= lost;
        }
    }

    fn report(&self, _end_ns: Ns) -> Report {
        Report {
            quantity: "loss share",
            asked: self.probability,
            measured: self.lost.mean(),
            samples: self.lost.samples,
        }
    }

    fn hinders(&self) -> Option<Hindrance> {
        let chance = self.probability;
        (chance > 0.0).then(|| Hindrance { chance, ..Hindrance::of(&self.whom) })
    }
}
