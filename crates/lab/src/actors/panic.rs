//! Panicking traders: they react to a move of the outside price.

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Body, OrderCancelRequest, Side};
use surgetank_layer::units::{AccountId, Ns, SECOND};

use super::background::market_order;
use super::{Action, Timer, View, size_and_price};
use crate::scenario::Scenario;
use crate::seed::{Seed, Stream};

/// Parameters and stream of panicking traders.
pub struct Panic {
    draws: Stream,
    window_ns: Ns,
    rate_per_s_per_pct: f64,
    order_usd: f64,
    flow_end_ns: Ns,
}

impl Panic {
    pub(super) fn new(scenario: &Scenario, seed: &Seed) -> Panic {
        let config = &scenario.flow.panic;
        Panic {
            draws: seed.stream("flow.panic", 0),
            window_ns: (config.window_s * SECOND as f64) as Ns,
            rate_per_s_per_pct: config.rate_per_s_per_pct,
            order_usd: scenario.flow.mix.order_usd,
            flow_end_ns: scenario.flow_end_ns(),
        }
    }

    /// The outside price has stepped: some traders panic before the next step.
    pub(super) fn spread(&mut self, now: Ns, next_ns: Ns, view: &impl View, out: &mut Vec<Action>) {
        if self.rate_per_s_per_pct <= 0.0 {
            return;
        }
        let step_ns = next_ns - now;
        let moved_pct = view.move_pct(self.window_ns).abs();
        let mean = self.rate_per_s_per_pct * moved_pct * step_ns as f64 / SECOND as f64;
        // Exponential gaps inside the step: a Poisson process of the step's rate.
        let mut passed = 0.0;
        loop {
            passed += self.draws.exponential() / mean.max(1e-12);
            if passed >= 1.0 {
                return;
            }
            let at = now + (passed * step_ns as f64) as Ns;
            if at < self.flow_end_ns {
                out.push(Action::Wake { at, timer: Timer::Panic });
            }
        }
    }

    /// The message of one of `count` accounts from `first`: half sell out (or buy back) at market,
    /// half cancel an order.
    pub(super) fn message(
        &mut self,
        (first, count): (AccountId, u32),
        cl_ord_id: u64,
        view: &impl View,
    ) -> (AccountId, Body) {
        let account = first + self.draws.below(u64::from(count.max(1))) as u32;
        let (sells, size) = (self.draws.unit() < 0.5, self.draws.exponential());
        let side = if view.move_pct(5 * SECOND) < 0.0 { Side::Sell } else { Side::Buy };
        let (order_qty, price) = size_and_price(view, size * self.order_usd, side, 0.0);
        if sells {
            return (account, market_order(cl_ord_id, side, price, order_qty));
        }
        let orig_cl_ord_id = cl_ord_id.saturating_sub(1);
        let cancel = OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 };
        (account, Body::OrderCancelRequest(cancel))
    }
}
