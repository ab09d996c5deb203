//! Auto-deleveraging: a bankrupt position is closed at its bankruptcy price against accounts with
//! profit.
//!
//! Counterparties are ranked by profit/entry notional × notional/equity (profit ratio × leverage;
//! for an account with a loss profit ratio ÷ leverage), then by account number; an account that the
//! close would bankrupt in turn is skipped.
//!
//! Source: Binance "Auto-Deleveraging (ADL)" for the rank; dYdX v4 `deleveraging.go` for the price.
//!
//! Departures: dYdX deleverages against a pseudo-random opposite, Hyperliquid at the previous
//! oracle price.

use surgetank_layer::units::{AccountId, Money, Price, Qty};

use super::Budget;
use crate::config::PPM;
use crate::facts::{Bearer, Fact};
use crate::market::Market;

impl Market {
    /// Step 4 of a liquidation; returns the quantity closed, in lots.
    pub(super) fn deleverage(
        &mut self,
        account: AccountId,
        symbol: u16,
        most: Qty,
        facts: &mut Vec<Fact>,
    ) -> Qty {
        let s = usize::from(symbol);
        let budget = Budget::new(&self.ledger, account, s, 0);
        let (sign, mark, price) = (budget.sign, self.ledger.mark(s), budget.bankruptcy_price());
        let (mut done, mut borne) = (0, 0);
        for (_, against) in self.adl_ranking(s, sign) {
            let theirs = self.ledger.position(against, s).qty.abs();
            let qty = theirs.min(most - done);
            if qty == 0 {
                break;
            }
            let value = budget.at_bankruptcy(done + qty) - budget.at_bankruptcy(done);
            let haircut = value - sign * Money::from(qty) * Money::from(mark);
            if self.ledger.risk(against, s, mark).0 < haircut {
                continue;
            }
            let signed = qty * sign as Qty;
            self.ledger.close(account, s, -signed, -value);
            self.ledger.close(against, s, signed, value);
            facts.push(Fact::Deleveraged { account, against, symbol, qty, price, haircut });
            self.settle_flat(against, symbol, facts);
            done += qty;
            borne += haircut;
        }
        if borne > 0 {
            self.bad_debt += borne;
            let borne_by = Bearer::Deleveraged;
            facts.push(Fact::BadDebt { account, symbol, amount: borne, borne_by });
        }
        done
    }

    /// Holders of positions opposite to `sign` with their score, in the order in which they are
    /// deleveraged.
    fn adl_ranking(&self, symbol: usize, sign: Money) -> Vec<(Money, AccountId)> {
        let mark = Money::from(self.ledger.mark(symbol));
        let ppm = Money::from(PPM);
        let mut ranked = Vec::new();
        for (p, account) in self.ledger.positions(symbol).iter().zip(0..) {
            if Money::from(p.qty.signum()) != -sign {
                continue;
            }
            let equity = self.ledger.risk(account, symbol, mark as Price).0;
            if equity <= 0 {
                continue;
            }
            let value = Money::from(p.qty) * mark;
            let profit_ppm = (value - p.cost) * ppm / p.cost.abs().max(1);
            let leverage_ppm = (value.abs() * ppm / equity).max(1);
            let score = if profit_ppm > 0 {
                profit_ppm.saturating_mul(leverage_ppm)
            } else {
                profit_ppm.saturating_mul(ppm) / leverage_ppm
            };
            ranked.push((score, account));
        }
        ranked.sort_unstable_by_key(|&(score, account)| (std::cmp::Reverse(score), account));
        ranked
    }
}
