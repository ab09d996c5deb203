//! Admission at a gateway, and messages that are void when a block is made.
//!
//! A client's message passes the [`Gate`] before it waits for validation. Where cancels are
//! remembered, every node also remembers those of decided blocks, and a proposer omits messages
//! that have expired or whose cancel comes before them: an order and its cancel that were reordered
//! by the network or by the queue's rule do not leave the order alive.
//!
//! Departures. Where the order inside a block is drawn or auctioned after the block is made, a
//! cancel only applies to orders of later blocks and to those after it when the block is made.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::intake::Work;
use super::{Node, Output, Reason};
use crate::admission::cancel_memory::CancelMemory;
use crate::admission::criticality::Criticality;
use crate::admission::gate::{self, Gate, Request};
use crate::message::{Block, Class, Envelope};
use crate::units::{AccountId, Height, Ns};

/// Unit of work of the price's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Number of messages.
    Messages,
    /// Microseconds of mean execution time.
    ServiceUs,
}

/// Parameters of admission at a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// What is asked of each message by itself.
    pub gate: gate::Config,
    /// Unit of work of the price.
    pub unit: Unit,
    /// Greatest number of messages in flight at a node that orders; beyond it orders that take at
    /// once are refused, beyond multiples of it others ([`Criticality::throttled`]).
    pub limit: u32,
    /// Whether messages have an expiry height.
    pub expires: bool,
}

pub(super) struct State {
    gate: Gate,
    /// Cancels in decided blocks.
    decided: Option<CancelMemory>,
    unit: Unit,
    pub(super) limit: u32,
    expires: bool,
}

/// Cancels that come earlier in the block being made.
pub(super) type Cancelled = BTreeSet<(AccountId, u32)>;

impl State {
    pub(super) fn new(admission: Admission) -> State {
        let Admission { gate, unit, limit, expires } = admission;
        let decided = gate.cancel_memory.map(CancelMemory::new);
        State { gate: Gate::new(gate), decided, unit, limit, expires }
    }
}

impl Node {
    /// Number of messages that wait here for validation or for ordering.
    pub fn on_the_way(&self) -> u32 {
        (self.ingress.len() + self.validating as usize + self.mempool_len()) as u32
    }

    /// Estimated time to work off the messages that wait here, by the mean times of an order: at
    /// the slower of validation and execution.
    pub fn backlog_ns(&self) -> Ns {
        let order = Class::NewOrderSingle as usize;
        self.work_ns(order).max(self.engine.closes_ns(self.mempool.len() as u64))
    }

    fn work_ns(&self, order: usize) -> Ns {
        let waits = self.ingress.len() as u64 + u64::from(self.validating);
        let decided = self.mempool_len() + self.execution_len();
        self.takes_ns(waits, waits + decided as u64, order)
    }

    /// Estimated time to work off the messages ahead of an arriving risk-reducing message. Under a
    /// rule that serves such messages first it does not depend on the messages behind them. Decided
    /// blocks do not count: refusals do not shorten them.
    pub fn ahead_of_reducing_ns(&self) -> Ns {
        let newcomer = reducing();
        let waits = self.ingress.ahead(&newcomer) as u64 + u64::from(self.validating);
        let orders = self.mempool.ahead(&newcomer) as u64;
        self.takes_ns(waits, waits + orders, Class::NewOrderSingle as usize)
    }

    /// Time of this many validations and executions in parallel, by the declared mean times.
    fn takes_ns(&self, checks: u64, executions: u64, class: usize) -> Ns {
        let checks = checks * self.costs.validation_ns[class] / u64::from(self.validations_max);
        checks.max(executions * self.costs.execution_ns[class])
    }

    /// Processes a client's message that arrived at this gateway.
    pub(super) fn ask(&mut self, now: Ns, envelope: Envelope, out: &mut Vec<Output>) {
        if let Err((reason, retry_after_ns)) = self.check_gate(now, &envelope, out) {
            self.note_refusal(&envelope);
            out.push(Output::Refused { message: envelope.id, reason, retry_after_ns });
            return;
        }
        self.offer(now, Work::client(envelope), out);
    }

    fn check_gate(
        &mut self,
        now: Ns,
        envelope: &Envelope,
        out: &mut Vec<Output>,
    ) -> Result<(), (Reason, Ns)> {
        let envelope = &self.readable(envelope);
        if let Some(retry_after_ns) = self.throttles(envelope, out) {
            return Err((Reason::Throttled, retry_after_ns));
        }
        let height = self.next_height();
        if envelope.expires > 0 && Height::from(envelope.expires) < height {
            return Err((Reason::Expired, crate::units::NEVER));
        }
        // The admission limit does not apply at a node that only follows an orderer.
        if self.orders()
            && let Some(retry_after_ns) = self.too_many(envelope)
        {
            return Err((Reason::Throttled, retry_after_ns));
        }
        let Some(admission) = &mut self.admission else { return Ok(()) };
        let order = (envelope.order > 0).then_some(u64::from(envelope.order));
        let Some(ask) = Request::of(envelope, order) else { return Ok(()) };
        admission
            .gate
            .admit(now, &ask, height)
            .map_err(|no| (no.reason.into(), no.retry_after_ns))?;
        let owed = admission.gate.owed(now, ask.kind);
        if owed > 0 {
            out.push(Output::Charged(envelope.id, owed));
        }
        Ok(())
    }

    /// The retry hint if the admission limit refuses this message.
    pub(super) fn too_many(&self, envelope: &Envelope) -> Option<Ns> {
        let limit = self.admission.as_ref().map_or(u32::MAX, |admission| admission.limit);
        if limit == u32::MAX {
            return None;
        }
        let waiting = u64::from(self.on_the_way());
        let throttled =
            Criticality::of(&self.readable(envelope))?.throttled(waiting, u64::from(limit));
        throttled.then(|| self.backlog_ns())
    }

    /// The reason for which a waiting message may not enter the block of this height, given the
    /// orders `cancelled` earlier in it.
    pub(super) fn is_void(
        &self,
        height: Height,
        envelope: &Envelope,
        cancelled: &mut Cancelled,
    ) -> Option<Reason> {
        if envelope.expires > 0 && Height::from(envelope.expires) < height {
            return Some(Reason::Expired);
        }
        let decided = self.admission.as_ref()?.decided.as_ref()?;
        let envelope = self.readable(envelope);
        let key = (envelope.account, envelope.order);
        match envelope.class {
            Class::OrderCancelRequest => {
                cancelled.insert(key);
                None
            }
            Class::NewOrderSingle | Class::OrderCancelReplaceRequest => {
                let held = cancelled.contains(&key) || decided.holds(key.0, u64::from(key.1));
                held.then_some(Reason::CancelledBefore)
            }
            _ => None,
        }
    }

    /// Updates the price and the remembered cancels for a decided block, and removes void messages.
    pub(super) fn account_for(&mut self, now: Ns, block: &Block, out: &mut Vec<Output>) {
        let costs = &self.costs;
        if let Some(admission) = &mut self.admission {
            let work = match admission.unit {
                Unit::Messages => block.entries.len() as u64,
                Unit::ServiceUs => {
                    let of = |class: Class| costs.execution_ns[class as usize] / 1_000;
                    block.entries.iter().map(|entry| of(entry.envelope.class)).sum()
                }
            };
            admission.gate.on_batch(now, work);
            if let Some(decided) = &mut admission.decided {
                let cancels = block.entries.iter().map(|entry| entry.envelope);
                for cancel in cancels.filter(|e| e.class == Class::OrderCancelRequest) {
                    decided.cancel(block.height, cancel.account, u64::from(cancel.order));
                }
            }
        }
        self.forget_void(out);
    }

    pub(super) fn earn(&mut self, now: Ns, account: AccountId, requests: u64) {
        if let Some(admission) = &mut self.admission {
            admission.gate.earn(now, account, requests);
        }
    }

    fn forget_void(&mut self, out: &mut Vec<Output>) {
        if !self.admission.as_ref().is_some_and(|a| a.expires || a.decided.is_some()) {
            return;
        }
        let height = self.next_height();
        let waiting: Vec<(Envelope, Reason)> = self
            .mempool
            .iter()
            .filter_map(|waiting| {
                // The order of messages is decided by the next proposer.
                let reason = self.is_void(height, &waiting.item, &mut Cancelled::default())?;
                Some((waiting.item, reason))
            })
            .collect();
        if waiting.is_empty() {
            return;
        }
        let gone: BTreeSet<_> = waiting.iter().map(|(envelope, _)| envelope.id).collect();
        self.mempool.retain(|waiting| !gone.contains(&waiting.item.id));
        for (envelope, reason) in waiting {
            self.forget(envelope, reason, out);
        }
    }
}

/// An arriving risk-reducing message, for estimates.
pub(super) fn reducing() -> Envelope {
    Envelope::plain(0, Class::LiquidationOrder, 0, 0)
}
