//! What a liquidation may lose, lot by lot: each lot carries its share of the equity behind the
//! position, and what its price lacks must be borne by the insurance fund.

use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::config::PRICE_MAX;
use crate::margin::{Ledger, split};

/// How far a liquidation may go, and what it has brought in.
pub(super) struct Budget {
    /// +1 closes a long.
    pub(super) sign: Money,
    /// Quote behind the position; leaving it for minus this is bankruptcy exactly.
    own: Money,
    /// Size of the position.
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

    /// Above zero: brought in beyond bankruptcy; below: lacking.
    pub(super) fn surplus(&self, price: Price, qty: Qty) -> Money {
        let notional = self.notional + Money::from(price) * Money::from(qty);
        self.sign * notional - self.at_bankruptcy(self.filled + qty)
    }

    /// Takes as much of `want` at this price as the insurance fund can stand for.
    pub(super) fn take(&mut self, price: Price, want: Qty) -> Qty {
        let bearable = |qty: Qty| self.surplus(price, qty) + self.insurance >= 0;
        let mut qty = want;
        if !bearable(want) {
            let mut above = want;
            qty = 0;
            while above - qty > 1 {
                let middle = qty + (above - qty) / 2;
                if bearable(middle) {
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
