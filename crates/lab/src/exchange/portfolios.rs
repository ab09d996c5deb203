//! Accounts with options: opening positions.
//!
//! # Rules
//! 1. Positions are opened at their mark, so no account starts with a gain: equity equals deposits.
//! 2. One account with ample cash, which is not measured, holds the other side.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::options::{Chain, Contract, Listing};
use surgetank_market::{MarginMode, Market};
use surgetank_venue::genesis::Genesis;

use crate::actors::Accounts;
use crate::scenario::{self, Hold, ms};
use crate::seed::{Seed, Stream};

/// Deposit of accounts that are not measured, in USD: more than they can lose.
const DEEP_USD: f64 = 1e12;

/// Opens the portfolios. `empty` is the venue without accounts.
pub(super) fn open(
    genesis: &mut Genesis,
    empty: &Market,
    config: &scenario::Market,
    options: &scenario::Options,
    (accounts, seed): (&Accounts, &Seed),
) {
    let Some(chain) = empty.options() else { return };
    let (spot, first) = (empty.mark(0), empty.symbols());
    let quanta = |usd: f64| (usd / config.quantum_usd()).round() as Money;
    genesis.deposit(accounts.writer(), quanta(DEEP_USD), MarginMode::Cross);
    let mut draws = seed.stream("market.options", 0);
    let held = &options.positions;
    let mut nets = vec![0; 1 + chain.contracts().len()];
    for account in accounts.leveraged..accounts.judged() {
        genesis.deposit(account, 0, MarginMode::Portfolio);
        let notional = held.notional_usd * draws.exponential();
        let lots = (quanta(notional) / Money::from(spot)).max(1) as Qty;
        let (mut hedge, mut sold) = (0.0, Vec::new());
        for contract in legs(chain, options, spot, &mut draws) {
            let symbol = first + contract as u16;
            genesis.open(account, symbol, -lots, empty.mark(symbol));
            nets[1 + contract] -= lots;
            hedge += lots as f64 * chain.terms(contract, spot).greeks().delta;
            sold.push((contract, -lots as f64));
        }
        let hedge = if held.hedge { hedge.round() as Qty } else { 0 };
        if hedge != 0 {
            genesis.open(account, 0, hedge, spot);
            nets[0] += hedge;
        }
        let times = held.equity_min + (held.equity_max - held.equity_min) * draws.unit();
        sold.sort_by_key(|&(contract, _)| contract);
        let initial = chain.grid().requirement(hedge as f64, &sold).initial;
        let cash = (initial * times).ceil() as Money;
        genesis.deposit(account, cash.max(1), MarginMode::Portfolio);
    }
    for (contract, net) in nets.into_iter().enumerate().filter(|&(_, net)| net != 0) {
        let symbol = if contract == 0 { 0 } else { first + contract as u16 - 1 };
        genesis.open(accounts.writer(), symbol, -net, empty.mark(symbol));
    }
}

/// The options that the venue lists at this spot; their liquidator is the venue's.
pub(super) fn listing(options: &scenario::Options, spot: Price) -> Listing {
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
        liquidator: AccountId::MAX,
    }
}

fn strike(spot: Price, percent: f64) -> Price {
    ((spot as f64 * percent / 100.0).round() as Price).max(1)
}

/// Indices of the options that one portfolio has sold.
fn legs(chain: &Chain, options: &scenario::Options, spot: Price, draws: &mut Stream) -> Vec<usize> {
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
        chain.contracts().iter().position(|contract| *contract == wanted).unwrap_or(0)
    };
    sold.into_iter().map(number).collect()
}
