//! Adaptive consensus: block time and timeouts follow the measured congestion, and what can wait waits.
//!
//! # Rules
//! 1. timeoutPropose rests where the scenario puts it. While more than one round a height is lost in
//!    the mean (gain 1/8), it doubles after each decision; else it returns by half of the way.
//!    Timeouts of votes are not touched.
//! 2. While more than a block stands before a newcomer that reduces risk, the wait after a decision
//!    shrinks by a quarter; while less than half a block does, it returns by an eighth of the way.
//! 3. When the work that stands before such a newcomer reaches `throttle_ns`, messages are
//!    refused at gateways by their [`Criticality`] until it is below half of that: that half is the
//!    limit. Where the queue's rule serves such messages first, nothing is refused: who is refused is
//!    also the other side of a liquidation's trade.
//! 4. Every number stays in its span. A change of less than 1/8 is not made, unless to a bound.
//!
//! # Theory of operation
//! Each node acts on what it sees itself. Tendermint's safety needs no timeouts, and its liveness
//! needs them to grow by round: the growths are not touched, and are back-off enough.
//!
//! A lost round seldom says that the timeout was too short: a proposer that is down, cut off or slow
//! is better passed over early, and fewer than a third of them are expected to be. More than one lost
//! round a height is more than those can account for: then it is too short for all. What it replaces
//! doubled after every lost round and let vote timeouts follow the time of a height; both came to their
//! most while a part of the validators was cut off, and liquidations waited 20 s after it healed. Nor is
//! it shortened below its rest: the mean and deviation of a few dozen proposals do not tell the tail
//! of a wide-area network, and a round lost in vain costs more than is won.
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

/// Where a number may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Not below.
    pub least: Ns,
    /// Not above.
    pub most: Ns,
}

/// What adaptive consensus may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveTimeouts {
    /// The wait after a decision.
    pub commit: Span,
    /// timeoutPropose(0).
    pub propose: Span,
    /// Work that waits for so long throttles; 0 = never.
    pub throttle_ns: Ns,
}

pub(super) struct State {
    config: AdaptiveTimeouts,
    /// timeout_commit and timeoutPropose at rest.
    rest_ns: (Ns, Ns),
    /// Rounds lost per height, smoothed, in 64ths.
    lost_64: u64,
    throttling: bool,
}

impl Node {
    /// From now on consensus adapts, where its rounds have proposals to wait for.
    pub fn adapt(&mut self, config: AdaptiveTimeouts) {
        let Some(Pace { window_ns, propose_ns: Some(propose_ns), .. }) = self.engine.pace() else {
            return;
        };
        let rest_ns = (window_ns, propose_ns);
        let state = State { config, rest_ns, lost_64: 0, throttling: false };
        self.adaptive = Some(Box::new(state));
    }

    /// A height is decided.
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
        self.look_at_backlog(out);
    }

    /// Rule 3 for a client's message: the hint when to come again.
    pub(super) fn throttles(&mut self, envelope: &Envelope, out: &mut Vec<Output>) -> Option<Ns> {
        self.adaptive.as_ref()?;
        let backlog_ns = self.look_at_backlog(out)?;
        // Once it throttles it does so from half the limit on.
        let limit_ns = self.adaptive.as_ref()?.config.throttle_ns.div_ceil(2);
        Criticality::of(envelope)?.throttled(backlog_ns, limit_ns).then_some(backlog_ns)
    }

    /// The backlog, while it throttles.
    fn look_at_backlog(&mut self, out: &mut Vec<Output>) -> Option<Ns> {
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

/// A number moved to its aim, inside its span.
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
