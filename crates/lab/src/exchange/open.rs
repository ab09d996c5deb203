//! Opens the market with all accounts' cash and positions, from `[market]`.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Money, Price, Qty};
use surgetank_market::{CloseOut, Config, MarginMode, Market, PPM, SymbolConfig};

use super::quotas::Quotas;
use super::{Exchange, Opening, bounds, portfolios};
use crate::actors::Accounts;
use crate::flow::Tape;
use crate::price::OutsidePrice;
use crate::scenario::{self, Scenario};
use crate::seed::Seed;

/// Opens the exchange of a scenario; `None` if it has no market.
///
/// # Errors
/// Names the key and what to change.
pub fn open(
    scenario: &Scenario,
    tape: Option<&Tape>,
    seed: &Seed,
) -> Result<Option<Exchange>, String> {
    let Some(config) = &scenario.market else { return Ok(None) };
    let mut draws = seed.stream("market.price", 0);
    let mut outside = OutsidePrice::new(&config.price, tape)?;
    let start = outside.advance(0, &mut draws);
    let ticks = ((start / config.tick_usd).round() as Price).max(1);
    let accounts = Accounts::new(scenario);
    bounds::check(config, tape, start, &accounts)?;
    let market = open_market(scenario, config, &accounts, ticks, seed);
    market.check_genesis().map_err(|imbalance| format!("market.positions: {imbalance}"))?;
    let calls = config.matching == scenario::Matching::Auction;
    let opening =
        Opening { market, outside, draws, ticks, accounts, calls, quotas: Quotas::new(scenario) };
    Ok(Some(Exchange::new(opening, config)))
}

/// USD in quanta, the value of one lot at one tick.
fn quanta(config: &scenario::Market, usd: f64) -> Money {
    (usd / (config.tick_usd * config.lot)).round() as Money
}

/// The symbol's rules, with the accounts that they name.
fn symbol(config: &scenario::Market, accounts: &Accounts) -> SymbolConfig {
    let mut symbol = config.symbol.clone();
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
    ticks: Price,
    seed: &Seed,
) -> Market {
    let quanta = |usd| quanta(config, usd);
    let symbol = symbol(config, accounts);
    let outside = matches!(symbol.close_out, CloseOut::Oracle { .. }) || config.options.is_some();
    let backed = symbol.backstop.is_some();
    let rules = Config { symbols: vec![symbol], insurance: config.insurance };
    let mut market = Market::new(rules, &[ticks]);
    if let Some(limits) = config.per_block {
        market.limit(limits);
    }
    take_positions(&mut market, config, accounts, ticks, seed);
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
    ticks: Price,
    seed: &Seed,
) {
    let mut draws = seed.stream("market.positions", 0);
    let mut buffers = seed.stream("market.buffers", 0);
    let (positions, mode) = (&config.positions, config.mode);
    let mut net: Qty = 0;
    for account in 0..accounts.leveraged {
        let notional = positions.notional_usd * draws.exponential();
        // Uniform in the initial margin, between the two leverages.
        let share = draws.unit();
        let margin_share = share / positions.leverage_max + (1.0 - share) / positions.leverage_min;
        let long = draws.unit() < positions.long_share;
        let lots = (quanta(config, notional) / Money::from(ticks)).max(1) as Qty;
        let value = lots as f64 * ticks as f64;
        let share = |millionths: Money| millionths as f64 / value / f64::from(PPM);
        let (initial, maintenance) = market.margin_of(0, lots);
        // A large position has at most the leverage of its tier.
        let margin_share = margin_share.max(share(initial));
        let maintenance = share(maintenance);
        let buffer = positions.buffer_min + (1.0 - positions.buffer_min) * buffers.unit();
        let backing = maintenance + buffer * (margin_share - maintenance);
        let backing = if positions.buffer_min < 1.0 { backing } else { margin_share };
        let cash = (value * backing).ceil() as Money;
        market.deposit(account, cash, mode);
        market.open(account, 0, if long { lots } else { -lots }, ticks);
        net += if long { lots } else { -lots };
    }
    // The other side, unlevered: the remainder goes to the last one.
    let hedgers = Qty::from(accounts.hedgers);
    for hedger in 0..accounts.hedgers {
        let lots = -net / hedgers - if hedger + 1 == accounts.hedgers { net % hedgers } else { 0 };
        let account = accounts.judged() + hedger;
        let cash = 2 * Money::from(lots.abs().max(1)) * Money::from(ticks);
        market.deposit(account, cash, mode);
        if lots != 0 {
            market.open(account, 0, lots, ticks);
        }
    }
}
