//! What happened in a run, and when: enough to execute it again.

use std::collections::BTreeMap;

use surgetank_lab::actors::Sending;
use surgetank_lab::trace::{Messages, NewMessage, Outcome, Reason};
use surgetank_layer::audit::batch::Batch;
use surgetank_layer::message::Message;
use surgetank_layer::units::{AccountId, Digest, MessageId, Ns};
use surgetank_venue::answer::{Answer, Refusal, Sealed};
use surgetank_venue::encoding::Encoded;
use surgetank_venue::request::{Action, Request};

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
    /// How much later than intended each message was handed to its socket, in ns.
    pub lateness_ns: Vec<Ns>,
    /// Refusals by their name.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Number of messages that have no answer yet.
    pub unanswered: usize,
    /// Requests in the journal that this run has not sent.
    pub foreign: u64,
    serials: [u32; 8],
    /// Messages by sender, number and send time of their requests.
    by_request: BTreeMap<(AccountId, u32, Ns), MessageId>,
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
        self.unanswered += 1;
        message
    }

    /// A message was handed to its socket as this request.
    pub fn sent(&mut self, now: Ns, id: MessageId, request: &Request) {
        let created_ns = self.messages.created_ns[id as usize];
        self.messages.tries[id as usize] += 1;
        self.lateness_ns.push(now.saturating_sub(created_ns));
        self.by_request.insert((request.sender, request.number, request.sent_ns), id);
    }

    /// The message of a request in the journal; `None`: this run has not sent it.
    pub fn message_of(&mut self, request: &Request) -> Option<Message> {
        let key = (request.sender, request.number, request.sent_ns);
        let id = *self.by_request.get(&key)?;
        Some(self.messages.message(id))
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

    /// A message was answered.
    pub fn answered(&mut self, now: Ns, start_ns: Ns, id: MessageId, answer: &Answer) {
        let (at, messages) = (id as usize, &mut self.messages);
        if messages.outcome[at] != Outcome::Pending {
            return;
        }
        self.unanswered -= 1;
        match answer {
            Answer::Sealed(sealed) => self.sealed(now, start_ns, at, sealed),
            Answer::Duplicate(_) => {
                messages.outcome[at] = Outcome::Executed;
                messages.confirmed_ns[at] = now;
            }
            Answer::Refused(refused) => {
                messages.outcome[at] = Outcome::Refused;
                messages.reason[at] = reason(refused.refusal);
                messages.confirmed_ns[at] = now;
                *self.refusals.entry(refused.refusal.name()).or_default() += 1;
            }
        }
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

/// The trace's word for a refusal.
fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::QueueFull | Refusal::AccountQueueFull => Reason::IngressFull,
        Refusal::RateExceeded => Reason::RateExceeded,
        _ => Reason::TargetRefused,
    }
}
