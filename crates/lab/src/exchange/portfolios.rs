//! Accounts with options: opening positions.
//!
//! # Rules
//! 1. Positions are opened at their mark, so no account starts with a gain: equity equals deposits.
//! 2. One account with ample cash, which is not measured, holds the other side.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::options::{Contract, Listing};
use surgetank_market::{MarginMode, Market};

use crate::actors::Accounts;
use crate::scenario::{self, Hold, ms};
use crate::seed::{Seed, Stream};

/// Deposit of accounts that are not measured, in USD: more than they can lose.
const DEEP_USD: f64 = 1e12;

/// Lists options and opens the portfolios.
pub(super) fn open(
    market: &mut Market,
    config: &scenario::Market,
    options: &scenario::Options,
    accounts: &Accounts,
    seed: &Seed,
) {
    let spot = market.mark(0);
    market.list(listing(options, spot, accounts.liquidator()));
    let quanta = |usd: f64| (usd / config.quantum_usd()).round() as Money;
    market.deposit(accounts.writer(), quanta(DEEP_USD), MarginMode::Cross);
    let mut draws = seed.stream("market.options", 0);
    let held = &options.positions;
    let mut nets = vec![0; 1 + market.options().map_or(0, |chain| chain.contracts().len())];
    for account in accounts.leveraged..accounts.judged() {
        market.deposit(account, 0, MarginMode::Portfolio);
        let notional = held.notional_usd * draws.exponential();
        let lots = (quanta(notional) / Money::from(spot)).max(1) as Qty;
        let mut hedge = 0.0;
        for symbol in legs(market, options, spot, &mut draws) {
            market.open(account, symbol, -lots, market.mark(symbol));
            nets[usize::from(symbol)] -= lots;
            hedge += lots as f64 * delta(market, symbol, spot);
        }
        let hedge = if held.hedge { hedge.round() as Qty } else { 0 };
        if hedge != 0 {
            market.open(account, 0, hedge, spot);
            nets[0] += hedge;
        }
        let times = held.equity_min + (held.equity_max - held.equity_min) * draws.unit();
        let cash = (market.requirement(account).initial * times).ceil() as Money;
        market.deposit(account, cash.max(1), MarginMode::Portfolio);
    }
    for (symbol, net) in (0..).zip(nets).filter(|&(_, net)| net != 0) {
        market.open(accounts.writer(), symbol, -net, market.mark(symbol));
    }
}

fn listing(options: &scenario::Options, spot: Price, liquidator: AccountId) -> Listing {
    let mut contracts = Vec::new();
    for &days in &options.expiry_days {
        for &percent in &options.strikes_pct {
            let strike = strike(spot, percent);
            let expiry_ns = ms(days * 86_400e3);
            contracts.extend([true, false].map(|call| Contract { expiry_ns, strike, call }));
        }
    }
    Listing {
        contracts,
        vol: options.vol,
        rule: options.rule,
        auction: options.auction,
        liquidator,
    }
}

fn strike(spot: Price, percent: f64) -> Price {
    ((spot as f64 * percent / 100.0).round() as Price).max(1)
}

/// The options that one portfolio has sold.
fn legs(market: &Market, options: &scenario::Options, spot: Price, draws: &mut Stream) -> Vec<u16> {
    let mut pick = |n: usize| ((draws.unit() * n as f64) as usize).min(n - 1);
    let days = options.expiry_days[pick(options.expiry_days.len())];
    let mut strikes = options.strikes_pct.clone();
    // Nearest to the start first.
    strikes.sort_by(|a, b| (a - 100.0).abs().total_cmp(&(b - 100.0).abs()));
    let nearest = strikes[0];
    let side = |above: bool| -> Vec<f64> {
        let beyond = |p: &f64| if above { *p > 100.0 } else { *p < 100.0 };
        strikes.iter().copied().filter(beyond).collect()
    };
    let (below, above) = (side(false), side(true));
    let sold = match options.positions.hold {
        Hold::ShortStraddles => vec![(nearest, false), (nearest, true)],
        Hold::ShortPuts => vec![(below[pick(below.len())], false)],
        Hold::ShortStrangles => {
            let rank = pick(below.len().min(above.len()));
            vec![(below[rank], false), (above[rank], true)]
        }
    };
    let number = |(percent, call): (f64, bool)| {
        let wanted =
            Contract { expiry_ns: ms(days * 86_400e3), strike: strike(spot, percent), call };
        let chain = market.options().map_or(&[][..], |chain| chain.contracts());
        let at = chain.iter().position(|contract| *contract == wanted);
        market.symbols() + at.unwrap_or(0) as u16
    };
    sold.into_iter().map(number).collect()
}

fn delta(market: &Market, symbol: u16, spot: Price) -> f64 {
    let contract = usize::from(symbol - market.symbols());
    market.options().map_or(0.0, |chain| chain.terms(contract, spot).greeks().delta)
}
