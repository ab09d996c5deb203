//! Panicking traders: they react to a move of a market's outside price, and trade in that market.
//! Of several markets, each has its share of them by weight.

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Body, OrderCancelRequest, Side};
use surgetank_layer::units::{AccountId, Ns, SECOND};

use super::background::market_order;
use super::{Action, Timer, View, size_and_price};
use crate::scenario::{self, Scenario};
use crate::seed::{Seed, Stream};

/// Parameters and stream of panicking traders.
pub struct Panic {
    draws: Stream,
    window_ns: Ns,
    /// By market.
    rates_per_s_per_pct: Vec<f64>,
    order_usd: f64,
    flow_end_ns: Ns,
}

impl Panic {
    pub(super) fn new(scenario: &Scenario, seed: &Seed) -> Panic {
        let config = &scenario.flow.panic;
        let terms = scenario.market.iter().flat_map(scenario::Market::terms);
        let weights: Vec<f64> = terms.map(|terms| terms.weight).collect();
        let all: f64 = weights.iter().sum();
        let shares = weights.iter().map(|weight| weight / all);
        Panic {
            draws: seed.stream("flow.panic", 0),
            window_ns: (config.window_s * SECOND as f64) as Ns,
            rates_per_s_per_pct: shares.map(|share| config.rate_per_s_per_pct * share).collect(),
            order_usd: scenario.flow.mix.order_usd,
            flow_end_ns: scenario.flow_end_ns(),
        }
    }

    /// The outside prices have stepped: some traders panic before the next step.
    pub(super) fn spread(&mut self, now: Ns, next_ns: Ns, view: &impl View, out: &mut Vec<Action>) {
        for (market, &rate) in (0..).zip(&self.rates_per_s_per_pct) {
            if rate <= 0.0 {
                continue;
            }
            let step_ns = next_ns - now;
            let moved_pct = view.move_pct(market, self.window_ns).abs();
            let mean = rate * moved_pct * step_ns as f64 / SECOND as f64;
            // Exponential gaps inside the step: a Poisson process of the step's rate.
            let mut passed = self.draws.exponential() / mean.max(1e-12);
            while passed < 1.0 {
                let at = now + (passed * step_ns as f64) as Ns;
                if at < self.flow_end_ns {
                    out.push(Action::Wake { at, timer: Timer::Panic { market } });
                }
                passed += self.draws.exponential() / mean.max(1e-12);
            }
        }
    }

    /// The message in a market of one of `count` accounts from `first`: half sell out (or buy back) at market,
    /// half cancel an order.
    pub(super) fn message(
        &mut self,
        (first, count): (AccountId, u32),
        market: u16,
        cl_ord_id: u64,
        view: &impl View,
    ) -> (AccountId, Body) {
        let account = first + self.draws.below(u64::from(count.max(1))) as u32;
        let (sells, size) = (self.draws.unit() < 0.5, self.draws.exponential());
        let side = if view.move_pct(market, 5 * SECOND) < 0.0 { Side::Sell } else { Side::Buy };
        let (order_qty, price) = size_and_price(view, market, size * self.order_usd, side, 0.0);
        if sells {
            return (account, market_order(market, cl_ord_id, side, price, order_qty));
        }
        let orig_cl_ord_id = cl_ord_id.saturating_sub(1);
        let cancel = OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: market };
        (account, Body::OrderCancelRequest(cancel))
    }
}
