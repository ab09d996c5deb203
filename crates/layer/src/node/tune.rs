//! A node's controller: its observations, and the application of its decisions.
//!
//! Rules. Every interval the controller sees how long messages waited that this node put into
//! blocks, from their arrival here to their block. It is asked through
//! [`Bounded`](crate::tuning::bounded::Bounded), and every change is reported as
//! [`Output::Changed`].
//!
//! Theory of operation. A node that orders sets the size of the batches it makes, their window (where
//! nodes agree on blocks: its wait after a decision), its admission limit, and the weights of its lanes.
//!
//! Departures. The wait begins at this node, not at the gateway: nodes have no common clock.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::ordering::Pace;
use super::{Node, Output, Timer};
use crate::admission::criticality::Criticality;
use crate::message::{Block, Envelope};
use crate::tuning::bounded::Bounded;
use crate::tuning::observe::Observer;
use crate::tuning::volatility::Volatility;
use crate::tuning::{Bounds, Change, Controller, Observation, Parameter, Setting};
use crate::units::{MessageId, Ns, Price};

/// Parameters of a node's tuning.
pub struct Tuning {
    /// The controller; `None` replays the changes of `played`.
    pub controller: Option<Box<dyn Controller + Send + Sync>>,
    /// Changes of an earlier run, in order of time.
    pub played: VecDeque<(Ns, Change)>,
    /// Range of the settings.
    pub bounds: Bounds,
    /// The setting before the first decision, within these bounds.
    pub first: Setting,
    /// Interval between two observations, in ns.
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
    /// Of what reduces risk alone.
    reducing: Observer,
    refused_by_class: [u64; 8],
    volatility: Volatility,
    /// When the last block was decided, and the smoothed time between blocks.
    decided_ns: Option<Ns>,
    block_interval_ns: Ns,
    arrived: BTreeMap<MessageId, Ns>,
}

impl Node {
    pub(super) fn tune(&mut self, tuning: Tuning) {
        let Tuning { controller, played, bounds, first, interval_ns } = tuning;
        debug_assert!(interval_ns > 0, "tuning: interval_ns must be at least 1");
        let controller = controller.map(|controller| Bounded::new(controller, bounds, &first));
        self.tuning = Some(Box::new(State {
            controller,
            played,
            setting: first,
            interval_ns,
            observer: Observer::default(),
            reducing: Observer::default(),
            refused_by_class: [0; 8],
            volatility: Volatility::default(),
            decided_ns: None,
            block_interval_ns: 0,
            arrived: BTreeMap::new(),
        }));
        self.set(&first);
    }

    pub(super) fn begin_tuning(&mut self, out: &mut Vec<Output>) {
        if let Some(tuning) = &mut self.tuning {
            tuning.arrived.clear();
            (tuning.observer, tuning.reducing) = (Observer::default(), Observer::default());
            tuning.decided_ns = None;
            out.push(Output::After(tuning.interval_ns, Timer::Tune));
        }
    }

    #[inline]
    pub(super) fn note_arrival(&mut self, now: Ns, message: MessageId) {
        if let Some(tuning) = &mut self.tuning {
            tuning.arrived.entry(message).or_insert(now);
        }
    }

    #[inline]
    pub(super) fn note_refusal(&mut self, refused: &Envelope) {
        let class = self.readable(refused).class;
        if let Some(tuning) = &mut self.tuning {
            tuning.arrived.remove(&refused.id);
            tuning.observer.refused();
            tuning.refused_by_class[class as usize] += 1;
        }
    }

    /// Receives the mark price after a block that this node has executed, in ticks.
    pub(super) fn see_mark(&mut self, now: Ns, mark: Price) {
        if let Some(tuning) = &mut self.tuning {
            tuning.volatility.mark(now, mark);
        }
    }

    /// A block is decided.
    pub(super) fn observe(&mut self, now: Ns, block: &Block) {
        let waiting = self.on_the_way();
        let (agrees, sealed) = (self.engine.leader().is_none(), self.unsealing.config().hides());
        let Some(tuning) = &mut self.tuning else { return };
        tuning.observer.inflight(waiting);
        if let Some(last_ns) = tuning.decided_ns.replace(now).filter(|_| agrees) {
            let (took_ns, mean_ns) = (now - last_ns, tuning.block_interval_ns);
            let first = mean_ns == 0;
            tuning.block_interval_ns =
                if first { took_ns } else { mean_ns - mean_ns / 8 + took_ns / 8 };
        }
        for entry in &block.entries {
            let arrived = tuning.arrived.remove(&entry.envelope.id);
            if block.proposer == self.id {
                let since = arrived.unwrap_or(entry.queued_ns);
                let sojourn_ns = block.proposed_ns.saturating_sub(since);
                tuning.observer.served(sojourn_ns);
                if !sealed && Criticality::of(&entry.envelope) == Some(Criticality::Reducing) {
                    tuning.reducing.served(sojourn_ns);
                }
            }
        }
    }

    /// Runs the controller at the end of its interval.
    pub(super) fn tune_on(&mut self, now: Ns, out: &mut Vec<Output>) {
        let (inflight, backlog_ns) = (self.on_the_way(), self.backlog_ns());
        let ahead_ns = self.ahead_of_reducing_ns();
        let waiting = self.mempool.by_class(|envelope| self.readable(envelope).class);
        let Some(tuning) = &mut self.tuning else { return };
        out.push(Output::After(tuning.interval_ns, Timer::Tune));
        let reducing = tuning.reducing.close(now, 0, 0);
        let seen = Observation {
            reducing_served: reducing.served,
            reducing_min_ns: reducing.sojourn_min_ns,
            reducing_p99_ns: reducing.sojourn_p99_ns,
            ahead_ns,
            block_interval_ns: tuning.block_interval_ns,
            waiting,
            refused_by_class: std::mem::take(&mut tuning.refused_by_class),
            volatility_ppm: tuning.volatility.ppm(now),
            ..tuning.observer.close(now, inflight, backlog_ns)
        };
        let before = tuning.setting;
        match &mut tuning.controller {
            Some(controller) => {
                let mut changes = Vec::new();
                controller.observe(&seen, &mut changes);
                tuning.setting = *controller.setting();
                out.extend(changes.into_iter().map(Output::Changed));
            }
            None => {
                while let Some(&(at, change)) = tuning.played.front().filter(|(at, _)| *at <= now) {
                    tuning.played.pop_front();
                    debug_assert_eq!(at, now, "a decision was not taken at a look");
                    if let Parameter::Knob(knob) = change.parameter {
                        tuning.setting.set(knob, change.to);
                    }
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
        if let Some(pace) = self.engine.pace() {
            self.engine.set_pace(Pace {
                block_messages_max: setting.batch_messages_max,
                window_ns: setting.window_ns,
                ..pace
            });
        }
        if let Some(admission) = &mut self.admission {
            admission.limit = setting.admission_limit;
        }
        self.mempool.weigh(setting.lane_weights);
        self.ingress.weigh(setting.lane_weights);
    }
}
