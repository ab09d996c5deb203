//! The gate: expiry, remembered cancels, admission limit, fee and budgets, checked in sequence.
//!
//! # Rules
//! 1. A message is admitted if it passes every check; the first one that fails gives the refusal.
//! 2. Checks that consume come last: a refused message has consumed nothing.
//! 3. An admitted cancel is remembered. A refused one is not, and its sender is notified.
//! 4. The admission limit throttles by [`Criticality`]: risk-reducing messages always pass it, and
//!    quotes and orders that may rest pass at higher loads than those that take at once.
//!
//! Theory of operation. Each check is its own machine and optional. The venue's own messages
//! (reports, consensus) bypass the gate: [`Kind::of`] returns `None` for them.
//!
//! Source: the parts' own; for rule 4 see [`super::criticality`].
//!
//! Departures: the checks are those of one node. Clients that send to several gates have several
//! budgets.

use serde::{Deserialize, Serialize};

use super::budgets::{self, Budgets};
use super::cancel_memory::{self, CancelMemory, EvictedCancel};
use super::criticality::Criticality;
use super::price::{self, FeeRule, Relief};
use super::{AdmissionReason, Kind, Refusal};
use crate::machine::{Draws, Machine};
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
    /// Number of messages in flight from which orders that take at once are refused.
    #[serde(skip, default = "without_limit")]
    pub admission_limit: u32,
}

/// A node has a limit of its own, which can be tuned.
fn without_limit() -> u32 {
    u32::MAX
}

/// A message's request for admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Account that sent the message.
    pub account: AccountId,
    /// Budget on which it draws.
    pub kind: Kind,
    /// Criticality, which decides the load at which it is throttled.
    pub criticality: Criticality,
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
        let criticality = Criticality::of(envelope)?;
        let expires = (envelope.expires > 0).then(|| Height::from(envelope.expires));
        let order = match (order, envelope.class) {
            (None, _) | (_, Class::PriceUpdate | Class::LiquidationOrder) => OrderNumber::None,
            (Some(order), Class::OrderCancelRequest) => OrderNumber::Cancel { order },
            (Some(order), _) => OrderNumber::Place { order, expires },
        };
        let fee = u64::from(envelope.fee_micros);
        Some(Request { account: envelope.account, kind, criticality, order, fee, cost: 1 })
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

/// Load of the node behind the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Height of the next batch.
    pub height: Height,
    /// Messages in flight: admitted and not yet in a batch.
    pub inflight: u32,
    /// Estimated time to process them: the retry hint of a refusal for load.
    pub backlog_ns: Ns,
}

/// Events of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message requests admission under this load.
    Request(Request, Load),
    /// A batch of this much work was made.
    Batch {
        /// Work, in the unit of the price's targets.
        work: u64,
    },
    /// An account has earned requests by trading.
    Earned {
        /// Account that traded.
        account: AccountId,
        /// Number of requests earned.
        requests: u64,
    },
    /// The admission limit changes to this value.
    Limit(u32),
}

/// Answers of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The message is admitted.
    Admitted,
    /// The message is refused.
    Refused(Refusal),
    /// A remembered cancel was evicted for a new one: its order may survive if it arrives late.
    Evicted(EvictedCancel),
    /// The fee from now on.
    Fee(u64),
}

/// Admission control of one node.
#[derive(Clone, Debug)]
pub struct Gate {
    budgets: Option<Budgets>,
    price: FeeRule,
    relief: Relief,
    cancel_memory: Option<CancelMemory>,
    admission_limit: u32,
}

impl Gate {
    /// A gate in its initial state.
    pub fn new(config: Config) -> Gate {
        Gate {
            budgets: config.budgets.map(Budgets::new),
            price: FeeRule::new(config.price),
            relief: config.relief,
            cancel_memory: config.cancel_memory.map(CancelMemory::new),
            admission_limit: config.admission_limit,
        }
    }

    /// Admits a message; returns the remembered cancel that was evicted for it, if any.
    ///
    /// # Errors
    /// The refusal, with its reason and hint.
    pub fn admit(
        &mut self,
        now: Ns,
        ask: &Request,
        load: &Load,
    ) -> Result<Option<EvictedCancel>, Refusal> {
        let Request { account, kind, .. } = *ask;
        if let (OrderNumber::Place { order, expires }, Some(remembered)) =
            (ask.order, &mut self.cancel_memory)
        {
            remembered.order(load.height, account, order, expires)?;
        }
        if ask.criticality.throttled(load.inflight.into(), self.admission_limit.into()) {
            return Err(Refusal { reason: AdmissionReason::Busy, retry_after_ns: load.backlog_ns });
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
                remembered.cancel(load.height, account, order)
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

    /// Sets the admission limit.
    pub fn set_admission_limit(&mut self, limit: u32) {
        self.admission_limit = limit;
    }
}

impl Machine for Gate {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, _: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Request(ask, load) => match self.admit(now, &ask, &load) {
                Ok(forgotten) => {
                    outbox.push(Output::Admitted);
                    outbox.extend(forgotten.map(Output::Evicted));
                }
                Err(refusal) => outbox.push(Output::Refused(refusal)),
            },
            Input::Batch { work } => outbox.push(Output::Fee(self.on_batch(now, work))),
            Input::Earned { account, requests } => self.earn(now, account, requests),
            Input::Limit(limit) => self.set_admission_limit(limit),
        }
    }
}
