//! Nodes stop, lose their memory, and restart at the end of the fault.
//!
//! | measured | allowed |
//! |---|---|
//! | `events_while_down` | 0 |

use serde::Deserialize;
use surgetank_layer::units::NodeId;

use super::{
    Allowed, Ended, Fault, FaultRequest, Hindrance, Impairment, Members, Quantity, Reach, Report,
    Seen, Whom,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    nodes: Vec<NodeId>,
}

struct Crash {
    whom: Whom,
    members: Members,
    missed: u64,
}

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { nodes } = asked.keys()?;
    let members = asked.members(&nodes);
    Ok(Box::new(Crash { whom: Whom::Nodes(nodes), members, missed: 0 }))
}

impl Fault for Crash {
    fn reach(&self) -> Reach {
        Reach::Machines
    }

    fn whom(&self) -> &Whom {
        &self.whom
    }

    fn impair(&self, node: NodeId, machine: &mut Impairment) {
        machine.down |= self.members.has(node);
    }

    fn observe(&mut self, node: NodeId, seen: &Seen<'_>, _machine: &Impairment) {
        if matches!(seen, Seen::Missed) && self.members.has(node) {
            self.missed += 1;
        }
    }

    /// Every event at a crashed node was counted instead of handled.
    fn report(&self, _run: &Ended<'_>) -> Report {
        Report {
            quantity: Quantity::EventsWhileDown,
            asked: 0.0,
            allowed: Allowed::exactly(0.0),
            measured: (self.missed > 0).then_some(0.0),
            samples: self.missed,
        }
    }

    fn hinders(&self) -> Option<Hindrance> {
        Some(Hindrance { stops: true, ..Hindrance::of(&self.whom) })
    }
}
