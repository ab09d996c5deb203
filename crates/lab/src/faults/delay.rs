//! Packets from or to some nodes take longer.
//!
//! | measured | allowed |
//! |---|---|
//! | `added_delay_ms` | asked ± 1 ns |

use serde::Deserialize;
use surgetank_layer::units::{NodeId, Ns};

use super::{
    Ended, Fate, Fault, FaultRequest, Hindrance, Members, Packet, Quantity, Reach, Report, Tally,
    Whom, to_the_nanosecond,
};
use crate::scenario::ms;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    nodes: Vec<NodeId>,
    extra_ms: f64,
    /// Factor on the delay, applied before `extra_ms` is added.
    factor: f64,
}

struct Delay {
    whom: Whom,
    members: Members,
    extra_ms: f64,
    /// Factor on the delay, applied before `extra_ms` is added.
    factor: f64,
    wanted_ms: Tally,
    added_ms: Tally,
}

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { nodes, extra_ms, factor } = asked.keys()?;
    let members = asked.members_or_all(&nodes);
    let (wanted_ms, added_ms) = (Tally::default(), Tally::default());
    let whom = Whom::Nodes(nodes);
    Ok(Box::new(Delay { whom, members, extra_ms, factor, wanted_ms, added_ms }))
}

impl Fault for Delay {
    fn reach(&self) -> Reach {
        Reach::Links
    }

    fn whom(&self) -> &Whom {
        &self.whom
    }

    fn strike(&mut self, packet: &Packet, fate: &mut Fate) {
        if self.members.meet(packet) {
            let before = fate.after_ns as f64;
            let wanted = before * self.factor + self.extra_ms * 1e6;
            fate.after_ns = (wanted.round() as Ns).max(1);
            self.wanted_ms.note((wanted - before) / 1e6);
            self.added_ms.note((fate.after_ns as f64 - before) / 1e6);
        }
    }

    fn report(&self, _run: &Ended<'_>) -> Report {
        // The delay that a factor adds depends on the packets: request and measurement are means
        // over the same packets.
        let asked = self.wanted_ms.mean().unwrap_or(self.extra_ms);
        Report {
            quantity: Quantity::AddedDelay,
            asked,
            allowed: to_the_nanosecond(asked),
            measured: self.added_ms.mean(),
            samples: self.added_ms.samples,
        }
    }

    fn hinders(&self) -> Option<Hindrance> {
        let delays = (ms(self.extra_ms), self.factor.max(1.0));
        Some(Hindrance { delays, ..Hindrance::of(&self.whom) })
    }
}
