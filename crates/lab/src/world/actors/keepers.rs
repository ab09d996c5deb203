//! Keepers: they hear prices from the venue, or see the outside price, and send liquidation orders.

use surgetank_layer::message::{Body, LiquidationOrder};
use surgetank_layer::units::{AccountId, NEVER, NodeId, Ns, Price};

use super::Accounts;
use crate::scenario::{Watch, ms};
use crate::trace::{MarketKind, MarketRow, Source};
use crate::world::actors::Wake;
use crate::world::{Event, World};

/// What keepers remember.
pub struct Keepers {
    /// When a liquidation order for an account was last sent.
    sent_ns: Vec<Ns>,
    /// Outside prices that made some keeper act.
    seen: Vec<Price>,
}

impl Keepers {
    pub(super) fn new(accounts: &Accounts) -> Keepers {
        Keepers { sent_ns: vec![NEVER; accounts.end() as usize], seen: Vec::new() }
    }
}

impl World {
    /// A node has executed a block with a new price: its keepers hear of it.
    pub(in crate::world) fn tell_keepers(&mut self, node: NodeId, height: u32) {
        let accounts = self.actors.accounts;
        if self.scenario.flow.keepers.watch != Watch::Venue {
            return;
        }
        let reaction = ms(self.scenario.flow.keepers.reaction_ms)
            + ms(self.scenario.flow.client_link.fixed_ms);
        for keeper in 0..accounts.keepers {
            if self.gateway_of(accounts.keepers_from() + keeper) == node {
                let wake = Wake::Keeper { keeper, height };
                self.agenda.push(self.now + reaction, Event::Actor(wake));
            }
        }
    }

    /// The outside price has stepped: keepers who watch it, and have somebody to close out, react.
    pub(in crate::world) fn alert_keepers(&mut self) {
        let config = &self.scenario.flow.keepers;
        let Some(exchange) = &self.exchange else { return };
        if config.watch != Watch::Outside || config.count == 0 {
            return;
        }
        let (reaction, resend) = (ms(config.reaction_ms), ms(config.resend_ms));
        let acts_ns = self.now + reaction;
        let keepers = &mut self.actors.keepers;
        let mut alerted = vec![false; config.count as usize];
        for target in exchange.due_accounts() {
            let sent = keepers.sent_ns[target as usize];
            let again = exchange.cut_off(target, u32::MAX);
            alerted[(target % config.count) as usize] |=
                sent == NEVER || acts_ns >= sent + resend || again;
        }
        let seen = keepers.seen.len() as u32;
        for (keeper, _) in (0..).zip(alerted).filter(|&(_, alerted)| alerted) {
            self.agenda.push(acts_ns, Event::Actor(Wake::Watcher { keeper, seen }));
            if keepers.seen.len() as u32 == seen {
                keepers.seen.push(exchange.outside_ticks());
            }
        }
    }

    /// Orders for these accounts found nothing to liquidate: a keeper with eyes of its own may send
    /// again as soon as one is due again. (One that goes by the venue's marks waits out `resend_ms`.)
    pub(in crate::world) fn forget_orders(&mut self, accounts: &[AccountId]) {
        if self.scenario.flow.keepers.watch == Watch::Outside {
            for &account in accounts {
                self.actors.keepers.sent_ns[account as usize] = NEVER;
            }
        }
    }

    /// A keeper has heard the mark of a block.
    pub(super) fn hear(&mut self, keeper: u32, height: u32) {
        if let Some(exchange) = &self.exchange {
            self.keep(keeper, exchange.mark_at(height), height, false);
        }
    }

    /// A keeper acts on an outside price that it has seen.
    pub(super) fn see(&mut self, keeper: u32, seen: u32) {
        self.keep(keeper, self.actors.keepers.seen[seen as usize], u32::MAX, false);
    }

    /// A node has executed a block in which a limit cut liquidations off: its keepers hear of it,
    /// and go on at once, for those accounts are on their lists.
    pub(in crate::world) fn tell_cut_off(&mut self, node: NodeId, height: u32) {
        let accounts = self.actors.accounts;
        let at = self.now + ms(self.scenario.flow.client_link.fixed_ms);
        for keeper in 0..accounts.keepers {
            if self.gateway_of(accounts.keepers_from() + keeper) == node {
                self.agenda.push(at, Event::Actor(Wake::Again { keeper, height }));
            }
        }
    }

    pub(super) fn keep_on(&mut self, keeper: u32, height: u32) {
        let Some(exchange) = &self.exchange else { return };
        let price = match self.scenario.flow.keepers.watch {
            Watch::Venue => exchange.mark_at(height),
            Watch::Outside => exchange.outside_ticks(),
        };
        self.keep(keeper, price, height, true);
    }

    /// A keeper looks at its share of the accounts with a price that it knows, and sends again for
    /// those that were cut off up to this height; `only` for those.
    fn keep(&mut self, keeper: u32, price: Price, height: u32, only: bool) {
        let config = self.scenario.flow.keepers.clone();
        let Some(exchange) = &mut self.exchange else { return };
        let below = exchange.below_maintenance(price);
        let account = self.actors.accounts.keepers_from() + keeper;
        let (gateway, resend) = (self.gateway_of(account), ms(config.resend_ms));
        let mut orders = 0;
        for target in below {
            let sent = &mut self.actors.keepers.sent_ns[target as usize];
            let again =
                self.exchange.as_ref().is_some_and(|exchange| exchange.cut_off(target, height));
            let waits = *sent != NEVER && self.now < *sent + resend || only;
            if target % config.count != keeper || waits && !again || orders == config.orders_max {
                continue;
            }
            *sent = self.now;
            orders += 1;
            let order = LiquidationOrder { symbol: 0, target, order_qty: 0, trigger_price: price };
            let body = Body::LiquidationOrder(order);
            let message = self.send(self.now, account, gateway, Source::Keeper, body);
            if let Some(exchange) = &mut self.exchange {
                exchange.sent_again(target);
                exchange.rows.push(MarketRow {
                    message,
                    account: target,
                    price,
                    ref_ns: exchange.due_ns(target),
                    ..MarketRow::new(self.now, MarketKind::LiquidationSent)
                });
            }
        }
    }
}
