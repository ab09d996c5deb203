//! Margin requirements by the size of a position.
//!
//! Rules: notional is divided at the tiers' lower bounds, and each part needs the rates of its
//! tier. So a requirement is a continuous, piecewise linear function of notional: in tier k it is
//! rate_k × notional − deduction_k, with deduction_k = deduction_(k−1) + bound_k × (rate_k −
//! rate_(k−1)). Above its tiers' requirement the initial margin grows with the market's open
//! interest ([`OpenInterestCap`]); the maintenance margin does not.
//!
//! Theory of operation: rates do not fall from tier to tier, so the function is convex and equals
//! the greatest of its lines. A position is below maintenance iff it is below one of the lines, and
//! each line has its first liquidatable price in closed form.
//!
//! Source: Binance, "Leverage and Margin of USDⓈ-M Futures" (maintenance amount); Hyperliquid docs,
//! "Margin tiers" (maintenance deduction); dYdX v4 `x/perpetuals/types/liquidity_tier.go` (initial
//! margin by open interest).
//!
//! Departures: Binance and Hyperliquid let an account choose a leverage up to that of its notional's
//! tier and hold all of the notional to it, so their initial margin jumps at a bound; here its part
//! below the bound keeps the lower rate, as in the maintenance margin.

use surgetank_layer::units::{Money, Price, Qty};

use crate::config::{OpenInterestCap, PPM, SymbolConfig};

/// The requirement's line in one tier, for notional in quanta and a result in millionths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Notional at which the tier begins.
    pub above: Money,
    pub initial_ppm: Money,
    pub initial_deduction: Money,
    pub maintenance_ppm: Money,
    pub maintenance_deduction: Money,
}

/// The margin requirements of one market.
#[derive(Clone, Debug)]
pub(crate) struct Requirements {
    first: Line,
    /// The tiers above the first, rising.
    above: Vec<Line>,
    cap: Option<OpenInterestCap>,
}

impl Requirements {
    pub(crate) fn new(rules: &SymbolConfig) -> Requirements {
        let first = Line {
            above: 0,
            initial_ppm: Money::from(rules.initial_margin_ppm),
            initial_deduction: 0,
            maintenance_ppm: Money::from(rules.maintenance_margin_ppm),
            maintenance_deduction: 0,
        };
        let above = rules.tiers.iter().scan(first, |line, tier| {
            let initial_ppm = Money::from(tier.initial_ppm);
            let maintenance_ppm = Money::from(tier.maintenance_ppm);
            let more = |rate: Money, was: Money| tier.above * (rate - was);
            *line = Line {
                above: tier.above,
                initial_ppm,
                initial_deduction: line.initial_deduction + more(initial_ppm, line.initial_ppm),
                maintenance_ppm,
                maintenance_deduction: line.maintenance_deduction
                    + more(maintenance_ppm, line.maintenance_ppm),
            };
            Some(*line)
        });
        Requirements { first, above: above.collect(), cap: rules.open_interest_cap }
    }

    /// The lines whose greatest value is the requirement.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        std::iter::once(&self.first).chain(&self.above)
    }

    fn line(&self, notional: Money) -> &Line {
        self.above.iter().rev().find(|line| notional > line.above).unwrap_or(&self.first)
    }

    /// Maintenance margin in millionths of a quantum, exact.
    pub(crate) fn maintenance(&self, qty: Qty, at: Price) -> Money {
        let notional = notional(qty, at);
        let line = self.line(notional);
        notional * line.maintenance_ppm - line.maintenance_deduction
    }

    /// Initial margin in millionths of a quantum, with this open interest in lots; exact but for
    /// the growth with open interest, which is rounded up.
    pub(crate) fn initial(&self, qty: Qty, at: Price, open_interest: Money) -> Money {
        let notional = notional(qty, at);
        let line = self.line(notional);
        let plain = notional * line.initial_ppm - line.initial_deduction;
        let Some(OpenInterestCap { lower, upper }) = self.cap else { return plain };
        let open = open_interest * Money::from(at);
        let grown = (open.min(upper) - lower).max(0) * Money::from(PPM);
        let share_ppm = (grown + upper - lower - 1) / (upper - lower);
        plain + (notional - plain / Money::from(PPM)) * share_ppm
    }
}

fn notional(qty: Qty, price: Price) -> Money {
    Money::from(qty.abs()) * Money::from(price)
}
