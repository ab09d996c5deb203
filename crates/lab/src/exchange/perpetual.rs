//! One perpetual of the venue: its outside price, and what was last recorded of it.

use surgetank_layer::units::{Ns, Price};
use surgetank_market::PRICE_MAX;

use super::pressure::Pressure;
use crate::flow::Tape;
use crate::price::OutsidePrice;
use crate::scenario::Terms;
use crate::seed::{Seed, Stream};

/// The outside price of a perpetual, in the units of the venue, and the rows recorded of it.
pub(super) struct Perpetual {
    pub outside: OutsidePrice,
    draws: Stream,
    /// Logarithm of the outside price at the start, without impact.
    start_log: f64,
    /// Outside price in ticks.
    pub ticks: Price,
    pub tick_usd: f64,
    /// Coins of a lot.
    pub lot: f64,
    pub impact_bp_per_musd: f64,
    /// Impact of this market's own liquidations.
    pub pressure: Pressure,
    /// Best bid and ask as last recorded; 0 = none.
    pub touched: (Price, Price),
}

impl Perpetual {
    /// The perpetual of this index at its start; the first follows nothing.
    ///
    /// # Errors
    /// If its path needs a tape, or a price to follow, that is not there.
    pub fn open(
        market: usize,
        terms: &Terms<'_>,
        tape: Option<&Tape>,
        seed: &Seed,
    ) -> Result<Perpetual, String> {
        let mut draws = seed.stream("market.price", market as u64);
        let mut outside = OutsidePrice::new(terms.path, tape.filter(|_| market == 0))?;
        let start = outside.advance(0, 0.0, &mut draws);
        Ok(Perpetual {
            start_log: outside.free_log(),
            ticks: ((start / terms.tick_usd).round() as Price).max(1),
            outside,
            draws,
            tick_usd: terms.tick_usd,
            lot: terms.lot,
            impact_bp_per_musd: terms.impact_bp_per_musd,
            pressure: Pressure::default(),
            touched: (0, 0),
        })
    }

    /// Log return of the outside price since the start, without the impact of liquidations.
    pub fn free_return(&self) -> f64 {
        self.outside.free_log() - self.start_log
    }

    /// Moves the outside price to `now`, the first market having returned `led` since the start.
    /// Whether the price in ticks has changed, and whether the venue can count it.
    pub fn advance(&mut self, now: Ns, led: f64) -> (bool, bool) {
        let usd = self.outside.advance(now, led, &mut self.draws);
        self.pressure.stepped(now);
        let ticks = (usd / self.tick_usd).round().max(1.0) as Price;
        let fits = ticks <= PRICE_MAX;
        let was = std::mem::replace(&mut self.ticks, ticks.min(PRICE_MAX));
        (self.ticks != was, fits)
    }
}
