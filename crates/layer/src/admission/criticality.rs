//! Criticality of messages, and the load at which each is throttled.
//!
//! # Rules
//! 1. Risk-reducing messages are never throttled: prices, liquidation orders, cancels, reduce-only
//!    orders.
//! 2. Orders that take at once are throttled at a limit, orders that may rest at twice that, quotes at
//!    four times that.
//! 3. So if a message is throttled, every less critical one is too, at the same node and moment.
//!
//! # Theory of operation
//! A venue under load that refuses by arrival refuses mostly the most frequent messages. In a crash
//! those are the makers' requotes, and in a book without depth liquidations turn into bad debt:
//! refusing requotes saves work and loses money. So load is shed by criticality, the less critical
//! first, as in overload control of services: orders that only take depth before those that may add
//! it. Quotes are bounded too: otherwise a flood of quotes would never be throttled.
//!
//! Source: criticality and graceful degradation in Beyer et al., *Site Reliability Engineering* (2016),
//! ch. 21; priority-based shedding in Zhou et al., "Overload Control for Scaling WeChat Microservices"
//! (SoCC 2018). What counts as a quote follows Hyperliquid's and dYdX's exemptions of post-only orders.
//!
//! # Departures
//! - A gate cannot see whether the order that a replace moves was post-only. A replace changes a
//!   resting order and opens none, so it counts as a quote, although one priced through the book
//!   takes from it.
//! - Reduce-only is the sender's claim: see [`Kind::of`](super::Kind::of). Deposits are not
//!   messages here.

use crate::message::{Class, Envelope, flags};

/// Criticality of a client's message, the most critical first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Criticality {
    /// It reduces risk at the venue.
    Reducing,
    /// It is a quote, or moves one.
    Quote,
    /// It may rest, and may take liquidity.
    Resting,
    /// It takes liquidity at once or is cancelled.
    Immediate,
}

impl Criticality {
    /// All values, the most critical first.
    pub const ALL: [Criticality; 4] =
        [Criticality::Reducing, Criticality::Quote, Criticality::Resting, Criticality::Immediate];

    /// Criticality of a client's message; `None` for the venue's own messages.
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

    /// Whether this load throttles it; `limit` is the load at which the least critical messages are
    /// throttled. Both in the same unit; monotone in the load and in the criticality.
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
