//! Keepers: they hear prices from the venue and send liquidation orders.

use surgetank_layer::message::{Body, LiquidationOrder};
use surgetank_layer::units::{NEVER, NodeId, Ns};

use super::Accounts;
use crate::scenario::ms;
use crate::trace::{MarketKind, MarketRow, Source};
use crate::world::actors::Wake;
use crate::world::{Event, World};

/// What keepers remember.
pub struct Keepers {
    /// When a liquidation order for an account was last sent.
    sent_ns: Vec<Ns>,
}

impl Keepers {
    pub(super) fn new(accounts: &Accounts) -> Keepers {
        Keepers { sent_ns: vec![NEVER; accounts.count() as usize] }
    }
}

impl World {
    /// A node has executed a block with a new price: its keepers hear of it.
    pub(in crate::world) fn tell_keepers(&mut self, node: NodeId, height: u32) {
        let accounts = self.actors.accounts;
        let reaction = ms(self.scenario.flow.keepers.reaction_ms)
            + ms(self.scenario.flow.client_link.fixed_ms);
        for keeper in 0..accounts.keepers {
            if self.gateway_of(accounts.keepers_from() + keeper) == node {
                let wake = Wake::Keeper { keeper, height };
                self.agenda.push(self.now + reaction, Event::Actor(wake));
            }
        }
    }

    /// A keeper looks at its share of the accounts with the price that it has received.
    pub(super) fn keep(&mut self, keeper: u32, height: u32) {
        let config = self.scenario.flow.keepers.clone();
        let Some(exchange) = &mut self.exchange else { return };
        let price = exchange.mark_at(height);
        let below = exchange.below_maintenance(price);
        let account = self.actors.accounts.keepers_from() + keeper;
        let (gateway, resend) = (self.gateway_of(account), ms(config.resend_ms));
        let mut orders = 0;
        for target in below {
            let sent = &mut self.actors.keepers.sent_ns[target as usize];
            let recent = *sent != NEVER && self.now < *sent + resend;
            if target % config.count != keeper || recent || orders == config.orders_max {
                continue;
            }
            *sent = self.now;
            orders += 1;
            let order = LiquidationOrder { symbol: 0, target, order_qty: 0, trigger_price: price };
            let body = Body::LiquidationOrder(order);
            let message = self.send(self.now, account, gateway, Source::Keeper, body);
            if let Some(exchange) = &mut self.exchange {
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
