//! Background traders stop, then many of them send at once, as after an outage.

use serde::Deserialize;
use surgetank_layer::machine::Draws;
use surgetank_layer::units::Ns;

use super::means::Means;
use super::{Attack, AttackRequest};
use crate::actors::{Action, ActorEvent, Timer, View};
use crate::scenario::ms;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    halt_s: f64,
    messages: u32,
    within_ms: f64,
}

struct Stampede {
    /// Duration of the halt, in ns.
    halt_ns: Ns,
    /// Number of messages sent after the halt.
    messages: u32,
    /// Span in which they are sent, in ns.
    within_ns: Ns,
}

pub(super) fn build(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    let Keys { halt_s, messages, within_ms } = asked.keys()?;
    let (halt_ns, within_ns) = (ms(halt_s * 1e3), ms(within_ms));
    Ok(Box::new(Stampede { halt_ns, messages, within_ns }))
}

impl Attack for Stampede {
    fn start(&mut self, means: &Means, out: &mut Vec<Action>) {
        let begin = means.window.start;
        out.push(Action::Halt(begin..begin + self.halt_ns));
    }

    /// The halt begins, or is over, upon which the messages are sent.
    fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        means: &mut Means,
        _view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        let ActorEvent::Timer(Timer::Attack) = event else { return };
        let over = means.window.start + self.halt_ns;
        if now < over {
            out.push(Action::Wake { at: over, timer: Timer::Attack });
            return;
        }
        for _ in 0..self.messages {
            let at = now + (means.draws.unit() * self.within_ns as f64) as Ns;
            if at < means.flow_end_ns {
                out.push(Action::Wake { at, timer: Timer::Herd });
            }
        }
    }
}
