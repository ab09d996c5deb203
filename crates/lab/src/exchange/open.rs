//! Opens the venue with all accounts' cash and positions, from `[market]`.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::{AssetPrice, CloseOut, MarginMode, Market, PPM, SymbolConfig};
use surgetank_venue::execution::Execution;
use surgetank_venue::genesis::{self, Genesis, InvalidGenesis};

use super::outside::OutsidePath;
use super::perpetual::Perpetual;
use super::position_book::{self, PositionBook};
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
    let Drawn { genesis, outside, perpetuals, accounts } =
        draw(scenario, config, tape, (seed, book))?;
    let execution = Execution::open(&genesis).map_err(refused)?;
    let quotas = Quotas::new(scenario);
    let opening = Opening { execution, outside, perpetuals, accounts, quotas };
    Ok(Some(Exchange::new(opening, config)))
}

/// What a venue opens with to be that of a scenario; `None` if the scenario has no market.
///
/// # Errors
/// Names the key and what to change.
pub fn genesis_of(
    scenario: &Scenario,
    tape: Option<&Tape>,
    book: Option<&PositionBook>,
    seed: &Seed,
) -> Result<Option<Genesis>, String> {
    let Some(config) = &scenario.market else { return Ok(None) };
    Ok(Some(draw(scenario, config, tape, (seed, book))?.genesis))
}

/// An opening, as it is drawn.
struct Drawn {
    genesis: Genesis,
    outside: Vec<OutsidePath>,
    perpetuals: Vec<Perpetual>,
    accounts: Accounts,
}

fn draw(
    scenario: &Scenario,
    config: &scenario::Market,
    tape: Option<&Tape>,
    (seed, book): (&Seed, Option<&PositionBook>),
) -> Result<Drawn, String> {
    let (mut outside, mut perpetuals) = (Vec::new(), Vec::new());
    for (market, terms) in config.terms().enumerate() {
        let (price, start_usd) = OutsidePath::open(market, &terms, tape, seed)?;
        outside.push(price);
        perpetuals.push(Perpetual::new(&terms, start_usd));
    }
    let accounts = Accounts::new(scenario);
    bounds::check(config, tape, &perpetuals, &accounts)?;
    let ticks: Vec<Price> = perpetuals.iter().map(|perpetual| perpetual.ticks).collect();
    let genesis = genesis(scenario, config, &accounts, &ticks, (seed, book))?;
    Ok(Drawn { genesis, outside, perpetuals, accounts })
}

fn refused(error: InvalidGenesis) -> String {
    match error {
        InvalidGenesis::Unbalanced(imbalance) => format!("market.positions: {imbalance}"),
        other => format!("market: {other}"),
    }
}

/// USD in quanta, the value of one lot at one tick.
fn quanta(config: &scenario::Market, usd: f64) -> Money {
    (usd / config.quantum_usd()).round() as Money
}

/// The rules of the venue, with its perpetuals at these prices, and without accounts.
fn rules(config: &scenario::Market, accounts: &Accounts, ticks: &[Price]) -> Genesis {
    let perpetual = |(terms, &price): (scenario::Terms<'_>, &Price)| genesis::Perpetual {
        name: terms.name.to_owned(),
        tick_usd: terms.tick_usd,
        lot: terms.lot,
        price,
        rules: terms.symbol.clone(),
    };
    let options = config.options.as_ref();
    Genesis {
        start_ns: 0,
        matching: config.matching,
        perpetuals: config.terms().zip(ticks).map(perpetual).collect(),
        options: options.map(|options| portfolios::listing(options, ticks[0])),
        insurance: config.insurance,
        limits: config.per_block,
        collateral: config.collateral.iter().map(|collateral| collateral.asset).collect(),
        liquidator: accounts.liquidator(),
        vault: accounts.vault(),
        entries: Vec::new(),
        entry_prices: Vec::new(),
    }
}

fn genesis(
    scenario: &Scenario,
    config: &scenario::Market,
    accounts: &Accounts,
    ticks: &[Price],
    (seed, book): (&Seed, Option<&PositionBook>),
) -> Result<Genesis, String> {
    let quanta = |usd| quanta(config, usd);
    let mut genesis = rules(config, accounts, ticks);
    let empty = genesis.empty_market().map_err(refused)?;
    if book.is_none() {
        take_positions(&mut genesis, &empty, config, accounts, seed);
    }
    let maker_usd = scenario.flow.makers.capital_usd;
    for account in accounts.background_from()..accounts.count() {
        let usd = if accounts.maker(account).is_some() { maker_usd } else { 1e9 };
        genesis.deposit(account, quanta(usd), MarginMode::Cross);
    }
    let attacker_usd = scenario.attack.capital_usd / f64::from(accounts.attackers.max(1));
    for account in accounts.attacking() {
        genesis.deposit(account, quanta(attacker_usd), MarginMode::Cross);
    }
    if let Some(options) = &config.options {
        portfolios::open(&mut genesis, &empty, config, options, (accounts, seed));
    }
    let symbols = || config.terms().map(|terms| terms.symbol);
    let at_oracle = |rules: &SymbolConfig| matches!(rules.close_out, CloseOut::Oracle { .. });
    let outside = symbols().any(at_oracle) || config.options.is_some();
    if outside || !config.collateral.is_empty() {
        // It hedges outside; its cash only has to exceed any loss here.
        genesis.deposit(accounts.liquidator(), quanta(1e12), MarginMode::Cross);
    }
    if symbols().any(|rules| rules.backstop.is_some()) {
        genesis.deposit(accounts.vault(), config.vault, MarginMode::Cross);
    }
    if let Some(book) = book {
        book.open(&mut genesis, accounts)?;
    }
    Ok(genesis)
}

/// Opens leveraged positions, and those of the hedgers on the other side. `empty` is the venue
/// without accounts.
fn take_positions(
    genesis: &mut Genesis,
    empty: &Market,
    config: &scenario::Market,
    accounts: &Accounts,
    seed: &Seed,
) {
    let mut draws = seed.stream("market.positions", 0);
    let mut buffers = seed.stream("market.buffers", 0);
    let mut choices = seed.stream("market.choices", 0);
    let (positions, mode) = (&config.positions, config.mode);
    let weights: Vec<f64> = config.terms().map(|terms| terms.weight).collect();
    let ticks: Vec<Price> = genesis.perpetuals.iter().map(|perpetual| perpetual.price).collect();
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
            let (initial, maintenance) = empty.margin_of(s as u16, lots);
            // A position has at most the leverage of its market and tier.
            let margin_share = margin_share.max(share(initial));
            let maintenance = share(maintenance);
            let backing = maintenance + buffer * (margin_share - maintenance);
            let backing = if positions.buffer_min < 1.0 { backing } else { margin_share };
            let cash = (value * backing).ceil() as Money;
            let qty = if long { lots } else { -lots };
            let in_assets = deposit_assets(genesis, config, account, cash, &ticks);
            genesis.deposit(account, cash - in_assets, mode);
            genesis.open(account, s as u16, qty, ticks[s]);
            nets[s] += qty;
        }
    }
    for (s, &net) in nets.iter().enumerate() {
        position_book::hedge(genesis, accounts, (s as u16, ticks[s]), mode, -net);
    }
}

/// Deposits the shares of this cash that are held in assets, so many of them that they count for as
/// much margin; returns the part of the cash that they replace.
fn deposit_assets(
    genesis: &mut Genesis,
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
            genesis.deposit(account, 0, config.mode);
            genesis.deposit_asset(account, index, amount);
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
