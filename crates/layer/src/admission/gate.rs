//! The gate: expiry, remembered cancels, fee and budgets, checked in sequence.
//!
//! # Rules
//! 1. A message is admitted if it passes every check; the first one that fails gives the refusal.
//! 2. Checks that consume come last: a refused message has consumed nothing.
//! 3. An admitted cancel is remembered. A refused one is not, and its sender is notified.
//!
//! Theory of operation. Each check is optional, and the gate is no machine of its own: its node asks
//! it. Load is the node's to check. The venue's own messages (reports, consensus) bypass the gate:
//! [`Kind::of`] returns `None` for them.
//!
//! Source: the parts' own.
//!
//! Departures: the checks are those of one node. Clients that send to several gates have several
//! budgets.

use serde::{Deserialize, Serialize};

use super::budgets::{self, Budgets};
use super::cancel_memory::{self, CancelMemory, EvictedCancel};
use super::price::{self, FeeRule, Relief};
use super::{AdmissionReason, Kind, Refusal};
use crate::message::{Class, Envelope, flags};
use crate::units::{AccountId, Height, Ns};

/// Parameters of a gate.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Budgets per account; `None` checks no rate.
    pub budgets: Option<budgets::Config>,
    /// Least fee that a message must bid.
    pub price: price::Config,
    /// Reduction of the fee for cancels and risk-reducing messages.
    pub relief: Relief,
    /// Expiry and remembered cancels; `None` checks neither.
    pub cancel_memory: Option<cancel_memory::Config>,
}

/// A message's request for admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Account that sent the message.
    pub account: AccountId,
    /// Budget on which it draws.
    pub kind: Kind,
    /// The order concerned, and how.
    pub order: OrderNumber,
    /// Greatest fee that it offers.
    pub fee: u64,
    /// Cost to its budget: 1, or its number of parts.
    pub cost: u64,
}

impl Request {
    /// The request of a message of cost 1 that concerns this order, if any; `None` for the venue's
    /// own messages.
    pub fn of(envelope: &Envelope, order: Option<u64>) -> Option<Request> {
        let kind = Kind::of(envelope.class, envelope.has(flags::REDUCE_ONLY))?;
        let expires = (envelope.expires > 0).then(|| Height::from(envelope.expires));
        let order = match (order, envelope.class) {
            (None, _) | (_, Class::PriceUpdate | Class::LiquidationOrder) => OrderNumber::None,
            (Some(order), Class::OrderCancelRequest) => OrderNumber::Cancel { order },
            (Some(order), _) => OrderNumber::Place { order, expires },
        };
        let fee = u64::from(envelope.fee_micros);
        Some(Request { account: envelope.account, kind, order, fee, cost: 1 })
    }
}

/// Relation of a message to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderNumber {
    /// It concerns no order: price updates, liquidation orders.
    None,
    /// It places the order, or replaces it, valid up to a height.
    Place {
        /// ClOrdID (11), or OrigClOrdID (41) of a replace.
        order: u64,
        /// Last height whose batch may contain it; `None` for any.
        expires: Option<Height>,
    },
    /// It cancels the order.
    Cancel {
        /// OrigClOrdID (41) of the order to cancel.
        order: u64,
    },
}

/// Admission control of one node.
#[derive(Clone, Debug)]
pub struct Gate {
    budgets: Option<Budgets>,
    price: FeeRule,
    relief: Relief,
    cancel_memory: Option<CancelMemory>,
}

impl Gate {
    /// A gate in its initial state.
    pub fn new(config: Config) -> Gate {
        Gate {
            budgets: config.budgets.map(Budgets::new),
            price: FeeRule::new(config.price),
            relief: config.relief,
            cancel_memory: config.cancel_memory.map(CancelMemory::new),
        }
    }

    /// Admits a message to the batch of this height or a later one; returns the remembered cancel
    /// that was evicted for it, if any: its order may survive if it arrives late.
    ///
    /// # Errors
    /// The refusal, with its reason and hint.
    pub fn admit(
        &mut self,
        now: Ns,
        ask: &Request,
        height: Height,
    ) -> Result<Option<EvictedCancel>, Refusal> {
        let Request { account, kind, .. } = *ask;
        if let (OrderNumber::Place { order, expires }, Some(remembered)) =
            (ask.order, &mut self.cancel_memory)
        {
            remembered.order(height, account, order, expires)?;
        }
        if ask.fee < self.relief.owed(self.price.fee(now), kind) {
            let retry_after_ns = self.price.falls_to_ns(now, ask.fee);
            return Err(Refusal { reason: AdmissionReason::FeeTooLow, retry_after_ns });
        }
        if let Some(budgets) = &mut self.budgets {
            budgets.take(now, account, kind, ask.cost)?;
        }
        Ok(match (ask.order, &mut self.cancel_memory) {
            (OrderNumber::Cancel { order }, Some(remembered)) => {
                remembered.cancel(height, account, order)
            }
            _ => None,
        })
    }

    /// Least fee that a message of this kind must bid now.
    pub fn owed(&mut self, now: Ns, kind: Kind) -> u64 {
        self.relief.owed(self.price.fee(now), kind)
    }

    /// Accounts for a batch of this much work; returns the fee to publish with it.
    pub fn on_batch(&mut self, now: Ns, work: u64) -> u64 {
        self.price.on_batch(now, work)
    }

    /// Adds what an account has earned by trading.
    pub fn earn(&mut self, now: Ns, account: AccountId, requests: u64) {
        if let Some(budgets) = &mut self.budgets {
            budgets.earn(now, account, requests);
        }
    }
}
