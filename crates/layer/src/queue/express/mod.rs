//! An express lane sold round by round: its controller's messages are not delayed, all others' are.
//!
//! # Rules
//! 1. Time is divided into rounds of `round_ns`. The lane of a round is sold while the round before
//!    it runs, until `closing_ns` before its start. Round 0 is not sold.
//! 2. Bids are sealed. A bidder's last bid counts (of at most `bids_max` per round). The highest
//!    wins and pays the second highest, or the reserve if that is more; equal bids go to the lower
//!    hash of round, bidder and bid.
//! 3. While a round has a controller, all other accounts' messages are delayed by `advantage_ns`.
//! 4. The controller's messages carry round and sequence number, from 0. They leave in order and at
//!    once; one that arrives early waits for its predecessors, if it is less than `future_max`
//!    ahead.
//! 5. A repetition of a message under its number has no effect. Any other invalid message is
//!    refused with a reason.
//! 6. At a round's end, and when control is transferred, messages that still wait join the ordinary
//!    lane as if they arrived at that moment, or are refused, as [`Leftover`] says. Sequence
//!    numbers restart at 0.
//!
//! # Theory of operation
//! The machine holds no timer per message: a message is answered with [`Output::Ready`] and the
//! time at which it may join the queue. In a second-price auction bidding one's own valuation is a
//! dominant strategy (Vickrey 1961). Waiting messages are bounded by `future_max`, bids by the
//! number of bidders.
//!
//! Source: Offchain Labs, Timeboost research specification and Nitro's published defaults
//! ([`Config::default`]).
//!
//! Departures: a bid is assumed to be covered (Timeboost keeps deposits). The tie hash is BLAKE3
//! and includes the round, so that equal bidders alternate. Delayed messages never overtake each
//! other: in Nitro one that arrives just after the end of a sold round overtakes those delayed
//! before it. Submissions for the next round are refused, also shortly before it begins. A message
//! waits for its predecessor until the round's end and not for a number of blocks.

mod auction;
mod sequence;

use crate::machine::{Draws, Machine};
use crate::units::{AccountId, MS, MessageId, Money, Ns, SECOND};
use auction::Bids;
pub use auction::{Award, BidRefusal, settle};
use sequence::Sequence;

/// Number of a round, from 0; not a consensus round.
pub type LaneRound = u64;

/// Treatment of messages that still wait for a predecessor when the controller changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// They join the ordinary lane.
    Ordinary,
    /// They are refused.
    Refuse,
}

/// Parameters of the express lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a round lasts.
    pub round_ns: Ns,
    /// How long before a round its auction closes; less than `round_ns`.
    pub closing_ns: Ns,
    /// Delay of all accounts but the controller.
    pub advantage_ns: Ns,
    /// Reserve price of a round, in quanta.
    pub reserve: Money,
    /// Greatest number of bids of one bidder in an auction.
    pub bids_max: u32,
    /// Greatest distance of the controller's sequence number from the next expected one.
    pub future_max: u64,
    /// Treatment of waiting messages when the controller changes.
    pub leftover: Leftover,
}

impl Default for Config {
    /// Timeboost's defaults; no reserve.
    fn default() -> Config {
        Config {
            round_ns: 60 * SECOND,
            closing_ns: 15 * SECOND,
            advantage_ns: 200 * MS,
            reserve: 0,
            bids_max: 5,
            future_max: 1_000,
            leftover: Leftover::Refuse,
        }
    }
}

/// Reason for which a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExpressRefusal {
    /// The ticket is for another round.
    WrongRound = 1,
    /// This round's lane has no controller.
    NoController = 2,
    /// Another account controls this round's lane.
    NotController = 3,
    /// The sequence number is used by another message, or is too old to be checked.
    SequenceTaken = 4,
    /// The number is too far ahead.
    TooFarAhead = 5,
    /// The controller changed while the message waited for its predecessor.
    ChangedHands = 6,
}

/// Ticket that assigns a message to the express lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressTicket {
    /// Round for which it is valid.
    pub round: LaneRound,
    /// Sequence number within the round, from 0.
    pub sequence: u64,
}

/// Lane by which a message arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The lane of the round's controller.
    Express,
    /// The lane of all other accounts.
    Ordinary,
}

/// Events of the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A sealed bid.
    Bid {
        /// Round for which it is valid.
        round: LaneRound,
        /// Account that bids.
        bidder: AccountId,
        /// Amount of the bid, in quanta.
        amount: Money,
    },
    /// A message arrives.
    Message {
        /// Number of the message.
        id: MessageId,
        /// Account that sent it.
        account: AccountId,
        /// Ticket for the express lane, if the message has one.
        ticket: Option<ExpressTicket>,
    },
    /// A time armed by [`Output::Arm`] was reached.
    Timer,
}

/// Answers of the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand [`Input::Timer`] in at this time. A time armed earlier may still be handed in.
    Arm {
        /// Time at which to hand the input in.
        at_ns: Ns,
    },
    /// An auction with bids was closed. Auctions without bids are not reported.
    Sold {
        /// Round that was on sale.
        round: LaneRound,
        /// Its controller and price; `None` if no bid reached the reserve.
        award: Option<Award>,
    },
    /// A bid is refused.
    BidRefused {
        /// Account that bid.
        bidder: AccountId,
        /// Reason of the refusal.
        reason: BidRefusal,
    },
    /// The controller of the lane changes.
    Control {
        /// The current round.
        round: LaneRound,
        /// Controller from now on; `None` if there is none.
        controller: Option<AccountId>,
    },
    /// A message may join the queue.
    Ready {
        /// Number of the message.
        id: MessageId,
        /// Time from which it may join.
        ready_ns: Ns,
        /// Lane by which it arrived.
        lane: Lane,
    },
    /// A message is refused.
    Refused {
        /// Number of the message.
        id: MessageId,
        /// Reason of the refusal.
        reason: ExpressRefusal,
    },
}

/// An express lane.
#[derive(Clone, Debug)]
pub struct Express {
    config: Config,
    /// Current round and its controller.
    round: LaneRound,
    controller: Option<AccountId>,
    sequence: Sequence,
    /// Bids for the next round.
    bids: Bids,
    /// Award of the next round, once its auction is closed.
    sold: Option<Award>,
    /// Time until which the last delayed message is delayed.
    held_until_ns: Ns,
    armed_ns: Option<Ns>,
}

impl Express {
    /// A lane at the start of round 0, which has no controller.
    ///
    /// # Panics
    /// If an auction would close before it opens, a bid be negative, or none could be made.
    pub fn new(config: Config) -> Express {
        assert!(
            config.closing_ns < config.round_ns && config.bids_max > 0 && config.future_max > 0,
            "express lane: closing_ns must be below round_ns; bids_max, future_max at least 1",
        );
        assert!(config.reserve >= 0, "express lane: the reserve must not be negative");
        Express {
            config,
            round: 0,
            controller: None,
            sequence: Sequence::default(),
            bids: Bids::default(),
            sold: None,
            held_until_ns: 0,
            armed_ns: None,
        }
    }

    /// Number of the current round.
    pub fn round(&self) -> LaneRound {
        self.round
    }

    /// Controller of the current round.
    pub fn controller(&self) -> Option<AccountId> {
        self.controller
    }

    /// How many messages wait for a predecessor.
    pub fn waiting(&self) -> usize {
        self.sequence.waiting()
    }

    /// Time at which a message that arrives now by the ordinary lane may join the queue.
    fn ready_ns(&mut self, now: Ns) -> Ns {
        let advantage_ns = if self.controller.is_some() { self.config.advantage_ns } else { 0 };
        self.held_until_ns = self.held_until_ns.max(now.saturating_add(advantage_ns));
        self.held_until_ns
    }

    /// How long after a round's start the auction of the next one is open.
    fn open_for_ns(&self) -> Ns {
        self.config.round_ns - self.config.closing_ns
    }

    /// Time of the next event without input: the close of an auction with bids, or a round's end.
    fn due_ns(&self) -> Option<Ns> {
        let start_ns = self.round.saturating_mul(self.config.round_ns);
        if !self.bids.is_empty() {
            return Some(start_ns.saturating_add(self.open_for_ns()));
        }
        let changes = self.controller.is_some() || self.sold.is_some();
        changes.then(|| start_ns.saturating_add(self.config.round_ns))
    }

    /// Processes the events that were due until now.
    fn catch_up(&mut self, now: Ns, outbox: &mut Vec<Output>) {
        while let Some(due_ns) = self.due_ns().filter(|&due_ns| due_ns <= now) {
            if !self.bids.is_empty() {
                self.close(outbox);
            } else {
                self.round += 1;
                let controller = self.sold.take().map(|award| award.controller);
                self.hand_over(due_ns, controller, outbox);
            }
        }
        self.round = self.round.max(now / self.config.round_ns);
    }

    fn close(&mut self, outbox: &mut Vec<Output>) {
        let round = self.round + 1;
        self.sold = self.bids.settle(round, self.config.reserve);
        outbox.push(Output::Sold { round, award: self.sold });
    }

    fn hand_over(&mut self, at_ns: Ns, controller: Option<AccountId>, outbox: &mut Vec<Output>) {
        let round = self.round;
        self.controller = controller;
        outbox.push(Output::Control { round, controller });
        for id in self.sequence.restart() {
            outbox.push(match self.config.leftover {
                Leftover::Ordinary => {
                    Output::Ready { id, ready_ns: self.ready_ns(at_ns), lane: Lane::Ordinary }
                }
                Leftover::Refuse => Output::Refused { id, reason: ExpressRefusal::ChangedHands },
            });
        }
    }

    fn bid(
        &mut self,
        now: Ns,
        round: LaneRound,
        bidder: AccountId,
        amount: Money,
    ) -> Result<(), BidRefusal> {
        if round != self.round + 1 {
            return Err(BidRefusal::NotForSale);
        }
        if now % self.config.round_ns >= self.open_for_ns() {
            return Err(BidRefusal::Closed);
        }
        if amount < self.config.reserve {
            return Err(BidRefusal::BelowReserve);
        }
        self.bids.bid(bidder, amount, self.config.bids_max)
    }

    fn express(
        &mut self,
        now: Ns,
        (id, account): (MessageId, AccountId),
        ExpressTicket { round, sequence }: ExpressTicket,
        outbox: &mut Vec<Output>,
    ) -> Result<(), ExpressRefusal> {
        if round != self.round {
            return Err(ExpressRefusal::WrongRound);
        }
        let controller = self.controller.ok_or(ExpressRefusal::NoController)?;
        if controller != account {
            return Err(ExpressRefusal::NotController);
        }
        self.sequence.put(sequence, id, self.config.future_max, |id| {
            outbox.push(Output::Ready { id, ready_ns: now, lane: Lane::Express });
        })
    }

    fn arm(&mut self, outbox: &mut Vec<Output>) {
        let due_ns = self.due_ns();
        if due_ns != self.armed_ns {
            self.armed_ns = due_ns;
            outbox.extend(due_ns.map(|at_ns| Output::Arm { at_ns }));
        }
    }
}

impl Machine for Express {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, _: &mut dyn Draws, outbox: &mut Vec<Output>) {
        self.catch_up(now, outbox);
        match input {
            Input::Bid { round, bidder, amount } => {
                if let Err(reason) = self.bid(now, round, bidder, amount) {
                    outbox.push(Output::BidRefused { bidder, reason });
                }
            }
            Input::Message { id, ticket: None, .. } => {
                let ready_ns = self.ready_ns(now);
                outbox.push(Output::Ready { id, ready_ns, lane: Lane::Ordinary });
            }
            Input::Message { id, account, ticket: Some(ticket) } => {
                if let Err(reason) = self.express(now, (id, account), ticket, outbox) {
                    outbox.push(Output::Refused { id, reason });
                }
            }
            Input::Timer => {}
        }
        self.arm(outbox);
    }
}
