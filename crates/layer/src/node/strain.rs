//! Adaptive consensus: block time and timeouts follow the measured strain, and what can wait waits.
//!
//! # Rules
//! 1. After each decision in round 0, timeoutPropose and the timeouts of votes become the smoothed
//!    time that a height took, plus four mean deviations (RFC 6298's law, gains 1/8 and 1/4). After a
//!    decision in a later round they double: such a height is no sample (Karn & Partridge 1987).
//! 2. While more than a block waits, the wait after a decision shrinks by a quarter; while less than
//!    half a block waits, it returns by an eighth of the way.
//! 3. When the work that waits reaches `throttle_ns`, orders that are neither post-only nor
//!    risk-reducing are refused at gateways until it is below half of that. Nothing else is.
//! 4. Every number stays in its span. A change of less than 1/8 is not made, unless to a bound.
//!
//! # Theory of operation
//! Each node acts on what it sees itself. Tendermint's safety needs no timeouts, and its liveness
//! needs them to grow by round: the growths are not touched.
//!
//! Source: RFC 6298 for rule 1; the rest is this project's own.
//!
//! # Departures
//! - A height's time is from its beginning here to its decision here: more than a proposal takes.

use super::smoothed::Smoothed;
use super::{Node, Orderer, Output, admit, tune::Change};
use crate::message::{Envelope, flags};
use crate::units::{Ns, Round};

/// Where a number may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Not below.
    pub least: Ns,
    /// Not above.
    pub most: Ns,
}

/// What adaptive consensus may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strain {
    /// The wait after a decision.
    pub commit: Span,
    /// timeoutPropose(0).
    pub propose: Span,
    /// timeoutPrevote(0) and timeoutPrecommit(0).
    pub vote: Span,
    /// Work that waits for so long throttles; 0 = never.
    pub throttle_ns: Ns,
}

const COMMIT: u8 = 11;
const PROPOSE: u8 = 12;
const VOTE: u8 = 13;
const THROTTLE: u8 = 14;

pub(super) struct State {
    config: Strain,
    rest_ns: Ns,
    began_ns: Ns,
    /// What a height takes.
    height: Smoothed,
    throttling: bool,
}

impl State {
    pub(super) fn height_begins(&mut self, now: Ns) {
        self.began_ns = now;
    }
}

impl Node {
    /// From now on consensus adapts, where it is Tendermint's.
    pub fn adapt(&mut self, config: Strain) {
        let Orderer::Tendermint { machine, .. } = &self.orderer else { return };
        let rest_ns = machine.timeouts().commit_ns;
        let state =
            State { config, rest_ns, began_ns: 0, height: Smoothed::default(), throttling: false };
        self.strain = Some(Box::new(state));
    }

    /// A height is decided.
    pub(super) fn strain_on(&mut self, now: Ns, round: Round, out: &mut Vec<Output>) {
        let waiting = self.mempool.len() as u64;
        let Orderer::Tendermint { machine, block_messages_max, .. } = &mut self.orderer else {
            return;
        };
        let Some(strain) = &mut self.strain else { return };
        let Strain { commit, propose, vote, .. } = strain.config;
        let mut timeouts = machine.timeouts();
        let took_ns = now.saturating_sub(strain.began_ns);
        let (aims, on) = if round == 0 {
            ([strain.height.sample(took_ns); 2], took_ns)
        } else {
            ([timeouts.propose_ns * 2, timeouts.prevote_ns * 2], u64::from(round))
        };
        change(PROPOSE, &mut timeouts.propose_ns, aims[0], propose, on, out);
        change(VOTE, &mut timeouts.prevote_ns, aims[1], vote, on, out);
        timeouts.precommit_ns = timeouts.prevote_ns;
        let (block, wait_ns) = (u64::from(*block_messages_max), timeouts.commit_ns);
        let aim = if waiting > block {
            wait_ns - wait_ns / 4
        } else if waiting < block / 2 {
            let gap = strain.rest_ns.saturating_sub(wait_ns);
            wait_ns + (gap / 8).max(strain.rest_ns / 8).min(gap)
        } else {
            wait_ns
        };
        change(COMMIT, &mut timeouts.commit_ns, aim, commit, waiting, out);
        machine.set_timeouts(timeouts);
        self.look_at_backlog(out);
    }

    /// Rule 3 for a client's message: the hint when to come again.
    pub(super) fn throttles(&mut self, envelope: &Envelope, out: &mut Vec<Output>) -> Option<Ns> {
        self.strain.as_ref()?;
        let backlog_ns = self.look_at_backlog(out)?;
        let essential = !admit::is_order(envelope) || envelope.has(flags::POST_ONLY);
        (!essential).then_some(backlog_ns)
    }

    /// The backlog, while it throttles.
    fn look_at_backlog(&mut self, out: &mut Vec<Output>) -> Option<Ns> {
        let backlog_ns = self.backlog_ns();
        let strain = self.strain.as_mut()?;
        let most = strain.config.throttle_ns;
        if most == 0 {
            return None;
        }
        let was = strain.throttling;
        let on = if was { backlog_ns >= most / 2 } else { backlog_ns >= most };
        if on != was {
            strain.throttling = on;
            let (from, to) = (u64::from(was), u64::from(on));
            let why = if on { 6 } else { 7 };
            let change = Change { knob: THROTTLE, from, to, why, on: backlog_ns, clamped: false };
            out.push(Output::Changed(change));
        }
        on.then_some(backlog_ns)
    }
}

/// Moves a number to its aim, inside its span.
fn change(knob: u8, number: &mut Ns, aim: Ns, span: Span, on: u64, out: &mut Vec<Output>) {
    let (from, to) = (*number, aim.clamp(span.least, span.most));
    let at_bound = to == span.least || to == span.most;
    if to == from || (from.abs_diff(to) < from / 8 && !at_bound) {
        return;
    }
    *number = to;
    // More time for a round, or less between rounds, answers strain.
    let strained = (to > from) != (knob == COMMIT);
    let why = if strained { 6 } else { 7 };
    out.push(Output::Changed(Change { knob, from, to, why, on, clamped: to != aim }));
}
