//! Adaptive consensus: block time and timeouts follow the measured congestion, and less critical
//! messages are throttled.
//!
//! # Rules
//! 1. timeoutPropose starts at the scenario's value. While more than one round a height is lost in
//!    the mean (gain 1/8), it doubles after each decision; else it returns half of the way to the
//!    start value. Timeouts of votes are not touched.
//! 2. While more than a block of messages would be served before an arriving risk-reducing message,
//!    the wait after a decision shrinks by a quarter; while less than half a block would, it
//!    returns an eighth of the way.
//! 3. When the work ahead of such a message reaches `throttle_ns`, messages are refused at gateways
//!    by their [`Criticality`] until it is below half of that: that half is the limit. Where the
//!    queue's rule serves such messages first, nothing is refused: a refused order may be the
//!    counterparty of a liquidation.
//! 4. Every value stays in its range. Changes of less than 1/8 are not made, except to a bound.
//!
//! # Theory of operation
//! Each node acts on its own measurements. Tendermint's safety does not depend on timeouts, and its
//! liveness needs them to grow by round: the growths are unchanged, and provide the back-off.
//!
//! A lost round seldom means that the timeout was too short: a proposer that is down, partitioned
//! or slow is better skipped early, and fewer than a third are expected to be. More than one lost
//! round per height is more than those explain: then the timeout is too short for all. What it
//! replaces doubled after every lost round and let vote timeouts follow the time of a height; both
//! reached their maximum during a partition, and liquidations waited 20 s after it healed. Nor is
//! it shortened below its start value: mean and deviation of a few dozen proposals do not determine
//! the tail of a wide-area network, and a round lost needlessly costs more than is gained.
//!
//! Source: this project's own.
//!
//! Departures: none.

use serde::{Deserialize, Serialize};

use super::ordering::Pace;
use super::{Node, Output, admit};
use crate::admission::criticality::Criticality;
use crate::message::Envelope;
use crate::tuning::{Change, Parameter, Why};
use crate::units::{Ns, Round};

/// Range of a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Lower bound, in ns.
    pub least: Ns,
    /// Upper bound, in ns.
    pub most: Ns,
}

/// Parameters of adaptive consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveTimeouts {
    /// Range of the wait after a decision.
    pub commit: Span,
    /// Range of timeoutPropose of round 0.
    pub propose: Span,
    /// Backlog, as a time, at which messages are throttled; 0 = never.
    pub throttle_ns: Ns,
}

pub(super) struct State {
    config: AdaptiveTimeouts,
    /// Start values of timeout_commit and timeoutPropose.
    rest_ns: (Ns, Ns),
    /// Rounds lost per height, smoothed, in 64ths.
    lost_64: u64,
    throttling: bool,
}

impl Node {
    /// Enables adaptation, for engines whose rounds wait for proposals.
    pub(super) fn adapt(&mut self, config: AdaptiveTimeouts) {
        let Some(Pace { window_ns, propose_ns: Some(propose_ns), .. }) = self.engine.pace() else {
            return;
        };
        let rest_ns = (window_ns, propose_ns);
        let state = State { config, rest_ns, lost_64: 0, throttling: false };
        self.adaptive = Some(Box::new(state));
    }

    /// Adapts the timeouts after a decided height.
    pub(super) fn adapt_to(&mut self, round: Round, out: &mut Vec<Output>) {
        let waiting = self.mempool.ahead(&admit::reducing()) as u64;
        let Some(adaptive) = &mut self.adaptive else { return };
        let Some(Pace { block_messages_max, window_ns, propose_ns: Some(propose_ns) }) =
            self.engine.pace()
        else {
            return;
        };
        let AdaptiveTimeouts { commit, propose, .. } = adaptive.config;
        adaptive.lost_64 = adaptive.lost_64 - adaptive.lost_64.div_ceil(8) + 8 * u64::from(round);
        let (rest_ns, propose_rest_ns) = adaptive.rest_ns;
        let aim = if adaptive.lost_64 > 64 {
            propose_ns * 2
        } else {
            propose_ns - propose_ns.saturating_sub(propose_rest_ns).div_ceil(2)
        };
        let propose_ns =
            change(Parameter::TimeoutPropose, propose_ns, aim, propose, u64::from(round), out);
        let (block, wait_ns) = (u64::from(block_messages_max), window_ns);
        let aim = if waiting > block {
            wait_ns - wait_ns / 4
        } else if waiting < block / 2 {
            let gap = rest_ns.saturating_sub(wait_ns);
            wait_ns + (gap / 8).max(rest_ns / 8).min(gap)
        } else {
            wait_ns
        };
        // The wait after a decision is a controller's, where there is one.
        let window_ns = if self.tuning.is_none() {
            change(Parameter::TimeoutCommit, wait_ns, aim, commit, waiting, out)
        } else {
            wait_ns
        };
        let propose_ns = Some(propose_ns);
        self.engine.set_pace(Pace { block_messages_max, window_ns, propose_ns });
        self.throttling_backlog(out);
    }

    /// Rule 3 for a client's message: the retry hint if it is throttled.
    pub(super) fn throttles(&mut self, envelope: &Envelope, out: &mut Vec<Output>) -> Option<Ns> {
        self.adaptive.as_ref()?;
        let backlog_ns = self.throttling_backlog(out)?;
        // Once it throttles it does so from half the limit on.
        let limit_ns = self.adaptive.as_ref()?.config.throttle_ns.div_ceil(2);
        Criticality::of(envelope)?.throttled(backlog_ns, limit_ns).then_some(backlog_ns)
    }

    /// The backlog, while it throttles.
    fn throttling_backlog(&mut self, out: &mut Vec<Output>) -> Option<Ns> {
        let backlog_ns = self.ahead_of_reducing_ns();
        let adaptive = self.adaptive.as_mut()?;
        let most = adaptive.config.throttle_ns;
        if most == 0 {
            return None;
        }
        let was = adaptive.throttling;
        let on = if was { backlog_ns >= most / 2 } else { backlog_ns >= most };
        if on != was {
            adaptive.throttling = on;
            let (from, to) = (u64::from(was), u64::from(on));
            let why = if on { Why::CongestionRises } else { Why::CongestionFalls };
            let (parameter, on) = (Parameter::Throttle, backlog_ns);
            out.push(Output::Changed(Change { parameter, from, to, why, on, clamped: false }));
        }
        on.then_some(backlog_ns)
    }
}

/// The value moved to its target, within its range.
fn change(
    parameter: Parameter,
    from: Ns,
    aim: Ns,
    span: Span,
    on: u64,
    out: &mut Vec<Output>,
) -> Ns {
    let to = aim.clamp(span.least, span.most);
    let at_bound = to == span.least || to == span.most;
    if to == from || (from.abs_diff(to) < from / 8 && !at_bound) {
        return from;
    }
    // More time for a round, or less between rounds, answers congestion.
    let congested = (to > from) != (parameter == Parameter::TimeoutCommit);
    let why = if congested { Why::CongestionRises } else { Why::CongestionFalls };
    out.push(Output::Changed(Change { parameter, from, to, why, on, clamped: to != aim }));
    to
}
