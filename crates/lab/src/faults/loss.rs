//! Packets from or to some nodes are lost at random.
//!
//! | measured | allowed |
//! |---|---|
//! | `packets_lost_share` | asked ± (5 σ + 1/n), binomial |

use serde::Deserialize;
use surgetank_layer::units::NodeId;

use super::{
    Allowed, Ended, Fate, Fault, FaultRequest, Hindrance, Members, Packet, Quantity, Reach, Report,
    SIGMAS, Tally, Whom,
};
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

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { nodes, probability } = asked.keys()?;
    let (members, key) = (asked.members_or_all(&nodes), asked.key);
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

    fn report(&self, _run: &Ended<'_>) -> Report {
        let (p, Tally { samples, .. }) = (self.probability, self.lost);
        // A share of n draws: binomial.
        let n = samples.max(1) as f64;
        let tolerance = SIGMAS * (p * (1.0 - p) / n).max(0.0).sqrt() + 1.0 / n;
        let allowed = Allowed::within(p, if p == 0.0 { 0.0 } else { tolerance });
        let measured = self.lost.mean();
        Report { quantity: Quantity::PacketsLost, asked: p, allowed, measured, samples }
    }

    fn hinders(&self) -> Option<Hindrance> {
        let chance = self.probability;
        (chance > 0.0).then(|| Hindrance { chance, ..Hindrance::of(&self.whom) })
    }
}
