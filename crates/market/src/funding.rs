//! Funding payments: longs pay shorts while the perpetual trades above its oracle price, and the
//! reverse.
//!
//! Rules: at a payment each position pays quantity × oracle price × rate ([`crate::premium`]), out
//! of its account's cash (isolated: its own quote). What a payer owes is rounded up and what a
//! receiver gets is rounded down; the difference is the venue's, [`Market::funding_remainder`]. An
//! account that is below maintenance after its payment, and was not before, is margin called.
//!
//! Source: Hyperliquid docs, "Funding" (position × oracle price × rate); dYdX v4 `x/subaccounts`
//! (settlement of the funding index, rounded in the protocol's favour).
//!
//! Departures: dYdX settles a payment when an account is next touched; here all pay at once.

use surgetank_layer::units::{AccountId, Money, Ns};

use crate::facts::Fact;
use crate::market::Market;
use crate::premium::PPB;

impl Market {
    /// Whether any market has funding payments.
    pub fn has_funding(&self) -> bool {
        self.premiums.iter().any(Option::is_some)
    }

    /// Samples the premiums and makes the payments whose time has come: once per block, at its
    /// execution and after the prices that it carries.
    pub fn fund(&mut self, now: Ns, facts: &mut Vec<Fact>) {
        for symbol in 0..self.symbols() {
            let s = usize::from(symbol);
            let (oracle, _) = self.oracle(symbol);
            let rules = &self.config.symbols[s];
            let Some((premiums, funding)) = self.premiums[s].as_mut().zip(rules.funding.as_ref())
            else {
                continue;
            };
            premiums.sample(now, funding, &self.books[s], oracle);
            let Some(rate) = premiums.due(now, rules) else { continue };
            let (paid, remainder) = self.pay_funding(s, Money::from(rate.paid_ppb));
            facts.push(Fact::Funding {
                symbol,
                price: oracle,
                premium_ppb: rate.premium_ppb,
                rate_ppb: rate.paid_ppb,
                paid,
                remainder,
            });
            self.margin_calls(symbol, None, self.mark(symbol), facts);
        }
    }

    /// Pays this rate of notional from longs to shorts; returns what was paid in all, and what of
    /// it was not received.
    fn pay_funding(&mut self, symbol: usize, rate_ppb: Money) -> (Money, Money) {
        let oracle = Money::from(self.mark_prices[symbol].oracle().0);
        let (mut paid, mut remainder) = (0, 0);
        for account in 0..self.ledger.positions(symbol).len() as AccountId {
            let qty = Money::from(self.ledger.position(account, symbol).qty);
            let owed = -((-qty * oracle * rate_ppb).div_euclid(PPB));
            if owed == 0 {
                continue;
            }
            self.ledger.pay(account, symbol, owed);
            let index = account as usize;
            if index >= self.funding_paid.len() {
                self.funding_paid.resize(index + 1, 0);
            }
            self.funding_paid[index] += owed;
            paid += owed.max(0);
            remainder += owed;
        }
        self.funding_remainder += remainder;
        (paid, remainder)
    }

    /// Funding that an account has paid so far, less what it received, in quanta.
    pub fn funding_paid(&self, account: AccountId) -> Money {
        self.funding_paid.get(account as usize).copied().unwrap_or(0)
    }

    /// Funding that was paid and, by rounding, not received; never negative.
    pub fn funding_remainder(&self) -> Money {
        self.funding_remainder
    }
}
