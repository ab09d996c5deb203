//! Sealing of batches: inputs in order of arrival in, a journal's batches out.
//!
//! Theory of operation: the queue is filled only after the sealing, because the seed may decide the
//! order and must be unknown before.

use super::terms::Ordering;
use crate::audit::batch::{Header, OpenBatch, Ticket};
use crate::audit::journal::{End, Ledger};
use crate::audit::merkle::Hash;
use crate::audit::seed::RevealChain;
use crate::message::{Class, Envelope};
use crate::queue::{self, Queue};
use crate::units::Ns;

/// Rule and limits of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRule {
    /// Ordering rule.
    pub ordering: Ordering,
    /// Greatest number of messages that a batch publishes, at least 1.
    pub messages_max: u32,
    /// Greatest total size of messages that a batch publishes, in bytes.
    pub bytes_max: u64,
}

impl BatchRule {
    fn terms(&self) -> String {
        self.ordering.terms(self.messages_max, self.bytes_max)
    }
}

/// A batch that was sealed and published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Header of the batch.
    pub header: Header,
    /// Published order: indices of the inputs since the batch before. Inputs that are not in it are
    /// carried: they are the first of the next batch, in the same order.
    pub order: Vec<u32>,
}

/// The open batch of a journal.
#[derive(Clone, Debug)]
pub struct Sealer {
    rule: BatchRule,
    terms: String,
    ledger: Ledger,
    open: OpenBatch,
}

impl Sealer {
    /// An empty journal for at most `batches_max` batches, and its head. `secret` must be drawn
    /// afresh for each journal.
    pub fn new(rule: BatchRule, secret: &Hash, batches_max: usize) -> (Sealer, Vec<u8>) {
        let terms = rule.terms();
        let (ledger, head) = Ledger::new(secret, batches_max, &terms);
        (Sealer { rule, terms, ledger, open: OpenBatch::default() }, head)
    }

    /// A further head of a journal that ends here, and its bytes. `secret` must be drawn afresh.
    pub fn after(
        end: &End,
        rule: BatchRule,
        secret: &Hash,
        batches_max: usize,
    ) -> (Sealer, Vec<u8>) {
        let terms = rule.terms();
        let (ledger, head) = Ledger::after(end, RevealChain::new(secret, batches_max), &terms);
        (Sealer { rule, terms, ledger, open: OpenBatch::default() }, head)
    }

    /// Adds an input; returns its index in the open batch.
    #[inline]
    pub fn push(&mut self, ticket: &Ticket, message: &[u8]) -> u32 {
        self.open.push(ticket, message)
    }

    /// Number of inputs that are not published yet.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.open.len()
    }

    /// The journal so far.
    #[inline]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Seals, orders and publishes the inputs: appends the batch. `None` if the journal is full;
    /// the inputs wait on.
    pub fn seal(&mut self, now: Ns, out: &mut Vec<u8>) -> Option<Published> {
        let sealed = self.ledger.seal(now, &mut self.open, &[]).ok()?;
        let order = self.order(&sealed.seed);
        let header = self.ledger.publish(&mut self.open, sealed, &order, &self.terms, out);
        Some(Published { header, order })
    }

    /// The order in which the queue serves the sealed inputs, up to the limits.
    fn order(&self, seed: &Hash) -> Vec<u32> {
        let BatchRule { ordering, messages_max, bytes_max } = self.rule;
        let count = self.open.len();
        let rule = ordering.rule(seed);
        let mut queue = Queue::new(&queue::Config { rule, capacity: count });
        for index in 0..count as u32 {
            let (ticket, message) = self.open.input(index);
            let pushed = queue.push(0, &envelope(index, &ticket, message), index);
            debug_assert!(matches!(pushed, Ok(None)), "there is room for every input");
        }
        let mut order = Vec::with_capacity(count.min(messages_max as usize));
        let mut bytes = 0;
        while let Some(next) = queue.pop(0) {
            bytes += self.open.size_bytes(next.item);
            let full = order.len() as u64 >= u64::from(messages_max);
            if !order.is_empty() && (full || bytes > bytes_max) {
                break;
            }
            order.push(next.item);
        }
        order
    }
}

/// Envelope of an input, for a queue.
pub fn envelope(index: u32, ticket: &Ticket, message: &[u8]) -> Envelope {
    let class = Class::ALL[usize::from(ticket.class & 7)];
    Envelope {
        flags: ticket.flags,
        fee_micros: ticket.fee,
        ..Envelope::plain(index, class, message.len() as u32, ticket.account)
    }
}
