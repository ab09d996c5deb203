//! Benchmarks of trades: the book's best prices, and the send times of orders.
//!
//! # Rules
//! 1. After each block the best bid and ask are recorded where they changed; 0 is an empty side.
//! 2. Immediate orders and liquidation orders are recorded at their intended send time.

use surgetank_layer::message::{Body, Message, OrdType, Side, TimeInForce};
use surgetank_layer::units::{Ns, Price};
use surgetank_market::Market;

use super::Recorder;
use crate::trace::{MarketKind, MarketRow};

/// Best bid and ask of a market's book.
pub(super) fn touch(venue: &Market, market: u16) -> (Option<Price>, Option<Price>) {
    let best = |side| venue.book(market).best(side).map(|(price, _)| price);
    (best(Side::Buy), best(Side::Sell))
}

impl Recorder {
    /// Records the best prices of a market after a block.
    pub(super) fn note_touch(&mut self, now: Ns, venue: &Market, market: u16) {
        let (bid, ask) = touch(venue, market);
        let touch = (bid.unwrap_or(0), ask.unwrap_or(0));
        let touched = &mut self.perpetuals[usize::from(market)].touched;
        if touch != *touched {
            *touched = touch;
            let (price, amount) = touch;
            let row = MarketRow::new(now, MarketKind::Touch);
            self.row(MarketRow { market, price, amount, ..row });
        }
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
