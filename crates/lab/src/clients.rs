//! Clients' messages: they enter the venue over client links, are refused and sent again, and are
//! confirmed. Every boundary leaves its stamp here.

use std::collections::{BTreeMap, BTreeSet};

use surgetank_layer::codec;
use surgetank_layer::message::{Block, Body, Entry, Envelope, Message};
use surgetank_layer::queue::Rule;
use surgetank_layer::units::{Height, MessageId, NEVER, NodeId, Ns};

use crate::actors::Sending;
use crate::scenario::{self, Consensus, Scenario, micros};
use crate::seed::{Seed, packet_bits, unit};
use crate::trace::{Outcome, Reason, Record, Source};

/// When one attempt of a message reached its gateway, and when it was let in there.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    gateway_ns: Ns,
    admitted_ns: Ns,
}

/// A client that was refused sends again.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// When it is at the gateway.
    pub at: Ns,
    /// What it offers now, if that is more than before.
    pub raised: Option<u32>,
}

/// All clients: what they and their links are like, and what became of their messages.
pub struct Clients {
    fixed_ns: Ns,
    jitter_ns: f64,
    tries_max: u32,
    backoff_ns: Ns,
    overhead_bytes: u32,
    key: u64,
    fee_key: u64,
    fees: scenario::Fees,
    /// For so many blocks an order may wait; 0 = for ever.
    expires_blocks: u32,
    /// Whether who is executed owes what it has offered.
    pays_bids: bool,
    /// The one node that orders, and reports to clients, if there is one.
    leader: Option<NodeId>,
    /// The attacker's link, if it is not like the others'.
    attacker_ns: Option<Ns>,
    serials: [u32; 8],
    /// Earlier attempts of messages that were let in, refused later and sent again.
    earlier: BTreeMap<u32, Vec<Attempt>>,
    /// Messages that were not revealed.
    silent: BTreeSet<u32>,
    records: Vec<Record>,
}

impl Clients {
    /// `attacker_ns` = the attacker's link, if it is not like the others'.
    pub fn new(scenario: &Scenario, attacker_ns: Option<Ns>, seed: &Seed) -> Clients {
        let flow = &scenario.flow;
        Clients {
            fixed_ns: flow.client_link.fixed_ns,
            jitter_ns: flow.client_link.jitter_ns as f64,
            tries_max: flow.retry.tries_max,
            backoff_ns: flow.retry.backoff_ns,
            overhead_bytes: flow.overhead_bytes,
            key: seed.key("flow.client_link"),
            fee_key: seed.key("flow.fees"),
            fees: flow.fees.clone(),
            expires_blocks: scenario.layer.admission.expires_blocks,
            pays_bids: matches!(scenario.layer.queue.discipline, Some(Rule::Fee)),
            leader: match scenario.layer.consensus {
                Consensus::Single { node, .. } => Some(node),
                _ => None,
            },
            attacker_ns,
            serials: [0; 8],
            earlier: BTreeMap::new(),
            silent: BTreeSet::new(),
            records: Vec::new(),
        }
    }

    /// All messages so far, by number.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// A message.
    #[inline]
    pub fn record(&self, slot: u32) -> &Record {
        &self.records[slot as usize]
    }

    /// The one node that orders, and reports to clients, if there is one.
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Whether a node reports this message to its client.
    #[inline]
    pub fn reports(&self, slot: u32, node: NodeId) -> bool {
        self.leader.unwrap_or_else(|| self.records[slot as usize].gateway) == node
    }

    /// What the layer may know of a message that is about to be sent, but for its number. Its
    /// gateway has executed up to this height.
    #[inline]
    pub fn envelope(&self, sending: &Sending, executed: Height) -> Envelope {
        let Sending { account, source, body, fee_micros, .. } = sending;
        let serial = self.serials[*source as usize];
        let flags = if let Body::NewOrderSingle(order) = body { order.flags() } else { 0 };
        let size_bytes = codec::encoded_len(body) as u32 + self.overhead_bytes;
        let order = matches!(body, Body::NewOrderSingle(_) | Body::OrderCancelReplaceRequest(_));
        let expires = order && self.expires_blocks > 0;
        Envelope {
            flags,
            order: body.order(),
            fee_micros: fee_micros.unwrap_or_else(|| self.fee(*source, serial)),
            expires: if expires {
                (executed as u32).saturating_add(self.expires_blocks)
            } else {
                0
            },
            ..Envelope::plain(0, body.class(), size_bytes, *account)
        }
    }

    /// A client sends a message; when it is at its gateway.
    #[inline]
    pub fn send(&mut self, now: Ns, sending: &Sending, envelope: &Envelope) -> (Message, Ns) {
        let &Sending { sent_ns, account, gateway, source, body, .. } = sending;
        let serial = self.serials[source as usize];
        self.serials[source as usize] += 1;
        let message = Message { id: envelope.id, account, sent_ns, body };
        let mut record = Record::new(message, envelope.size_bytes, gateway, source, serial);
        record.fee_micros = envelope.fee_micros;
        let reaches = sent_ns.max(now) + self.crossing(&record, false);
        self.records.push(record);
        (message, reaches)
    }

    /// A message is at its gateway, perhaps again: which gateway, and which message. `None`: its
    /// client had the report before it sent again.
    #[inline]
    pub fn reaches_gateway(&mut self, now: Ns, slot: u32) -> Option<(NodeId, MessageId)> {
        let record = &self.records[slot as usize];
        let reported = record.outcome == Outcome::Executed
            && record.confirmed_ns.saturating_add(self.crossing(record, false)) <= now;
        if reported {
            return None;
        }
        // What is in a block keeps its stamps; a copy that comes later is still work.
        if record.decided_ns == NEVER {
            self.attempt(now, slot);
        }
        let record = &self.records[slot as usize];
        Some((record.gateway, record.message.id))
    }

    /// What an earlier attempt left is kept if that attempt was let in: a node that got a copy of it
    /// may still propose it.
    fn attempt(&mut self, now: Ns, slot: u32) {
        let record = &mut self.records[slot as usize];
        let Record { gateway_ns, admitted_ns, .. } = *record;
        if admitted_ns != NEVER {
            self.earlier.entry(slot).or_default().push(Attempt { gateway_ns, admitted_ns });
        }
        (record.gateway_ns, record.admitted_ns) = (now, NEVER);
    }

    /// A gateway has let a message in.
    #[inline]
    pub fn admitted(&mut self, now: Ns, slot: u32) {
        let record = &mut self.records[slot as usize];
        if record.decided_ns == NEVER {
            record.admitted_ns = now;
        }
    }

    /// A message owes this if it is executed.
    #[inline]
    pub fn charge(&mut self, slot: u32, micros: u64) {
        self.records[slot as usize].owed_micros = u32::try_from(micros).unwrap_or(u32::MAX);
    }

    /// A refusal: the client tries again, or gives up.
    pub fn turned_away(
        &mut self,
        now: Ns,
        slot: u32,
        reason: Reason,
        retry_after_ns: Ns,
    ) -> Option<Retry> {
        let bids = reason == Reason::FeeTooLow;
        let raised = if bids { self.raised(&self.records[slot as usize]) } else { None };
        let record = &mut self.records[slot as usize];
        record.reason = reason;
        let final_no = raised.is_none() && retry_after_ns == NEVER;
        if u32::from(record.tries) >= self.tries_max || final_no {
            record.outcome = Outcome::Refused;
            return None;
        }
        record.tries += 1;
        let mut backoff = self.backoff_ns << (record.tries - 1).min(16);
        match raised {
            // Who bids more need not wait for the price to fall.
            Some(fee_micros) => record.fee_micros = fee_micros,
            None => backoff = backoff.max(retry_after_ns),
        }
        let record = &self.records[slot as usize];
        let there_and_back = self.crossing(record, true) + self.crossing(record, false);
        Some(Retry { at: now + backoff + there_and_back, raised })
    }

    /// A message's only packet was lost.
    pub fn lost(&mut self, slot: u32) {
        let record = &mut self.records[slot as usize];
        (record.outcome, record.reason) = (Outcome::Lost, Reason::PacketLost);
    }

    /// A message is not revealed: it is in its block, and is not executed.
    pub fn withheld(&mut self, slot: u32) {
        self.silent.insert(slot);
        let record = &mut self.records[slot as usize];
        (record.outcome, record.reason) = (Outcome::Refused, Reason::NotRevealed);
    }

    /// Whether a message was not revealed.
    #[inline]
    pub fn is_withheld(&self, slot: u32) -> bool {
        self.silent.contains(&slot)
    }

    /// The node that reports a message knows that its block is decided. A copy of it had reached the
    /// block's proposer at `arrived_ns`, if that is not its gateway.
    #[inline]
    pub fn decided(&mut self, now: Ns, slot: u32, block: &Block, entry: &Entry, arrived_ns: Ns) {
        let earlier = self.earlier.remove(&slot);
        let record = &mut self.records[slot as usize];
        if let Some(earlier) = earlier {
            let elsewhere = block.proposer != record.gateway;
            let by_ns = if elsewhere { entry.queued_ns.min(arrived_ns) } else { entry.queued_ns };
            stem_from(record, &earlier, by_ns);
        }
        record.height = block.height;
        record.queued_ns = entry.queued_ns;
        record.proposed_ns = block.proposed_ns;
        record.decided_ns = now;
    }

    /// The node that reports a message has executed it, at this place of its block; the report takes
    /// `back_ns` to the gateway.
    #[inline]
    pub fn executed(&mut self, now: Ns, slot: u32, position: u32, fee_micros: u32, back_ns: Ns) {
        let record = &mut self.records[slot as usize];
        record.executed_ns = now;
        if self.pays_bids {
            record.owed_micros = fee_micros;
        }
        record.position = position;
        (record.outcome, record.reason) = (Outcome::Executed, Reason::None);
        let record = &self.records[slot as usize];
        let confirmed_ns = now + back_ns + self.crossing(record, true);
        self.records[slot as usize].confirmed_ns = confirmed_ns;
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

    /// What a message offers to be served earlier, in millionths of a USD.
    fn fee(&self, source: Source, serial: u32) -> u32 {
        let fees = &self.fees;
        match source {
            Source::Background | Source::Panic | Source::Tape => {
                let number = u64::from(serial) << 3 | source as u64;
                let unit = unit(packet_bits(self.fee_key, number));
                micros(-(1.0 - unit).ln() * fees.background_usd)
            }
            Source::Maker => fees.maker_micros,
            Source::Keeper => fees.keeper_micros,
            Source::Oracle => fees.oracle_micros,
            Source::Spam | Source::Attacker => 0,
        }
    }

    /// What a message bids after its bid was too low; `None` if it bids as much as it will.
    fn raised(&self, record: &Record) -> Option<u32> {
        let most = self.fees.max_micros;
        let next = (f64::from(record.fee_micros) * self.fees.escalation).ceil() as u32;
        // A bid of nothing grows by what a background trader offers in the mean.
        let next = next.max(micros(self.fees.background_usd).min(most)).min(most);
        (next > record.fee_micros).then_some(next)
    }
}

/// The copy in a block had reached its proposer by `by_ns`: the stamps at the gateway become those of
/// the last attempt that had been let in by then.
fn stem_from(record: &mut Record, earlier: &[Attempt], by_ns: Ns) {
    if record.admitted_ns <= by_ns {
        return;
    }
    if let Some(attempt) = earlier.iter().rfind(|attempt| attempt.admitted_ns <= by_ns) {
        (record.gateway_ns, record.admitted_ns) = (attempt.gateway_ns, attempt.admitted_ns);
    }
}
