//! Time, identifiers and hashes. Plain integers, named, so that a signature reads like the paper.

/// A point in time or a span, in nanoseconds since the start of the run.
pub type Ns = u64;

/// One millisecond in nanoseconds.
pub const MS: Ns = 1_000_000;
/// One second in nanoseconds.
pub const SECOND: Ns = 1_000_000_000;
/// The time stamp for "not yet" or "never".
pub const NEVER: Ns = Ns::MAX;

/// Index of a node, dense from 0.
pub type NodeId = u32;
/// Index of a neighbour in a node's own list, dense from 0.
pub type Peer = u32;
/// Number of a message, dense from 0 in the order of creation.
pub type MessageId = u32;
/// Index of an account, dense from 0.
pub type AccountId = u32;
/// Height of a block or number of a batch. The first is 1.
pub type Height = u64;
/// Round within a height, from 0.
pub type Round = u32;
/// Voting weight of a validator; only ratios matter.
pub type Weight = u64;

/// A price in ticks of its market.
pub type Price = i64;
/// A quantity in lots of its market.
pub type Qty = i64;
/// Money in quote quanta: one quantum = one tick × one lot, so `price * qty` is exact.
pub type Money = i128;

/// A BLAKE3 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 32]);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The longest span that [`ns`] gives, 36 years: a few of them can be added to any time of a run.
pub const LONGEST: Ns = 1 << 60;

/// Whole nanoseconds of a span given in (non-negative) seconds, rounded to nearest; at most
/// [`LONGEST`].
pub fn ns(seconds: f64) -> Ns {
    nearest(seconds * SECOND as f64).min(LONGEST)
}

/// The whole number nearest to a (non-negative) one, halves upwards, as `f64::round` gives it: that
/// is a call on processors of the baseline.
#[inline]
pub fn nearest(value: f64) -> Ns {
    let whole = value as Ns;
    whole.saturating_add(Ns::from(value - whole as f64 >= 0.5))
}
