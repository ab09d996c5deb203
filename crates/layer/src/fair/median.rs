//! The order of the decentralised Timeboost: enough lists to be in, a lot or a median to be first.
//!
//! # Rules
//! Of N members at most F < N/3 are faulty. A round needs N − F lists.
//! 1. A message is in if at least F + 1 lists hold it, unless that was already so in one of the last
//!    8 rounds.
//! 2. The time of the round is the median of the lists' clocks, never below that of the round before.
//! 3. Express messages are in as soon as one list holds them, by consecutive sequence number within
//!    the epoch of the round's time; of two with one number that with the smaller content hash. A gap
//!    holds up what comes after it.
//! 4. Express messages come first, by sequence number. The rest comes by H(seed ‖ account), then
//!    nonce, then content hash; or, as a variant, by the median of the times at which it was seen.
//!
//! # Theory of operation
//! F + 1 lists hold at least one honest member's, so nothing gets in that no honest member saw. The
//! median of more than 2F clocks lies between two honest ones. The lot makes speed worthless within a
//! round; it is as good as its seed, which must not be known to whoever can still add a message, and
//! it favours whoever has many accounts. The median of a message's own times is safe from F liars only
//! with 2F + 1 lists that hold it; it is in with F + 1.
//!
//! # Source
//! Felten and Shoup, decentralized-timeboost-spec (OffchainLabs), README and inclusion.md.
//!
//! # Departures
//! All lists of the round count, not N − F chosen by consensus. The median of an even number, which
//! the specification leaves open, is the lower one. No signatures, no decryption, no delayed inbox.
//! Whether a message waited 250 ms before it was listed is the member's affair. A list that is too
//! long is cut. The order by median time is not theirs.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::{Draws, Machine};
use crate::units::{AccountId, Digest, MessageId, NodeId, Ns, SECOND};

/// Sets this use of BLAKE3 apart from every other.
const LOT_TAG: &[u8] = b"surgetank lot 1";

/// Who is first within a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// By lot: H(seed ‖ account), nonce, content hash.
    Lot,
    /// By the median of the times at which the lists' members saw it.
    MedianTime,
}

/// What the order is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// N.
    pub members: u32,
    /// F.
    pub faulty: u32,
    /// Who is first within a round.
    pub within: Within,
    /// Rounds for which it is remembered what was in.
    pub memory_rounds: u32,
    /// Length of an epoch of the express lane.
    pub epoch_ns: Ns,
    /// Most messages in a list.
    pub list_max: usize,
}

impl Config {
    /// The specification's numbers, with the most faults that `members` can bear.
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

/// Where an express message stands in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Express {
    /// The epoch that it is for.
    pub epoch: u64,
    /// Its number in the epoch, from 0.
    pub sequence: u64,
}

/// A message as a member lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedMessage {
    /// The message.
    pub message: MessageId,
    /// When the member saw it.
    pub seen_ns: Ns,
    /// Whose it is: an account, or better what stands for all accounts of one owner.
    pub account: AccountId,
    /// The account's own order.
    pub nonce: u64,
    /// Hash of its content.
    pub content: Digest,
    /// Where it stands in the express lane, if it is for that.
    pub express: Option<Express>,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A member's list of this round: all it has seen and not yet seen ordered. The first counts.
    Report {
        /// The member.
        from: NodeId,
        /// Its clock.
        clock_ns: Ns,
        /// What it lists.
        seen: Vec<ListedMessage>,
    },
    /// The round ends.
    Close {
        /// What the lot is drawn from.
        seed: Digest,
    },
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// What is in, in order.
    Ordered(Ordered),
    /// There were fewer than N − F lists; they are thrown away.
    Failed {
        /// Number of the round, from 1.
        round: u32,
        /// Lists that there were.
        lists: u32,
    },
    /// Not taken: no such member, a second list in the round, or beyond the longest list.
    Refused {
        /// The member.
        from: NodeId,
        /// What was not taken.
        messages: Vec<MessageId>,
    },
}

/// The order of one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// Number of the round, from 1.
    pub round: u32,
    /// Its time.
    pub time_ns: Ns,
    /// Express messages, first.
    pub express: Vec<MessageId>,
    /// The rest, after them.
    pub rest: Vec<MessageId>,
    /// Messages that were in some lists but too few.
    pub too_few: u32,
}

/// Content hash, nonce and account of a message.
type Facts = (Digest, u64, AccountId);

/// The machine.
#[derive(Clone, Debug)]
pub struct MedianOrder {
    config: Config,
    round: u32,
    time_ns: Ns,
    /// Epoch and number of the express message that is due.
    due: Express,
    /// Round in which a message was last in enough lists.
    done: BTreeMap<MessageId, u32>,
    lists: BTreeMap<NodeId, (Ns, Vec<ListedMessage>)>,
}

impl MedianOrder {
    /// Nothing ordered yet.
    ///
    /// # Errors
    /// If a third of the members or more may be faulty.
    pub fn new(config: Config) -> Result<MedianOrder, String> {
        if config.members <= config.faulty.saturating_mul(3) {
            return Err(format!(
                "{} of {} members may be faulty; it must be fewer than a third",
                config.faulty, config.members
            ));
        }
        Ok(MedianOrder {
            config,
            round: 1,
            time_ns: 0,
            due: Express { epoch: 0, sequence: 0 },
            done: BTreeMap::new(),
            lists: BTreeMap::new(),
        })
    }

    /// Messages that are remembered as ordered.
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
        Output::Ordered(Ordered { round, time_ns: self.time_ns, express, rest, too_few })
    }

    fn express(&mut self, lists: &BTreeMap<NodeId, (Ns, Vec<ListedMessage>)>) -> Vec<MessageId> {
        let epoch = self.time_ns / self.config.epoch_ns.max(1);
        if epoch > self.due.epoch {
            self.due = Express { epoch, sequence: 0 };
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

    /// The rest in order, and how many were in too few lists.
    fn rest(
        &mut self,
        round: u32,
        lists: &BTreeMap<NodeId, (Ns, Vec<ListedMessage>)>,
        seed: Digest,
    ) -> (Vec<MessageId>, u32) {
        // Facts of a message are the same in all honest lists; of others the smallest is taken.
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

/// H(seed ‖ account): the place of an account in a round that is ordered by lot.
pub fn lot(seed: Digest, account: AccountId) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(LOT_TAG).update(&seed.0).update(&account.to_le_bytes());
    Digest(*hasher.finalize().as_bytes())
}

/// The lower median; 0 of nothing.
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
