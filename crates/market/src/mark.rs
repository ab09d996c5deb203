//! The mark price: the price at which margin is measured.
//!
//! Rules: it is recomputed when an oracle price comes into force, and at no other time. An oracle
//! price observed earlier than the one in force is refused; one observed at the same time is
//! accepted.
//!
//! Theory of operation: [`Mark::Oracle`] is the last oracle price. [`Mark::Median`] is the median
//! of (a) the oracle price, (b) the oracle price plus an exponential moving average of mid −
//! oracle, and (c) the median of best bid, best ask and last trade. While the book has an empty
//! side, (c) is the oracle price and the average is not updated.
//!
//! Source: Hyperliquid docs, "Robust price indices".
//!
//! Departures: instead of (a), Hyperliquid takes the median of other venues' perpetual mids. The
//! average's weight over a gap dt is dt/(dt + τ) (backward Euler) and not 1 − e^(−dt/τ): the same
//! to first order, and exact in integers.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::{Ns, Price, SECOND};

use crate::bounds::PRICE_MAX;

/// How the mark price is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Mark {
    /// The last oracle price.
    #[default]
    Oracle,
    /// Median of oracle, oracle + average(mid − oracle) and median(bid, ask, last).
    Median {
        /// Time constant τ of the average; Hyperliquid has [`HYPERLIQUID_EMA_NS`].
        #[serde(skip, default = "hyperliquids")]
        ema_ns: Ns,
    },
}

/// Hyperliquid's time constant, 150 s (docs, "Robust price indices").
pub const HYPERLIQUID_EMA_NS: Ns = 150 * SECOND;

fn hyperliquids() -> Ns {
    HYPERLIQUID_EMA_NS
}

/// Fraction bits of the average.
const FRACTION: u32 = 16;

/// The oracle and mark price of one market.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MarkPrice {
    #[serde(skip)]
    rule: Mark,
    oracle: Price,
    observed_ns: Ns,
    /// When the average was last moved.
    updated_ns: Ns,
    /// Average of mid − oracle, in 2^-16 ticks.
    premium: i128,
    mark: Price,
}

impl MarkPrice {
    /// The mark of a market that opens at this price.
    pub fn new(rule: Mark, initial: Price) -> MarkPrice {
        let (observed_ns, updated_ns) = (0, 0);
        MarkPrice { rule, oracle: initial, observed_ns, updated_ns, premium: 0, mark: initial }
    }

    /// A stored mark under the rule of this one.
    pub(crate) fn restore(&self, stored: MarkPrice) -> MarkPrice {
        MarkPrice { rule: self.rule, ..stored }
    }

    /// The mark price.
    pub fn mark(&self) -> Price {
        self.mark
    }

    /// The oracle price in force and when it was observed.
    pub fn oracle(&self) -> (Price, Ns) {
        (self.oracle, self.observed_ns)
    }

    /// Applies an oracle price and the top of the book; false, without effect, if the price is
    /// stale.
    pub fn update(
        &mut self,
        now: Ns,
        price: Price,
        observed_ns: Ns,
        book: (Option<Price>, Option<Price>),
        last: Option<Price>,
    ) -> bool {
        if observed_ns < self.observed_ns {
            return false;
        }
        self.oracle = price;
        self.observed_ns = observed_ns;
        self.mark = match self.rule {
            Mark::Oracle => price,
            Mark::Median { ema_ns } => self.median(now, ema_ns, book, last),
        };
        true
    }

    fn median(
        &mut self,
        now: Ns,
        ema_ns: Ns,
        book: (Option<Price>, Option<Price>),
        last: Option<Price>,
    ) -> Price {
        let gap = now.saturating_sub(self.updated_ns);
        self.updated_ns = self.updated_ns.max(now);
        let (Some(bid), Some(ask)) = book else {
            return median(self.oracle, self.with_premium(), self.oracle);
        };
        // bid + ask − 2·oracle is twice the premium, hence one fraction bit less.
        let sample = i128::from(bid + ask - 2 * self.oracle) << (FRACTION - 1);
        let weight = i128::from(gap) + i128::from(ema_ns);
        if weight > 0 {
            self.premium += (sample - self.premium) * i128::from(gap) / weight;
        }
        let venue = last.map_or((bid + ask) / 2, |last| median(bid, ask, last));
        median(self.oracle, self.with_premium(), venue)
    }

    fn with_premium(&self) -> Price {
        let premium = (self.premium + (1 << (FRACTION - 1))) >> FRACTION;
        (i128::from(self.oracle) + premium).clamp(1, i128::from(PRICE_MAX)) as Price
    }
}

fn median(a: Price, b: Price, c: Price) -> Price {
    a.min(b).max(a.max(b).min(c))
}
