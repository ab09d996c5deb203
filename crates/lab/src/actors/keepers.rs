//! Keepers: they watch the venue's marks or the outside price, and send liquidation orders.

use surgetank_layer::message::{Body, LiquidationOrder};
use surgetank_layer::units::{NEVER, Ns, Price};
use surgetank_market::Fact;

use super::{Accounts, Action, ActorEvent, Published, Sending, Timer, Times, View};
use crate::scenario::{self, Watch};
use crate::trace::Source;

/// All keepers of a run. Each watches its own share of the accounts.
pub struct Keepers {
    accounts: Accounts,
    watch: Watch,
    reaction_ns: Ns,
    resend_ns: Ns,
    /// Delay from a gateway to its clients, in ns.
    link_ns: Ns,
    orders_max: u32,
    /// Time of the last liquidation order for each account.
    sent_ns: Vec<Ns>,
    /// Published marks, by height.
    marks: Vec<Price>,
    /// Outside prices on which some keeper acts.
    seen: Vec<Price>,
    /// Whether each keeper reacts to a step of the outside price.
    alerted: Vec<bool>,
}

impl Keepers {
    /// Keepers in their initial state.
    pub fn new(config: &scenario::KeepersConfig, accounts: Accounts, times: Times) -> Keepers {
        Keepers {
            watch: config.watch,
            reaction_ns: config.reaction_ns,
            resend_ns: config.resend_ns,
            link_ns: times.link_ns,
            orders_max: config.orders_max,
            sent_ns: vec![NEVER; accounts.end() as usize],
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
            ActorEvent::Executed { facts, .. } => self.executed(facts),
            ActorEvent::Timer(timer) => self.timer(now, timer, view, out),
            _ => {}
        }
    }

    /// A gateway has published a block: its keepers react to a new price in it, and at once to
    /// liquidations that a limit deferred, as those accounts are on their lists.
    fn published(&mut self, now: Ns, published: &Published, out: &mut Vec<Action>) {
        let Published { gateway, height, mark, priced, cut } = *published;
        if self.marks.len() <= height as usize {
            self.marks.resize(height as usize + 1, mark);
        }
        self.marks[height as usize] = mark;
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

    /// The outside price has stepped: keepers that watch it, and have an account to liquidate,
    /// react.
    fn see(&mut self, now: Ns, view: &impl View, out: &mut Vec<Action>) {
        let Some(outside) = view.outside() else { return };
        if self.watch != Watch::Outside || self.accounts.keepers == 0 {
            return;
        }
        let acts_ns = now + self.reaction_ns;
        self.alerted.fill(false);
        for target in view.due() {
            let sent = self.sent_ns[target as usize];
            let again = view.liquidation_deferred(target, u32::MAX);
            self.alerted[(target % self.accounts.keepers) as usize] |=
                sent == NEVER || acts_ns >= sent + self.resend_ns || again;
        }
        let seen = self.seen.len() as u32;
        for (keeper, _) in (0..).zip(&self.alerted).filter(|&(_, alerted)| *alerted) {
            out.push(Action::Wake { at: acts_ns, timer: Timer::Seen { keeper, seen } });
        }
        if self.alerted.contains(&true) {
            self.seen.push(outside.ticks);
        }
    }

    /// Orders that found nothing to liquidate: a keeper that watches the outside price may send
    /// again as soon as the account is due again. (One that follows the venue's marks waits
    /// `resend_ns`.)
    fn executed(&mut self, facts: &[Fact]) {
        if self.watch == Watch::Venue {
            return;
        }
        for fact in facts {
            if let Fact::NotLiquidatable { account, .. } = *fact {
                self.sent_ns[account as usize] = NEVER;
            }
        }
    }

    fn timer(&mut self, now: Ns, timer: Timer, view: &impl View, out: &mut Vec<Action>) {
        match timer {
            Timer::Marked { keeper, height } => {
                let price = self.marks[height as usize];
                self.keep(now, keeper, (price, height), false, view, out);
            }
            Timer::Seen { keeper, seen } => {
                let price = self.seen[seen as usize];
                self.keep(now, keeper, (price, u32::MAX), false, view, out);
            }
            Timer::LiquidationDeferred { keeper, height } => {
                let price = match self.watch {
                    Watch::Venue => self.marks[height as usize],
                    Watch::Outside => view.outside().map_or(0, |outside| outside.ticks),
                };
                self.keep(now, keeper, (price, height), true, view, out);
            }
            _ => {}
        }
    }

    /// A keeper checks its share of the accounts at a price, and sends again for those deferred up
    /// to this height; `only` for those.
    fn keep(
        &mut self,
        now: Ns,
        keeper: u32,
        (price, height): (Price, u32),
        only: bool,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        let account = self.accounts.keepers_from() + keeper;
        let gateway = self.accounts.gateway(account);
        let mut orders = 0;
        for target in view.below_maintenance(price) {
            if target % self.accounts.keepers != keeper || orders == self.orders_max {
                continue;
            }
            let sent = &mut self.sent_ns[target as usize];
            let waits = only || *sent != NEVER && now < *sent + self.resend_ns;
            if waits && !view.liquidation_deferred(target, height) {
                continue;
            }
            *sent = now;
            orders += 1;
            let order = LiquidationOrder { symbol: 0, target, order_qty: 0, trigger_price: price };
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
