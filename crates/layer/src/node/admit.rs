//! Who is let in at a gateway, and what is void when its turn comes.
//!
//! A client's message asks the [`Gate`] before it waits for validation. Where cancels are
//! remembered, every node also remembers those of decided blocks, and whoever makes a block leaves
//! out what has expired or whose cancel stands before it: a place and its cancel that were swapped
//! on the way, or by the queue's rule, do not leave the order alive.
//!
//! Departures. Where the order inside a block is drawn or auctioned after the block is made, a
//! cancel only holds against orders of later blocks and those that stand after it when it is made.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::intake::Work;
use super::{Node, Output};
use crate::admission;
use crate::admission::cancel_memory::CancelMemory;
use crate::admission::criticality::Criticality;
use crate::admission::gate::{self, Gate, Load, Request};
use crate::message::{Block, Class, Envelope};
use crate::queue::Reason;
use crate::units::{AccountId, Height, Ns};

/// What the price's targets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Messages.
    Messages,
    /// Microseconds of mean execution time.
    ServiceUs,
}

/// Who is let in at a node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// At the door. Its own admission limit is left out: the node's is below.
    pub gate: gate::Config,
    /// What the price counts.
    pub unit: Unit,
    /// Most messages on their way at a node that orders; beyond it orders that take at once are
    /// refused, beyond multiples of it others ([`Criticality::throttled`]).
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

/// Cancels that stand earlier in a block that is being made.
pub(super) type Cancelled = BTreeSet<(AccountId, u32)>;

impl Node {
    /// From now on clients are let in so.
    pub fn admit(&mut self, admission: Admission) {
        let Admission { gate, unit, limit, expires } = admission;
        let decided = gate.cancel_memory.map(CancelMemory::new);
        let gate = Gate::new(gate::Config { admission_limit: u32::MAX, ..gate });
        self.admission = Some(Box::new(State { gate, decided, unit, limit, expires }));
    }

    /// Messages that wait here for validation or for ordering.
    pub fn on_the_way(&self) -> u32 {
        (self.ingress.len() + self.validating as usize + self.mempool_len()) as u32
    }

    /// How long what waits here will take, by the mean times of an order: at the slower of
    /// validation and execution.
    pub fn backlog_ns(&self) -> Ns {
        let order = Class::NewOrderSingle as usize;
        self.work_ns(order).max(self.engine.closes_ns(self.mempool.len() as u64))
    }

    fn work_ns(&self, order: usize) -> Ns {
        let waits = self.ingress.len() as u64 + u64::from(self.validating);
        let decided = self.mempool_len() + self.execution_len();
        self.takes_ns(waits, waits + decided as u64, order)
    }

    /// How long what stands before a newcomer that reduces risk will take. Under a rule that serves
    /// such messages first it is short however much waits behind them. Blocks that are decided do not
    /// count: what is refused now makes none of them shorter.
    pub fn ahead_of_reducing_ns(&self) -> Ns {
        let newcomer = reducing();
        let waits = self.ingress.ahead(&newcomer) as u64 + u64::from(self.validating);
        let orders = self.mempool.ahead(&newcomer) as u64;
        self.takes_ns(waits, waits + orders, Class::NewOrderSingle as usize)
    }

    /// So many checks and executions, one beside the other, by the declared mean times.
    fn takes_ns(&self, checks: u64, executions: u64, class: usize) -> Ns {
        let checks = checks * self.costs.validation_ns[class] / u64::from(self.validations_max);
        checks.max(executions * self.costs.execution_ns[class])
    }

    /// A client's message has arrived here.
    pub(super) fn ask(&mut self, now: Ns, envelope: Envelope, out: &mut Vec<Output>) {
        if let Err((reason, retry_after_ns)) = self.let_in(now, &envelope, out) {
            self.note_refusal(&envelope);
            out.push(Output::Refused { message: envelope.id, reason, retry_after_ns });
            return;
        }
        self.offer(now, Work::client(envelope), out);
    }

    fn let_in(
        &mut self,
        now: Ns,
        envelope: &Envelope,
        out: &mut Vec<Output>,
    ) -> Result<(), (Reason, Ns)> {
        if let Some(retry_after_ns) = self.throttles(envelope, out) {
            return Err((Reason::Throttled, retry_after_ns));
        }
        let height = self.next_height();
        if envelope.expires > 0 && Height::from(envelope.expires) < height {
            return Err((Reason::Expired, crate::units::NEVER));
        }
        // A node that follows an orderer has no say in how much is under way.
        if self.orders()
            && let Some(retry_after_ns) = self.too_many(envelope)
        {
            return Err((Reason::Throttled, retry_after_ns));
        }
        let Some(admission) = &mut self.admission else { return Ok(()) };
        let order = (envelope.order > 0).then_some(u64::from(envelope.order));
        let Some(ask) = Request::of(envelope, order) else { return Ok(()) };
        let load = Load { height, ..Load::default() };
        admission
            .gate
            .admit(now, &ask, &load)
            .map_err(|no| (said(no.reason), no.retry_after_ns))?;
        let owed = admission.gate.owed(now, ask.kind);
        if owed > 0 {
            out.push(Output::Charged(envelope.id, owed));
        }
        Ok(())
    }

    /// Whether a message is one too many here; the hint when to come again.
    pub(super) fn too_many(&self, envelope: &Envelope) -> Option<Ns> {
        let limit = self.admission.as_ref().map_or(u32::MAX, |admission| admission.limit);
        if limit == u32::MAX {
            return None;
        }
        let waiting = u64::from(self.on_the_way());
        let throttled = Criticality::of(envelope)?.throttled(waiting, u64::from(limit));
        throttled.then(|| self.backlog_ns())
    }

    /// Why a waiting message may not go into the block of this height, after those `cancelled` in it.
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

    /// A block is decided: the price moves, cancels are remembered, and what is void goes.
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

    /// An account has earned requests by trading.
    pub fn earn(&mut self, now: Ns, account: AccountId, requests: u64) {
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
                // What stands before what is for whoever makes the next block.
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

/// Some newcomer that reduces risk.
pub(super) fn reducing() -> Envelope {
    Envelope::plain(0, Class::LiquidationOrder, 0, 0)
}

fn said(reason: admission::Reason) -> Reason {
    match reason {
        admission::Reason::RateExceeded => Reason::RateExceeded,
        admission::Reason::FeeTooLow => Reason::FeeTooLow,
        admission::Reason::Expired | admission::Reason::ExpiryTooFar => Reason::Expired,
        admission::Reason::CancelledBefore => Reason::CancelledBefore,
        admission::Reason::Busy => Reason::Throttled,
    }
}
