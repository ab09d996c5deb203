//! Checks that prices and amounts fit the market's integers. Values at which the market would panic
//! are refused here, with the name of the key to change.

use surgetank_market::{MONEY_MAX, PRICE_MAX, QTY_MAX};

use super::perpetual::Perpetual;
use crate::actors::Accounts;
use crate::flow::Tape;
use crate::scenario::{Market, PricePath, Terms};

/// Multiple of the mean that no exponential draw of a run exceeds (e⁻⁶⁰ = 10⁻²⁶).
const LARGEST_DRAW: f64 = 60.0;
/// Upper bound of the initial cash of accounts that are not watched, in USD each.
const DEEP_USD: f64 = 1e12;

/// # Errors
/// Names the key and what to change.
pub(super) fn check(
    config: &Market,
    tape: Option<&Tape>,
    perpetuals: &[Perpetual],
    accounts: &Accounts,
) -> Result<(), String> {
    for (market, terms) in config.terms().enumerate() {
        prices(market, &terms, tape)?;
        tiers(market, &terms)?;
        impact(&terms)?;
    }
    let quantum_usd = config.quantum_usd();
    let positions = &config.positions;
    let held = |key: &str, usd: f64, count: u32| {
        // At the lowest price a notional is the most lots.
        let ticks = perpetuals.iter().map(|perpetual| perpetual.ticks).min().unwrap_or(1);
        let lots = usd / quantum_usd / ticks as f64 * (LARGEST_DRAW + f64::from(count));
        if lots.is_finite() && lots <= QTY_MAX as f64 {
            return Ok(());
        }
        Err(format!(
            "{key}: positions of {usd:e} USD are up to {lots:.3e} lots of market.lot = {:e}, and \
             the market counts {:.3e} of them; make the lot larger",
            config.lot, QTY_MAX as f64
        ))
    };
    held("market.positions.notional_usd", positions.notional_usd, positions.count)?;
    if let Some(options) = &config.options {
        let key = "market.options.positions.notional_usd";
        held(key, options.positions.notional_usd, options.positions.count)?;
    }
    let all_usd = DEEP_USD * (8.0 + f64::from(accounts.count()) / 1e3)
        + positions.notional_usd * LARGEST_DRAW * 4.0 * f64::from(positions.count + 1);
    let quanta = config.insurance as f64 + config.vault as f64 + all_usd / quantum_usd;
    if quanta.is_finite() && quanta <= MONEY_MAX as f64 {
        return Ok(());
    }
    Err(format!(
        "market.lot: at {:e} coins and market.tick_usd = {:e}, accounts and insurance fund hold \
         {quanta:.3e} times the smallest amount, and the market counts {:.3e}; make the lot or the \
         tick larger",
        config.lot, config.tick_usd, MONEY_MAX as f64
    ))
}

/// The table of a market in the scenario.
fn section(market: usize) -> String {
    match market.checked_sub(1) {
        None => "market".to_owned(),
        Some(further) => format!("market.perpetuals[{further}]"),
    }
}

/// The impact notional of funding, in whole quanta.
fn impact(terms: &Terms<'_>) -> Result<(), String> {
    if terms.symbol.funding.is_none_or(|f| (1..=MONEY_MAX).contains(&f.impact)) {
        return Ok(());
    }
    Err(format!(
        "market.funding.impact_usd: it must be at least market.tick_usd × market.lot, the smallest \
         amount, and at most {:.3e} of it",
        MONEY_MAX as f64
    ))
}

/// Bounds of margin tiers, and caps of open interest, in whole quanta.
fn tiers(market: usize, terms: &Terms<'_>) -> Result<(), String> {
    let caps = terms.symbol.open_interest_cap.map(|cap| [cap.lower + 1, cap.upper]);
    let lists = [
        ("tiers", terms.symbol.tiers.iter().map(|tier| tier.above).collect::<Vec<_>>()),
        ("open_interest", caps.into_iter().flatten().collect()),
    ];
    for (key, bounds) in lists {
        let mut before = 0;
        for at in bounds {
            if at <= before || at > MONEY_MAX {
                return Err(format!(
                    "{}.margin.{key}: bounds must rise by at least market.tick_usd × \
                     market.lot, the smallest amount, and be at most {:.3e} of it",
                    section(market),
                    MONEY_MAX as f64
                ));
            }
            before = at;
        }
    }
    Ok(())
}

/// Prices of a market that are known before the run.
fn prices(market: usize, terms: &Terms<'_>, tape: Option<&Tape>) -> Result<(), String> {
    let section = section(market);
    let (key, usd) = match terms.path {
        PricePath::Gbm { start_usd, .. } | PricePath::Follows { start_usd, .. } => {
            ("path.start_usd", *start_usd)
        }
        PricePath::Points { price_usd, .. } => ("path.price_usd", highest(price_usd)),
        PricePath::Tape {} => ("the tape's prices", tape.map_or(1.0, |t| highest(&t.prices_usd))),
    };
    let key =
        if key.starts_with("path") { format!("{section}.price.{key}") } else { key.to_owned() };
    let ticks = usd / terms.tick_usd;
    if ticks.is_finite() && ticks <= PRICE_MAX as f64 {
        return Ok(());
    }
    Err(format!(
        "{key}: {usd:e} USD are {ticks:.3e} ticks of {section}.tick_usd = {:e}, and the market \
         counts {:.3e} of them; make the tick larger",
        terms.tick_usd, PRICE_MAX as f64
    ))
}

fn highest(prices: &[f64]) -> f64 {
    prices.iter().copied().fold(0.0, f64::max)
}
