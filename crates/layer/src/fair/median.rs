//! Order by median receive time, in the rounds of the decentralised Timeboost.
//!
//! # Rules
//! Of N members at most F < N/3 are faulty. A round needs N − F lists.
//! 1. A message is included if at least F + 1 lists contain it, unless it was included in one of
//!    the last 8 rounds.
//! 2. The time of the round is the median of the lists' clocks, never below that of the round before.
//! 3. Messages of a round are ordered by the median of their receive times, then content hash.
//!
//! # Theory of operation
//! Of F + 1 lists at least one is an honest member's, so every included message was received by an
//! honest member. The median of more than 2F clocks lies between two honest ones. The median of a
//! message's receive times is robust against F faulty members only with 2F + 1 lists that contain
//! it; it is included with F + 1.
//!
//! # Source
//! Felten and Shoup, decentralized-timeboost-spec (OffchainLabs), README and inclusion.md: rules 1
//! and 2.
//!
//! # Departures
//! The specification draws the order of a round by lot, and lets a paid lane go first; here it is
//! that of the median times. All lists of the round count, not N − F chosen by consensus. The
//! median of an even number, which the specification leaves open, is the lower one. No signatures,
//! no decryption, no delayed inbox. Whether a message waited 250 ms before it was listed is not
//! checked. A list that is too long is cut.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::{Draws, Machine};
use crate::units::{Digest, MessageId, NodeId, Ns};

/// Parameters of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Number of members, N.
    pub members: u32,
    /// Greatest number of faulty members, F < N/3.
    pub faulty: u32,
    /// Number of rounds for which included messages are remembered.
    pub memory_rounds: u32,
    /// Greatest number of messages in a list.
    pub list_max: usize,
}

impl Config {
    /// The specification's numbers.
    pub fn of(members: u32, faulty: u32) -> Config {
        Config { members, faulty, memory_rounds: 8, list_max: 4096 }
    }
}

/// A message as a member lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedMessage {
    /// Number of the message.
    pub message: MessageId,
    /// Receive time at the member.
    pub seen_ns: Ns,
    /// Hash of its content.
    pub content: Digest,
}

/// Events of the median order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A member's list of this round: all messages received and not yet ordered. The first one
    /// counts.
    Report {
        /// Member that reports.
        from: NodeId,
        /// Clock of the member.
        clock_ns: Ns,
        /// The listed messages.
        seen: Vec<ListedMessage>,
    },
    /// Ends the round.
    Close,
}

/// Answers of the median order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The included messages, in order.
    Ordered(RoundOrder),
    /// There were fewer than N − F lists; they are discarded.
    Failed {
        /// Number of the round, from 1.
        round: u32,
        /// Number of lists received.
        lists: u32,
    },
    /// A list was refused: unknown member, a second list in the round, or beyond the greatest
    /// length.
    Refused {
        /// Member that reported.
        from: NodeId,
        /// Messages that were refused.
        messages: Vec<MessageId>,
    },
}

/// The order of one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoundOrder {
    /// Number of the round, from 1.
    pub round: u32,
    /// Time of the round: the median of the members' clocks.
    pub time_ns: Ns,
    /// The included messages, in order.
    pub messages: Vec<MessageId>,
    /// Number of messages that too few lists contained.
    pub too_few: u32,
}

/// The machine that computes the order by median time.
#[derive(Clone, Debug)]
pub struct MedianOrder {
    config: Config,
    round: u32,
    time_ns: Ns,
    /// Round in which a message was last included.
    done: BTreeMap<MessageId, u32>,
    lists: BTreeMap<NodeId, (Ns, Vec<ListedMessage>)>,
}

impl MedianOrder {
    /// A machine before its first round.
    ///
    /// # Panics
    /// If a third of the members or more may be faulty.
    pub fn new(config: Config) -> MedianOrder {
        let Config { members, faulty, .. } = config;
        assert!(members > 3 * faulty, "median order: {faulty} of {members} members may be faulty");
        MedianOrder { config, round: 1, time_ns: 0, done: BTreeMap::new(), lists: BTreeMap::new() }
    }

    /// Number of messages remembered as ordered.
    pub fn remembered(&self) -> usize {
        self.done.len()
    }

    fn report(
        &mut self,
        from: NodeId,
        clock_ns: Ns,
        mut seen: Vec<ListedMessage>,
        out: &mut Vec<Output>,
    ) {
        let taken = from < self.config.members && !self.lists.contains_key(&from);
        let rest = seen.split_off(if taken { self.config.list_max.min(seen.len()) } else { 0 });
        if taken {
            self.lists.insert(from, (clock_ns, seen));
        }
        if !rest.is_empty() || !taken {
            let messages = rest.iter().map(|s| s.message).collect();
            out.push(Output::Refused { from, messages });
        }
    }

    fn close(&mut self) -> Output {
        let (round, lists) = (self.round, std::mem::take(&mut self.lists));
        self.round += 1;
        if lists.len() < (self.config.members - self.config.faulty) as usize {
            return Output::Failed { round, lists: lists.len() as u32 };
        }
        let mut clocks: Vec<Ns> = lists.values().map(|&(clock, _)| clock).collect();
        self.time_ns = self.time_ns.max(median(&mut clocks));
        let (messages, too_few) = self.order(round, &lists);
        Output::Ordered(RoundOrder { round, time_ns: self.time_ns, messages, too_few })
    }

    /// The included messages in order, and the number of messages that too few lists contained.
    fn order(
        &mut self,
        round: u32,
        lists: &BTreeMap<NodeId, (Ns, Vec<ListedMessage>)>,
    ) -> (Vec<MessageId>, u32) {
        // A message's content agrees in all honest lists; if it differs, the smallest hash is taken.
        let mut votes: BTreeMap<MessageId, (Vec<Ns>, Digest)> = BTreeMap::new();
        for (_, list) in lists.values() {
            let mut own = BTreeSet::new();
            for seen in list.iter().filter(|seen| own.insert(seen.message)) {
                let vote = votes.entry(seen.message).or_insert((Vec::new(), seen.content));
                vote.0.push(seen.seen_ns);
                vote.1 = vote.1.min(seen.content);
            }
        }
        let all = votes.len();
        votes.retain(|_, (times, _)| times.len() > self.config.faulty as usize);
        let too_few = (all - votes.len()) as u32;
        let memory = self.config.memory_rounds;
        self.done.retain(|_, last| round - *last <= memory);
        votes.retain(|&message, _| self.done.insert(message, round).is_none());
        let mut order: Vec<(Ns, Digest, MessageId)> = votes
            .into_iter()
            .map(|(message, (mut times, content))| (median(&mut times), content, message))
            .collect();
        order.sort_unstable();
        (order.into_iter().map(|(.., message)| message).collect(), too_few)
    }
}

/// The lower median; 0 of an empty list.
pub fn median(times: &mut [Ns]) -> Ns {
    if times.is_empty() {
        return 0;
    }
    let middle = (times.len() - 1) / 2;
    *times.select_nth_unstable(middle).1
}

impl Machine for MedianOrder {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, _: Ns, input: Input, _: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Report { from, clock_ns, seen } => self.report(from, clock_ns, seen, outbox),
            Input::Close => outbox.push(self.close()),
        }
    }
}
