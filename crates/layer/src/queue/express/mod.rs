//! An express lane that is sold by the round: who controls it is not held back, the others are.
//!
//! # Rules
//! 1. Time is cut into rounds of `round_ns`. The lane of a round is sold while the round before it
//!    runs, until `closing_ns` before its start. Round 0 is not sold.
//! 2. Bids are sealed. Of a bidder's bids (at most `bids_max` a round) the last counts. The highest
//!    wins and pays the second highest, or the reserve if that is more; equal bids go to the lower
//!    hash of round, bidder and bid.
//! 3. While a round has a controller, everybody else's messages are held back by `advantage_ns`.
//! 4. The controller's messages carry round and sequence number, from 0. They leave in order and at
//!    once; one that comes early waits for those before it, if it is less than `future_max` ahead.
//! 5. The same message under the same number again does nothing. Everything else that does not fit is
//!    refused with a reason.
//! 6. At a round's end, and when control is transferred, what still waits falls to the ordinary lane
//!    as if it came at that moment, or is refused: [`Leftover`] says which. Numbers begin again at 0.
//!
//! # Theory of operation
//! Nothing sleeps: a message is answered with [`Output::Ready`] and the time at which it may join the
//! queue. In a second-price auction it is best to bid what the lane is worth to oneself, whatever the
//! others do (Vickrey 1961). What waits is bounded by `future_max`; bids by the number of bidders.
//!
//! Source: Offchain Labs, Timeboost research specification and Nitro's published defaults
//! ([`Config::default`]).
//!
//! Departures: a bid is taken to be covered (Timeboost keeps deposits). The tie hash is BLAKE3 and
//! has the round in it, so that equal bidders take turns. Messages that are held back never overtake
//! each other: in Nitro one that comes just after the end of a sold round passes those held from
//! before it. Submissions for the next round are refused, also shortly before it begins. What waits
//! for a predecessor does so until the round's end and not for a number of blocks.

mod auction;
mod sequence;

use crate::machine::{Draws, Machine};
use crate::units::{AccountId, MS, MessageId, Money, Ns, SECOND};
use auction::Bids;
pub use auction::{Award, BidRefusal, settle};
use sequence::Sequence;

/// Number of a round, from 0; not a consensus round.
pub type LaneRound = u64;

/// What becomes of messages that still wait for a predecessor when the lane changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// They join the ordinary lane.
    Ordinary,
    /// They are refused.
    Refuse,
}

/// What the lane is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long a round lasts.
    pub round_ns: Ns,
    /// How long before a round its auction closes; less than `round_ns`.
    pub closing_ns: Ns,
    /// How long everybody but the controller is held back.
    pub advantage_ns: Ns,
    /// The least that a round costs.
    pub reserve: Money,
    /// Bids that a bidder has in one auction.
    pub bids_max: u32,
    /// How far ahead of the next number the controller may be.
    pub future_max: u64,
    /// What becomes of what waits when the lane changes hands.
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

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// Its ticket is for another round.
    WrongRound = 1,
    /// Nobody controls this round's lane.
    NoController = 2,
    /// Somebody else does.
    NotController = 3,
    /// Another message has this number, or had it so long ago that it cannot be told.
    SequenceTaken = 4,
    /// The number is too far ahead.
    TooFarAhead = 5,
    /// The lane changed hands while it waited for its predecessor.
    ChangedHands = 6,
}

/// What makes a message one of the express lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The round that it is for.
    pub round: LaneRound,
    /// Its number in that round, from 0.
    pub sequence: u64,
}

/// By which lane a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The controller's.
    Express,
    /// Everybody's.
    Ordinary,
}

/// What can happen to the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A sealed bid.
    Bid {
        /// The round that it is for.
        round: LaneRound,
        /// Account that bids.
        bidder: AccountId,
        /// How much.
        amount: Money,
    },
    /// A message arrives.
    Message {
        /// Number of the message.
        id: MessageId,
        /// Account that sent it.
        account: AccountId,
        /// For the express lane.
        ticket: Option<Ticket>,
    },
    /// The controller gives the rest of the round to another.
    Transfer {
        /// The controller.
        from: AccountId,
        /// The next one.
        to: AccountId,
    },
    /// A time that was armed has come.
    Timer,
}

/// What the lane answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand [`Input::Timer`] in at this time. A time armed earlier may still be handed in.
    Arm {
        /// When.
        at_ns: Ns,
    },
    /// An auction with bids is closed. One without is not told.
    Sold {
        /// The round that was for sale.
        round: LaneRound,
        /// Who controls it; `None` if nobody bid as much as the reserve.
        award: Option<Award>,
    },
    /// A bid is refused.
    BidRefused {
        /// Account that bid.
        bidder: AccountId,
        /// What the bid ran into.
        reason: BidRefusal,
    },
    /// It is not the controller.
    TransferRefused {
        /// Who is not.
        from: AccountId,
    },
    /// The lane changes hands.
    Control {
        /// The round that runs.
        round: LaneRound,
        /// Who controls it from now on.
        controller: Option<AccountId>,
    },
    /// This message may join the queue.
    Ready {
        /// Number of the message.
        id: MessageId,
        /// From when on.
        ready_ns: Ns,
        /// By which lane.
        lane: Lane,
    },
    /// This message is refused.
    Refused {
        /// Number of the message.
        id: MessageId,
        /// What the message ran into.
        reason: Refusal,
    },
}

/// An express lane.
#[derive(Clone, Debug)]
pub struct Express {
    config: Config,
    /// The round that runs, and who controls it.
    round: LaneRound,
    controller: Option<AccountId>,
    sequence: Sequence,
    /// Bids for the next round.
    bids: Bids,
    /// Who will control the next round.
    sold: Option<Award>,
    /// Until when the last message that was held back is held.
    held_until_ns: Ns,
    armed_ns: Option<Ns>,
}

impl Express {
    /// A lane at the start of round 0, which nobody controls.
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

    /// The round that runs.
    pub fn round(&self) -> LaneRound {
        self.round
    }

    /// Who controls the round that runs.
    pub fn controller(&self) -> Option<AccountId> {
        self.controller
    }

    /// How many messages wait for a predecessor.
    pub fn waiting(&self) -> usize {
        self.sequence.waiting()
    }

    /// When a message that joins the ordinary lane now may join the queue.
    fn ready_ns(&mut self, now: Ns) -> Ns {
        let advantage_ns = if self.controller.is_some() { self.config.advantage_ns } else { 0 };
        self.held_until_ns = self.held_until_ns.max(now.saturating_add(advantage_ns));
        self.held_until_ns
    }

    /// How long after a round's start the auction of the next one is open.
    fn open_for_ns(&self) -> Ns {
        self.config.round_ns - self.config.closing_ns
    }

    /// When something happens by itself: the closing of an auction with bids, or a round's end.
    fn due_ns(&self) -> Option<Ns> {
        let start_ns = self.round.saturating_mul(self.config.round_ns);
        if !self.bids.is_empty() {
            return Some(start_ns.saturating_add(self.open_for_ns()));
        }
        let changes = self.controller.is_some() || self.sold.is_some();
        changes.then(|| start_ns.saturating_add(self.config.round_ns))
    }

    /// Lets happen what was due until now.
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
                Leftover::Refuse => Output::Refused { id, reason: Refusal::ChangedHands },
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
        Ticket { round, sequence }: Ticket,
        outbox: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if round != self.round {
            return Err(Refusal::WrongRound);
        }
        let controller = self.controller.ok_or(Refusal::NoController)?;
        if controller != account {
            return Err(Refusal::NotController);
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
            Input::Transfer { from, to } => {
                if self.controller == Some(from) {
                    self.hand_over(now, Some(to), outbox);
                } else {
                    outbox.push(Output::TransferRefused { from });
                }
            }
            Input::Timer => {}
        }
        self.arm(outbox);
    }
}
