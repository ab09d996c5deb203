//! Work on some nodes takes longer; measured by the validation of messages.
//!
//! | measured | allowed |
//! |---|---|
//! | `service_factor` | asked ± (2 % + 5 σ); anything where validation takes no time |

use serde::Deserialize;
use surgetank_layer::node::Task;
use surgetank_layer::units::NodeId;

use super::{
    Allowed, Ended, Fault, FaultRequest, Hindrance, Impairment, Members, Quantity, Reach, Report,
    SIGMAS, Seen, Tally, Whom,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    nodes: Vec<NodeId>,
    factor: f64,
}

struct Slow {
    whom: Whom,
    members: Members,
    factor: f64,
    measured: Tally,
}

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { nodes, factor } = asked.keys()?;
    let (members, measured) = (asked.members(&nodes), Tally::default());
    Ok(Box::new(Slow { whom: Whom::Nodes(nodes), members, factor, measured }))
}

impl Fault for Slow {
    fn reach(&self) -> Reach {
        Reach::Machines
    }

    fn whom(&self) -> &Whom {
        &self.whom
    }

    fn impair(&self, node: NodeId, machine: &mut Impairment) {
        if self.members.has(node) {
            machine.slow *= self.factor;
        }
    }

    fn observe(&mut self, node: NodeId, seen: &Seen<'_>, machine: &Impairment) {
        let Seen::Work { task: Task::Validate(_), span_ns, usual_ns } = *seen else { return };
        if self.members.has(node) && usual_ns > 0 {
            let others = machine.slow / self.factor;
            self.measured.note(span_ns as f64 / usual_ns as f64 / others);
        }
    }

    fn report(&self, run: &Ended<'_>) -> Report {
        let (asked, Tally { samples, .. }) = (self.factor, self.measured);
        // A mean of n service times, which may be spread widely.
        let spread = run.service.distribution.cv().max(1.0);
        let share = 0.02 + SIGMAS * spread / (samples.max(1) as f64).sqrt();
        let allowed = if run.service.validates_clients() {
            Allowed::within(asked, asked * share)
        } else {
            Allowed::ANY
        };
        let measured = self.measured.mean();
        Report { quantity: Quantity::ServiceFactor, asked, allowed, measured, samples }
    }

    fn hinders(&self) -> Option<Hindrance> {
        let slows = self.factor;
        (slows > 1.0).then(|| Hindrance { slows, ..Hindrance::of(&self.whom) })
    }
}
