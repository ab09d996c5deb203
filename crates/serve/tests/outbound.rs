//! What waits for a client: bounded, but for a single item.

use surgetank_serve::edge::outbound::{Full, Item, outbound};
use surgetank_venue::event::{Event, Position, PriceLevel, StreamKey};
use surgetank_venue::wire::{Down, StreamState};

/// A state of a book with so many levels.
fn state(levels: usize) -> Item {
    let side = surgetank_layer::message::Side::Buy;
    let level = PriceLevel { side, price: 1, qty: 1 };
    let last = Position { epoch: 1, number: 1 };
    let events = vec![Event::Levels(vec![level; levels])];
    let state = StreamState { key: StreamKey::Book(0), last, sequence: 1, events };
    Item::Say(Down::Snapshot(state))
}

#[test]
fn a_large_state_reaches_a_client_that_keeps_up_only() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (queue, mut inbox) = outbound(10_000);
    assert_eq!(queue.push(state(5_000)), Ok(()));
    assert!(queue.is_newly_congested() && queue.is_congested());
    assert!(!inbox.is_relieved());
    assert!(runtime.block_on(inbox.next()).is_some());
    assert!(inbox.is_relieved() && !queue.is_congested());
    assert_eq!(queue.push(state(1)), Ok(()));
    assert_eq!(queue.push(state(5_000)), Err(Full));
}
