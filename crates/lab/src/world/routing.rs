//! Routing between clients, actors and nodes.

use std::sync::Arc;

use surgetank_layer::message::{Block, Class, Envelope, Message};
use surgetank_layer::node::{self, Input};
use surgetank_layer::units::{MessageId, NodeId, Ns};

use super::{Event, World};
use crate::actors::{Action, ActorEvent, Actors, Published, Sending, Timer};
use crate::adversary::Adversary;
use crate::exchange::Public;
use crate::faults::Seen;
use crate::lane::{Effect, Lane};
use crate::trace::{Reason, Resource};

/// A refusal as it is recorded: its reason, and the resource to which the time until the next
/// attempt is charged.
type Refusal = (Reason, Resource);

const GATEWAY_DOWN: Refusal = (Reason::GatewayDown, Resource::Faults);

/// The record of a node's refusal. A full queue of messages that wait for ordering is crowded
/// blocks.
fn recorded(reason: node::Reason) -> Refusal {
    match reason {
        node::Reason::IngressFull => (Reason::IngressFull, Resource::ValidationOthers),
        node::Reason::IngressShed => (Reason::Shed, Resource::ValidationOthers),
        node::Reason::MempoolFull => (Reason::MempoolFull, Resource::BlockSpace),
        node::Reason::MempoolShed => (Reason::Shed, Resource::BlockSpace),
        node::Reason::RateExceeded => (Reason::RateExceeded, Resource::Admission),
        node::Reason::FeeTooLow => (Reason::FeeTooLow, Resource::Admission),
        node::Reason::Expired => (Reason::Expired, Resource::Admission),
        node::Reason::CancelledBefore => (Reason::CancelledBefore, Resource::Admission),
        node::Reason::TooLarge => unreachable!("flow.overhead_bytes: Python refuses such messages"),
        node::Reason::Throttled => (Reason::Throttled, Resource::Admission),
    }
}

/// Actors and the attacker.
impl World {
    /// Steps the actors and performs their actions.
    pub(super) fn with_actors(&mut self, ask: impl FnOnce(&mut Actors, &mut Vec<Action>)) {
        let mut actions = std::mem::take(&mut self.actions);
        ask(&mut self.actors, &mut actions);
        self.act(actions);
    }

    /// Steps the attacker and performs its actions.
    pub(super) fn with_attacker(&mut self, ask: impl FnOnce(&mut Adversary, &mut Vec<Action>)) {
        let mut actions = std::mem::take(&mut self.actions);
        ask(&mut self.adversary, &mut actions);
        self.act(actions);
    }

    /// Passes an event to the actors.
    pub(super) fn notify_actors(&mut self, event: ActorEvent<'_>) {
        let mut actions = std::mem::take(&mut self.actions);
        self.actors.step(self.now, event, &Public(self.exchange.as_ref()), &mut actions);
        self.act(actions);
    }

    /// Passes an event to the attacker.
    pub(super) fn notify_attacker(&mut self, event: ActorEvent<'_>) {
        let mut actions = std::mem::take(&mut self.actions);
        self.adversary.step(self.now, event, &Public(self.exchange.as_ref()), &mut actions);
        self.act(actions);
    }

    /// A timer of an actor or the attacker has expired.
    pub(super) fn outside_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Attack => self.notify_attacker(ActorEvent::Timer(timer)),
            Timer::Auction => {
                self.notify_actors(ActorEvent::Timer(timer));
                self.notify_attacker(ActorEvent::Timer(timer));
            }
            _ => self.notify_actors(ActorEvent::Timer(timer)),
        }
    }

    /// Performs actions, and keeps the list's allocation.
    fn act(&mut self, mut actions: Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Send(sending) => self.send(&sending),
                Action::Wake { at, timer } => self.agenda.push(at, Event::Outside(timer)),
                Action::Bid { round, bidder, amount } => {
                    self.at_the_lane(|lane, now, out| lane.bid(now, (round, bidder, amount), out));
                }
                Action::Withhold(message) => self.clients.withheld(self.wire.slot(message)),
                Action::Halt(span) => self.actors.background.halt(span),
                Action::BuildBlocks { node, builder } => {
                    self.nodes[node as usize].node.set_builder(builder);
                }
                Action::Publish { node, payload, withheld_from } => {
                    self.publish(node, payload, &withheld_from);
                }
            }
        }
        self.actions = actions;
    }

    /// A message is for the first time at a node (or at its gateway).
    #[inline]
    pub(super) fn pass_by(&mut self, node: NodeId, message: MessageId) {
        if self.adversary.reads_at(node)
            && self.wire.envelope(message).class == Class::NewOrderSingle
        {
            let message = self.clients.messages().message(self.wire.slot(message));
            let last_hash = self.nodes[node as usize].node.last_hash();
            self.notify_attacker(ActorEvent::Passes { node, message: &message, last_hash });
        }
    }

    /// Before a block is first executed: asks for the reveals of its messages.
    fn ask_to_reveal(&mut self, block: &Block) {
        let first = self.exchange.as_ref().is_some_and(|exchange| exchange.is_next(block.height));
        if !first || !self.adversary.may_withhold() {
            return;
        }
        for entry in &block.entries {
            let message = self.clients.messages().message(self.wire.slot(entry.envelope.id));
            self.notify_attacker(ActorEvent::Reveal(&message));
        }
    }

    /// The outside prices step, and the actors that watch them react.
    pub(super) fn price_step(&mut self) {
        let Some(exchange) = &mut self.exchange else { return };
        let next_ns = exchange.step(self.now);
        if next_ns < self.end_ns {
            self.agenda.push(next_ns, Event::Price);
        }
        self.notify_actors(ActorEvent::Index { next_ns });
        self.notify_attacker(ActorEvent::Index { next_ns });
    }
}

/// Clients' messages and the express lane.
impl World {
    /// A client sends a message.
    pub(super) fn send(&mut self, sending: &Sending) {
        let executed = self.nodes[sending.gateway as usize].node.executed_height();
        let envelope = self.clients.envelope(sending, executed);
        let slot = self.clients.messages().len() as u32;
        let envelope = self.wire.carry(self.now, envelope, slot, sending.gateway);
        self.waits.iter_mut().for_each(|waits| waits.carried(envelope.id));
        let (message, at) = self.clients.send(self.now, sending, &envelope);
        if let Some(exchange) = &mut self.exchange {
            exchange.note_sent(&message);
        }
        self.agenda.push(at, Event::Gateway(slot));
    }

    pub(super) fn reach_gateway(&mut self, slot: u32) {
        let Some((gateway, message)) = self.clients.reaches_gateway(self.now, slot) else { return };
        self.waits.iter_mut().for_each(|waits| waits.reaches(self.now, message));
        if !self.nodes[gateway as usize].is_up() {
            self.wire.links.faults.observe(gateway, &Seen::Missed);
            return self.turn_away(slot, GATEWAY_DOWN, 0);
        }
        if self.wire.reaches_gateway(self.now, gateway, message) {
            self.pass_by(gateway, message);
        }
        if self.lane.is_some() {
            let account = self.clients.messages().account[slot as usize];
            self.at_the_lane(|lane, now, out| lane.message(now, message, account, out));
        } else {
            self.enter(slot);
        }
    }

    /// A message may enter its gateway.
    pub(super) fn enter(&mut self, slot: u32) {
        let gateway = self.clients.gateway(slot);
        let message = self.clients.messages().id[slot as usize];
        if self.nodes[gateway as usize].is_up() {
            self.waits.iter_mut().for_each(|waits| waits.enters(self.now, message));
            self.step(gateway, Input::Client(self.wire.envelope(message)));
        } else {
            self.wire.links.faults.observe(gateway, &Seen::Missed);
            self.turn_away(slot, GATEWAY_DOWN, 0);
        }
    }

    /// A timer of the lane has expired, or the run begins.
    pub(super) fn lane_timer(&mut self) {
        self.at_the_lane(|lane, now, out| lane.timer(now, out));
    }

    /// Steps the express lane, if there is one.
    fn at_the_lane(&mut self, what: impl FnOnce(&mut Lane, Ns, &mut Vec<Effect>)) {
        let Some(lane) = &mut self.lane else { return };
        let mut effects = Vec::new();
        what(lane, self.now, &mut effects);
        for effect in effects {
            match effect {
                Effect::Wake(at) => self.agenda.push(at, Event::Lane),
                Effect::Enter(at, id) => self.agenda.push(at, Event::Enter(self.wire.slot(id))),
                Effect::TurnAway(id) => {
                    let refusal = recorded(node::Reason::RateExceeded);
                    self.turn_away(self.wire.slot(id), refusal, 0);
                }
            }
        }
    }

    /// A node refuses a message.
    pub(super) fn refused(
        &mut self,
        node: NodeId,
        message: MessageId,
        reason: node::Reason,
        retry_after_ns: Ns,
    ) {
        let slot = self.wire.slot(message);
        if node != self.clients.gateway(slot) && self.clients.leader() != Some(node) {
            // The message still waits at another node.
            return;
        }
        self.turn_away(slot, recorded(reason), retry_after_ns);
    }

    /// Processes a refusal: the client retries later, or gives up.
    fn turn_away(&mut self, slot: u32, (reason, lacking): Refusal, retry_after_ns: Ns) {
        if self.clients.is_decided(slot) {
            // A copy is in a block: refusing another one has no effect.
            return;
        }
        let message = self.clients.messages().id[slot as usize];
        if let Some(waits) = &mut self.waits {
            waits.turned_away(self.now, message, lacking);
        }
        if let Some(retry) = self.clients.turned_away(self.now, slot, reason, retry_after_ns) {
            retry.raised.into_iter().for_each(|fee_micros| self.wire.raise(message, fee_micros));
            self.agenda.push(retry.at, Event::Gateway(slot));
        }
    }
}

/// Decided and executed blocks.
impl World {
    pub(super) fn decided(&mut self, node: NodeId, block: &Arc<Block>, round: u32) {
        self.observe_block(node);
        if let Some(waits) = &mut self.waits {
            waits.decides(self.now, node, block, &self.nodes[node as usize].node);
        }
        self.chain.decided(self.now, node, block, round);
        for entry in &block.entries {
            let message = entry.envelope.id;
            let slot = self.wire.slot(message);
            if self.clients.reports(slot, node) {
                let arrived_ns = self.wire.arrival(message, block.proposer);
                self.clients.decided(self.now, slot, block, entry, arrived_ns);
            }
        }
    }

    pub(super) fn executed(&mut self, node: NodeId, block: &Arc<Block>) {
        let now = self.now;
        self.chain.executed(now, node, block);
        self.ask_to_reveal(block);
        self.waits.iter_mut().for_each(|waits| waits.reports(now, block.height));
        for (position, entry) in (0..).zip(&block.entries) {
            let Envelope { id, fee_micros, .. } = entry.envelope;
            let slot = self.wire.slot(id);
            if self.clients.is_withheld(slot) || !self.clients.reports(slot, node) {
                continue;
            }
            let gateway = self.clients.gateway(slot);
            let back_ns =
                if gateway == node { 0 } else { self.wire.links.delays.between(node, gateway) };
            self.clients.executed(now, slot, position, fee_micros, back_ns);
            if let Some(waits) = &mut self.waits {
                let executed = self.clients.messages().executed(slot);
                waits.done(now, &executed, block.height, block.proposer);
            }
            if self.adversary.follows(id) {
                self.notify_attacker(ActorEvent::Confirmed(id));
            }
        }
        self.settle(node, block);
        self.credit_quotas();
    }

    /// Executes the market if the node is the first, and reports to its clients.
    fn settle(&mut self, node: NodeId, block: &Block) {
        let Some(exchange) = &self.exchange else { return };
        if exchange.is_next(block.height) {
            self.execute_market(block);
        }
        let Some(exchange) = &self.exchange else { return };
        let height = block.height as u32;
        let marks = exchange.marks_at(height).to_vec();
        let cut = exchange.deferred_in(block.height);
        let priced = exchange.feeds_in_block()
            || block.entries.iter().any(|e| e.envelope.class == Class::PriceUpdate);
        self.step_once(node, Input::Mark(marks[0]));
        let leader = self.clients.leader();
        if leader.is_some_and(|leader| leader != node) {
            return;
        }
        if !priced && !cut {
            return;
        }
        // One executing node serves every gateway.
        let served = if leader.is_some() { 0..self.nodes.len() as u32 } else { node..node + 1 };
        for gateway in served {
            self.notify_actors(ActorEvent::Published(Published {
                gateway,
                height,
                marks: &marks,
                priced,
                cut,
            }));
        }
    }

    fn execute_market(&mut self, block: &Block) {
        let Some(exchange) = &mut self.exchange else { return };
        let slots = block.entries.iter().map(|entry| self.wire.slot(entry.envelope.id));
        let messages: Vec<Message> = slots
            .filter(|&slot| !self.clients.is_withheld(slot))
            .map(|slot| self.clients.messages().message(slot))
            .collect();
        let facts = exchange.execute(self.now, (block.height, block.hash), &messages);
        self.notify_actors(ActorEvent::Executed { messages: &messages, facts: &facts });
    }

    /// Credits the requests earned by trades at the accounts' own gateways.
    ///
    /// A gateway has it at once, with the block, as the venue counts where it executes; one that is
    /// down has it when it is back.
    fn credit_quotas(&mut self) {
        let earned = self.exchange.as_mut().map_or_else(Vec::new, |exchange| exchange.earned());
        for (account, requests) in earned {
            let gateway = self.actors.accounts.gateway(account);
            self.step_once(gateway, Input::Earned { account, requests });
        }
    }
}
