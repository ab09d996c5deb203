//! The gate: expiry, remembered cancels, the admission limit, the fee and the budgets, in a row.
//!
//! # Rules
//! 1. A message is let in if every check lets it; the first that does not gives the refusal.
//! 2. Checks that spend come last: what is refused has spent nothing.
//! 3. A cancel that is let in is remembered. One that is refused is not, and its sender is told.
//! 4. The admission limit throttles by [`Criticality`]: what reduces risk passes it, and quotes and
//!    orders that may rest pass it for longer than those that take at once.
//!
//! Theory of operation. Each check is its own machine and may be left out. What the venue itself
//! sends (reports, consensus) is not for the gate: [`Kind::of`] gives `None` for it.
//!
//! Source: the parts' own; for rule 4 see [`super::criticality`].
//!
//! Departures: the checks of one node. Clients who send to several gates have several budgets.

use serde::{Deserialize, Serialize};

use super::budgets::{self, Budgets};
use super::cancel_memory::{self, CancelMemory, EvictedCancel};
use super::criticality::Criticality;
use super::price::{self, Price, Relief};
use super::{Kind, Reason, Refusal};
use crate::machine::{Draws, Machine};
use crate::message::{Class, Envelope, flags};
use crate::units::{AccountId, Height, Ns};

/// What a gate is like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Budgets per account; without, no rate is checked.
    pub budgets: Option<budgets::Config>,
    /// The fee that a message must bid.
    pub price: price::Config,
    /// What cancels and risk-reducing messages pay of it.
    pub relief: Relief,
    /// Expiry and remembered cancels; without, neither is checked.
    pub cancel_memory: Option<cancel_memory::Config>,
    /// Orders that take at once are refused when this many messages are on their way.
    #[serde(skip, default = "without_limit")]
    pub admission_limit: u32,
}

/// A node has a limit of its own, which can be tuned.
fn without_limit() -> u32 {
    u32::MAX
}

/// A message that asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose it is.
    pub account: AccountId,
    /// Which budget it draws on.
    pub kind: Kind,
    /// Which load throttles it.
    pub criticality: Criticality,
    /// What to do about its order number.
    pub order: OrderNumber,
    /// The most it will pay.
    pub fee: u64,
    /// What it takes from its budget: 1, or as many as it has parts.
    pub cost: u64,
}

impl Request {
    /// For a message of cost 1 that is about the order of this number, if it is about one; `None`
    /// for what the venue itself sends.
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

/// What a message has to do with an order's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderNumber {
    /// Nothing: price updates, liquidation orders.
    None,
    /// It is the order, or replaces it, and is good to this height.
    Place {
        /// ClOrdID (11), or OrigClOrdID (41) of a replace.
        order: u64,
        /// The last height whose batch may hold it; `None` if any may.
        expires: Option<Height>,
    },
    /// It cancels the order.
    Cancel {
        /// OrigClOrdID (41).
        order: u64,
    },
}

/// What the gate is told of the node behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Height of the batch to come.
    pub height: Height,
    /// Messages let in and not yet in a batch.
    pub inflight: u32,
    /// How long they will take: the hint for who is refused because of them.
    pub backlog_ns: Ns,
}

/// What can happen to a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message asks.
    Request(Request, Load),
    /// A batch of this much work is made.
    Batch {
        /// In the unit of the price's targets.
        work: u64,
    },
    /// An account has earned requests by trading.
    Earned {
        /// The account.
        account: AccountId,
        /// How many.
        requests: u64,
    },
    /// The admission limit is set anew.
    Limit(u32),
}

/// What a gate answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It is let in.
    Admitted,
    /// It is not.
    Refused(Refusal),
    /// To remember a cancel, another one was forgotten: its order may survive if it comes late.
    Evicted(EvictedCancel),
    /// The fee from now on.
    Fee(u64),
}

/// Who is let in.
#[derive(Clone, Debug)]
pub struct Gate {
    budgets: Option<Budgets>,
    price: Price,
    relief: Relief,
    cancel_memory: Option<CancelMemory>,
    admission_limit: u32,
}

impl Gate {
    /// A gate that nobody has passed.
    pub fn new(config: Config) -> Gate {
        Gate {
            budgets: config.budgets.map(Budgets::new),
            price: Price::new(config.price),
            relief: config.relief,
            cancel_memory: config.cancel_memory.map(CancelMemory::new),
            admission_limit: config.admission_limit,
        }
    }

    /// Lets a message in; gives the remembered cancel that was forgotten for it, if any.
    ///
    /// # Errors
    /// The refusal.
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
            return Err(Refusal { reason: Reason::Busy, retry_after_ns: load.backlog_ns });
        }
        if ask.fee < self.relief.owed(self.price.fee(now), kind) {
            let retry_after_ns = self.price.falls_to_ns(now, ask.fee);
            return Err(Refusal { reason: Reason::FeeTooLow, retry_after_ns });
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

    /// What a message of this kind must bid now.
    pub fn owed(&mut self, now: Ns, kind: Kind) -> u64 {
        self.relief.owed(self.price.fee(now), kind)
    }

    /// A batch of this much work is made: gives the fee to publish with it.
    pub fn on_batch(&mut self, now: Ns, work: u64) -> u64 {
        self.price.on_batch(now, work)
    }

    /// Adds what an account has earned by trading.
    pub fn earn(&mut self, now: Ns, account: AccountId, requests: u64) {
        if let Some(budgets) = &mut self.budgets {
            budgets.earn(now, account, requests);
        }
    }

    /// Sets the admission limit anew.
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
