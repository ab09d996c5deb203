//! Who sends messages: background traders, the tape, market makers, oracles, keepers, panicking
//! traders, bidders for the express lane.
//!
//! # Rules
//! 1. An actor is a machine: it hears something ([`Heard`]), looks at what a client can know
//!    ([`View`]) and answers with [`Action`]s. It reaches nothing else, so it can be run against
//!    the simulated world or against a venue that runs.
//! 2. Background messages draw from streams of their own, at the times of the arrival process;
//!    nothing that happens to a message changes a later one.
//! 3. Everybody else reacts: to the outside price (makers, panicking traders, oracles, keepers that
//!    watch it) or to what the venue has published (makers, keepers), after the time that this
//!    takes. What is published is heard at once; an actor adds its own link and reaction time.
//! 4. A scenario's keys are converted once, when an actor is made.

mod accounts;
mod background;
mod bidders;
mod keepers;
mod makers;
mod oracles;
mod panic;
mod tape;
mod view;

use surgetank_layer::message::{Body, Message};
use surgetank_layer::units::{AccountId, Digest, MessageId, Money, NodeId, Ns, Price};
use surgetank_market::Fact;

use crate::flow::Tape;
use crate::scenario::Scenario;
use crate::seed::Seed;
use crate::trace::Source;

pub use accounts::Accounts;
pub use background::Background;
pub use bidders::Bidders;
pub use keepers::Keepers;
pub use makers::Makers;
pub use oracles::Oracles;
pub use view::{Holding, Outside, View, size_and_price};

/// What an actor or an attacker hears.
#[derive(Clone, Copy)]
pub enum Heard<'a> {
    /// A time has come that it asked for.
    Timer(Timer),
    /// The outside price has stepped.
    Index {
        /// When it steps again.
        next_ns: Ns,
    },
    /// Execution reports of a block: the messages in it, and what followed from them.
    Executed {
        /// In the order of the block.
        messages: &'a [Message],
        /// In the order in which they happened.
        facts: &'a [Fact],
    },
    /// A gateway has published a block that has a price or deferred liquidations in it.
    Published(Published),
    /// A message passes a node, before it is executed.
    Passes {
        /// The node.
        node: NodeId,
        /// The message.
        message: &'a Message,
        /// The hash of the last block that the node knows.
        last_hash: Digest,
    },
    /// A client's message has been executed and confirmed.
    Confirmed(MessageId),
    /// A block asks what these messages, committed to earlier, say.
    Reveal(&'a Message),
}

/// What a gateway publishes of an executed block.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// The gateway.
    pub gateway: NodeId,
    /// The block's height.
    pub height: u32,
    /// The mark price after it.
    pub mark: Price,
    /// Whether it has a new price in it.
    pub priced: bool,
    /// Whether a limit cut liquidations off in it.
    pub cut: bool,
}

/// Times that actors and attackers ask for. Small: the agenda copies it about.
#[derive(Clone, Copy, Debug)]
pub enum Timer {
    /// The next background message is meant to be sent.
    Background,
    /// The next recorded message.
    Replay,
    /// One of a stampeding crowd of background traders sends.
    Herd,
    /// A panicking trader sends.
    Panic,
    /// An oracle sends a price.
    Oracle,
    /// A maker decides on the outside price that it has seen.
    Maker {
        /// Which maker.
        maker: u32,
    },
    /// A maker has the report of what became of its orders in a block.
    Report {
        /// Number of the report.
        slot: u32,
    },
    /// A keeper acts on a mark that it has heard.
    Marked {
        /// Which keeper.
        keeper: u32,
        /// The block with the mark.
        height: u32,
    },
    /// A keeper acts on an outside price that it has seen.
    Seen {
        /// Which keeper.
        keeper: u32,
        /// Number of the price.
        seen: u32,
    },
    /// A keeper goes on after a limit cut its liquidations off.
    CutOff {
        /// Which keeper.
        keeper: u32,
        /// The block with the limit.
        height: u32,
    },
    /// A round of the express lane begins.
    Auction,
    /// The attacker's turn.
    Attack,
}

/// What an actor or an attacker does.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// It sends a message.
    Send(Sending),
    /// It wants to hear of a time.
    Wake {
        /// When.
        at: Ns,
        /// What for.
        timer: Timer,
    },
    /// It bids for a round of the express lane.
    Bid {
        /// Number of the round.
        round: u64,
        /// Who bids.
        bidder: AccountId,
        /// How much, in millionths of a USD.
        amount: Money,
    },
    /// It does not reveal what it committed to.
    Withhold(MessageId),
    /// It has its proposer put the two orders that it sent last right before a message.
    PutBefore(MessageId),
}

/// A message on its way to a gateway.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// When it was meant to be sent.
    pub sent_ns: Ns,
    /// Whose it is.
    pub account: AccountId,
    /// Where it enters.
    pub gateway: NodeId,
    /// What kind of sender that is.
    pub source: Source,
    /// What it says.
    pub body: Body,
    /// What it offers to be served earlier, in millionths of a USD; `None` = what such senders do.
    pub fee_micros: Option<u32>,
}

/// What all actors share.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Until a client has what its gateway publishes.
    pub link_ns: Ns,
    /// From when on nothing new is sent.
    pub flow_end_ns: Ns,
}

/// Everybody who sends but the attacker.
pub struct Actors {
    /// Whose accounts are whose.
    pub accounts: Accounts,
    /// Background traders, with the tape and panic.
    pub background: Background,
    /// Market makers.
    pub makers: Makers,
    /// Keepers.
    pub keepers: Keepers,
    /// Oracles.
    pub oracles: Oracles,
    /// Who bids for the express lane.
    pub bidders: Option<Bidders>,
}

impl Actors {
    /// The actors of a scenario.
    pub fn new(scenario: &Scenario, tape: Option<Tape>, seed: &Seed) -> Actors {
        let (accounts, flow) = (Accounts::new(scenario), &scenario.flow);
        let times =
            Times { link_ns: flow.client_link.fixed_ns, flow_end_ns: scenario.flow_end_ns() };
        Actors {
            background: Background::new(scenario, accounts, tape, seed),
            makers: Makers::new(&flow.makers, accounts, times),
            keepers: Keepers::new(&flow.keepers, accounts, times),
            oracles: Oracles::new(&flow.oracle, accounts, times),
            bidders: Bidders::new(scenario, accounts, seed),
            accounts,
        }
    }

    /// What those ask for at the beginning who act at set times.
    pub fn start(&mut self, now: Ns, out: &mut Vec<Action>) {
        self.oracles.start(now, out);
        if let Some(bidders) = &self.bidders {
            bidders.start(now, out);
        }
    }

    /// Tells those whom it concerns.
    #[inline]
    pub fn step(&mut self, now: Ns, heard: Heard<'_>, view: &impl View, out: &mut Vec<Action>) {
        match heard {
            Heard::Timer(Timer::Background | Timer::Replay | Timer::Herd | Timer::Panic) => {
                self.background.step(now, heard, view, out)
            }
            Heard::Timer(Timer::Oracle) => self.oracles.step(now, heard, view, out),
            Heard::Timer(Timer::Maker { .. } | Timer::Report { .. }) => {
                self.makers.step(now, heard, view, out);
            }
            Heard::Timer(Timer::Marked { .. } | Timer::Seen { .. } | Timer::CutOff { .. })
            | Heard::Published(_) => self.keepers.step(now, heard, view, out),
            Heard::Timer(Timer::Auction) => {
                if let Some(bidders) = &mut self.bidders {
                    bidders.bid(now, out);
                }
            }
            Heard::Index { .. } | Heard::Executed { .. } => {
                self.makers.step(now, heard, view, out);
                self.keepers.step(now, heard, view, out);
                self.background.step(now, heard, view, out);
            }
            Heard::Timer(Timer::Attack)
            | Heard::Passes { .. }
            | Heard::Confirmed(_)
            | Heard::Reveal(_) => {}
        }
    }
}
