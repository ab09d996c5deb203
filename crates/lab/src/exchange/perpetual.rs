//! One perpetual of the venue: its outside price in ticks, and the impact of its liquidations.

use surgetank_layer::units::{Ns, Price};
use surgetank_market::PRICE_MAX;

use super::pressure::Pressure;
use crate::scenario::Terms;

/// A perpetual, in the units of the venue.
pub(super) struct Perpetual {
    /// Outside price in ticks.
    pub ticks: Price,
    pub tick_usd: f64,
    /// Coins of a lot.
    pub lot: f64,
    pub impact_bp_per_musd: f64,
    /// Impact of this market's own liquidations.
    pub pressure: Pressure,
}

impl Perpetual {
    /// A perpetual whose outside price starts here.
    pub fn new(terms: &Terms<'_>, start_usd: f64) -> Perpetual {
        Perpetual {
            ticks: ((start_usd / terms.tick_usd).round() as Price).max(1),
            tick_usd: terms.tick_usd,
            lot: terms.lot,
            impact_bp_per_musd: terms.impact_bp_per_musd,
            pressure: Pressure::default(),
        }
    }

    /// The outside price has stepped. Whether it has changed in ticks, and whether the venue can
    /// count it.
    pub fn step(&mut self, now: Ns, usd: f64) -> (bool, bool) {
        self.pressure.stepped(now);
        let ticks = (usd / self.tick_usd).round().max(1.0) as Price;
        let fits = ticks <= PRICE_MAX;
        let was = std::mem::replace(&mut self.ticks, ticks.min(PRICE_MAX));
        (self.ticks != was, fits)
    }
}
