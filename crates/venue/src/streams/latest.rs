//! What the last events have said of prices, positions and cash: the values with which the market
//! after a batch is compared.

use std::collections::BTreeMap;

use surgetank_layer::units::{AccountId, Money, Qty};
use surgetank_market::Market;

use crate::event::{Funding, Prices};

/// Values of the last events.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    prices: Vec<Prices>,
    fundings: BTreeMap<u16, Funding>,
    /// Positions that are not zero.
    holdings: BTreeMap<(AccountId, u16), Qty>,
    cash: BTreeMap<AccountId, Money>,
}

impl Latest {
    /// Of a market as it stands, and the last funding payments of its perpetuals.
    pub fn of(market: &Market, fundings: BTreeMap<u16, Funding>) -> Latest {
        let prices = (0..market.symbols()).map(|symbol| prices(market, symbol)).collect();
        let mut latest = Latest { prices, fundings, ..Latest::default() };
        for account in market.accounts() {
            latest.set_cash(account, market.cash(account));
            for symbol in 0..market.symbols() {
                latest.set_position(account, symbol, market.position(account, symbol));
            }
        }
        latest
    }

    /// Sets the prices of a market. Returns whether they are other ones.
    pub fn set_prices(&mut self, symbol: u16, now: Prices) -> bool {
        let of_market = self.prices.get_mut(usize::from(symbol));
        of_market.is_some_and(|prices| std::mem::replace(prices, now) != now)
    }

    /// Sets the last funding payment of a market.
    pub fn set_funding(&mut self, symbol: u16, funding: Funding) {
        self.fundings.insert(symbol, funding);
    }

    /// Sets a position. Returns whether it is another one.
    pub fn set_position(&mut self, account: AccountId, symbol: u16, qty: Qty) -> bool {
        let before = match qty {
            0 => self.holdings.remove(&(account, symbol)),
            qty => self.holdings.insert((account, symbol), qty),
        };
        before.unwrap_or(0) != qty
    }

    /// Sets an account's cash. Returns whether it is another amount.
    pub fn set_cash(&mut self, account: AccountId, cash: Money) -> bool {
        self.cash.insert(account, cash).unwrap_or(0) != cash
    }

    /// The prices of a market.
    pub fn prices(&self, symbol: u16) -> Option<Prices> {
        self.prices.get(usize::from(symbol)).copied()
    }

    /// The last funding payment of a market.
    pub fn funding(&self, symbol: u16) -> Option<Funding> {
        self.fundings.get(&symbol).copied()
    }

    /// The last funding payment of each market that has had one.
    pub fn fundings(&self) -> impl Iterator<Item = (u16, Funding)> + '_ {
        self.fundings.iter().map(|(&symbol, &funding)| (symbol, funding))
    }

    /// All positions that are not zero, by account and market.
    pub fn holdings(&self) -> impl Iterator<Item = (AccountId, u16, Qty)> + '_ {
        self.holdings.iter().map(|(&(account, symbol), &qty)| (account, symbol, qty))
    }

    /// The positions of an account that are not zero, by market.
    pub fn held_by(&self, account: AccountId) -> impl Iterator<Item = (u16, Qty)> + '_ {
        let held = self.holdings.range((account, 0)..=(account, u16::MAX));
        held.map(|(&(_, symbol), &qty)| (symbol, qty))
    }

    /// An account's cash.
    pub fn cash(&self, account: AccountId) -> Money {
        self.cash.get(&account).copied().unwrap_or(0)
    }
}

/// The prices of a market as it stands.
pub fn prices(market: &Market, symbol: u16) -> Prices {
    let (oracle, observed_ns) = market.oracle(symbol);
    Prices { oracle, observed_ns, mark: market.mark(symbol) }
}
