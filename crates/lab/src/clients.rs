//! Clients' messages: sent over client links, refused and retried, confirmed. Time stamps of every
//! boundary are recorded here.

use std::collections::{BTreeMap, BTreeSet};

use surgetank_layer::codec;
use surgetank_layer::message::{Block, Body, Entry, Envelope, Message};
use surgetank_layer::units::{Height, MessageId, NEVER, NodeId, Ns};

use crate::actors::Sending;
use crate::host::Host;
use crate::scenario::{self, Scenario, micros};
use crate::seed::{Seed, packet_bits, unit};
use crate::trace::{Messages, NewMessage, Outcome, Reason, Source};

/// Times at which one attempt of a message reached its gateway and was admitted there.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    gateway_ns: Ns,
    admitted_ns: Ns,
}

/// Retry of a refused message.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Time of arrival at the gateway.
    pub at: Ns,
    /// The raised fee, in millionths of a USD, if it bids more.
    pub raised: Option<u32>,
}

/// All clients: their parameters and links, and the outcome of their messages.
pub struct Clients {
    fixed_ns: Ns,
    jitter_ns: f64,
    tries_max: u32,
    backoff_ns: Ns,
    overhead_bytes: u32,
    key: u64,
    fee_key: u64,
    fees: scenario::Fees,
    /// Number of blocks after which an order expires; 0 = never.
    expires_blocks: u32,
    /// Whether an executed message owes the fee that it bid.
    pays_bids: bool,
    /// The node that orders and reports to clients, under a single sequencer.
    leader: Option<NodeId>,
    /// Delay of the attacker's link, in ns, if different from the others'.
    attacker_ns: Option<Ns>,
    serials: [u32; 8],
    /// Earlier attempts of messages that were admitted, refused later and sent again.
    earlier: BTreeMap<u32, Vec<Attempt>>,
    /// Messages that were not revealed.
    silent: BTreeSet<u32>,
    messages: Messages,
}

impl Clients {
    /// Clients of these nodes. `attacker_ns`: delay of the attacker's link, if different from the
    /// others'.
    pub fn new(
        scenario: &Scenario,
        nodes: &[Host],
        attacker_ns: Option<Ns>,
        seed: &Seed,
    ) -> Clients {
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
            pays_bids: scenario.layer.queue.pays_bids,
            leader: nodes[0].node.engine().leader(),
            attacker_ns,
            serials: [0; 8],
            earlier: BTreeMap::new(),
            silent: BTreeSet::new(),
            messages: Messages::new(is_unread(scenario, nodes)),
        }
    }

    /// All messages so far, by slot.
    #[inline]
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Takes all messages, after the last event.
    pub fn take_messages(&mut self) -> Messages {
        std::mem::take(&mut self.messages)
    }

    /// The gateway at which a message enters.
    #[inline]
    pub fn gateway(&self, slot: u32) -> NodeId {
        self.messages.gateway[slot as usize]
    }

    /// Whether it is in a decided block.
    #[inline]
    pub fn is_decided(&self, slot: u32) -> bool {
        self.messages.decided_ns[slot as usize] != NEVER
    }

    /// The node that orders and reports to clients, under a single sequencer.
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Whether a node reports this message to its client.
    #[inline]
    pub fn reports(&self, slot: u32, node: NodeId) -> bool {
        self.leader.unwrap_or_else(|| self.gateway(slot)) == node
    }

    /// Envelope of a message to be sent, without its number. `executed` is the height that its
    /// gateway has executed.
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

    /// A client sends a message; returns the time of its arrival at the gateway.
    #[inline]
    pub fn send(&mut self, now: Ns, sending: &Sending, envelope: &Envelope) -> (Message, Ns) {
        let &Sending { sent_ns, account, gateway, source, body, .. } = sending;
        let serial = self.serials[source as usize];
        self.serials[source as usize] += 1;
        let message = Message { id: envelope.id, account, sent_ns, body };
        let Envelope { size_bytes, fee_micros, .. } = *envelope;
        self.messages.push(&NewMessage {
            message,
            gateway,
            size_bytes,
            source,
            serial,
            fee_micros,
        });
        (message, sent_ns.max(now) + self.crossing(source, serial, 0, false))
    }

    /// A message arrived at its gateway; returns gateway and message. `None`: its client had the
    /// report before the retry.
    #[inline]
    pub fn reaches_gateway(&mut self, now: Ns, slot: u32) -> Option<(NodeId, MessageId)> {
        let (at, messages) = (slot as usize, &self.messages);
        let reported = messages.outcome[at] == Outcome::Executed
            && messages.confirmed_ns[at].saturating_add(self.crosses(slot, false)) <= now;
        if reported {
            return None;
        }
        // A message in a block keeps its stamps; a later copy is still validated.
        if !self.is_decided(slot) {
            self.attempt(now, slot);
        }
        Some((self.messages.gateway[at], self.messages.id[at]))
    }

    /// Keeps the stamps of an earlier attempt that was admitted, since a node with a copy of it may
    /// still propose it.
    #[inline]
    fn attempt(&mut self, now: Ns, slot: u32) {
        let (at, messages) = (slot as usize, &mut self.messages);
        let gateway_ns = std::mem::replace(&mut messages.gateway_ns[at], now);
        let admitted_ns = std::mem::replace(&mut messages.admitted_ns[at], NEVER);
        if admitted_ns != NEVER {
            self.earlier.entry(slot).or_default().push(Attempt { gateway_ns, admitted_ns });
        }
    }

    /// Records that a gateway has admitted a message.
    #[inline]
    pub fn admitted(&mut self, now: Ns, slot: u32) {
        if !self.is_decided(slot) {
            self.messages.admitted_ns[slot as usize] = now;
        }
    }

    /// Records the fee that a message owes if it is executed.
    #[inline]
    pub fn charge(&mut self, slot: u32, micros: u64) {
        self.messages.owed_micros[slot as usize] =
            u32::try_from(micros).expect("a message owes at most what it bids");
    }

    /// Processes a refusal: the client retries, or gives up.
    pub fn turned_away(
        &mut self,
        now: Ns,
        slot: u32,
        reason: Reason,
        retry_after_ns: Ns,
    ) -> Option<Retry> {
        let bids = reason == Reason::FeeTooLow;
        let raised = if bids { self.raised(slot) } else { None };
        let (at, messages) = (slot as usize, &mut self.messages);
        messages.reason[at] = reason;
        let final_no = raised.is_none() && retry_after_ns == NEVER;
        if u32::from(messages.tries[at]) >= self.tries_max || final_no {
            messages.outcome[at] = Outcome::Refused;
            return None;
        }
        messages.tries[at] += 1;
        let mut backoff = self.backoff_ns << (messages.tries[at] - 1).min(16);
        match raised {
            // A raised bid need not wait for the price to fall.
            Some(fee_micros) => messages.fee_micros[at] = fee_micros,
            None => backoff = backoff.max(retry_after_ns),
        }
        let there_and_back = self.crosses(slot, true) + self.crosses(slot, false);
        Some(Retry { at: now + backoff + there_and_back, raised })
    }

    /// Records that a message's only packet was lost.
    pub fn lost(&mut self, slot: u32) {
        self.becomes(slot, Outcome::Lost, Reason::PacketLost);
    }

    /// Records that a message is not revealed: it is in a block, and is not executed.
    pub fn withheld(&mut self, slot: u32) {
        self.silent.insert(slot);
        self.becomes(slot, Outcome::Refused, Reason::NotRevealed);
    }

    #[inline]
    fn becomes(&mut self, slot: u32, outcome: Outcome, reason: Reason) {
        let (at, messages) = (slot as usize, &mut self.messages);
        (messages.outcome[at], messages.reason[at]) = (outcome, reason);
    }

    /// Whether a message was not revealed.
    #[inline]
    pub fn is_withheld(&self, slot: u32) -> bool {
        self.silent.contains(&slot)
    }

    /// Records the decision of a message's block at its reporting node. A copy had reached the
    /// block's proposer at `arrived_ns`, if that is not its gateway.
    #[inline]
    pub fn decided(&mut self, now: Ns, slot: u32, block: &Block, entry: &Entry, arrived_ns: Ns) {
        if let Some(earlier) = self.earlier.remove(&slot) {
            let elsewhere = block.proposer != self.gateway(slot);
            let by_ns = if elsewhere { entry.queued_ns.min(arrived_ns) } else { entry.queued_ns };
            self.stem_from(slot, &earlier, by_ns);
        }
        self.messages.decide(slot, block.height, [entry.queued_ns, block.proposed_ns, now]);
    }

    /// The copy in a block had reached its proposer by `by_ns`: the stamps at the gateway become
    /// those of the last attempt that had been admitted by then.
    fn stem_from(&mut self, slot: u32, earlier: &[Attempt], by_ns: Ns) {
        let (at, messages) = (slot as usize, &mut self.messages);
        if messages.admitted_ns[at] <= by_ns {
            return;
        }
        if let Some(attempt) = earlier.iter().rfind(|attempt| attempt.admitted_ns <= by_ns) {
            messages.gateway_ns[at] = attempt.gateway_ns;
            messages.admitted_ns[at] = attempt.admitted_ns;
        }
    }

    /// Records the execution of a message at its reporting node, at this position of its block; the
    /// report takes `back_ns` to the gateway.
    #[inline]
    pub fn executed(&mut self, now: Ns, slot: u32, position: u32, fee_micros: u32, back_ns: Ns) {
        let confirmed_ns = now + back_ns + self.crosses(slot, true);
        self.becomes(slot, Outcome::Executed, Reason::None);
        let (at, messages) = (slot as usize, &mut self.messages);
        messages.executed_ns[at] = now;
        messages.confirmed_ns[at] = confirmed_ns;
        messages.position[at] = position;
        if self.pays_bids {
            messages.owed_micros[at] = fee_micros;
        }
    }

    /// Delay of a message's present attempt over its client's link, in ns; with `back`, of its
    /// answer.
    fn crosses(&self, slot: u32, back: bool) -> Ns {
        let (at, messages) = (slot as usize, &self.messages);
        self.crossing(messages.source[at], messages.serial[at], messages.tries[at], back)
    }

    /// Delay of one crossing of a client link; a function of message and attempt only.
    fn crossing(&self, source: Source, serial: u32, tries: u8, back: bool) -> Ns {
        if let (Source::Attacker, Some(link_ns)) = (source, self.attacker_ns) {
            return link_ns;
        }
        if self.jitter_ns == 0.0 {
            return self.fixed_ns;
        }
        let number = u64::from(serial) << 12
            | (source as u64) << 9
            | u64::from(tries) << 1
            | u64::from(back);
        let unit = (packet_bits(self.key, number) >> 11) as f64 / (1u64 << 53) as f64;
        self.fixed_ns + (-(1.0 - unit).ln() * self.jitter_ns) as Ns
    }

    /// Priority fee of a message, in millionths of a USD.
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

    /// The raised bid of a message whose bid was too low; `None` if it is at its maximum.
    fn raised(&self, slot: u32) -> Option<u32> {
        let most = self.fees.max_micros;
        let offered = self.messages.fee_micros[slot as usize];
        let next = (f64::from(offered) * self.fees.escalation).ceil() as u32;
        // A bid of zero is raised to the mean fee of background traders.
        let next = next.max(micros(self.fees.background_usd).min(most)).min(most);
        (next > offered).then_some(next)
    }
}

/// Whether the content of messages is not read: no execution, and no attacker.
fn is_unread(scenario: &Scenario, nodes: &[Host]) -> bool {
    nodes.iter().all(|host| !host.node.engine().proposes()) && scenario.attack.is_none()
}
