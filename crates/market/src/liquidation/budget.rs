//! How much a liquidation may lose, lot by lot: each lot carries its share of the equity behind the
//! position, and the insurance fund must cover any shortfall of its price.

use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::config::PRICE_MAX;
use crate::margin::{Ledger, split};

/// The loss that a liquidation may make, and its proceeds so far.
pub(super) struct Budget {
    /// +1 to close a long, −1 to close a short.
    pub(super) sign: Money,
    /// Quote behind the position; a close for minus this amount is exactly bankruptcy.
    own: Money,
    /// Size of the position, in lots; unsigned.
    size: Qty,
    insurance: Money,
    pub(super) filled: Qty,
    pub(super) notional: Money,
}

impl Budget {
    pub(super) fn new(
        ledger: &Ledger,
        account: AccountId,
        symbol: usize,
        insurance: Money,
    ) -> Budget {
        let held = ledger.position(account, symbol).qty;
        let own = ledger.own_quote(account, symbol);
        let sign = Money::from(held.signum());
        Budget { sign, own, size: held.abs(), insurance, filled: 0, notional: 0 }
    }

    /// What closing the first `qty` lots at the bankruptcy price adds to the quote.
    pub(super) fn at_bankruptcy(&self, qty: Qty) -> Money {
        -split(self.own, Money::from(qty), Money::from(self.size))
    }

    /// Bankruptcy price in whole ticks, rounded down.
    pub(super) fn bankruptcy_price(&self) -> Price {
        let price = (-self.own * self.sign).div_euclid(Money::from(self.size).max(1));
        price.clamp(Money::from(-PRICE_MAX), Money::from(2 * PRICE_MAX)) as Price
    }

    /// Proceeds beyond those at the bankruptcy price; negative: the shortfall.
    pub(super) fn surplus(&self, price: Price, qty: Qty) -> Money {
        let notional = self.notional + Money::from(price) * Money::from(qty);
        self.sign * notional - self.at_bankruptcy(self.filled + qty)
    }

    /// Takes as much of `want` at this price as the insurance fund can cover.
    pub(super) fn take(&mut self, price: Price, want: Qty) -> Qty {
        let affordable = |qty: Qty| self.surplus(price, qty) + self.insurance >= 0;
        let mut qty = want;
        if !affordable(want) {
            let mut above = want;
            qty = 0;
            while above - qty > 1 {
                let middle = qty + (above - qty) / 2;
                if affordable(middle) {
                    qty = middle;
                } else {
                    above = middle;
                }
            }
        }
        self.filled += qty;
        self.notional += Money::from(price) * Money::from(qty);
        qty
    }
}
