//! The channels that a connection follows: what is still to come before a channel begins, and where
//! it is.
//!
//! # Rules
//! 1. A book and a portfolio begin with a snapshot. Events that come before it wait; of these, and of
//!    all later ones, the snapshot contains those with numbers up to its own.
//! 2. Each notification names the one before it on its channel.
//! 3. After a gap, a channel with snapshots begins anew with one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::channels::NamedChannel;
use super::envelope::notification;
use super::markets::Markets;
use super::notify::{self, Content, Data, Stamp, SubscriptionParams};
use super::params::ChannelPlace;
use crate::event::{Event, Position, Stamped, StreamKey};
use crate::wire::{Gap, GapReason, StreamState};

/// Events that wait for a snapshot, above which the connection must end.
const WAITING_MAX: usize = 1 << 16;

/// A stream that is followed.
#[derive(Debug)]
struct Followed {
    /// Its channels, each with the number of its last notification.
    channels: BTreeMap<NamedChannel, u64>,
    last: Position,
    /// Events that wait for the snapshot; `None`: there is none to wait for.
    waiting: Option<Vec<Stamped>>,
}

/// What is to be asked of the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The stream must be subscribed to.
    Subscribe(StreamKey),
    /// Its state is needed.
    Snapshot(StreamKey),
    /// Nothing follows it any more.
    Unsubscribe(StreamKey),
}

/// All channels of a connection.
#[derive(Debug, Default)]
pub struct Following {
    streams: BTreeMap<StreamKey, Followed>,
}

/// Content of a notification `gap`.
#[derive(Serialize)]
struct Missing {
    channel: String,
    epoch: u32,
    from: u64,
    to: u64,
    reason: &'static str,
}

impl Following {
    /// Whether the stream can be followed by this channel: not both with and without merging.
    pub fn can_add(&self, key: StreamKey, channel: NamedChannel) -> bool {
        let followed = self.streams.get(&key);
        followed.is_none_or(|followed| {
            followed.channels.keys().all(|other| other.conflates() == channel.conflates())
        })
    }

    /// Begins a channel, after this place if it is given.
    pub fn add(
        &mut self,
        key: StreamKey,
        channel: NamedChannel,
        after: Option<Position>,
    ) -> Vec<Ask> {
        let needs_snapshot = channel.has_snapshot() && after.is_none();
        let last = after.unwrap_or(Position { epoch: 0, number: 0 });
        if let Some(followed) = self.streams.get_mut(&key) {
            // A second channel of a stream begins where the stream is.
            followed.channels.entry(channel).or_insert(followed.last.number);
            return Vec::new();
        }
        let waiting = needs_snapshot.then(Vec::new);
        let channels = BTreeMap::from([(channel, last.number)]);
        self.streams.insert(key, Followed { channels, last, waiting });
        let snapshot = needs_snapshot.then_some(Ask::Snapshot(key));
        [Ask::Subscribe(key)].into_iter().chain(snapshot).collect()
    }

    /// Ends a channel.
    pub fn remove(&mut self, key: StreamKey, channel: NamedChannel) -> Option<Ask> {
        let followed = self.streams.get_mut(&key)?;
        followed.channels.remove(&channel);
        if !followed.channels.is_empty() {
            return None;
        }
        self.streams.remove(&key);
        Some(Ask::Unsubscribe(key))
    }

    /// The events that are missing between the last one of a stream and this one. A stream that was
    /// left and followed again may begin with the state that was on its way before.
    pub fn hole(&self, stamped: &Stamped) -> Option<Gap> {
        let Followed { last, waiting, .. } = self.streams.get(&stamped.key)?;
        let Stamped { key, epoch, previous, .. } = *stamped;
        let is_hole = waiting.is_none() && last.epoch == epoch && last.number < previous;
        let reason = GapReason::NotKept;
        is_hole.then_some(Gap { key, epoch, from: last.number + 1, to: previous, reason })
    }

    /// An event: the notifications of its channels. `None`: too many wait.
    pub fn hear(&mut self, markets: &Markets, stamped: &Stamped) -> Option<Vec<String>> {
        let Some(followed) = self.streams.get_mut(&stamped.key) else { return Some(Vec::new()) };
        if let Some(waiting) = &mut followed.waiting {
            waiting.push(stamped.clone());
            return (waiting.len() <= WAITING_MAX).then(Vec::new);
        }
        Some(followed.say(markets, stamped))
    }

    /// The state of a stream: the notifications with which its channels begin.
    pub fn snapshot(&mut self, markets: &Markets, state: &StreamState) -> Vec<String> {
        let Some(followed) = self.streams.get_mut(&state.key) else { return Vec::new() };
        let Some(waiting) = followed.waiting.take() else { return Vec::new() };
        let StreamState { key, last, sequence, events } = state;
        let content = match *key {
            StreamKey::Book(symbol) => {
                let levels = events.iter().filter_map(|event| match event {
                    Event::Levels(levels) => Some(levels.as_slice()),
                    _ => None,
                });
                let levels: Vec<_> = levels.flatten().copied().collect();
                notify::book(markets, symbol, &levels, true).map(Content::Snapshot)
            }
            _ => Some(Content::Portfolio(notify::portfolio(markets, events))),
        };
        followed.last = *last;
        let Position { epoch, number: change_id } = *last;
        let stamp = Stamp { epoch, change_id, sequence: *sequence, ..Stamp::default() };
        let mut said = Vec::new();
        for (channel, at) in &mut followed.channels {
            *at = change_id;
            let data = content.clone().map(|content| Data { stamp, content });
            said.extend(data.map(|data| subscription(markets, *channel, data)));
        }
        for stamped in &waiting {
            said.extend(followed.say(markets, stamped));
        }
        said
    }

    /// Events that will not be sent.
    pub fn gap(&mut self, markets: &Markets, gap: &Gap) -> (Vec<String>, Option<Ask>) {
        let Some(followed) = self.streams.get_mut(&gap.key) else { return Default::default() };
        let Gap { key, epoch, from, to, reason } = *gap;
        let reason = match reason {
            GapReason::Archived => "archived",
            GapReason::OtherEpoch => "other-epoch",
            GapReason::NotKept => "not-kept",
        };
        let mut said = Vec::new();
        for (channel, at) in &mut followed.channels {
            *at = to;
            let channel = channel.name(markets);
            said.push(notification("gap", Missing { channel, epoch, from, to, reason }));
        }
        followed.last = Position { epoch, number: to };
        let begins_anew = followed.channels.keys().any(NamedChannel::has_snapshot);
        if begins_anew {
            followed.waiting.get_or_insert_default();
        }
        (said, begins_anew.then_some(Ask::Snapshot(key)))
    }

    /// Last place of each channel.
    pub fn places(&self, markets: &Markets) -> BTreeMap<String, ChannelPlace> {
        let of = |followed: &Followed| {
            let epoch = followed.last.epoch;
            let place = move |(channel, number): (&NamedChannel, &u64)| {
                (channel.name(markets), ChannelPlace { epoch, number: *number })
            };
            followed.channels.iter().map(place).collect::<Vec<_>>()
        };
        self.streams.values().flat_map(of).collect()
    }
}

impl Followed {
    fn say(&mut self, markets: &Markets, stamped: &Stamped) -> Vec<String> {
        let Stamped { key, epoch, number, previous, sequence, time_ns, event } = stamped;
        if *epoch == self.last.epoch && *number <= self.last.number {
            return Vec::new(); // The snapshot contains it.
        }
        let is_other_epoch = *epoch != self.last.epoch;
        self.last = Position { epoch: *epoch, number: *number };
        let symbol = match key {
            StreamKey::Book(symbol) | StreamKey::Trades(symbol) | StreamKey::Prices(symbol) => {
                Some(*symbol)
            }
            _ => None,
        };
        let Some(content) = notify::content(markets, symbol, event) else { return Vec::new() };
        let mut said = Vec::new();
        for (channel, at) in &mut self.channels {
            // A hole in the stream shows; what a snapshot contains, or a market left out, does not.
            let before = match (channel, event) {
                (NamedChannel::Orders(Some(only)), Event::Report(report)) => {
                    if *only != report.symbol {
                        continue;
                    }
                    *at
                }
                _ if is_other_epoch => *previous,
                _ => (*at).max(*previous),
            };
            let stamp = Stamp {
                epoch: *epoch,
                change_id: *number,
                prev_change_id: Some(before),
                sequence: *sequence,
                timestamp: Some(time_ns / 1_000_000),
            };
            *at = *number;
            let data = Data { stamp, content: content.clone() };
            said.push(subscription(markets, *channel, data));
        }
        said
    }
}

fn subscription(markets: &Markets, channel: NamedChannel, data: Data) -> String {
    notification("subscription", SubscriptionParams { channel: channel.name(markets), data })
}
