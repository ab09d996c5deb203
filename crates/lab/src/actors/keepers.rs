//! Keepers: they watch the venue's marks or the outside prices, and send liquidation orders.
//!
//! # Rules
//! 1. An account whose positions share their collateral gets one order at a time, for the position
//!    with the largest maintenance requirement. When that is closed, the keeper looks again at the
//!    next price. Isolated positions get an order each.
//! 2. Nothing is sent again within `resend_ns`, unless a limit of the venue deferred it.

use surgetank_layer::message::{Body, LiquidationOrder};
use surgetank_layer::units::{AccountId, NEVER, Ns, Price};
use surgetank_market::Fact;

use super::{Accounts, Action, ActorEvent, Published, Sending, Timer, Times, View};
use crate::scenario::{self, Watch};
use crate::trace::Source;

/// All keepers of a run. Each watches its own share of the accounts.
pub struct Keepers {
    accounts: Accounts,
    markets: usize,
    watch: Watch,
    reaction_ns: Ns,
    resend_ns: Ns,
    /// Delay from a gateway to its clients, in ns.
    link_ns: Ns,
    orders_max: u32,
    /// Time of the last liquidation order, by account and collateral unit.
    sent_ns: Vec<Ns>,
    /// Published marks, by height and market.
    marks: Vec<Price>,
    /// Outside prices on which some keeper acts, by number and market.
    seen: Vec<Price>,
    /// Whether each keeper reacts to a step of the outside prices.
    alerted: Vec<bool>,
}

impl Keepers {
    /// Keepers of a venue of this many markets, in their initial state.
    pub fn new(
        config: &scenario::KeepersConfig,
        accounts: Accounts,
        times: Times,
        markets: usize,
    ) -> Keepers {
        Keepers {
            markets,
            watch: config.watch,
            reaction_ns: config.reaction_ns,
            resend_ns: config.resend_ns,
            link_ns: times.link_ns,
            orders_max: config.orders_max,
            sent_ns: vec![NEVER; accounts.end() as usize * markets],
            marks: Vec::new(),
            seen: Vec::new(),
            alerted: vec![false; config.count as usize],
            accounts,
        }
    }

    /// Processes a publication, a step of the outside price, or a timer.
    pub fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        match event {
            ActorEvent::Published(published) => self.published(now, &published, out),
            ActorEvent::Index { .. } => self.see(now, view, out),
            ActorEvent::Executed { facts, .. } => self.executed(facts, view),
            ActorEvent::Timer(timer) => self.timer(now, timer, view, out),
            _ => {}
        }
    }

    /// A gateway has published a block: its keepers react to a new price in it, and at once to
    /// liquidations that a limit deferred, as those accounts are on their lists.
    fn published(&mut self, now: Ns, published: &Published<'_>, out: &mut Vec<Action>) {
        let Published { gateway, height, marks, priced, cut } = *published;
        while self.marks.len() <= height as usize * self.markets {
            self.marks.extend_from_slice(marks);
        }
        let at = height as usize * self.markets;
        self.marks[at..at + self.markets].copy_from_slice(marks);
        let first = self.accounts.keepers_from();
        let here = |keeper: &u32| self.accounts.gateway(first + keeper) == gateway;
        if priced && self.watch == Watch::Venue {
            let at = now + (self.reaction_ns + self.link_ns);
            out.extend(
                (0..self.accounts.keepers)
                    .filter(here)
                    .map(|keeper| Action::Wake { at, timer: Timer::Marked { keeper, height } }),
            );
        }
        if cut {
            let at = now + self.link_ns;
            out.extend((0..self.accounts.keepers).filter(here).map(|keeper| Action::Wake {
                at,
                timer: Timer::LiquidationDeferred { keeper, height },
            }));
        }
    }

    fn slot(&self, account: AccountId, unit: u16) -> usize {
        account as usize * self.markets + usize::from(unit)
    }

    /// The outside prices have stepped: keepers that watch them, and have an account to liquidate,
    /// react.
    fn see(&mut self, now: Ns, view: &impl View, out: &mut Vec<Action>) {
        if self.watch != Watch::Outside || self.accounts.keepers == 0 {
            return;
        }
        let acts_ns = now + self.reaction_ns;
        self.alerted.fill(false);
        for (target, unit) in view.due() {
            let sent = self.sent_ns[self.slot(target, unit)];
            let again = view.liquidation_deferred(target, u32::MAX);
            self.alerted[(target % self.accounts.keepers) as usize] |=
                sent == NEVER || acts_ns >= sent + self.resend_ns || again;
        }
        let seen = (self.seen.len() / self.markets) as u32;
        for (keeper, _) in (0..).zip(&self.alerted).filter(|&(_, alerted)| *alerted) {
            out.push(Action::Wake { at: acts_ns, timer: Timer::Seen { keeper, seen } });
        }
        if self.alerted.contains(&true) {
            self.seen.extend(outside_prices(view));
        }
    }

    /// Orders that found nothing to liquidate: a keeper that watches the outside price may send
    /// again as soon as the account is due again. (One that follows the venue's marks waits
    /// `resend_ns`.)
    ///
    /// Of several markets, an account of which a position was closed may be due for another one.
    fn executed(&mut self, facts: &[Fact], view: &impl View) {
        for fact in facts {
            let (account, symbol) = match *fact {
                Fact::NotLiquidatable { account, symbol, .. } if self.watch == Watch::Outside => {
                    (account, symbol)
                }
                Fact::Liquidated { account, symbol, remaining: 0, .. } if self.markets > 1 => {
                    (account, symbol)
                }
                _ => continue,
            };
            let slot = self.slot(account, view.collateral_unit(account, symbol));
            self.sent_ns[slot] = NEVER;
        }
    }

    fn timer(&mut self, now: Ns, timer: Timer, view: &impl View, out: &mut Vec<Action>) {
        match timer {
            Timer::Marked { keeper, height } => {
                let prices = self.at(&self.marks, height);
                self.keep(now, keeper, (&prices, height), false, view, out);
            }
            Timer::Seen { keeper, seen } => {
                let prices = self.at(&self.seen, seen);
                self.keep(now, keeper, (&prices, u32::MAX), false, view, out);
            }
            Timer::LiquidationDeferred { keeper, height } => {
                let prices = match self.watch {
                    Watch::Venue => self.at(&self.marks, height),
                    Watch::Outside => outside_prices(view).collect(),
                };
                self.keep(now, keeper, (&prices, height), true, view, out);
            }
            _ => {}
        }
    }

    /// The prices of all markets at a number.
    fn at(&self, prices: &[Price], number: u32) -> Vec<Price> {
        let from = number as usize * self.markets;
        prices[from..from + self.markets].to_vec()
    }

    /// A keeper checks its share of the accounts at these prices, and sends again for those
    /// deferred up to this height; `only` for those.
    fn keep(
        &mut self,
        now: Ns,
        keeper: u32,
        (prices, height): (&[Price], u32),
        only: bool,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        let account = self.accounts.keepers_from() + keeper;
        let gateway = self.accounts.gateway(account);
        let mut orders = 0;
        for (target, symbol) in view.below_maintenance(prices) {
            if target % self.accounts.keepers != keeper || orders == self.orders_max {
                continue;
            }
            let slot = self.slot(target, view.collateral_unit(target, symbol));
            let sent = &mut self.sent_ns[slot];
            let waits = only || *sent != NEVER && now < *sent + self.resend_ns;
            if waits && !view.liquidation_deferred(target, height) {
                continue;
            }
            *sent = now;
            orders += 1;
            let trigger_price = prices[usize::from(symbol)];
            let order = LiquidationOrder { symbol, target, order_qty: 0, trigger_price };
            out.push(Action::Send(Sending {
                sent_ns: now,
                account,
                gateway,
                source: Source::Keeper,
                body: Body::LiquidationOrder(order),
                fee_micros: None,
            }));
        }
    }
}

/// Outside prices in ticks, by market.
fn outside_prices(view: &impl View) -> impl Iterator<Item = Price> {
    (0..view.markets()).map(|market| view.outside(market).map_or(0, |outside| outside.ticks))
}
