//! What happened in a run, and when: enough to execute it again.

use std::collections::BTreeMap;

use surgetank_lab::actors::Sending;
use surgetank_lab::trace::{Messages, NewMessage, Outcome, Reason};
use surgetank_layer::audit::batch::Batch;
use surgetank_layer::message::{Body, Message};
use surgetank_layer::units::{AccountId, Digest, MessageId, Ns};
use surgetank_venue::answer::{Answer, Duplicate, Refusal, Refused, Sealed};
use surgetank_venue::encoding::Encoded;
use surgetank_venue::request::{Action, Request};

use crate::promises::Promises;

/// A batch of the venue's journal.
#[derive(Clone, Debug)]
pub struct Executed {
    /// Height of the batch.
    pub height: u64,
    /// Its seed, for call auctions.
    pub seed: Digest,
    /// Its hash.
    pub hash: Digest,
    /// Size of its frame, in bytes.
    pub bytes: u64,
    /// Time of the run at which it was sealed and executed.
    pub sealed_ns: Ns,
    /// Time of the run at which it was received.
    pub arrived_ns: Ns,
    /// Its messages, in its order.
    pub messages: Vec<Message>,
}

/// What changes an exchange, or its record.
#[derive(Clone, Debug)]
pub enum Deed {
    /// The outside prices stepped to these, in USD by market.
    Step(Vec<f64>),
    /// An actor decided to send a message.
    Sent(MessageId),
    /// The venue executed a batch: an index of [`Record::batches`].
    Batch(usize),
}

/// The record of a run.
#[derive(Default)]
pub struct Record {
    /// The messages of the actors, by number.
    pub messages: Messages,
    /// What happened, each with its time.
    pub deeds: Vec<(Ns, Deed)>,
    /// Batches in order.
    pub batches: Vec<Executed>,
    /// How much later than intended each message was ready for its socket, in ns.
    pub lateness_ns: Vec<Ns>,
    /// Number of messages that were handed to a socket.
    pub handed_over: u64,
    /// Refusals by their name.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Requests in the journal that this run has not sent.
    pub foreign: u64,
    /// What was promised, and what the journal has.
    pub promises: Promises,
    serials: [u32; 8],
    by_request: BTreeMap<Sent, MessageId>,
}

/// A request as it was sent: sender, number, time, and what distinguishes it from others that the
/// sender has sent at this time under this number, on other connections.
type Sent = (AccountId, u32, Ns, u64);

fn as_sent(request: &Request) -> Sent {
    let content = match request.action {
        Action::Message { body: Body::PriceUpdate(update), .. } => update.symbol.into(),
        Action::Message { body: Body::LiquidationOrder(order), .. } => {
            u64::from(order.symbol) << 32 | u64::from(order.target)
        }
        _ => request.cl_ord_id().unwrap_or(0),
    };
    (request.sender, request.number, request.sent_ns, content)
}

impl Record {
    /// An actor sends a message.
    pub fn sending(&mut self, now: Ns, sending: &Sending) -> Message {
        let &Sending { sent_ns, account, source, body, .. } = sending;
        let id = self.messages.len() as MessageId;
        let serial = self.serials[source as usize];
        self.serials[source as usize] += 1;
        let message = Message { id, account, sent_ns, body };
        let size_bytes = request(&message, 0).to_bytes().len() as u32;
        let new = NewMessage { message, gateway: 0, size_bytes, source, serial, fee_micros: 0 };
        self.messages.push(&new);
        self.deeds.push((now, Deed::Sent(id)));
        message
    }

    /// A message is ready to be sent; whether there is a connection does not count.
    pub fn ready(&mut self, now: Ns, id: MessageId) {
        if self.messages.tries[id as usize] == 0 {
            let created_ns = self.messages.created_ns[id as usize];
            self.lateness_ns.push(now.saturating_sub(created_ns));
        }
    }

    /// A message was handed to its socket as this request.
    pub fn sent(&mut self, id: MessageId, request: &Request) {
        let tries = &mut self.messages.tries[id as usize];
        self.handed_over += u64::from(*tries == 0);
        *tries = tries.saturating_add(1);
        self.by_request.insert(as_sent(request), id);
    }

    /// The message of a request at this place of the journal; `None`: this run has not sent it.
    pub fn placed(&mut self, sequence: u64, request: &Request) -> Option<Message> {
        let id = self.by_request.get(&as_sent(request)).copied();
        let cl_ord_id = request.cl_ord_id().map(|cl_ord_id| (request.sender, cl_ord_id));
        self.promises.place_of(sequence, id, cl_ord_id);
        self.foreign += u64::from(id.is_none());
        id.map(|id| self.messages.message(id))
    }

    /// A batch has arrived whose published messages are these.
    pub fn batch(
        &mut self,
        now: Ns,
        start_ns: Ns,
        batch: &Batch,
        bytes: u64,
        messages: Vec<Message>,
    ) {
        let header = &batch.header;
        self.promises.batch(header.height, header.previous, batch.hash);
        let sealed_ns = header.sealed_ns.saturating_sub(start_ns);
        for (position, message) in (0..).zip(&messages) {
            let at = message.id as usize;
            self.messages.height[at] = header.height as u32;
            self.messages.position[at] = position;
        }
        self.deeds.push((sealed_ns, Deed::Batch(self.batches.len())));
        self.batches.push(Executed {
            height: header.height,
            seed: Digest(header.seed),
            hash: batch.hash,
            bytes,
            sealed_ns,
            arrived_ns: now,
            messages,
        });
    }

    /// A message was answered. Returns the time after which it may be sent again, in ns, if it was
    /// refused for a reason that passes.
    pub fn answered(
        &mut self,
        now: Ns,
        start_ns: Ns,
        id: MessageId,
        answer: &Answer,
    ) -> Option<Ns> {
        let (at, messages) = (id as usize, &mut self.messages);
        if messages.outcome[at] != Outcome::Pending {
            return None;
        }
        match answer {
            Answer::Sealed(sealed) => {
                self.promises.promise(id, sealed.sequence);
                self.sealed(now, start_ns, at, sealed);
            }
            // It waits for its place: the journal will say what became of it.
            Answer::Duplicate(Duplicate { sequence: 0, .. }) => {}
            Answer::Duplicate(duplicate) if messages.tries[at] > 1 => {
                messages.outcome[at] = Outcome::Executed;
                messages.reason[at] = Reason::None;
                messages.confirmed_ns[at] = now;
                self.promises.promise(id, duplicate.sequence);
            }
            Answer::Duplicate(_) => self.refused(now, at, Reason::TargetRefused, "duplicate"),
            Answer::Refused(Refused { refusal, retry_after_ns, .. }) => {
                self.refused(now, at, reason(*refusal), refusal.name());
                return passes(*refusal).then_some(*retry_after_ns);
            }
        }
        None
    }

    fn refused(&mut self, now: Ns, at: usize, reason: Reason, name: &'static str) {
        self.messages.outcome[at] = Outcome::Refused;
        self.messages.reason[at] = reason;
        self.messages.confirmed_ns[at] = now;
        *self.refusals.entry(name).or_default() += 1;
    }

    /// A refused message will be sent again. If the run ends before, it was refused.
    pub fn again(&mut self, id: MessageId) {
        let at = id as usize;
        self.messages.outcome[at] = Outcome::Pending;
        self.messages.confirmed_ns[at] = Ns::MAX;
    }

    /// What became of messages whose answer never came: the journal says whether they were executed,
    /// and if so they were when their batch was seen to be durable.
    pub fn conclude(&mut self) {
        let decided: BTreeMap<u32, (Ns, Ns, Ns)> =
            self.batches.iter().map(|batch| (batch.height as u32, self.stamps(batch))).collect();
        let messages = &mut self.messages;
        for at in 0..messages.len() {
            let lacks_stamps = messages.gateway_ns[at] == Ns::MAX;
            match decided.get(&messages.height[at]) {
                Some(&(sealed_ns, decided_ns, arrived_ns)) => {
                    let pending = messages.outcome[at] == Outcome::Pending;
                    if pending {
                        messages.outcome[at] = Outcome::Executed;
                        messages.reason[at] = Reason::None;
                        messages.confirmed_ns[at] = arrived_ns;
                    }
                    if messages.outcome[at] == Outcome::Executed && lacks_stamps {
                        let received_ns = sealed_ns.max(messages.created_ns[at]);
                        messages.gateway_ns[at] = received_ns;
                        messages.admitted_ns[at] = received_ns;
                        messages.queued_ns[at] = received_ns;
                        messages.proposed_ns[at] = received_ns;
                        messages.decided_ns[at] = decided_ns.max(received_ns);
                        messages.executed_ns[at] = messages.decided_ns[at];
                        let confirmed_ns = &mut messages.confirmed_ns[at];
                        *confirmed_ns = (*confirmed_ns).max(messages.executed_ns[at]);
                    }
                }
                None if messages.outcome[at] != Outcome::Pending => {}
                None if messages.reason[at] != Reason::None => {
                    messages.outcome[at] = Outcome::Refused;
                }
                None => {
                    messages.outcome[at] = Outcome::Lost;
                    messages.reason[at] = Reason::Disconnected;
                }
            }
        }
    }

    /// When a batch was sealed, known to be durable, and received.
    pub fn stamps(&self, batch: &Executed) -> (Ns, Ns, Ns) {
        let synced = batch.messages.iter().map(|one| self.messages.decided_ns[one.id as usize]);
        let synced_ns = synced.filter(|&at| at != Ns::MAX).min().unwrap_or(batch.arrived_ns);
        (batch.sealed_ns, synced_ns.max(batch.sealed_ns), batch.arrived_ns)
    }

    /// The stages of an executed message. No stamp is earlier than the one before it: the clocks of
    /// the two processes may differ.
    fn sealed(&mut self, now: Ns, start_ns: Ns, at: usize, sealed: &Sealed) {
        let messages = &mut self.messages;
        let after = |stamp: Ns, before: Ns| stamp.saturating_sub(start_ns).max(before);
        let received_ns = after(sealed.received_ns, messages.created_ns[at]);
        let sealed_ns = after(sealed.sealed_ns, received_ns);
        let synced_ns = after(sealed.synced_ns, sealed_ns);
        messages.gateway_ns[at] = received_ns;
        messages.admitted_ns[at] = received_ns;
        messages.queued_ns[at] = received_ns;
        messages.proposed_ns[at] = sealed_ns;
        messages.decided_ns[at] = synced_ns;
        messages.executed_ns[at] = after(sealed.executed_ns, synced_ns);
        messages.confirmed_ns[at] = now.max(messages.executed_ns[at]);
        messages.outcome[at] = Outcome::Executed;
        messages.reason[at] = Reason::None;
    }
}

/// The request that carries a message.
pub fn request(message: &Message, start_ns: Ns) -> Request {
    Request {
        number: 0,
        sender: message.account,
        sent_ns: start_ns + message.sent_ns,
        action: Action::Message { body: message.body, padding: 0 },
    }
}

/// Whether the venue may accept the request later.
fn passes(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::QueueFull
            | Refusal::AccountQueueFull
            | Refusal::RateExceeded
            | Refusal::DiskReserve
            | Refusal::DiskFull
    )
}

/// The trace's word for a refusal.
fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::QueueFull | Refusal::AccountQueueFull => Reason::IngressFull,
        Refusal::RateExceeded => Reason::RateExceeded,
        _ => Reason::TargetRefused,
    }
}
