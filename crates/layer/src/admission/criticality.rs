//! How critical a message is, and which load throttles it.
//!
//! # Rules
//! 1. What takes risk out of the venue is never throttled: prices, liquidation orders, cancels,
//!    reduce-only orders.
//! 2. Orders that take at once are throttled at a limit, orders that may rest at twice that, quotes at
//!    four times that.
//! 3. So whatever is throttled, everything less critical would be too, at the same node and moment.
//!
//! # Theory of operation
//! A venue under load that refuses by arrival refuses most of what there is most of. In a crash those
//! are the makers' requotes, and a book without depth is where liquidations turn into bad debt:
//! refusing them saves work and loses money. So load is shed by criticality, the less critical first,
//! as in overload control of services: what only takes depth before what may add it. Quotes are
//! bounded all the same: else whoever floods a venue with them is never stopped.
//!
//! Source: criticality and graceful degradation in Beyer et al., *Site Reliability Engineering* (2016),
//! ch. 21; priority-based shedding in Zhou et al., "Overload Control for Scaling WeChat Microservices"
//! (SoCC 2018). What counts as a quote follows Hyperliquid's and dYdX's exemptions of post-only orders.
//!
//! # Departures
//! - A gate cannot see whether the order that a replace moves was post-only. A replace changes what
//!   rests and opens nothing, so it counts as a quote; one that is priced through the book takes from it.
//! - Reduce-only is the sender's claim: see [`Kind::of`](super::Kind::of). Deposits are no messages here.

use crate::message::{Class, Envelope, flags};

/// How critical a client's message is, the most critical first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Criticality {
    /// It takes risk out of the venue.
    Reducing,
    /// It is, or moves, an order that others trade against.
    Quote,
    /// It may rest, and may take.
    Resting,
    /// It takes at once or is gone.
    Immediate,
}

impl Criticality {
    /// All, the most critical first.
    pub const ALL: [Criticality; 4] =
        [Criticality::Reducing, Criticality::Quote, Criticality::Resting, Criticality::Immediate];

    /// Of a client's message; `None` for what the venue itself sends.
    pub fn of(envelope: &Envelope) -> Option<Criticality> {
        match envelope.class {
            Class::PriceUpdate | Class::LiquidationOrder | Class::OrderCancelRequest => {
                Some(Criticality::Reducing)
            }
            Class::NewOrderSingle | Class::OrderCancelReplaceRequest
                if envelope.has(flags::REDUCE_ONLY) =>
            {
                Some(Criticality::Reducing)
            }
            Class::OrderCancelReplaceRequest => Some(Criticality::Quote),
            Class::NewOrderSingle if envelope.has(flags::POST_ONLY) => Some(Criticality::Quote),
            Class::NewOrderSingle if envelope.has(flags::IMMEDIATE) => Some(Criticality::Immediate),
            Class::NewOrderSingle => Some(Criticality::Resting),
            Class::ExecutionReport | Class::Proposal | Class::Vote => None,
        }
    }

    /// Whether a load throttles it, given the load at which the least critical are throttled. Both in
    /// the same unit; monotone in the load and in the criticality.
    pub fn throttled(self, load: u64, limit: u64) -> bool {
        let times = match self {
            Criticality::Reducing => return false,
            Criticality::Quote => 4,
            Criticality::Resting => 2,
            Criticality::Immediate => 1,
        };
        load >= limit.saturating_mul(times)
    }
}
