//! A rate limit in exact integers.

use serde::{Deserialize, Serialize};

use crate::units::{NEVER, Ns, SECOND};

/// `tokens` tokens per `span_ns`, of which at most `burst` accumulate.
///
/// One token is `span_ns` *parts*, and every nanosecond adds `tokens` parts: no rate is rounded.
/// For a rate per second a part is 1/10⁹ token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    burst: u64,
    tokens: u64,
    span_ns: Ns,
}

impl Limit {
    /// At most `burst` at once, and `tokens` per `span_ns` in the long run.
    ///
    /// # Panics
    /// If a number is 0, or `burst · span_ns` exceeds 64 bits.
    pub fn new(burst: u64, tokens: u64, span_ns: Ns) -> Limit {
        assert!(
            burst > 0 && tokens > 0 && span_ns > 0,
            "limit: burst, tokens and span_ns must be at least 1",
        );
        assert!(
            burst.checked_mul(span_ns).is_some(),
            "limit: burst · span_ns must fit 64 bits; shorten the span and the tokens alike",
        );
        Limit { burst, tokens, span_ns }
    }

    /// At most `burst` at once, and `tokens` per second in the long run.
    pub fn per_second(burst: u64, tokens: u64) -> Limit {
        Limit::new(burst, tokens, SECOND)
    }

    /// Greatest number of accumulated tokens.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// Parts in `cost` tokens, or `None` if so many never accumulate.
    pub(super) fn parts(&self, cost: u64) -> Option<u64> {
        (cost <= self.burst).then(|| cost * self.span_ns)
    }

    /// Parts in a full bucket.
    pub(super) fn capacity(&self) -> u64 {
        self.burst * self.span_ns
    }

    /// Parts added per nanosecond.
    pub(super) fn rate(&self) -> u64 {
        self.tokens
    }

    /// Time in which this many parts are added, in ns, rounded up.
    pub(super) fn wait_ns(&self, parts: u128) -> Ns {
        Ns::try_from(parts.div_ceil(u128::from(self.tokens))).unwrap_or(NEVER)
    }
}
