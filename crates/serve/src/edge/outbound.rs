//! What waits for a client: from the venue's thread to the task of a connection, bounded in bytes.
//!
//! Values wait, and not frames: a connection's own task encodes them, in the protocol that it speaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use surgetank_layer::units::{Price, Qty};
use surgetank_venue::answer::Answer;
use surgetank_venue::event::Event;
use surgetank_venue::query::{PositionView, View};
use surgetank_venue::streams::published::Published;
use surgetank_venue::wire::{CutReason, Down, StreamPosition};
use tokio::sync::{Notify, mpsc};

/// What each item counts for beside its bytes.
const ITEM_BYTES: usize = 64;

/// Something to be said to a client.
#[derive(Debug)]
pub enum Item {
    /// Its logon is accepted; the place in the journal of the last durable request, and the last
    /// events of the account's own streams.
    LoggedOn(u64, Vec<StreamPosition>),
    /// Anything but events, as a value: the connection's task encodes it.
    Say(Down),
    /// Events, shared with all other connections that are sent them when they are published.
    Events(Vec<Arc<Published>>),
    /// The end of a page of the past: the venue hears once it is taken.
    PageEnd,
    /// The answer to a question, under its number.
    View(u32, View),
    /// The connection ends after what was said before.
    Cut(CutReason),
}

impl Item {
    fn bytes(&self) -> usize {
        ITEM_BYTES
            + match self {
                Item::Say(Down::Answers(said)) => size_of::<Answer>() * said.answers.len(),
                Item::Say(Down::Snapshot(state)) => {
                    state.events.iter().map(|event| size_of::<Event>() + event.bytes()).sum()
                }
                Item::View(_, View::Book(book)) => {
                    size_of::<(Price, Qty)>() * (book.bids.len() + book.asks.len())
                }
                Item::View(_, View::Positions(held)) => size_of::<PositionView>() * held.len(),
                Item::Events(events) => events.iter().map(|event| event.bytes()).sum(),
                _ => 0,
            }
    }
}

/// The venue's end.
#[derive(Clone, Debug)]
pub struct Outbound {
    items: mpsc::UnboundedSender<Item>,
    queued: Arc<AtomicUsize>,
    is_congested: Arc<AtomicBool>,
    overflow: Arc<Notify>,
    bytes_max: usize,
}

/// The connection's end.
#[derive(Debug)]
pub struct Inbox {
    items: mpsc::UnboundedReceiver<Item>,
    queued: Arc<AtomicUsize>,
    is_congested: Arc<AtomicBool>,
    overflow: Arc<Notify>,
    bytes_max: usize,
}

/// More waits for the client than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A queue for one connection.
pub fn outbound(bytes_max: usize) -> (Outbound, Inbox) {
    let (sender, items) = mpsc::unbounded_channel();
    let (queued, overflow) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let is_congested = Arc::new(AtomicBool::new(false));
    let inbox = Inbox {
        items,
        queued: Arc::clone(&queued),
        is_congested: Arc::clone(&is_congested),
        overflow: Arc::clone(&overflow),
        bytes_max,
    };
    (Outbound { items: sender, queued, is_congested, overflow, bytes_max }, inbox)
}

impl Outbound {
    /// What waits, in bytes.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Queues an item; nothing if the connection has ended.
    ///
    /// # Errors
    /// There is no room for it. The connection hears of it and ends; nothing more should be pushed.
    pub fn push(&self, item: Item) -> Result<(), Full> {
        let bytes = item.bytes();
        let waits = self.queued.fetch_add(bytes, Ordering::SeqCst);
        // A large state must be readable for whoever keeps up.
        if waits > 0 && waits + bytes > self.bytes_max {
            self.overflow.notify_one();
            return Err(Full);
        }
        let _ = self.items.send(item);
        Ok(())
    }

    /// Whether the client is congested.
    pub fn is_congested(&self) -> bool {
        self.is_congested.load(Ordering::SeqCst)
    }

    /// Whether the client has become congested: more than a quarter of what may wait does. It is so
    /// until [`Inbox::is_relieved`].
    pub fn is_newly_congested(&self) -> bool {
        let (high, low) = (self.bytes_max / 4, self.bytes_max / 16);
        let queued = || self.queued.load(Ordering::SeqCst);
        if queued() <= high || self.is_congested.swap(true, Ordering::SeqCst) {
            return false;
        }
        // The other side may have taken everything since, and have found nothing to say.
        queued() > low || !self.is_congested.swap(false, Ordering::SeqCst)
    }
}

impl Inbox {
    /// The next item; `None` once the venue's end is gone.
    pub async fn next(&mut self) -> Option<Item> {
        let item = self.items.recv().await?;
        self.queued.fetch_sub(item.bytes(), Ordering::SeqCst);
        Some(item)
    }

    /// Whether the client was congested and is not any more: less than a sixteenth of what may wait
    /// does. The venue must hear of it.
    pub fn is_relieved(&self) -> bool {
        self.queued.load(Ordering::SeqCst) <= self.bytes_max / 16
            && self.is_congested.swap(false, Ordering::SeqCst)
    }

    /// Notified once more was queued than may wait.
    pub fn overflow(&self) -> Arc<Notify> {
        Arc::clone(&self.overflow)
    }
}
