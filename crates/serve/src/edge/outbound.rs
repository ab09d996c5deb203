//! What waits for a client: from the venue's thread to the task of a connection, bounded in bytes.
//!
//! Values wait, and not frames: a connection's own task encodes them, in the protocol that it speaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use surgetank_venue::answer::Answer;
use surgetank_venue::event::Event;
use surgetank_venue::streams::published::Published;
use surgetank_venue::wire::{CutReason, Down};
use tokio::sync::{Notify, mpsc};

/// What each item counts for beside its bytes.
const ITEM_BYTES: usize = 64;

/// Something to be said to a client.
#[derive(Debug)]
pub enum Item {
    /// Its logon is accepted; the place in the journal of the last durable request.
    LoggedOn(u64),
    /// Anything but events, as a value: the connection's task encodes it.
    Say(Down),
    /// Events, shared with all other connections that are sent them.
    Events(Vec<Arc<Published>>),
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
    overflow: Arc<Notify>,
    bytes_max: usize,
}

/// The connection's end.
#[derive(Debug)]
pub struct Inbox {
    items: mpsc::UnboundedReceiver<Item>,
    queued: Arc<AtomicUsize>,
    overflow: Arc<Notify>,
}

/// More waits for the client than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A queue for one connection.
pub fn outbound(bytes_max: usize) -> (Outbound, Inbox) {
    let (sender, items) = mpsc::unbounded_channel();
    let (queued, overflow) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let inbox = Inbox { items, queued: Arc::clone(&queued), overflow: Arc::clone(&overflow) };
    (Outbound { items: sender, queued, overflow, bytes_max }, inbox)
}

impl Outbound {
    /// Queues an item; nothing if the connection has ended.
    ///
    /// # Errors
    /// There is no room for it. The connection hears of it and ends; nothing more should be pushed.
    pub fn push(&self, item: Item) -> Result<(), Full> {
        let bytes = item.bytes();
        if self.queued.fetch_add(bytes, Ordering::Relaxed) + bytes > self.bytes_max {
            self.overflow.notify_one();
            return Err(Full);
        }
        let _ = self.items.send(item);
        Ok(())
    }
}

impl Inbox {
    /// The next item; `None` if the venue has forgotten the connection.
    pub async fn next(&mut self) -> Option<Item> {
        let item = self.items.recv().await?;
        self.queued.fetch_sub(item.bytes(), Ordering::Relaxed);
        Some(item)
    }

    /// Notified once more was queued than may wait.
    pub fn overflow(&self) -> Arc<Notify> {
        Arc::clone(&self.overflow)
    }
}
