//! What actors and the attacker hear, and what follows from their answers.

use surgetank_layer::message::{Block, Class};
use surgetank_layer::units::{MessageId, NodeId};

use super::{Event, World};
use crate::actors::{Action, Actors, Heard, Timer};
use crate::adversary::Adversary;
use crate::exchange::Public;
use crate::trace::{Outcome, Reason};

impl World {
    /// Does what actors ask for.
    pub(super) fn with_actors(&mut self, ask: impl FnOnce(&mut Actors, &mut Vec<Action>)) {
        let mut actions = std::mem::take(&mut self.actions);
        ask(&mut self.actors, &mut actions);
        self.act(actions);
    }

    /// Does what the attacker asks for.
    pub(super) fn with_attacker(&mut self, ask: impl FnOnce(&mut Adversary, &mut Vec<Action>)) {
        let mut actions = std::mem::take(&mut self.actions);
        ask(&mut self.adversary, &mut actions);
        self.act(actions);
    }

    /// Actors hear something.
    pub(super) fn tell(&mut self, heard: Heard<'_>) {
        let mut actions = std::mem::take(&mut self.actions);
        self.actors.step(self.now, heard, &Public(self.exchange.as_ref()), &mut actions);
        self.act(actions);
    }

    /// The attacker hears something.
    pub(super) fn tell_attacker(&mut self, heard: Heard<'_>) {
        let mut actions = std::mem::take(&mut self.actions);
        self.adversary.step(self.now, heard, &Public(self.exchange.as_ref()), &mut actions);
        self.act(actions);
    }

    /// A time has come that somebody outside asked for.
    pub(super) fn outside_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Attack => self.tell_attacker(Heard::Timer(timer)),
            Timer::Spam { fault } => self.spam(fault),
            _ => self.tell(Heard::Timer(timer)),
        }
    }

    /// Does what somebody outside asks for, and keeps the room that the list takes.
    fn act(&mut self, mut actions: Vec<Action>) {
        let mut sent: [MessageId; 2] = [MessageId::MAX; 2];
        for action in actions.drain(..) {
            match action {
                Action::Send(sending) => sent = [sent[1], self.send(sending)],
                Action::Wake { at, timer } => self.agenda.push(at, Event::Outside(timer)),
                Action::Bid { round, bidder, amount } => self.bid_for_lane(round, bidder, amount),
                Action::Withhold(message) => self.withhold(message),
                Action::PutBefore(message) => self.adversary.put_before(sent, message),
            }
        }
        self.actions = actions;
    }

    /// A message is for the first time at a node (or at its gateway).
    #[inline]
    pub(super) fn pass_by(&mut self, node: NodeId, message: MessageId) {
        if self.adversary.reads_at(node) {
            let carried = self.carried[message as usize];
            if carried.envelope.class == Class::NewOrderSingle {
                let message = self.records[carried.slot as usize].message;
                let last_hash = self.nodes[node as usize].node.last_hash();
                self.tell_attacker(Heard::Passes { node, message: &message, last_hash });
            }
        }
    }

    /// Before a block is executed for the first time, its messages are asked for: who keeps silent?
    pub(super) fn ask_to_reveal(&mut self, block: &Block) {
        let first = self.exchange.as_ref().is_some_and(|exchange| exchange.is_next(block.height));
        if !first || !self.adversary.may_withhold() {
            return;
        }
        for entry in &block.entries {
            let slot = self.carried[entry.envelope.id as usize].slot;
            let message = self.records[slot as usize].message;
            self.tell_attacker(Heard::Reveal(&message));
        }
    }

    /// A message is not revealed: it is in its block, and is not executed.
    fn withhold(&mut self, message: MessageId) {
        self.silent.insert(message);
        let record = &mut self.records[self.carried[message as usize].slot as usize];
        (record.outcome, record.reason) = (Outcome::Refused, Reason::NotRevealed);
    }
}
