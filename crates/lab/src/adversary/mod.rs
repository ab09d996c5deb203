//! The attacker of `[attack]`: what it sees, and what it sends.
//!
//! # Rules
//! 1. It is a machine like the [actors](crate::actors): it hears, looks and answers.
//! 2. It draws from a stream of its own, so the others' flow is the same with and without it, until
//!    they meet in a queue.
//! 3. It has accounts of its own, and orders of its own to the venue: it gains only by trades that
//!    the market really makes. What it gains is read from the trace: every trade against the outside
//!    price of that moment, less fees, bonds and the price of the lane.
//! 4. It reads only what passes a place where it sits, and only if that can be read there.
//!
//! Files: [`floods`] (spam, sybil, cancel storm, stampede), [`reader`] (front-running: sandwich,
//! insider, grinding), [`racer`] (stale quotes), [`withholder`] (withheld reveals), [`proposer`]
//! (blocks made as the attacker says), [`means`] (what they share).

mod floods;
mod means;
mod proposer;
mod racer;
mod reader;
#[cfg(test)]
mod tests;
mod withholder;

use std::sync::Arc;

use surgetank_layer::node::Unsealing;
use surgetank_layer::units::{MessageId, NodeId, Ns};

use crate::actors::{Accounts, Action, Heard, Timer, View};
use crate::scenario::{AttackKind, Consensus, Scenario, ms};
use crate::seed::Seed;
use floods::{Flood, Stampede};
use means::Means;
pub use proposer::Proposer;
use racer::Racer;
use reader::Reader;
use withholder::Withholder;

/// How it attacks.
enum Attack {
    None,
    Flood(Flood),
    Stampede(Stampede),
    Reader(Reader),
    Withholder(Withholder),
    Racer(Racer),
    /// Its proposer leaves messages of these classes out.
    Censor {
        classes: u8,
    },
}

/// Whoever attacks the venue.
pub struct Adversary {
    attack: Attack,
    means: Means,
    /// A node's proposer, where it has one in its hands.
    proposer: Option<Arc<Proposer>>,
    /// Its own client link, where it has a better (or worse) one than the others.
    link_ns: Option<Ns>,
}

impl Adversary {
    /// The attacker of a scenario. `unsealing` is what the venue does with decided blocks, `proposer`
    /// that of [`Proposer::of`].
    pub fn new(
        scenario: &Scenario,
        unsealing: &Unsealing,
        proposer: Option<Arc<Proposer>>,
        seed: &Seed,
    ) -> Adversary {
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
                let leader = match scenario.layer.consensus {
                    Consensus::Single { node, .. } => Some(node),
                    _ => None,
                };
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

    /// Its own client link, where it has a better (or worse) one than the others.
    pub fn link_ns(&self) -> Option<Ns> {
        self.link_ns
    }

    /// Orders that it found worth acting on.
    pub fn found(&self) -> u64 {
        self.means.found
    }

    /// Commitments that it did not reveal.
    pub fn withheld(&self) -> u64 {
        if let Attack::Withholder(withholder) = &self.attack { withholder.withheld() } else { 0 }
    }

    /// Keypers enter its pay, or leave it.
    pub fn pay_keypers(&mut self, change: i32) {
        if let Attack::Reader(reader) = &mut self.attack {
            reader.pay_keypers(change);
        }
    }

    /// Whether it reads what passes a node.
    #[inline]
    pub fn reads_at(&self, node: NodeId) -> bool {
        matches!(&self.attack, Attack::Reader(reader) if reader.node() == node)
    }

    /// Whether it wants to know when a message is executed.
    #[inline]
    pub fn follows(&self, message: MessageId) -> bool {
        matches!(&self.attack, Attack::Reader(reader) if reader.follows(message))
    }

    /// Whether it has committed to messages that it may not reveal.
    pub fn may_withhold(&self) -> bool {
        matches!(&self.attack, Attack::Withholder(withholder) if withholder.may_withhold())
    }

    /// Its proposer is to put two orders, of these numbers, right before a message.
    pub fn put_before(&self, own: [MessageId; 2], message: MessageId) {
        if let Some(proposer) = &self.proposer {
            proposer.put_before(own, message);
        }
    }

    /// Asks for the time at which the attack begins.
    pub fn start(&self, out: &mut Vec<Action>) {
        let window = &self.means.window;
        if !window.is_empty() && !matches!(self.attack, Attack::None) {
            out.push(Action::Wake { at: window.start, timer: Timer::Attack });
        }
    }

    /// Tells it something.
    pub fn step(&mut self, now: Ns, heard: Heard<'_>, view: &impl View, out: &mut Vec<Action>) {
        let means = &mut self.means;
        match (&mut self.attack, heard) {
            (Attack::Flood(flood), Heard::Timer(Timer::Attack)) => {
                flood.send(now, means, view, out);
            }
            (Attack::Stampede(stampede), Heard::Timer(Timer::Attack)) => {
                stampede.begin(now, means, out);
            }
            (&mut Attack::Censor { classes }, Heard::Timer(Timer::Attack)) => {
                let (until, censors) = (means.window.end, now < means.window.end);
                if let Some(proposer) = &self.proposer {
                    proposer.censor(if censors { classes } else { 0 });
                }
                if censors {
                    out.push(Action::Wake { at: until, timer: Timer::Attack });
                }
            }
            (Attack::Withholder(withholder), Heard::Timer(Timer::Attack)) => {
                withholder.commit_both(now, means, view, out);
            }
            (Attack::Withholder(withholder), Heard::Reveal(message)) => {
                withholder.reveal(message, means, view, out);
            }
            (Attack::Racer(racer), Heard::Index { .. }) => racer.see(now, means, view, out),
            (Attack::Reader(reader), Heard::Passes { message, last_hash, .. }) => {
                reader.read(now, message, &last_hash, means, view, out);
            }
            (Attack::Reader(reader), Heard::Confirmed(message)) => {
                reader.confirmed(now, message, means, out);
            }
            _ => {}
        }
    }
}
