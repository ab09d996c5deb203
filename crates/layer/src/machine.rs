//! The interface of every machine: `step(now, input, draws, outbox)`.
//!
//! Rules: a machine reads no clock and no source of randomness, never blocks, keeps only ordered
//! maps, and only changes its own state and appends to the outbox. The same inputs at the same
//! times with the same draws give the same outputs, on any machine, in any process.

use crate::units::Ns;

/// A named stream of random draws, owned by the caller.
pub trait Draws {
    /// The next 64 uniform bits.
    fn next_u64(&mut self) -> u64;

    /// Uniform on [0, 1) with 53 bits.
    fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform on 0..n (n ≥ 1) by Lemire's multiply-shift; its bias is below n/2^64.
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Exponential with mean 1.
    fn exponential(&mut self) -> f64 {
        exponential(self.unit())
    }

    /// Standard normal, by Box–Muller (one of the pair is discarded, so that each call takes the
    /// same number of draws).
    fn normal(&mut self) -> f64 {
        let r = (2.0 * self.exponential()).sqrt();
        r * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Random permutation of the items in place (Fisher–Yates shuffle).
    fn shuffle<T>(&mut self, items: &mut [T])
    where
        Self: Sized,
    {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// The exponential variate with mean 1 of a uniform one on [0, 1).
#[inline]
pub fn exponential(unit: f64) -> f64 {
    -(1.0 - unit).ln()
}

/// A sans-IO machine.
pub trait Machine {
    /// Events that the machine accepts.
    type Input;
    /// Effects that the machine requests from its host.
    type Output;

    /// Processes one input at time `now` and appends the resulting outputs to `outbox`.
    fn step(
        &mut self,
        now: Ns,
        input: Self::Input,
        draws: &mut dyn Draws,
        outbox: &mut Vec<Self::Output>,
    );
}
