//! The attacker of `[attack]`: what it observes, and what it sends.
//!
//! # Rules
//! 1. It is a machine like the [actors](crate::actors): events and a view in, actions out.
//! 2. It draws from its own stream, so all other flow is the same with and without it, until they
//!    meet in a queue.
//! 3. It has its own accounts and sends ordinary orders: it gains only by trades that the market
//!    executes. Its gain is computed from the trace: every trade against the outside price at that
//!    time, less fees, bonds and the price of the lane.
//! 4. It reads only messages that pass its node, and only if they are readable there.
//!
//! Files: [`floods`] (spam, sybil, cancel storm, stampede), [`reader`] (front-running: sandwich,
//! insider, grinding), [`racer`] (stale quotes), [`withholder`] (withheld reveals), [`proposer`]
//! (blocks built as the attacker wants), [`means`] (shared resources).

mod floods;
mod means;
mod proposer;
mod racer;
mod reader;
#[cfg(test)]
mod tests;
mod withholder;

use std::sync::Arc;

use surgetank_layer::node::Node;
use surgetank_layer::units::{MessageId, NodeId, Ns};

use crate::actors::{Accounts, Action, ActorEvent, Timer, View};
use crate::scenario::{AttackKind, Scenario, ms};
use crate::seed::Seed;
use floods::{Flood, Stampede};
use means::Means;
pub use proposer::Proposer;
use racer::Racer;
use reader::Reader;
use withholder::Withholder;

/// Kind of attack.
enum Attack {
    None,
    Flood(Flood),
    Stampede(Stampede),
    Reader(Reader),
    Withholder(Withholder),
    Racer(Racer),
    /// Its proposer omits messages of these classes.
    Censor {
        classes: u8,
    },
}

/// The attacker of a run.
pub struct Adversary {
    attack: Attack,
    means: Means,
    /// The proposer that it controls, if any.
    proposer: Option<Arc<Proposer>>,
    /// Delay of its own client link, in ns, if different from the other clients'.
    link_ns: Option<Ns>,
}

impl Adversary {
    /// The attacker of a scenario. `venue` is one of its nodes, of which it knows how blocks are
    /// opened and who leads; `proposer` comes from [`Proposer::of`].
    pub fn new(
        scenario: &Scenario,
        venue: &Node,
        proposer: Option<Arc<Proposer>>,
        seed: &Seed,
    ) -> Adversary {
        let (unsealing, leader) = (venue.unsealing(), venue.engine().leader());
        let accounts = Accounts::new(scenario);
        let means = Means::new(&scenario.attack, scenario.duration_s, accounts, seed);
        let attack = match scenario.attack.what.clone() {
            AttackKind::None {} => Attack::None,
            AttackKind::Spam { rate_per_s } => Attack::Flood(Flood::orders(rate_per_s)),
            AttackKind::Sybil { rate_per_s, accounts } => {
                Attack::Flood(Flood::from_many(rate_per_s, accounts))
            }
            AttackKind::CancelStorm { rate_per_s } => Attack::Flood(Flood::cancels(rate_per_s)),
            AttackKind::Stampede { halt_s, messages, within_ms } => Attack::Stampede(Stampede {
                halt_ns: ms(halt_s * 1e3),
                messages,
                within_ns: ms(within_ms),
            }),
            AttackKind::Sandwich(reader) | AttackKind::Grind { reader, .. } => {
                Attack::Reader(Reader::sandwich(&reader, unsealing))
            }
            AttackKind::Insider(config) => Attack::Reader(Reader::insider(&config, unsealing)),
            AttackKind::Withhold { rate_per_s, size_usd } => {
                Attack::Withholder(Withholder::new(rate_per_s, size_usd, unsealing))
            }
            AttackKind::LatencyRace(config) | AttackKind::FeeJump(config) => {
                Attack::Racer(Racer::new(&config, leader))
            }
            AttackKind::Censor { class, .. } => Attack::Censor { classes: 1 << class as u8 },
        };
        let link_ns = match &scenario.attack.what {
            AttackKind::LatencyRace(racer) | AttackKind::FeeJump(racer) => Some(ms(racer.link_ms)),
            AttackKind::Sandwich(_) | AttackKind::Insider(_) | AttackKind::Grind { .. } => Some(0),
            _ => None,
        };
        Adversary { attack, means, proposer, link_ns }
    }

    /// Delay of its own client link, in ns, if different from the other clients'.
    pub fn link_ns(&self) -> Option<Ns> {
        self.link_ns
    }

    /// Orders that it found worth acting on.
    pub fn found(&self) -> u64 {
        self.means.found
    }

    /// Number of commitments that it did not reveal.
    pub fn withheld(&self) -> u64 {
        if let Attack::Withholder(withholder) = &self.attack { withholder.withheld() } else { 0 }
    }

    /// The number of colluding keypers changes.
    pub fn change_colluding(&mut self, change: i32) {
        if let Attack::Reader(reader) = &mut self.attack {
            reader.change_colluding(change);
        }
    }

    /// Whether it reads the messages that pass this node.
    #[inline]
    pub fn reads_at(&self, node: NodeId) -> bool {
        matches!(&self.attack, Attack::Reader(reader) if reader.node() == node)
    }

    /// Whether it waits for the execution of this message.
    #[inline]
    pub fn follows(&self, message: MessageId) -> bool {
        matches!(&self.attack, Attack::Reader(reader) if reader.follows(message))
    }

    /// Whether it has commitments that it may withhold.
    pub fn may_withhold(&self) -> bool {
        matches!(&self.attack, Attack::Withholder(withholder) if withholder.may_withhold())
    }

    /// Instructs its proposer to put two orders, of these numbers, right before a message.
    pub fn put_before(&self, own: [MessageId; 2], message: MessageId) {
        if let Some(proposer) = &self.proposer {
            proposer.put_before(own, message);
        }
    }

    /// Sets the timer at which the attack begins.
    pub fn start(&self, out: &mut Vec<Action>) {
        let window = &self.means.window;
        if !window.is_empty() && !matches!(self.attack, Attack::None) {
            out.push(Action::Wake { at: window.start, timer: Timer::Attack });
        }
    }

    /// Processes one event.
    pub fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        let means = &mut self.means;
        match (&mut self.attack, event) {
            (Attack::Flood(flood), ActorEvent::Timer(Timer::Attack)) => {
                flood.send(now, means, view, out);
            }
            (Attack::Stampede(stampede), ActorEvent::Timer(Timer::Attack)) => {
                stampede.begin(now, means, out);
            }
            (&mut Attack::Censor { classes }, ActorEvent::Timer(Timer::Attack)) => {
                let (until, censors) = (means.window.end, now < means.window.end);
                if let Some(proposer) = &self.proposer {
                    proposer.censor(if censors { classes } else { 0 });
                }
                if censors {
                    out.push(Action::Wake { at: until, timer: Timer::Attack });
                }
            }
            (Attack::Withholder(withholder), ActorEvent::Timer(Timer::Attack)) => {
                withholder.commit_both(now, means, view, out);
            }
            (Attack::Withholder(withholder), ActorEvent::Reveal(message)) => {
                withholder.reveal(message, means, view, out);
            }
            (Attack::Racer(racer), ActorEvent::Index { .. }) => racer.see(now, means, view, out),
            (Attack::Reader(reader), ActorEvent::Passes { message, last_hash, .. }) => {
                reader.read(now, message, &last_hash, means, view, out);
            }
            (Attack::Reader(reader), ActorEvent::Confirmed(message)) => {
                reader.confirmed(now, message, means, out);
            }
            _ => {}
        }
    }
}
