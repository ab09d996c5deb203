//! Actors, which send messages: background traders, the tape, market makers, oracles, keepers,
//! panicking traders, bidders for the express lane.
//!
//! # Rules
//! 1. An actor is a machine: it processes events ([`ActorEvent`]), reads what a client can know
//!    ([`View`]) and returns [`Action`]s. It accesses nothing else, so it can run against the
//!    simulated world or a running venue.
//! 2. Background messages draw from streams of their own, at the times of the arrival process;
//!    nothing that happens to a message changes a later one.
//! 3. All others react: to the outside prices (makers, panicking traders, oracles, keepers that
//!    watch it) or to what the venue has published (makers, keepers), after their reaction time.
//!    Publications are delivered at once; an actor adds its own link delay and reaction time.
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

use std::ops::Range;
use std::sync::Arc;

use surgetank_layer::message::{Body, Message, Payload};
use surgetank_layer::node::BlockBuilder;
use surgetank_layer::units::{AccountId, Digest, MessageId, Money, NodeId, Ns, Price};
use surgetank_market::Fact;

use crate::flow::Tape;
use crate::scenario::{self, Scenario};
use crate::seed::Seed;
use crate::trace::Source;

pub use accounts::Accounts;
pub use background::Background;
pub(crate) use background::weighted;
pub use bidders::{Bidders, bid_for_next};
pub use keepers::Keepers;
pub use makers::Makers;
pub use oracles::Oracles;
pub use view::{Holding, Outside, View, size_and_price};

/// Events of actors and attackers.
#[derive(Clone, Copy)]
pub enum ActorEvent<'a> {
    /// A timer that it set has expired.
    Timer(Timer),
    /// The outside prices have stepped.
    Index {
        /// Time of their next step.
        next_ns: Ns,
    },
    /// Execution reports of a block: its messages and the resulting facts.
    Executed {
        /// Messages of the block, in its order.
        messages: &'a [Message],
        /// Facts in the order in which they happened.
        facts: &'a [Fact],
    },
    /// A gateway has published a block that has a price or deferred liquidations in it.
    Published(Published<'a>),
    /// A message reaches a node before its execution.
    Passes {
        /// Node that the message reached.
        node: NodeId,
        /// The message that passes.
        message: &'a Message,
        /// Hash of the last block that the node knows.
        last_hash: Digest,
    },
    /// A client's message has been executed and confirmed.
    Confirmed(MessageId),
    /// A decided block requests the reveal of this committed message.
    Reveal(&'a Message),
    /// So many keypers more (or fewer, if negative) collude with the attacker.
    Colluding(i32),
    /// A validator that the attacker controls is about to publish a message of consensus.
    Publishes {
        /// Number of the validator.
        node: NodeId,
        /// The message, with the block if it is a proposal.
        payload: &'a Payload,
        /// Hash of the last block that the validator has decided.
        last_hash: Digest,
    },
}

/// A gateway's publication of an executed block.
#[derive(Clone, Copy, Debug)]
pub struct Published<'a> {
    /// Gateway that publishes.
    pub gateway: NodeId,
    /// Height of the block.
    pub height: u32,
    /// Mark prices after the block, in ticks, by market.
    pub marks: &'a [Price],
    /// Whether the block contains a new price.
    pub priced: bool,
    /// Whether a limit deferred liquidations in it.
    pub cut: bool,
}

/// Timers of actors and attackers. Small, as the agenda copies them.
#[derive(Clone, Copy, Debug)]
pub enum Timer {
    /// The next background message is due.
    Background,
    /// The next recorded message is due.
    Replay,
    /// A trader of a stampede sends.
    Herd,
    /// A panicking trader sends.
    Panic {
        /// Market whose price moved.
        market: u16,
    },
    /// An oracle sends a price.
    Oracle,
    /// A maker decides on the outside price that it observed.
    Maker {
        /// Index of the ladder: of a maker in a market.
        ladder: u32,
    },
    /// A maker receives its report of a block.
    Report {
        /// Number of the report.
        slot: u32,
    },
    /// A keeper acts on a mark that it received.
    Marked {
        /// Index of the keeper.
        keeper: u32,
        /// Height of the block with the mark.
        height: u32,
    },
    /// A keeper acts on an outside price that it observed.
    Seen {
        /// Index of the keeper.
        keeper: u32,
        /// Number of the price.
        seen: u32,
    },
    /// A keeper resumes after a limit deferred its liquidations.
    LiquidationDeferred {
        /// Index of the keeper.
        keeper: u32,
        /// Height of the block in which they were deferred.
        height: u32,
    },
    /// A round of the express lane begins.
    Auction,
    /// The attacker acts.
    Attack,
}

/// Actions of actors and attackers.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send a message.
    Send(Sending),
    /// Set a timer.
    Wake {
        /// Time at which the timer expires.
        at: Ns,
        /// The timer to hand back.
        timer: Timer,
    },
    /// Bid for a round of the express lane.
    Bid {
        /// Number of the round.
        round: u64,
        /// Account that bids.
        bidder: AccountId,
        /// Amount, in millionths of a USD.
        amount: Money,
    },
    /// Withhold the reveal of a commitment.
    Withhold(MessageId),
    /// Background traders send nothing in this span.
    Halt(Range<Ns>),
    /// From now on a proposer that the attacker controls builds its blocks by this policy.
    BuildBlocks {
        /// Number of the proposer.
        node: NodeId,
        /// The policy.
        builder: Arc<dyn BlockBuilder>,
    },
    /// A validator that the attacker controls publishes this message of consensus.
    Publish {
        /// Number of the validator.
        node: NodeId,
        /// The message, with the block if it is a proposal.
        payload: Payload,
        /// Nodes to which the validator itself does not send it. Others may pass it on to them.
        withheld_from: Vec<NodeId>,
    },
}

/// A message to a gateway.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// Intended send time.
    pub sent_ns: Ns,
    /// Account that sends it.
    pub account: AccountId,
    /// Gateway at which it enters.
    pub gateway: NodeId,
    /// Kind of the sender.
    pub source: Source,
    /// Content of the message.
    pub body: Body,
    /// Priority fee that it offers, in millionths of a USD; `None` = the default of its kind of
    /// sender.
    pub fee_micros: Option<u32>,
}

/// Times that all actors share.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Delay from a gateway to its clients, in ns.
    pub link_ns: Ns,
    /// Time from which nothing new is sent.
    pub flow_end_ns: Ns,
}

/// All actors of a run, without the attacker.
pub struct Actors {
    /// Ranges of accounts by owner.
    pub accounts: Accounts,
    /// Background traders, with the tape and panic.
    pub background: Background,
    /// The market makers.
    pub makers: Makers,
    /// The keepers.
    pub keepers: Keepers,
    /// The oracles.
    pub oracles: Oracles,
    /// Bidders for the express lane, if there is one.
    pub bidders: Option<Bidders>,
}

impl Actors {
    /// The actors of a scenario.
    pub fn new(scenario: &Scenario, tape: Option<Tape>, seed: &Seed) -> Actors {
        let (accounts, flow) = (Accounts::new(scenario), &scenario.flow);
        let markets = scenario.market.as_ref().map_or(1, scenario::Market::markets);
        let times =
            Times { link_ns: flow.client_link.fixed_ns, flow_end_ns: scenario.flow_end_ns() };
        Actors {
            background: Background::new(scenario, accounts, tape, seed),
            makers: Makers::new(&flow.makers, accounts, times, markets),
            keepers: Keepers::new(&flow.keepers, accounts, times, markets),
            oracles: Oracles::new(&flow.oracle, accounts, times),
            bidders: Bidders::new(scenario, accounts, seed),
            accounts,
        }
    }

    /// Sets the timers of the actors that act at given times.
    pub fn start(&mut self, now: Ns, out: &mut Vec<Action>) {
        self.oracles.start(now, out);
        if let Some(bidders) = &self.bidders {
            bidders.start(now, out);
        }
    }

    /// Passes an event to the actors that it concerns.
    #[inline]
    pub fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        match event {
            ActorEvent::Timer(
                Timer::Background | Timer::Replay | Timer::Herd | Timer::Panic { .. },
            ) => self.background.step(now, event, view, out),
            ActorEvent::Timer(Timer::Oracle) => self.oracles.step(now, event, view, out),
            ActorEvent::Timer(Timer::Maker { .. } | Timer::Report { .. }) => {
                self.makers.step(now, event, view, out);
            }
            ActorEvent::Timer(
                Timer::Marked { .. } | Timer::Seen { .. } | Timer::LiquidationDeferred { .. },
            )
            | ActorEvent::Published(_) => self.keepers.step(now, event, view, out),
            ActorEvent::Timer(Timer::Auction) => {
                if let Some(bidders) = &mut self.bidders {
                    bidders.bid(now, out);
                }
            }
            ActorEvent::Index { .. } | ActorEvent::Executed { .. } => {
                self.makers.step(now, event, view, out);
                self.keepers.step(now, event, view, out);
                self.background.step(now, event, view, out);
            }
            ActorEvent::Timer(Timer::Attack)
            | ActorEvent::Passes { .. }
            | ActorEvent::Confirmed(_)
            | ActorEvent::Reveal(_)
            | ActorEvent::Colluding(_)
            | ActorEvent::Publishes { .. } => {}
        }
    }
}
