//! Market makers: a ladder on both sides of the outside price, with limits on position, loss and
//! staleness.
//!
//! # Rules
//! 1. A maker requotes when the market's outside price has moved by `requote_bp` since it last quoted, or
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
//! 6. On a venue of several markets each maker has a ladder in each of them, with `level_usd` and
//!    `inventory_usd` of its own, and decides on each by that market's price. The ladders share the
//!    maker's account and its capital: the loss of rule 5 is that of all markets.
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
    markets: usize,
    /// By maker and market.
    ladders: Vec<Maker>,
    /// Whether each maker has stopped permanently.
    broke: Vec<bool>,
    /// Reports in flight, by number.
    reports: Vec<BlockReport>,
    /// Messages that a maker is about to send.
    bodies: Vec<Body>,
}

impl Makers {
    /// Makers on a venue of this many markets, in their initial state.
    pub fn new(
        config: &scenario::MakersConfig,
        accounts: Accounts,
        times: Times,
        markets: usize,
    ) -> Makers {
        let count = markets as u16;
        let ladder = |market| Maker::new((market, count), config.levels, config.capital_usd);
        let ladders = (0..config.count).flat_map(|_| (0..count).map(ladder)).collect();
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
            markets,
            ladders,
            broke: vec![false; config.count as usize],
            reports: Vec::new(),
            bodies: Vec::new(),
        }
    }

    /// Number of makers that have stopped permanently.
    pub fn broke(&self) -> usize {
        self.broke.iter().filter(|&&broke| broke).count()
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
            ActorEvent::Timer(Timer::Maker { ladder }) => self.decide(now, ladder, view, out),
            ActorEvent::Timer(Timer::Report { slot }) => self.report(now, slot, out),
            _ => {}
        }
    }

    /// The maker and the market of a ladder.
    fn whose(&self, ladder: u32) -> (u32, u16) {
        let markets = self.markets as u32;
        (ladder / markets, (ladder % markets) as u16)
    }

    /// The outside prices have stepped: makers with a reason to will requote.
    fn see(&mut self, now: Ns, view: &impl View, out: &mut Vec<Action>) {
        let at = now + self.reaction_ns;
        if at >= self.flow_end_ns {
            return;
        }
        for index in 0..self.ladders.len() as u32 {
            let (maker, market) = self.whose(index);
            let Some(outside) = view.outside(market) else { return };
            let (ticks, broke) = (outside.ticks, self.broke[maker as usize]);
            let ladder = &mut self.ladders[index as usize];
            let moved = (ticks - ladder.centre).abs() as f64 / ticks as f64 >= self.requote;
            let stale = ladder.is_stale(at, self.stale_ns);
            // Of a maker that has stopped, ladders in other markets are pulled.
            let reason = if broke {
                self.markets > 1 && ladder.is_quoting()
            } else {
                moved || ladder.disturbed || stale || !ladder.is_quoting()
            };
            if !ladder.deciding && reason {
                (ladder.deciding, ladder.seen) = (true, ticks);
                out.push(Action::Wake { at, timer: Timer::Maker { ladder: index } });
            }
        }
    }

    /// A maker decides on its ladder in a market and sends the messages that it takes.
    fn decide(&mut self, now: Ns, index: u32, view: &impl View, out: &mut Vec<Action>) {
        let (maker, market) = self.whose(index);
        let Some(outside) = view.outside(market) else { return };
        let broke = &mut self.broke[maker as usize];
        let ladder = &mut self.ladders[index as usize];
        let seen = ladder.seen;
        ladder.deciding = false;
        let (stale, quoting) = (ladder.is_stale(now, self.stale_ns), ladder.is_quoting());
        if stale && !quoting {
            if now < ladder.sent_ns + self.stale_ns {
                return;
            }
            // The same time again without an answer.
            ladder.forget();
        }
        (ladder.centre, ladder.disturbed) = (seen, false);
        let quantum_usd = outside.quantum_usd();
        let value_usd = ladder.position as f64 * seen as f64 * quantum_usd;
        *broke |= ladder.cash_usd + value_usd <= self.left_usd;
        let moved_pct = view.move_pct(market, SECOND).abs();
        let pulls = self.pull_pct > 0.0 && moved_pct >= self.pull_pct;
        let wanted = if *broke || pulls || stale && quoting {
            self.shape.nothing()
        } else {
            let held = (ladder.position, ladder.open_beside_quotes());
            self.shape.ladder((seen as f64, quantum_usd), moved_pct, held)
        };
        ladder.adjust(&wanted, self.replaces, self.post_only, &mut self.bodies);
        self.send(now, index, out);
    }

    fn send(&mut self, now: Ns, index: u32, out: &mut Vec<Action>) {
        if self.bodies.is_empty() {
            return;
        }
        self.ladders[index as usize].sends(now);
        let account = self.accounts.makers_from() + self.whose(index).0;
        let gateway = self.accounts.gateway(account);
        out.extend(self.bodies.drain(..).map(|body| {
            let (sent_ns, source) = (now, Source::Maker);
            Action::Send(Sending { sent_ns, account, gateway, source, body, fee_micros: None })
        }));
    }

    /// A block was executed: sends a report to every maker of each market in which it has a message
    /// or trade.
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
        let index = report.maker * self.markets as u32 + u32::from(report.market);
        self.ladders[index as usize].learn(&report, &mut self.bodies);
        self.send(now, index, out);
    }
}
