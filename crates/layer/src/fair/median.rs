//! The order of the decentralised Timeboost: inclusion by a number of lists, order by lot or by
//! median time.
//!
//! # Rules
//! Of N members at most F < N/3 are faulty. A round needs N − F lists.
//! 1. A message is included if at least F + 1 lists contain it, unless it was included in one of
//!    the last 8 rounds.
//! 2. The time of the round is the median of the lists' clocks, never below that of the round before.
//! 3. Express messages are included as soon as one list contains them, by consecutive sequence
//!    number within the epoch of the round's time; of two with one number that with the smaller
//!    content hash. Messages after a gap wait.
//! 4. Express messages come first, by sequence number. The others follow by H(seed ‖ account), then
//!    nonce, then content hash; or, as a variant, by the median of their receive times.
//!
//! # Theory of operation
//! Of F + 1 lists at least one is an honest member's, so every included message was received by an
//! honest member. The median of more than 2F clocks lies between two honest ones. The lot makes
//! speed worthless within a round; it is as good as its seed, which must be unknown to everyone who
//! can still add a message, and it favours owners of many accounts. The median of a message's
//! receive times is robust against F faulty members only with 2F + 1 lists that contain it; it is
//! included with F + 1.
//!
//! # Source
//! Felten and Shoup, decentralized-timeboost-spec (OffchainLabs), README and inclusion.md.
//!
//! # Departures
//! All lists of the round count, not N − F chosen by consensus. The median of an even number, which
//! the specification leaves open, is the lower one. No signatures, no decryption, no delayed inbox.
//! Whether a message waited 250 ms before it was listed is not checked. A list that is too long is
//! cut. The order by median time is not part of the specification.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::{Draws, Machine};
use crate::units::{AccountId, Digest, MessageId, NodeId, Ns, SECOND};

/// Domain separation tag of the lot's hash.
const LOT_TAG: &[u8] = b"surgetank lot 1";

/// Order of messages within a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// By lot: H(seed ‖ account), nonce, content hash.
    Lot,
    /// By the median of the members' receive times.
    MedianTime,
}

/// Parameters of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Number of members, N.
    pub members: u32,
    /// Greatest number of faulty members, F < N/3.
    pub faulty: u32,
    /// Order of messages within a round.
    pub within: Within,
    /// Number of rounds for which included messages are remembered.
    pub memory_rounds: u32,
    /// Length of an epoch of the express lane.
    pub epoch_ns: Ns,
    /// Greatest number of messages in a list.
    pub list_max: usize,
}

impl Config {
    /// The specification's numbers, with the greatest number of faults that `members` tolerate.
    pub fn of(members: u32) -> Config {
        Config {
            members,
            faulty: members.saturating_sub(1) / 3,
            within: Within::Lot,
            memory_rounds: 8,
            epoch_ns: 60 * SECOND,
            list_max: 4096,
        }
    }
}

/// Position of an express message in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpressPosition {
    /// Epoch for which it is valid.
    pub epoch: u64,
    /// Sequence number in the epoch, from 0.
    pub sequence: u64,
}

/// A message as a member lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedMessage {
    /// Number of the message.
    pub message: MessageId,
    /// Receive time at the member.
    pub seen_ns: Ns,
    /// Account of the sender, or better an identity of all accounts of one owner.
    pub account: AccountId,
    /// Nonce: the message's number within the account.
    pub nonce: u64,
    /// Hash of its content.
    pub content: Digest,
    /// Position in the express lane, for an express message.
    pub express: Option<ExpressPosition>,
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
    Close {
        /// Seed of the lot.
        seed: Digest,
    },
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
    /// Express messages, which come first.
    pub express: Vec<MessageId>,
    /// All other messages, after them.
    pub rest: Vec<MessageId>,
    /// Number of messages that too few lists contained.
    pub too_few: u32,
}

/// Content hash, nonce and account of a message.
type Facts = (Digest, u64, AccountId);

/// The machine that computes the order by lot or by median time.
#[derive(Clone, Debug)]
pub struct MedianOrder {
    config: Config,
    round: u32,
    time_ns: Ns,
    /// Epoch and sequence number of the next express message.
    due: ExpressPosition,
    /// Round in which a message was last included.
    done: BTreeMap<MessageId, u32>,
    lists: BTreeMap<NodeId, (Ns, Vec<ListedMessage>)>,
}

impl MedianOrder {
    /// A machine before its first round.
    ///
    /// # Errors
    /// If a third of the members or more may be faulty, or epochs have no length.
    pub fn new(config: Config) -> Result<MedianOrder, String> {
        if config.members <= config.faulty.saturating_mul(3) {
            return Err(format!(
                "{} of {} members may be faulty; it must be fewer than a third",
                config.faulty, config.members
            ));
        }
        if config.epoch_ns == 0 {
            return Err("epoch_ns must be at least 1".into());
        }
        Ok(MedianOrder {
            config,
            round: 1,
            time_ns: 0,
            due: ExpressPosition { epoch: 0, sequence: 0 },
            done: BTreeMap::new(),
            lists: BTreeMap::new(),
        })
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

    fn close(&mut self, seed: Digest) -> Output {
        let (round, lists) = (self.round, std::mem::take(&mut self.lists));
        self.round += 1;
        if lists.len() < (self.config.members - self.config.faulty) as usize {
            return Output::Failed { round, lists: lists.len() as u32 };
        }
        let mut clocks: Vec<Ns> = lists.values().map(|&(clock, _)| clock).collect();
        self.time_ns = self.time_ns.max(median(&mut clocks));
        let express = self.express(&lists);
        let (rest, too_few) = self.rest(round, &lists, seed);
        Output::Ordered(RoundOrder { round, time_ns: self.time_ns, express, rest, too_few })
    }

    fn express(&mut self, lists: &BTreeMap<NodeId, (Ns, Vec<ListedMessage>)>) -> Vec<MessageId> {
        let epoch = self.time_ns / self.config.epoch_ns;
        if epoch > self.due.epoch {
            self.due = ExpressPosition { epoch, sequence: 0 };
        }
        let mut lane: BTreeMap<u64, (Digest, MessageId)> = BTreeMap::new();
        for seen in lists.values().flat_map(|(_, list)| list) {
            let Some(express) = seen.express.filter(|e| e.epoch == epoch) else { continue };
            let own = (seen.content, seen.message);
            let first = lane.entry(express.sequence).or_insert(own);
            *first = own.min(*first);
        }
        let mut found = Vec::new();
        while let Some(&(_, message)) = lane.get(&self.due.sequence) {
            found.push(message);
            self.due.sequence += 1;
        }
        found
    }

    /// The other messages in order, and the number of messages that too few lists contained.
    fn rest(
        &mut self,
        round: u32,
        lists: &BTreeMap<NodeId, (Ns, Vec<ListedMessage>)>,
        seed: Digest,
    ) -> (Vec<MessageId>, u32) {
        // A message's attributes agree in all honest lists; if they differ, the smallest value is
        // taken.
        let mut votes: BTreeMap<MessageId, (Vec<Ns>, Facts)> = BTreeMap::new();
        for (_, list) in lists.values() {
            let mut own = BTreeSet::new();
            for seen in list.iter().filter(|s| s.express.is_none()) {
                if own.insert(seen.message) {
                    let facts = (seen.content, seen.nonce, seen.account);
                    let vote = votes.entry(seen.message).or_insert((Vec::new(), facts));
                    vote.0.push(seen.seen_ns);
                    vote.1 = vote.1.min(facts);
                }
            }
        }
        let all = votes.len();
        votes.retain(|_, (times, _)| times.len() > self.config.faulty as usize);
        let too_few = (all - votes.len()) as u32;
        let memory = self.config.memory_rounds;
        self.done.retain(|_, last| round - *last <= memory);
        votes.retain(|&message, _| self.done.insert(message, round).is_none());
        let mut order: Vec<(Rank, MessageId)> = votes
            .into_iter()
            .map(|(message, (mut times, (content, nonce, account)))| {
                let rank = match self.config.within {
                    Within::Lot => Rank(lot(seed, account), nonce, content),
                    Within::MedianTime => Rank(Digest::default(), median(&mut times), content),
                };
                (rank, message)
            })
            .collect();
        order.sort_unstable();
        (order.into_iter().map(|(_, message)| message).collect(), too_few)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(Digest, u64, Digest);

/// H(seed ‖ account): the rank of an account in a round ordered by lot.
pub fn lot(seed: Digest, account: AccountId) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(LOT_TAG).update(&seed.0).update(&account.to_le_bytes());
    Digest(*hasher.finalize().as_bytes())
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
            Input::Close { seed } => outbox.push(self.close(seed)),
        }
    }
}
