//! The market with everybody's money and positions, from `[market]`.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Money, Price, Qty};
use surgetank_market::{
    Backstop, BlockLimits, CloseOut, Config, Fillable, HYPERLIQUID_EMA_NS, MarginMode, Mark,
    Market, Partial, Protection, SymbolConfig,
};

use super::quotas::Quotas;
use super::{Exchange, Unsealing, bounds, portfolios};
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
    let unsealing =
        Unsealing { market, outside, draws, ticks, accounts, calls, quotas: Quotas::new(scenario) };
    Ok(Some(Exchange::new(unsealing, config)))
}

/// A distance from the mark; 0 in the scenario means no limit.
fn limit_ppm(bp: f64) -> Option<u32> {
    (bp > 0.0).then(|| (bp * 1e2).round() as u32)
}

fn protection(asked: &scenario::Protection) -> Protection {
    let after_ns = asked.reduce_only_after_ns;
    Protection {
        slippage_ppm: limit_ppm(asked.slippage_bp),
        band_ppm: limit_ppm(asked.band_bp),
        far_ppm: limit_ppm(asked.far_bp),
        reduce_only_after_ns: (after_ns > 0).then_some(after_ns),
    }
}

fn ppm(share: f64) -> u32 {
    (share * 1e6).round() as u32
}

/// USD in the smallest amounts of money: of one lot at one tick.
fn quanta(config: &scenario::Market, usd: f64) -> Money {
    (usd / (config.tick_usd * config.lot)).round() as Money
}

fn symbol(config: &scenario::Market, accounts: &Accounts) -> SymbolConfig {
    let margin = &config.margin;
    SymbolConfig {
        initial_margin_ppm: ppm(margin.initial),
        maintenance_margin_ppm: ppm(margin.maintenance),
        liquidation_fee_ppm: ppm(margin.liquidation_fee_bp / 1e4),
        taker_fee_ppm: ppm(margin.taker_fee_bp / 1e4),
        maker_fee_ppm: ppm(margin.maker_fee_bp / 1e4),
        liquidation_share_ppm: ppm(margin.liquidation_share),
        worst_price_ppm: limit_ppm(config.protection.liquidation_bp),
        protection: protection(&config.protection),
        mark: match config.mark {
            scenario::Mark::Oracle => Mark::Oracle,
            scenario::Mark::Median => Mark::Median { ema_ns: HYPERLIQUID_EMA_NS },
        },
        close_out: match margin.close_out {
            scenario::CloseOut::Book => CloseOut::Book,
            scenario::CloseOut::Oracle => CloseOut::Oracle {
                worse_ppm: ppm(margin.close_out_bp / 1e4),
                against: accounts.liquidator(),
            },
        },
        fillable: margin.fillable.as_ref().map(|fillable| Fillable {
            bankruptcy_adjustment_ppm: ppm(fillable.bankruptcy_adjustment),
            spread_to_maintenance_ppm: ppm(fillable.spread_to_maintenance),
        }),
        partial: margin.partial.as_ref().map(|partial| Partial {
            above: quanta(config, partial.above_usd),
            share_ppm: ppm(partial.share),
            cooldown_ns: partial.cooldown_ns,
        }),
        backstop: margin
            .backstop
            .as_ref()
            .map(|backstop| Backstop { below_ppm: ppm(backstop.below), vault: accounts.vault() }),
    }
}

fn open_market(
    scenario: &Scenario,
    config: &scenario::Market,
    accounts: &Accounts,
    ticks: Price,
    seed: &Seed,
) -> Market {
    let margin = &config.margin;
    let quanta = |usd| quanta(config, usd);
    let rules =
        Config { symbols: vec![symbol(config, accounts)], insurance: quanta(margin.insurance_usd) };
    let mut market = Market::new(rules, &[ticks]);
    if let Some(limits) = &margin.per_block {
        market.limit(BlockLimits {
            position_share_ppm: ppm(limits.position_share),
            position_min: quanta(limits.position_min_usd),
            account_notional: quanta(limits.account_usd),
            account_insurance: quanta(limits.account_insurance_usd),
            attempts: limits.attempts,
            deleveraging_attempts: limits.deleveraging_attempts,
        });
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
    if margin.close_out == scenario::CloseOut::Oracle || config.options.is_some() {
        // It hedges outside; this cash only has to be more than it can ever lose here.
        market.deposit(accounts.liquidator(), quanta(1e12), MarginMode::Cross);
    }
    if let Some(backstop) = &margin.backstop {
        market.deposit(accounts.vault(), quanta(backstop.vault_usd), MarginMode::Cross);
    }
    market
}

/// Leveraged positions, and those of hedgers who hold the other side.
fn take_positions(
    market: &mut Market,
    config: &scenario::Market,
    accounts: &Accounts,
    ticks: Price,
    seed: &Seed,
) {
    let margin = &config.margin;
    let mode = match margin.mode {
        scenario::MarginMode::Isolated => MarginMode::Isolated,
        scenario::MarginMode::Cross => MarginMode::Cross,
    };
    let mut draws = seed.stream("market.positions", 0);
    let mut buffers = seed.stream("market.buffers", 0);
    let positions = &config.positions;
    let mut net: Qty = 0;
    for account in 0..accounts.leveraged {
        let notional = positions.notional_usd * draws.exponential();
        // Uniform in the initial margin, between the two leverages.
        let share = draws.unit();
        let margin_share = share / positions.leverage_max + (1.0 - share) / positions.leverage_min;
        let long = draws.unit() < positions.long_share;
        let lots = (quanta(config, notional) / Money::from(ticks)).max(1) as Qty;
        let buffer = positions.buffer_min + (1.0 - positions.buffer_min) * buffers.unit();
        let backing = margin.maintenance + buffer * (margin_share - margin.maintenance);
        let backing = if positions.buffer_min < 1.0 { backing } else { margin_share };
        let cash = (lots as f64 * ticks as f64 * backing).ceil() as Money;
        market.deposit(account, cash, mode);
        market.open(account, 0, if long { lots } else { -lots }, ticks);
        net += if long { lots } else { -lots };
    }
    // The other side, unlevered: what is left over goes to the last.
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
