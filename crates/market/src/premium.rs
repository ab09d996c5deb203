//! The premium of a perpetual over its oracle price, and the funding rate that follows from it.
//!
//! Rules: at each sampling time the premium is
//! (max(0, impact bid − oracle) − max(0, oracle − impact ask)) / oracle, where the impact bid (ask)
//! is the average price of an order that sells (buys) at least the impact notional on the book. A
//! side that holds less has no impact price and adds nothing. The 8-hour rate is
//! P + clamp(interest − P, ±damping) ([`Formula::Damped`]) or P + interest ([`Formula::Added`]) of
//! the average premium P since the last payment, within `cap_margins`; a payment is `paid_ppm` of
//! it, within `cap_ppm`, and at most all of the notional.
//!
//! Theory of operation: premiums and rates are in 1e-9 (ppb). An impact order takes whole lots, so
//! its average price is exact; premiums, averages and rates are rounded towards zero, so that a
//! mirrored book has the mirrored rate.
//!
//! Source: Hyperliquid docs, "Funding"; Binance, "Introduction to Binance Futures Funding Rates";
//! dYdX v4 `x/perpetuals` at 84d4664b (`MaybeProcessNewFundingTickEpoch`, `GetPricePremium`).
//!
//! Departures: samples are taken, and payments made, with the first block at or after their time; a
//! payment that a stalled venue missed is not made up for. dYdX samples each minute the median of
//! its validators' premiums; the book here is one.

use serde::{Deserialize, Serialize};
use surgetank_layer::message::Side;
use surgetank_layer::units::{Money, Ns, Price};

use crate::book::Book;
use crate::bounds::PPM;
use crate::config::{Average, Formula, Funding, SymbolConfig};

/// One in 1e-9, the unit of premiums and rates.
pub(crate) const PPB: Money = 1_000_000_000;
const PPB_PER_PPM: Money = PPB / PPM as Money;
/// Greatest number of samples before the start; it keeps their sum inside [`Money`].
const SAMPLES_MAX: u64 = 1 << 40;

/// A market's premiums since its last payment.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Premiums {
    sample_at: Ns,
    pay_at: Ns,
    /// Sum of the weighted samples, in ppb, and of their weights.
    sum: Money,
    weights: Money,
    samples: Money,
}

/// A payment that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Average premium, in ppb.
    pub premium_ppb: i64,
    /// Share of notional that longs pay to shorts, in ppb.
    pub paid_ppb: i64,
}

impl Premiums {
    pub(crate) fn new(rules: &SymbolConfig) -> Option<Premiums> {
        let funding = rules.funding?;
        // The part of the first interval that lies before the start.
        let before = funding.interval_ns.saturating_sub(funding.first_ns) / funding.sample_ns;
        let samples = Money::from(before.min(SAMPLES_MAX));
        let weights = match funding.average {
            Average::Mean => samples,
            Average::TimeWeighted => samples * (samples + 1) / 2,
        };
        Some(Premiums {
            sample_at: funding.sample_ns,
            pay_at: funding.first_ns,
            sum: weights * Money::from(funding.premium_ppm) * PPB_PER_PPM,
            weights,
            samples,
        })
    }

    /// Takes a sample if its time has come.
    pub(crate) fn sample(&mut self, now: Ns, rules: &Funding, book: &Book, oracle: Price) {
        if now < self.sample_at {
            return;
        }
        self.sample_at = after(now, 0, rules.sample_ns);
        self.samples += 1;
        let weight = match rules.average {
            Average::Mean => 1,
            Average::TimeWeighted => self.samples,
        };
        self.sum += weight * premium_ppb(book, rules.impact, oracle);
        self.weights += weight;
    }

    /// The rate under these rules, if a payment is due; the samples begin anew.
    pub(crate) fn due(&mut self, now: Ns, rules: &SymbolConfig) -> Option<Rate> {
        let funding = rules.funding.filter(|_| now >= self.pay_at)?;
        self.pay_at = after(now, funding.first_ns, funding.interval_ns);
        let premium = self.sum / self.weights.max(1);
        (self.sum, self.weights, self.samples) = (0, 0, 0);
        let margin_ppm = rules.initial_margin_ppm.saturating_sub(rules.maintenance_margin_ppm);
        let paid = paid_ppb(&funding, Money::from(margin_ppm), premium);
        Some(Rate { premium_ppb: premium as i64, paid_ppb: paid as i64 })
    }
}

/// Share of notional that one payment is at this average premium, in ppb. `margin_ppm` is the
/// initial less the maintenance margin.
fn paid_ppb(rules: &Funding, margin_ppm: Money, premium: Money) -> Money {
    let Funding { formula, interest_ppm, paid_ppm, cap_ppm, cap_margins_ppm, .. } = *rules;
    let interest = Money::from(interest_ppm) * PPB_PER_PPM;
    let mut rate = match formula {
        Formula::Added => premium + interest,
        Formula::Damped { damping_ppm } => {
            let damping = Money::from(damping_ppm) * PPB_PER_PPM;
            premium + (interest - premium).clamp(-damping, damping)
        }
    };
    if let Some(times) = cap_margins_ppm {
        let cap = margin_ppm * Money::from(times) / Money::from(PPM) * PPB_PER_PPM;
        rate = rate.clamp(-cap, cap);
    }
    let cap = cap_ppm.map_or(PPB, |cap| (Money::from(cap) * PPB_PER_PPM).min(PPB));
    (rate * Money::from(paid_ppm) / Money::from(PPM)).clamp(-cap, cap)
}

/// The first time after `now` that is a multiple of `every` after `from`.
fn after(now: Ns, from: Ns, every: Ns) -> Ns {
    from.saturating_add((now.saturating_sub(from) / every).saturating_add(1).saturating_mul(every))
}

/// The premium of a book over the oracle price, in ppb; at most 1,000 times the price.
fn premium_ppb(book: &Book, impact: Money, oracle: Price) -> Money {
    let beyond = |side: Side| {
        let (lots, notional) = impact_order(book, side, impact)?;
        let at_oracle = lots * Money::from(oracle);
        let distance = (notional - at_oracle).clamp(-1_000 * at_oracle, 1_000 * at_oracle);
        // Whole part and remainder apart, so that nothing overflows.
        let (whole, rest) = (distance / at_oracle, distance % at_oracle);
        Some(whole * PPB + rest * PPB / at_oracle)
    };
    let above = beyond(Side::Buy).unwrap_or(0).max(0);
    let below = beyond(Side::Sell).unwrap_or(0).min(0);
    above + below
}

/// Lots and notional of an order that takes at least this notional from a side of the book; `None`
/// if it holds less.
fn impact_order(book: &Book, side: Side, impact: Money) -> Option<(Money, Money)> {
    let (mut lots, mut notional) = (0, 0);
    for (price, qty) in book.levels(side) {
        let price = Money::from(price);
        let wanted = (impact - notional + price - 1) / price;
        let taken = wanted.min(Money::from(qty));
        lots += taken;
        notional += taken * price;
        if notional >= impact {
            return Some((lots.max(1), notional));
        }
    }
    None
}
