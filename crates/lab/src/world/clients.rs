//! Messages enter the venue and are confirmed: client links, gateways, refusals, retries.

use surgetank_layer::codec;
use surgetank_layer::gossip::Frame;
use surgetank_layer::message::{Block, Body, Envelope, Message};
use surgetank_layer::node::{Input, Packet};
use surgetank_layer::queue;
use surgetank_layer::units::{AccountId, MessageId, NEVER, NodeId, Ns};

use std::collections::BTreeMap;

use super::{Event, World};
use crate::actors::Sending;
use crate::scenario::{self, Scenario, micros, ms};
use crate::seed::{Seed, packet_bits, unit};
use crate::trace::{Outcome, Reason, Record, Source};

/// A vote with its signature.
pub const VOTE_BYTES: u32 = 170;
/// A share of a key with its proof: two points of BLS12-381 and a header.
const SHARE_BYTES: u32 = 200;
/// A block without its messages.
const BLOCK_BYTES: u32 = 400;
/// A message's number in a gossip frame (gossipsub's default message id).
const ID_BYTES: u32 = 40;

/// When one attempt of a message reached its gateway, and when it was let in there.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    gateway_ns: Ns,
    admitted_ns: Ns,
}

/// What clients and their links are like.
pub struct Clients {
    fixed_ns: Ns,
    jitter_ns: f64,
    tries_max: u32,
    backoff_ns: Ns,
    overhead_bytes: u32,
    key: u64,
    fee_key: u64,
    serials: [u32; 8],
    /// Earlier attempts of messages that were let in, refused later and sent again.
    earlier: BTreeMap<u32, Vec<Attempt>>,
    fees: scenario::Fees,
    /// The attacker's link, if it is not like the others'.
    attacker_ns: Option<Ns>,
}

impl Clients {
    /// `attacker_ns` = the attacker's link, if it is not like the others'.
    pub(super) fn new(scenario: &Scenario, attacker_ns: Option<Ns>, seed: &Seed) -> Clients {
        let flow = &scenario.flow;
        Clients {
            fixed_ns: ms(flow.client_link.fixed_ms),
            jitter_ns: ms(flow.client_link.jitter_ms) as f64,
            tries_max: flow.retry.tries_max,
            backoff_ns: ms(flow.retry.backoff_ms),
            overhead_bytes: flow.overhead_bytes,
            key: seed.key("flow.client_link"),
            fee_key: seed.key("flow.fees"),
            serials: [0; 8],
            earlier: BTreeMap::new(),
            fees: flow.fees.clone(),
            attacker_ns,
        }
    }

    /// One crossing of a client link. It depends on the message and the attempt alone.
    fn crossing(&self, record: &Record, back: bool) -> Ns {
        if let (Source::Attacker, Some(link_ns)) = (record.source, self.attacker_ns) {
            return link_ns;
        }
        if self.jitter_ns == 0.0 {
            return self.fixed_ns;
        }
        let number = u64::from(record.serial) << 12
            | (record.source as u64) << 9
            | u64::from(record.tries) << 1
            | u64::from(back);
        let unit = (packet_bits(self.key, number) >> 11) as f64 / (1u64 << 53) as f64;
        self.fixed_ns + (-(1.0 - unit).ln() * self.jitter_ns) as Ns
    }
}

impl Clients {
    /// A message is at its gateway, perhaps again. What an earlier attempt left is kept if that
    /// attempt was let in: a node that got a copy of it may still propose it.
    fn attempt(&mut self, slot: u32, record: &mut Record, now: Ns) {
        let Record { gateway_ns, admitted_ns, .. } = *record;
        if admitted_ns != NEVER {
            self.earlier.entry(slot).or_default().push(Attempt { gateway_ns, admitted_ns });
        }
        (record.gateway_ns, record.admitted_ns) = (now, NEVER);
    }

    /// The copy in a block had reached its proposer by `by_ns`: the stamps at the gateway become
    /// those of the last attempt that had been let in by then.
    pub(super) fn stem_from(&mut self, slot: u32, record: &mut Record, by_ns: Ns) {
        let Some(earlier) = self.earlier.remove(&slot) else { return };
        if record.admitted_ns <= by_ns {
            return;
        }
        if let Some(attempt) = earlier.iter().rfind(|attempt| attempt.admitted_ns <= by_ns) {
            (record.gateway_ns, record.admitted_ns) = (attempt.gateway_ns, attempt.admitted_ns);
        }
    }

    /// Whether a client that sends again had the report before it did.
    fn had_report(&self, record: &Record, now: Ns) -> bool {
        record.outcome == Outcome::Executed
            && record.confirmed_ns.saturating_add(self.crossing(record, false)) <= now
    }
}

impl Clients {
    /// What a message offers to be served earlier, in millionths of a USD.
    fn fee(&self, source: Source, serial: u32) -> u32 {
        let fees = &self.fees;
        match source {
            Source::Background | Source::Panic | Source::Tape => {
                let number = u64::from(serial) << 3 | source as u64;
                let unit = unit(packet_bits(self.fee_key, number));
                micros(-(1.0 - unit).ln() * fees.background_usd)
            }
            Source::Maker => micros(fees.maker_usd),
            Source::Keeper => micros(fees.keeper_usd),
            Source::Oracle => micros(fees.oracle_usd),
            Source::Spam | Source::Attacker => 0,
        }
    }
}

impl Clients {
    /// What a message bids after its bid was too low; `None` if it bids as much as it will.
    fn raised(&self, record: &Record) -> Option<u32> {
        let most = micros(self.fees.max_usd);
        let next = (f64::from(record.fee_micros) * self.fees.escalation).ceil() as u32;
        // A bid of nothing grows by what a background trader offers in the mean.
        let next = next.max(micros(self.fees.background_usd).min(most)).min(most);
        (next > record.fee_micros).then_some(next)
    }
}

impl World {
    /// A client sends a message.
    pub(super) fn send(&mut self, sending: Sending) -> MessageId {
        let Sending { sent_ns, account, gateway, source, body, fee_micros } = sending;
        let serial = self.clients.serials[source as usize];
        self.clients.serials[source as usize] += 1;
        let fee_micros = fee_micros.unwrap_or_else(|| self.clients.fee(source, serial));
        let size_bytes = codec::encoded_len(&body) as u32 + self.clients.overhead_bytes;
        let slot = self.records.len() as u32;
        let envelope = envelope_of(account, &body, size_bytes);
        let expires = self.expiry(gateway, &body);
        let envelope = self.carry(Envelope { fee_micros, expires, ..envelope }, slot, gateway);
        let message = Message { id: envelope.id, account, sent_ns, body };
        let mut record = Record::new(message, size_bytes, gateway, source, serial);
        record.fee_micros = fee_micros;
        if let Some(exchange) = &mut self.exchange {
            exchange.note_sent(&message);
        }
        let reaches = sent_ns.max(self.now) + self.clients.crossing(&record, false);
        self.records.push(record);
        self.agenda.push(reaches, Event::Gateway(slot));
        envelope.id
    }

    pub(super) fn reach_gateway(&mut self, slot: u32) {
        let record = &mut self.records[slot as usize];
        if self.clients.had_report(record, self.now) {
            return;
        }
        // What is in a block keeps its stamps; a copy that comes later is still work.
        if record.decided_ns == NEVER {
            self.clients.attempt(slot, record, self.now);
        }
        let (gateway, message) = (record.gateway, record.message.id);
        let envelope = self.carried[message as usize].envelope;
        let cell = message as usize * self.nodes.len() + gateway as usize;
        self.waits.iter_mut().for_each(|waits| waits.reaches(self.now, message));
        if !self.nodes[gateway as usize].is_up() {
            self.incidents.missed(gateway);
            return self.turn_away(slot, Reason::GatewayDown, 0);
        }
        let first = self.arrivals[cell] > self.now;
        self.arrivals[cell] = self.arrivals[cell].min(self.now);
        if first {
            self.pass_by(gateway, message);
        }
        if self.lane.is_some() {
            self.at_the_lane(slot, message);
        } else {
            self.waits.iter_mut().for_each(|waits| waits.enters(self.now, message));
            self.step(gateway, Input::Client(envelope));
        }
    }

    /// A message may enter its gateway.
    pub(super) fn enter(&mut self, slot: u32) {
        let record = &self.records[slot as usize];
        let (gateway, message) = (record.gateway, record.message.id);
        if self.nodes[gateway as usize].is_up() {
            self.waits.iter_mut().for_each(|waits| waits.enters(self.now, message));
            let envelope = self.carried[message as usize].envelope;
            self.step(gateway, Input::Client(envelope));
        } else {
            self.incidents.missed(gateway);
            self.turn_away(slot, Reason::GatewayDown, 0);
        }
    }

    /// The last height that may hold a message, as its client asks.
    fn expiry(&self, gateway: NodeId, body: &Body) -> u32 {
        let blocks = self.scenario.layer.admission.expires_blocks;
        let order = matches!(body, Body::NewOrderSingle(_) | Body::OrderCancelReplaceRequest(_));
        if blocks == 0 || !order {
            return 0;
        }
        (self.nodes[gateway as usize].node.executed_height() as u32).saturating_add(blocks)
    }

    /// A message owes this if it is executed.
    pub(super) fn charge(&mut self, message: MessageId, micros: u64) {
        let record = &mut self.records[self.carried[message as usize].slot as usize];
        record.owed_micros = u32::try_from(micros).unwrap_or(u32::MAX);
    }

    pub(super) fn admitted(&mut self, message: MessageId) {
        let record = &mut self.records[self.carried[message as usize].slot as usize];
        if record.decided_ns == NEVER {
            record.admitted_ns = self.now;
        }
    }

    pub(super) fn refused(
        &mut self,
        node: NodeId,
        message: MessageId,
        reason: queue::Reason,
        retry_after_ns: Ns,
    ) {
        let slot = self.carried[message as usize].slot;
        let gateway = self.records[slot as usize].gateway;
        if node != gateway && self.leader != Some(node) {
            // It still waits elsewhere.
            return;
        }
        let full = self.nodes[node as usize].node.mempool_len() >= self.mempool_max();
        let reason = match reason {
            queue::Reason::QueueFull if full => Reason::MempoolFull,
            queue::Reason::QueueFull => Reason::IngressFull,
            queue::Reason::Shed => Reason::Shed,
            queue::Reason::RateExceeded => Reason::RateExceeded,
            queue::Reason::FeeTooLow => Reason::FeeTooLow,
            queue::Reason::Expired => Reason::Expired,
            queue::Reason::CancelledBefore => Reason::CancelledBefore,
            queue::Reason::Throttled => Reason::Throttled,
        };
        self.turn_away(slot, reason, retry_after_ns);
    }

    fn mempool_max(&self) -> usize {
        self.scenario.layer.queue.mempool_max as usize
    }

    /// A refusal: the client tries again later, or gives up.
    pub(super) fn turn_away(&mut self, slot: u32, reason: Reason, retry_after_ns: Ns) {
        let record = &mut self.records[slot as usize];
        if record.decided_ns != NEVER {
            // A copy of it is in a block: refusing another one changes nothing.
            return;
        }
        if let Some(waits) = &mut self.waits {
            waits.turned_away(self.now, record.message.id, reason);
        }
        record.reason = reason;
        let raised = if reason == Reason::FeeTooLow { self.clients.raised(record) } else { None };
        let final_no = raised.is_none() && retry_after_ns == NEVER;
        if u32::from(record.tries) >= self.clients.tries_max || final_no {
            record.outcome = Outcome::Refused;
            return;
        }
        record.tries += 1;
        let mut backoff = self.clients.backoff_ns << (record.tries - 1).min(16);
        match raised {
            // Who bids more need not wait for the price to fall.
            Some(fee_micros) => {
                record.fee_micros = fee_micros;
                self.carried[record.message.id as usize].envelope.fee_micros = fee_micros;
            }
            None => backoff = backoff.max(retry_after_ns),
        }
        let there_and_back =
            self.clients.crossing(record, true) + self.clients.crossing(record, false);
        self.agenda.push(self.now + backoff + there_and_back, Event::Gateway(slot));
    }

    /// A message's only packet was lost.
    pub(super) fn lose(&mut self, message: MessageId) {
        let record = &mut self.records[self.carried[message as usize].slot as usize];
        (record.outcome, record.reason) = (Outcome::Lost, Reason::PacketLost);
    }

    /// The ExecutionReport goes back to the client.
    pub(super) fn confirm(&mut self, slot: u32, node: NodeId) {
        let record = &mut self.records[slot as usize];
        let mut at = self.now;
        if record.gateway != node {
            at += self.links.delays.between(node, record.gateway);
        }
        record.confirmed_ns = at + self.clients.crossing(record, true);
    }
}

/// What the layer may know of a client's message.
fn envelope_of(account: AccountId, body: &Body, size_bytes: u32) -> Envelope {
    let flags = if let Body::NewOrderSingle(order) = body { order.flags() } else { 0 };
    let order = body.order();
    Envelope { flags, order, ..Envelope::plain(0, body.class(), size_bytes, account) }
}

/// Size of a gossip frame that is not a message.
pub fn frame_bytes(frame: &Frame) -> u32 {
    match frame {
        Frame::Message(envelope) => envelope.size_bytes,
        Frame::IHave(ids) | Frame::IWant(ids) => 40 + ID_BYTES * ids.len() as u32,
        Frame::Graft | Frame::Prune => 40,
    }
}

/// Size of a block.
pub fn block_bytes(block: &Block) -> u32 {
    let grounds = block.grounds.iter().map(|ground| ground.size_bytes()).sum::<u32>();
    BLOCK_BYTES + grounds + block.entries.iter().map(|entry| entry.envelope.size_bytes).sum::<u32>()
}

/// Size of a packet between any two nodes.
pub fn packet_bytes(packet: &Packet) -> u32 {
    match packet {
        Packet::Forward(envelope) => envelope.size_bytes,
        Packet::Batch(_, block) => block_bytes(block),
        Packet::BlocksWanted(_) | Packet::ShareWanted(_) => 60,
        Packet::Share(_) => SHARE_BYTES,
        Packet::Ordering(report) => report.size_bytes(),
        Packet::OrderingHeard { .. } => ID_BYTES,
        Packet::Blocks(blocks) => blocks.iter().map(|block| block_bytes(block)).sum(),
    }
}
