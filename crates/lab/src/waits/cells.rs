//! Arrivals of messages at nodes, while they are in flight.

use std::collections::BTreeMap;

use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns};

use super::segments::{Id, NONE};
use crate::network::Stalled;

/// The first arrival of a message at a node.
#[derive(Clone, Copy)]
pub struct Cell {
    /// Times of sending, leaving the uplink, arrival, and passing the downlink.
    pub sent: Ns,
    pub leaves: Ns,
    pub at: Ns,
    pub got: Ns,
    /// Delay added by a fault, in ns.
    pub extra: Ns,
    /// Sending node.
    pub from: NodeId,
    /// For a consensus message, the cause of its sending.
    pub before: Id,
    /// For a consensus message, its verification here.
    pub heard: Id,
    /// Time at which the first copy dropped by a fault would have arrived.
    pub struck: Ns,
    /// Times of validation of a client's message.
    pub begun: Ns,
    pub done: Ns,
}

/// The cell of a message that never arrived.
pub const NOWHERE: Cell = Cell {
    sent: NEVER,
    leaves: NEVER,
    at: NEVER,
    got: NEVER,
    extra: 0,
    from: NodeId::MAX,
    before: NONE,
    heard: NONE,
    struck: NEVER,
    begun: NEVER,
    done: NEVER,
};

/// Cells of one message at neighbouring nodes.
type Page = [Cell; PAGE];

const PAGE: usize = 16;

/// No page.
const NOT_THERE: u32 = u32::MAX;

/// Cells of messages at nodes, in pages. A page exists only once it was written to (in a large
/// network of direct links most messages pass few nodes), and a returned page is the next to be
/// used, so that messages in transit stay in the processor's cache.
pub struct Cells {
    /// Pages of one message.
    each: usize,
    /// Numbers of the pages of message m, from m · `each` on.
    numbers: Vec<u32>,
    pages: Vec<Page>,
    free: Vec<u32>,
    /// For how long the copies of [`Cell::at`] were held by their connections, where they were.
    held: BTreeMap<(MessageId, NodeId), Stalled>,
}

impl Cells {
    /// No messages, between this number of nodes.
    pub fn new(nodes: usize) -> Cells {
        let each = nodes.div_ceil(PAGE);
        Cells {
            each,
            numbers: Vec::new(),
            pages: Vec::new(),
            free: Vec::new(),
            held: BTreeMap::new(),
        }
    }

    /// Adds the message of the next number.
    pub fn add(&mut self) {
        self.numbers.resize(self.numbers.len() + self.each, NOT_THERE);
    }

    /// A message at a node.
    #[inline]
    pub fn get(&self, message: MessageId, node: NodeId) -> &Cell {
        let number = self.numbers[self.index(message, node)];
        self.pages.get(number as usize).map_or(&NOWHERE, |page| &page[node as usize % PAGE])
    }

    /// The cell for writing; its page is created if needed.
    #[inline]
    pub fn get_mut(&mut self, message: MessageId, node: NodeId) -> &mut Cell {
        let index = self.index(message, node);
        if self.numbers[index] == NOT_THERE {
            self.numbers[index] = self.page();
        }
        &mut self.pages[self.numbers[index] as usize][node as usize % PAGE]
    }

    /// For how long the earliest copy of a message to a node was held.
    #[inline]
    pub fn held(&self, message: MessageId, node: NodeId) -> Stalled {
        if self.held.is_empty() {
            return Stalled::default();
        }
        self.held.get(&(message, node)).copied().unwrap_or_default()
    }

    /// Records that for a new earliest copy.
    #[inline]
    pub fn hold(&mut self, message: MessageId, node: NodeId, held: Stalled) {
        if !held.is_nothing() {
            self.held.insert((message, node), held);
        } else if !self.held.is_empty() {
            self.held.remove(&(message, node));
        }
    }

    /// Removes a message.
    pub fn remove(&mut self, message: MessageId) {
        while let Some((&key, _)) = self.held.range((message, 0)..=(message, NodeId::MAX)).next() {
            self.held.remove(&key);
        }
        let first = message as usize * self.each;
        for number in &mut self.numbers[first..first + self.each] {
            if *number != NOT_THERE {
                self.free.push(*number);
                *number = NOT_THERE;
            }
        }
    }

    #[inline]
    fn index(&self, message: MessageId, node: NodeId) -> usize {
        message as usize * self.each + node as usize / PAGE
    }

    fn page(&mut self) -> u32 {
        if let Some(number) = self.free.pop() {
            self.pages[number as usize] = [NOWHERE; PAGE];
            return number;
        }
        self.pages.push([NOWHERE; PAGE]);
        self.pages.len() as u32 - 1
    }
}
