//! Market makers: a ladder on both sides of the outside price, with limits on position, loss and
//! staleness.
//!
//! # Rules
//! 1. A maker requotes when the outside price has moved by `requote_bp` since it last quoted, or
//!    when one of its orders was reported traded or refused. Orders at their target price stay. It
//!    decides on the outside price of `reaction_ns` ago.
//! 2. It knows its orders, position and equity as the venue reports them: one report for each block
//!    that changed its orders, after the client link's delay.
//! 3. Both sides move against its position (`skew_bp`), and a side quotes at most the quantity by
//!    which the position may grow (`inventory_usd`), counting orders whose end is not confirmed.
//!    The spread widens with the last second's move of the outside price (`widen`), and size falls
//!    with it (`fear`).
//! 4. It pulls all quotes while that move is `pull_pct` or more, and while a message of its own has
//!    been unanswered for `stale_ns`, as its knowledge of its position is stale. After the same
//!    time again it retries.
//! 5. When it has lost `loss_max` of its capital it pulls all quotes permanently.
//!
//! A quote moves by a cancel and a new order, all cancels first, which suits queues that serve
//! cancels and post-only orders first (Hyperliquid); or by one cancel-replace. A refused replace
//! leaves the old order in the book, at the old price: the maker cancels it when that is reported.
//! A cancel that overtook its order had no effect: it is sent again when the venue reports the
//! order accepted.
//!
//! Source: Avellaneda & Stoikov, "High-frequency trading in a limit order book" (Quantitative
//! Finance 8, 2008) for the shift of both quotes in proportion to inventory, and the spread's growth
//! with volatility; the coefficients are the scenario's, not the paper's optimum.

mod ladder;
mod maker;
mod report;

use surgetank_layer::message::{Body, Message};
use surgetank_layer::units::{Ns, SECOND};
use surgetank_market::Fact;

use super::{Accounts, Action, ActorEvent, Sending, Timer, Times, View};
use crate::scenario::{self, Requote};
use crate::trace::Source;
use ladder::Shape;
use maker::Maker;
use report::BlockReport;

/// All makers of a run.
pub struct Makers {
    accounts: Accounts,
    shape: Shape,
    /// Relative move of the outside price that triggers a requote.
    requote: f64,
    replaces: bool,
    post_only: bool,
    reaction_ns: Ns,
    stale_ns: Ns,
    /// Delay from the venue to a client, in ns.
    link_ns: Ns,
    flow_end_ns: Ns,
    pull_pct: f64,
    /// Capital in USD at which a maker stops permanently.
    left_usd: f64,
    makers: Vec<Maker>,
    /// Reports in flight, by number.
    reports: Vec<BlockReport>,
    /// Messages that a maker is about to send.
    bodies: Vec<Body>,
}

impl Makers {
    /// Makers in their initial state.
    pub fn new(config: &scenario::MakersConfig, accounts: Accounts, times: Times) -> Makers {
        Makers {
            accounts,
            shape: Shape::new(config),
            requote: config.requote_bp / 1e4,
            replaces: config.requote == Requote::Replace,
            post_only: config.post_only,
            reaction_ns: config.reaction_ns,
            stale_ns: config.stale_ns,
            link_ns: times.link_ns,
            flow_end_ns: times.flow_end_ns,
            pull_pct: config.pull_pct,
            left_usd: (1.0 - config.loss_max) * config.capital_usd,
            makers: vec![Maker::new(config.levels, config.capital_usd); config.count as usize],
            reports: Vec::new(),
            bodies: Vec::new(),
        }
    }

    /// Number of makers that have stopped permanently.
    pub fn broke(&self) -> usize {
        self.makers.iter().filter(|maker| maker.broke).count()
    }

    /// Processes a step of the outside price, an executed block, or a timer.
    pub fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        match event {
            ActorEvent::Index { .. } => self.see(now, view, out),
            ActorEvent::Executed { messages, facts } => {
                self.executed(now, messages, facts, view, out)
            }
            ActorEvent::Timer(Timer::Maker { maker }) => self.decide(now, maker, view, out),
            ActorEvent::Timer(Timer::Report { slot }) => self.report(now, slot, out),
            _ => {}
        }
    }

    /// The outside price has stepped: makers with a reason to will requote.
    fn see(&mut self, now: Ns, view: &impl View, out: &mut Vec<Action>) {
        let Some(outside) = view.outside() else { return };
        let at = now + self.reaction_ns;
        if at >= self.flow_end_ns {
            return;
        }
        let ticks = outside.ticks;
        for (index, maker) in (0..).zip(&mut self.makers) {
            let moved = (ticks - maker.centre).abs() as f64 / ticks as f64 >= self.requote;
            let stale = maker.is_stale(at, self.stale_ns);
            let reason = moved || maker.disturbed || stale || !maker.is_quoting();
            if !maker.deciding && !maker.broke && reason {
                (maker.deciding, maker.seen) = (true, ticks);
                out.push(Action::Wake { at, timer: Timer::Maker { maker: index } });
            }
        }
    }

    /// A maker decides on its ladder and sends the messages that it takes.
    fn decide(&mut self, now: Ns, index: u32, view: &impl View, out: &mut Vec<Action>) {
        let Some(outside) = view.outside() else { return };
        let maker = &mut self.makers[index as usize];
        let seen = maker.seen;
        maker.deciding = false;
        let (stale, quoting) = (maker.is_stale(now, self.stale_ns), maker.is_quoting());
        if stale && !quoting {
            if now < maker.sent_ns + self.stale_ns {
                return;
            }
            // The same time again without an answer.
            maker.forget();
        }
        (maker.centre, maker.disturbed) = (seen, false);
        let quantum_usd = outside.quantum_usd();
        let value_usd = maker.position as f64 * seen as f64 * quantum_usd;
        maker.broke |= maker.cash_usd + value_usd <= self.left_usd;
        let moved_pct = view.move_pct(SECOND).abs();
        let pulls = self.pull_pct > 0.0 && moved_pct >= self.pull_pct;
        let ladder = if maker.broke || pulls || stale && quoting {
            self.shape.nothing()
        } else {
            let held = (maker.position, maker.open_beside_quotes());
            self.shape.ladder((seen as f64, quantum_usd), moved_pct, held)
        };
        maker.adjust(&ladder, self.replaces, self.post_only, &mut self.bodies);
        self.send(now, index, out);
    }

    fn send(&mut self, now: Ns, index: u32, out: &mut Vec<Action>) {
        if self.bodies.is_empty() {
            return;
        }
        self.makers[index as usize].sends(now);
        let account = self.accounts.makers_from() + index;
        let gateway = self.accounts.gateway(account);
        out.extend(self.bodies.drain(..).map(|body| {
            let (sent_ns, source) = (now, Source::Maker);
            Action::Send(Sending { sent_ns, account, gateway, source, body, fee_micros: None })
        }));
    }

    /// A block was executed: sends a report to every maker with a message or trade in it.
    fn executed(
        &mut self,
        now: Ns,
        messages: &[Message],
        facts: &[Fact],
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        for report in report::reports(&self.accounts, messages, facts, view) {
            let slot = self.reports.len() as u32;
            self.reports.push(report);
            out.push(Action::Wake { at: now + self.link_ns, timer: Timer::Report { slot } });
        }
    }

    /// A maker receives its report of a block.
    fn report(&mut self, now: Ns, slot: u32, out: &mut Vec<Action>) {
        let report = std::mem::take(&mut self.reports[slot as usize]);
        self.makers[report.maker as usize].learn(&report, &mut self.bodies);
        self.send(now, report.maker, out);
    }
}
