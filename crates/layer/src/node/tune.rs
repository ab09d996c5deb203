//! A node's controller: what it sees, and where what it decides is set.
//!
//! Rules. Every interval the controller sees how long messages waited that this node put into
//! blocks, from their arrival here to their block. It is asked through
//! [`Bounded`](crate::tuning::bounded::Bounded), and every change is told as [`Output::Changed`].
//!
//! Theory of operation. A node that orders sets the size of the batches it makes (and, where it is
//! the only one, their window), its admission limit, and the weights of its lanes.
//!
//! Departures. The wait begins at this node, not at the gateway: nodes have no common clock.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::{Node, Orderer, Output, Timer};
use crate::message::Block;
use crate::tuning::bounded::Bounded;
use crate::tuning::observe::Observer;
use crate::tuning::{Bounds, Controller, Knob, Setting};
use crate::units::{MessageId, Ns};

/// A change of a node's setting: a fact for the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What: [`Knob::code`], or 11 timeout_commit, 12 timeout_propose, 14 throttle.
    pub knob: u8,
    /// From which number.
    pub from: u64,
    /// To which number.
    pub to: u64,
    /// Why: a number of [`Why`](crate::tuning::Why), or 6 strain has risen, 7 strain has fallen.
    pub why: u8,
    /// On what number.
    pub on: u64,
    /// Whether more was wished for than the bounds allow.
    pub clamped: bool,
}

/// How a node is tuned.
pub struct Tuning {
    /// Who decides; `None` sets what `played` says instead.
    pub controller: Option<Box<dyn Controller + Send + Sync>>,
    /// Changes of an earlier run, in order of time.
    pub played: VecDeque<(Ns, Change)>,
    /// Where settings may go.
    pub bounds: Bounds,
    /// The setting before the first decision.
    pub first: Setting,
    /// Time between two looks.
    pub interval_ns: Ns,
}

impl fmt::Debug for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuning").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

pub(super) struct State {
    controller: Option<Bounded<Box<dyn Controller + Send + Sync>>>,
    played: VecDeque<(Ns, Change)>,
    setting: Setting,
    interval_ns: Ns,
    observer: Observer,
    arrived: BTreeMap<MessageId, Ns>,
}

impl Node {
    /// From now on this node is tuned so.
    pub fn tune(&mut self, tuning: Tuning) {
        let Tuning { controller, played, bounds, first, interval_ns } = tuning;
        let setting = bounds.clamp(&first);
        let controller = controller.map(|controller| Bounded::new(controller, bounds, &first));
        let (observer, arrived) = (Observer::default(), BTreeMap::new());
        self.tuning = Some(Box::new(State {
            controller,
            played,
            setting,
            interval_ns: interval_ns.max(1),
            observer,
            arrived,
        }));
        self.set(&setting);
    }

    pub(super) fn begin_tuning(&mut self, out: &mut Vec<Output>) {
        if let Some(tuning) = &mut self.tuning {
            tuning.arrived.clear();
            tuning.observer = Observer::default();
            out.push(Output::After(tuning.interval_ns, Timer::Tune));
        }
    }

    /// Batch size and window as they are now, where this node alone makes batches.
    pub(super) fn tuned_batches(&self) -> Option<(u32, Ns)> {
        match &self.orderer {
            Orderer::Single { sequencer: Some(sequencer), .. } => Some(sequencer.tuned()),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn note_arrival(&mut self, now: Ns, message: MessageId) {
        if let Some(tuning) = &mut self.tuning {
            tuning.arrived.entry(message).or_insert(now);
        }
    }

    #[inline]
    pub(super) fn note_refusal(&mut self, message: MessageId) {
        if let Some(tuning) = &mut self.tuning {
            tuning.arrived.remove(&message);
            tuning.observer.refused();
        }
    }

    /// A block is decided.
    pub(super) fn observe(&mut self, block: &Block) {
        let waiting = self.on_the_way();
        let Some(tuning) = &mut self.tuning else { return };
        tuning.observer.inflight(waiting);
        for entry in &block.entries {
            let arrived = tuning.arrived.remove(&entry.envelope.id);
            if block.proposer == self.id {
                let since = arrived.unwrap_or(entry.queued_ns);
                tuning.observer.served(block.proposed_ns.saturating_sub(since));
            }
        }
    }

    /// Time to look.
    pub(super) fn tune_on(&mut self, now: Ns, out: &mut Vec<Output>) {
        let (inflight, backlog_ns) = (self.on_the_way(), self.backlog_ns());
        let Some(tuning) = &mut self.tuning else { return };
        out.push(Output::After(tuning.interval_ns, Timer::Tune));
        let seen = tuning.observer.close(now, inflight, backlog_ns);
        let before = tuning.setting;
        match &mut tuning.controller {
            Some(controller) => {
                let mut decisions = Vec::new();
                controller.observe(&seen, &mut decisions);
                tuning.setting = *controller.setting();
                out.extend(decisions.iter().map(|decision| {
                    Output::Changed(Change {
                        knob: decision.knob.code(),
                        from: decision.from,
                        to: decision.to,
                        why: decision.why as u8,
                        on: decision.on,
                        clamped: decision.clamped,
                    })
                }));
            }
            None => {
                while let Some(&(at, change)) = tuning.played.front().filter(|(at, _)| *at <= now) {
                    tuning.played.pop_front();
                    debug_assert_eq!(at, now, "a decision was not taken at a look");
                    let knob = Knob::ALL[usize::from(change.knob)];
                    tuning.setting.set(knob, change.to);
                    out.push(Output::Changed(change));
                }
            }
        }
        let after = tuning.setting;
        if before != after {
            self.set(&after);
        }
    }

    fn set(&mut self, setting: &Setting) {
        match &mut self.orderer {
            Orderer::Single { sequencer: Some(sequencer), .. } => {
                sequencer.tune(setting.batch_messages_max, setting.window_ns);
            }
            Orderer::Tendermint { block_messages_max, .. } => {
                *block_messages_max = setting.batch_messages_max;
            }
            Orderer::Single { .. } | Orderer::None => {}
        }
        if let Some(admission) = &mut self.admission {
            admission.limit = setting.admission_limit;
        }
        self.mempool.weigh(setting.lane_weights);
        self.ingress.weigh(setting.lane_weights);
    }
}
