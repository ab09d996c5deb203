//! Packets from and to whoever leads at the time take longer.
//!
//! An adversary that watches the protocol and follows its leader: a node leads while it is the
//! proposer of the round in which it is itself, or the sequencer. A protocol that draws its leaders
//! afterwards has none to follow.
//!
//! | measured | allowed |
//! |---|---|
//! | `added_delay_ms` | asked ± 1 ns; anything where none leads |

use serde::Deserialize;

use super::{
    Allowed, Ended, Fate, Fault, FaultRequest, Hindrance, Packet, Quantity, Reach, Report, Tally,
    Whom, to_the_nanosecond,
};
use crate::scenario::ms;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    extra_ms: f64,
}

struct LeaderDelay {
    /// All nodes, as each may lead.
    whom: Whom,
    extra_ms: f64,
    added_ms: Tally,
}

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { extra_ms } = asked.keys()?;
    let whom = Whom::Nodes(Vec::new());
    Ok(Box::new(LeaderDelay { whom, extra_ms, added_ms: Tally::default() }))
}

impl Fault for LeaderDelay {
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
            let before = fate.after_ns;
            fate.after_ns += ms(self.extra_ms);
            self.added_ms.note((fate.after_ns - before) as f64 / 1e6);
        }
    }

    fn report(&self, run: &Ended<'_>) -> Report {
        let allowed = to_the_nanosecond(self.extra_ms);
        Report {
            quantity: Quantity::AddedDelay,
            asked: self.extra_ms,
            allowed: if run.has_leaders { allowed } else { Allowed::ANY },
            measured: self.added_ms.mean(),
            samples: self.added_ms.samples,
        }
    }

    fn hinders(&self) -> Option<Hindrance> {
        Some(Hindrance { delays: (ms(self.extra_ms), 1.0), ..Hindrance::of(&self.whom) })
    }
}
