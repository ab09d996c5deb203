//! The outside prices of the venue's perpetuals, and the impact of its liquidations on them.

use crate::flow::Tape;
use crate::price::OutsidePrice;
use crate::scenario::Terms;
use crate::seed::{Seed, Stream};
use surgetank_layer::units::Ns;

/// The outside price of one perpetual, with its draws.
pub(super) struct OutsidePath {
    price: OutsidePrice,
    draws: Stream,
    /// Logarithm of the price at the start, without impact.
    start_log: f64,
}

impl OutsidePath {
    /// The price of the perpetual of this index at the start, and its value in USD; the first
    /// follows nothing.
    ///
    /// # Errors
    /// If its path needs a tape, or a price to follow, that is not there.
    pub fn open(
        market: usize,
        terms: &Terms<'_>,
        tape: Option<&Tape>,
        seed: &Seed,
    ) -> Result<(OutsidePath, f64), String> {
        let mut draws = seed.stream("market.price", market as u64);
        let mut price = OutsidePrice::new(terms.path, tape.filter(|_| market == 0))?;
        let start = price.advance(0, 0.0, &mut draws);
        Ok((OutsidePath { start_log: price.free_log(), price, draws }, start))
    }

    /// Log return since the start, without the impact of liquidations.
    fn free_return(&self) -> f64 {
        self.price.free_log() - self.start_log
    }

    /// Moves the price permanently by this many basis points of its logarithm, with effect at the
    /// next step.
    pub fn shock(&mut self, bp: f64) {
        self.price.shock(bp);
    }

    /// How far the price has moved over the last `window`, in percent.
    pub fn move_pct(&self, window: Ns) -> f64 {
        self.price.move_pct(window)
    }
}

/// Moves all outside prices to `now`; returns them in USD, by market.
pub(super) fn advance(outside: &mut [OutsidePath], now: Ns) -> Vec<f64> {
    let mut led = 0.0;
    let step = |(market, one): (usize, &mut OutsidePath)| {
        let usd = one.price.advance(now, led, &mut one.draws);
        if market == 0 {
            led = one.free_return();
        }
        usd
    };
    outside.iter_mut().enumerate().map(step).collect()
}
