//! Benchmarks of trades: the book's best prices, and the send times of orders.
//!
//! # Rules
//! 1. After each block the best bid and ask are recorded where they changed; 0 is an empty side.
//! 2. Immediate orders and liquidation orders are recorded at their intended send time.

use surgetank_layer::message::{Body, Message, OrdType, TimeInForce};
use surgetank_layer::units::Ns;
use surgetank_market::Market;
use surgetank_venue::execution::Touch;

use super::Recorder;
use crate::trace::{MarketKind, MarketRow};

impl Recorder {
    /// Records the best prices of a market after a block.
    pub(super) fn note_touch(&mut self, now: Ns, market: u16, (bid, ask): Touch) {
        self.row(MarketRow {
            market,
            price: bid.unwrap_or(0),
            amount: ask.unwrap_or(0),
            ..MarketRow::new(now, MarketKind::Touch)
        });
    }

    /// Records an immediate order or a liquidation order that is sent.
    pub fn note_sent(&mut self, venue: &Market, message: &Message) {
        let order = match &message.body {
            Body::NewOrderSingle(order) => order,
            Body::LiquidationOrder(order) => {
                return self.row(MarketRow {
                    message: message.id,
                    account: order.target,
                    market: order.symbol,
                    price: order.trigger_price,
                    ref_ns: self.due_ns(venue, order.target, order.symbol),
                    ..MarketRow::new(message.sent_ns, MarketKind::LiquidationSent)
                });
            }
            _ => return,
        };
        let market = order.ord_type == OrdType::Market;
        if market || order.time_in_force == TimeInForce::ImmediateOrCancel {
            self.row(MarketRow {
                message: message.id,
                account: message.account,
                market: order.symbol,
                price: if market { 0 } else { order.price },
                qty: order.order_qty * order.side.sign(),
                ..MarketRow::new(message.sent_ns, MarketKind::OrderSent)
            });
        }
    }
}
