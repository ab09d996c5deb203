//! The attacker of `[attack]`: what it sees, and what it sends.
//!
//! # Rules
//! 1. It draws from a stream of its own, so the others' flow is the same with and without it, until
//!    they meet in a queue.
//! 2. It has accounts of its own, and orders of its own to the venue: it gains only by trades that
//!    the market really makes. What it gains is told from the trace: every trade against the outside
//!    price of that moment, less fees, bonds and the price of the lane.
//! 3. It reads only what passes a place where it sits, and only if that can be read there.
//!
//! Files: [`floods`] (spam, sybil, cancel storm, stampede), [`reader`] (front-running: sandwich, insider, grinding),
//! [`trader`] (stale quotes, withheld reveals).

mod floods;
mod reader;
mod trader;

use std::collections::BTreeMap;

use surgetank_layer::message::{Body, Class, NewOrderSingle, OrdType, Side, TimeInForce};
use surgetank_layer::node::Input;
use surgetank_layer::units::{AccountId, MessageId, NodeId, Ns, Price, Qty};

use super::actors::Wake;
use super::clients::class_of;
use super::{Event, World};
use crate::scenario::{AttackKind, Scenario, ms};
use crate::seed::{Seed, Stream};
use crate::trace::Source;

/// Somebody who wishes the venue ill.
pub struct Adversary {
    kind: AttackKind,
    from_ns: Ns,
    until_ns: Ns,
    draws: Stream,
    cl_ord_id: u64,
    /// Outside price at which it last acted.
    acted_ticks: Price,
    /// Orders that it found worth acting on.
    pub found: u64,
    /// The two orders of a pair of which one is revealed: each names the other.
    pairs: BTreeMap<MessageId, MessageId>,
    /// Its offers to victims that are not executed yet: victim → (account, ClOrdID).
    offers: BTreeMap<MessageId, (AccountId, u64)>,
    /// Commitments that it did not reveal.
    pub withheld: u64,
    /// Keypers in its pay.
    pub colluding: u32,
}

/// Accounts that an attack needs.
pub fn accounts(scenario: &Scenario) -> u32 {
    match scenario.attack.what {
        AttackKind::None {} | AttackKind::Stampede { .. } | AttackKind::Censor { .. } => 0,
        AttackKind::Spam { .. } | AttackKind::CancelStorm { .. } => 1,
        AttackKind::Sybil { accounts, .. } => accounts,
        AttackKind::Grind { accounts, .. } => accounts,
        AttackKind::LatencyRace(_)
        | AttackKind::FeeJump(_)
        | AttackKind::Sandwich(_)
        | AttackKind::Insider(_) => 1,
        AttackKind::Withhold { .. } => 2,
    }
}

impl Adversary {
    pub(super) fn new(scenario: &Scenario, seed: &Seed) -> Adversary {
        let attack = &scenario.attack;
        Adversary {
            kind: attack.what.clone(),
            from_ns: ms(attack.at_s * 1e3),
            until_ns: ms((attack.at_s + attack.duration_s).min(scenario.duration_s) * 1e3),
            draws: seed.stream("attack", 0),
            cl_ord_id: 0,
            acted_ticks: 0,
            found: 0,
            pairs: BTreeMap::new(),
            offers: BTreeMap::new(),
            withheld: 0,
            colluding: 0,
        }
    }

    /// Its own client link, where it has a better (or worse) one than the others.
    pub(super) fn link_ns(kind: &AttackKind) -> Option<Ns> {
        match kind {
            AttackKind::LatencyRace(racer) | AttackKind::FeeJump(racer) => Some(ms(racer.link_ms)),
            AttackKind::Sandwich(_) | AttackKind::Insider(_) | AttackKind::Grind { .. } => Some(0),
            _ => None,
        }
    }

    fn acts_at(&self, now: Ns) -> bool {
        (self.from_ns..self.until_ns).contains(&now)
    }

    fn next_id(&mut self) -> u64 {
        self.cl_ord_id += 1;
        self.cl_ord_id
    }
}

impl World {
    /// The attack begins.
    pub(super) fn begin_attack(&mut self) {
        let from = self.adversary.from_ns;
        if from >= self.adversary.until_ns {
            return;
        }
        if let AttackKind::None {} = self.adversary.kind {
            return;
        }
        self.agenda.push(from, Event::Actor(Wake::Attack));
    }

    /// The attacker's turn.
    pub(super) fn attack(&mut self) {
        match self.adversary.kind.clone() {
            AttackKind::Spam { rate_per_s }
            | AttackKind::Sybil { rate_per_s, .. }
            | AttackKind::CancelStorm { rate_per_s } => self.flood(rate_per_s),
            AttackKind::Stampede { halt_s, messages, within_ms } => {
                self.stampede(halt_s, messages, within_ms);
            }
            AttackKind::Withhold { rate_per_s, size_usd } => self.commit_both(rate_per_s, size_usd),
            AttackKind::Censor { node, class } => {
                let classes = 1 << class_of(class) as u8;
                self.step(node, Input::Censor { classes });
                let until = self.adversary.until_ns;
                if self.now < until {
                    self.agenda.push(until, Event::Actor(Wake::Attack));
                } else {
                    self.step(node, Input::Censor { classes: 0 });
                }
            }
            _ => {}
        }
    }

    fn attacker(&self, index: u32) -> AccountId {
        self.actors.accounts.attackers_from() + index
    }

    /// An order of the attacker's.
    fn attack_with(
        &mut self,
        account: AccountId,
        gateway: NodeId,
        fee_usd: f64,
        order: NewOrderSingle,
    ) -> MessageId {
        let fee_micros = super::clients::micros(fee_usd);
        let body = Body::NewOrderSingle(order);
        self.send_paying(self.now, account, gateway, Source::Attacker, body, fee_micros)
    }

    /// An order that takes what it finds and does not rest.
    fn taking(&mut self, side: Side, price: Price, order_qty: Qty) -> NewOrderSingle {
        NewOrderSingle {
            cl_ord_id: self.adversary.next_id(),
            symbol: 0,
            side,
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::ImmediateOrCancel,
            post_only: false,
            reduce_only: false,
            price: price.max(1),
            order_qty,
        }
    }

    /// A message is for the first time at a node (or at its gateway).
    #[inline]
    pub(super) fn pass_by(&mut self, node: NodeId, message: MessageId) {
        let reads = match &self.adversary.kind {
            AttackKind::Sandwich(reader) | AttackKind::Insider(reader) => reader.node == node,
            AttackKind::Grind { node: at, .. } => *at == node,
            _ => false,
        };
        let order = self.carried[message as usize].envelope.class == Class::NewOrderSingle;
        if reads && order && self.adversary.acts_at(self.now) {
            self.read(message);
        }
    }
}
