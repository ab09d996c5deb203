//! Opens the market with all accounts' cash and positions, from `[market]`.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::{AssetPrice, CloseOut, Config, MarginMode, Market, PPM, SymbolConfig};

use surgetank_venue::execution::Execution;

use super::outside::OutsidePath;
use super::perpetual::Perpetual;
use super::position_book::{self, PositionBook, Units};
use super::quotas::Quotas;
use super::{Exchange, Opening, bounds, portfolios};
use crate::actors::{Accounts, weighted};
use crate::flow::Tape;
use crate::scenario::{self, Collateral, Scenario};
use crate::seed::{Seed, Stream};

/// Opens the exchange of a scenario; `None` if it has no market.
///
/// # Errors
/// Names the key and what to change.
pub fn open(
    scenario: &Scenario,
    tape: Option<&Tape>,
    book: Option<&PositionBook>,
    seed: &Seed,
) -> Result<Option<Exchange>, String> {
    let Some(config) = &scenario.market else { return Ok(None) };
    let (mut outside, mut perpetuals) = (Vec::new(), Vec::new());
    for (market, terms) in config.terms().enumerate() {
        let (price, start_usd) = OutsidePath::open(market, &terms, tape, seed)?;
        outside.push(price);
        perpetuals.push(Perpetual::new(&terms, start_usd));
    }
    let accounts = Accounts::new(scenario);
    bounds::check(config, tape, &perpetuals, &accounts)?;
    let ticks: Vec<Price> = perpetuals.iter().map(|perpetual| perpetual.ticks).collect();
    let units: Vec<Units> = perpetuals.iter().map(Units::of).collect();
    let mut market = open_market(scenario, config, &accounts, &ticks, seed, book.is_none());
    if let Some(book) = book {
        let accepted: Vec<_> = config.collateral.iter().map(|held| held.asset).collect();
        book.open(&mut market, &accounts, &units, &accepted)?;
    }
    market.check_genesis().map_err(|imbalance| format!("market.positions: {imbalance}"))?;
    if let Some(book) = book {
        book.set_entries(&mut market, &units);
    }
    let quotas = Quotas::new(scenario);
    let execution = Execution::of(market, config.matching);
    let opening = Opening { execution, outside, perpetuals, accounts, quotas };
    Ok(Some(Exchange::new(opening, config)))
}

/// USD in quanta, the value of one lot at one tick.
fn quanta(config: &scenario::Market, usd: f64) -> Money {
    (usd / config.quantum_usd()).round() as Money
}

/// A symbol's rules, with the accounts that they name.
fn symbol(rules: &SymbolConfig, accounts: &Accounts) -> SymbolConfig {
    let mut symbol = rules.clone();
    if let CloseOut::Oracle { against, .. } = &mut symbol.close_out {
        *against = accounts.liquidator();
    }
    if let Some(backstop) = &mut symbol.backstop {
        backstop.vault = accounts.vault();
    }
    symbol
}

fn open_market(
    scenario: &Scenario,
    config: &scenario::Market,
    accounts: &Accounts,
    ticks: &[Price],
    seed: &Seed,
    drawn: bool,
) -> Market {
    let quanta = |usd| quanta(config, usd);
    let symbols: Vec<_> = config.terms().map(|terms| symbol(terms.symbol, accounts)).collect();
    let at_oracle = |rules: &SymbolConfig| matches!(rules.close_out, CloseOut::Oracle { .. });
    let outside =
        symbols.iter().any(at_oracle) || config.options.is_some() || !config.collateral.is_empty();
    let backed = symbols.iter().any(|rules| rules.backstop.is_some());
    let rules = Config { symbols, insurance: config.insurance };
    let mut market = Market::new(rules, ticks);
    if let Some(limits) = config.per_block {
        market.limit(limits);
    }
    let assets = config.collateral.iter().map(|collateral| collateral.asset).collect();
    market.accept_collateral(assets, accounts.liquidator());
    if drawn {
        take_positions(&mut market, config, accounts, ticks, seed);
    }
    let maker_usd = scenario.flow.makers.capital_usd;
    for account in accounts.background_from()..accounts.count() {
        let usd = if accounts.maker(account).is_some() { maker_usd } else { 1e9 };
        market.deposit(account, quanta(usd), MarginMode::Cross);
    }
    let attacker_usd = scenario.attack.capital_usd / f64::from(accounts.attackers.max(1));
    for account in accounts.attacking() {
        market.deposit(account, quanta(attacker_usd), MarginMode::Cross);
    }
    if let Some(options) = &config.options {
        portfolios::open(&mut market, config, options, accounts, seed);
    }
    if outside {
        // It hedges outside; its cash only has to exceed any loss here.
        market.deposit(accounts.liquidator(), quanta(1e12), MarginMode::Cross);
    }
    if backed {
        market.deposit(accounts.vault(), config.vault, MarginMode::Cross);
    }
    market
}

/// Opens leveraged positions, and those of the hedgers on the other side.
fn take_positions(
    market: &mut Market,
    config: &scenario::Market,
    accounts: &Accounts,
    ticks: &[Price],
    seed: &Seed,
) {
    let mut draws = seed.stream("market.positions", 0);
    let mut buffers = seed.stream("market.buffers", 0);
    let mut choices = seed.stream("market.choices", 0);
    let (positions, mode) = (&config.positions, config.mode);
    let weights: Vec<f64> = config.terms().map(|terms| terms.weight).collect();
    let mut nets = vec![0; weights.len()];
    for account in 0..accounts.leveraged {
        let notional = positions.notional_usd * draws.exponential();
        let share = draws.unit();
        let margin_share = share / positions.leverage_max + (1.0 - share) / positions.leverage_min;
        let buffer = positions.buffer_min + (1.0 - positions.buffer_min) * buffers.unit();
        let held = markets_of(&weights, positions.markets, &mut choices);
        for &s in &held {
            let long = draws.unit() < positions.long_share;
            let part = notional / held.len() as f64;
            let lots = (quanta(config, part) / Money::from(ticks[s])).max(1) as Qty;
            let value = lots as f64 * ticks[s] as f64;
            let share = |millionths: Money| millionths as f64 / value / f64::from(PPM);
            let (initial, maintenance) = market.margin_of(s as u16, lots);
            // A position has at most the leverage of its market and tier.
            let margin_share = margin_share.max(share(initial));
            let maintenance = share(maintenance);
            let backing = maintenance + buffer * (margin_share - maintenance);
            let backing = if positions.buffer_min < 1.0 { backing } else { margin_share };
            let cash = (value * backing).ceil() as Money;
            let qty = if long { lots } else { -lots };
            let in_assets = deposit_assets(market, config, account, cash, ticks);
            market.deposit(account, cash - in_assets, mode);
            market.open(account, s as u16, qty, ticks[s]);
            nets[s] += qty;
        }
    }
    for (s, &net) in nets.iter().enumerate() {
        position_book::hedge(market, accounts, (s as u16, ticks[s]), mode, -net);
    }
}

/// Deposits the shares of this cash that are held in assets, so many of them that they count for as
/// much margin; returns the part of the cash that they replace.
fn deposit_assets(
    market: &mut Market,
    config: &scenario::Market,
    account: AccountId,
    cash: Money,
    ticks: &[Price],
) -> Money {
    let mut replaced = 0;
    for (index, Collateral { asset, share, .. }) in (0..).zip(&config.collateral) {
        let unit = match asset.price {
            AssetPrice::Mark { symbol } => ticks[usize::from(symbol)],
            AssetPrice::Constant {} => 1,
        };
        let counted = unit as f64 * (1.0 - f64::from(asset.haircut_ppm) / f64::from(PPM));
        let amount = (cash as f64 * share / counted).floor() as Money;
        if amount > 0 {
            market.deposit(account, 0, config.mode);
            market.deposit_asset(account, index, amount);
            replaced += (amount as f64 * counted) as Money;
        }
    }
    replaced.min(cash)
}

/// The markets in which an account has a position: drawn by weight, without replacement.
fn markets_of(weights: &[f64], count: u32, choices: &mut Stream) -> Vec<usize> {
    let mut left: Vec<usize> = (0..weights.len()).collect();
    let mut held = Vec::new();
    while held.len() < count as usize && left.len() > 1 {
        let weights: Vec<f64> = left.iter().map(|&s| weights[s]).collect();
        held.push(left.remove(weighted(&weights, choices.unit())));
    }
    if held.len() < count as usize {
        held.append(&mut left);
    }
    held.sort_unstable();
    held
}
