//! Keypers send their key shares late, withhold them, or collude with the attacker.
//!
//! | measured | allowed |
//! |---|---|
//! | `added_share_delay_ms` of late ones | asked ± 1 ns |
//! | `shares_sent_per_block` of silent ones | 0 |
//! | `keypers_colluding_share` | 1 |

use serde::Deserialize;
use surgetank_layer::node::Task;
use surgetank_layer::units::NodeId;

use super::{
    Allowed, Ended, Fault, FaultRequest, Impairment, Members, Quantity, Reach, Report, Seen, Tally,
    Whom, to_the_nanosecond,
};
use crate::scenario::ms;

/// Misbehaviour of a keyper.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Conduct {
    /// It sends its share late.
    Late,
    /// It does not send its share.
    Silent,
    /// It gives its share to the attacker before the block is sealed.
    Colluding,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    nodes: Vec<NodeId>,
    conduct: Conduct,
    /// Added delay of late shares, in ms.
    extra_ms: f64,
}

struct Keypers {
    whom: Whom,
    members: Members,
    conduct: Conduct,
    extra_ms: f64,
    measured: Tally,
}

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { nodes, conduct, extra_ms } = asked.keys()?;
    let (members, measured) = (asked.members(&nodes), Tally::default());
    Ok(Box::new(Keypers { whom: Whom::Nodes(nodes), members, conduct, extra_ms, measured }))
}

impl Fault for Keypers {
    fn reach(&self) -> Reach {
        Reach::Machines
    }

    fn whom(&self) -> &Whom {
        &self.whom
    }

    fn impair(&self, node: NodeId, machine: &mut Impairment) {
        if self.members.has(node) {
            match self.conduct {
                Conduct::Late => machine.late_ns += ms(self.extra_ms),
                Conduct::Silent => machine.silent = true,
                Conduct::Colluding => machine.bought += 1,
            }
        }
    }

    fn begun_at(&mut self, _node: NodeId, holds_share: bool) {
        if matches!(self.conduct, Conduct::Colluding) && holds_share {
            self.measured.note(1.0);
        }
    }

    fn observe(&mut self, node: NodeId, seen: &Seen<'_>, machine: &Impairment) {
        if !self.members.has(node) {
            return;
        }
        let made = match *seen {
            Seen::Work { task: Task::MakeShare { .. }, span_ns, usual_ns } => {
                Some(span_ns.saturating_sub(usual_ns))
            }
            _ => None,
        };
        match (self.conduct, made, seen) {
            (Conduct::Late, Some(added), _) => {
                let others = machine.late_ns - ms(self.extra_ms);
                self.measured.note(added as f64 / 1e6 - others as f64 / 1e6);
            }
            (Conduct::Silent, Some(_), _) => self.measured.sum += 1.0,
            (Conduct::Silent, None, Seen::ShareDue) => self.measured.samples += 1,
            _ => {}
        }
    }

    fn report(&self, _run: &Ended<'_>) -> Report {
        let (quantity, asked) = match self.conduct {
            Conduct::Late => (Quantity::AddedShareDelay, self.extra_ms),
            Conduct::Silent => (Quantity::SharesSent, 0.0),
            Conduct::Colluding => (Quantity::KeypersColluding, 1.0),
        };
        let allowed = match self.conduct {
            Conduct::Late => to_the_nanosecond(asked),
            Conduct::Silent | Conduct::Colluding => Allowed::exactly(asked),
        };
        let Tally { samples, .. } = self.measured;
        Report { quantity, asked, allowed, measured: self.measured.mean(), samples }
    }
}
