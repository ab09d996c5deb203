//! The options that a venue lists, their marks, and the margin requirement of portfolios of them.
//!
//! Rules: options are marked when an oracle price comes into force, by Black-76 with that price as
//! the forward and an implied volatility that rises by `beta` for each 1 % that spot has fallen
//! since the start. A mark is rounded to the nearest tick. An option is settled at the first oracle
//! price that comes into force at or after its expiry.
//!
//! Theory of operation: the chain keeps one grid for the spot in force. A query at another spot
//! builds one grid for all accounts.
//!
//! Departures: one volatility for all strikes and expiries: no smile, no term structure.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use surgetank_layer::units::{Ns, Price};

use super::black76::Terms;
use super::contract::Contract;
use super::grid::{Grid, Rule};
use crate::bounds::PRICE_MAX;

/// Implied volatility as it depends on spot.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ImpliedVol {
    /// Volatility at the start, per √year.
    pub start: f64,
    /// Added for each 1 % that spot has fallen since the start, per √year.
    pub beta: f64,
}

/// All listed options.
///
/// Serialized is the time of the last oracle price, and nothing else: contracts and rules do not
/// change, settled are all options that have expired by then, and the grid follows from the spot.
#[derive(Clone, Debug)]
pub struct Chain {
    contracts: Vec<Contract>,
    settled: Vec<bool>,
    rule: Rule,
    vol: ImpliedVol,
    /// Spot price when the options were listed.
    start: Price,
    now: Ns,
    grid: Grid,
}

impl Chain {
    /// Lists options at this spot at time 0; they are put in order of expiry, strike and kind.
    ///
    /// # Panics
    /// If a strike is out of bounds.
    pub fn new(rule: Rule, vol: ImpliedVol, mut contracts: Vec<Contract>, spot: Price) -> Chain {
        contracts.sort_unstable_by_key(|c| (c.expiry_ns, c.strike, c.call));
        contracts.dedup();
        let in_bounds = |c: &Contract| (1..=PRICE_MAX).contains(&c.strike);
        assert!(contracts.iter().all(in_bounds), "a strike is out of bounds");
        let settled = vec![false; contracts.len()];
        let grid = Grid::new(rule, spot as f64, &[]);
        let mut chain = Chain { contracts, settled, rule, vol, start: spot, now: 0, grid };
        chain.grid = chain.grid_at(spot);
        chain
    }

    /// A stored chain with the contracts and rules of this one, at this spot.
    pub(crate) fn restore(&self, stored: &Chain, spot: Price) -> Chain {
        let settled = vec![false; self.contracts.len()];
        let mut chain = Chain { now: stored.now, settled, ..self.clone() };
        chain.expire();
        chain.grid = chain.grid_at(spot);
        chain
    }

    /// The contracts, in order.
    pub fn contracts(&self) -> &[Contract] {
        &self.contracts
    }

    /// Implied volatility at this spot.
    pub fn vol_at(&self, spot: Price) -> f64 {
        let fall_pct = 100.0 * (1.0 - spot as f64 / self.start as f64);
        self.vol.start + self.vol.beta * fall_pct.max(0.0)
    }

    /// Inputs of a contract's price at this spot.
    pub fn terms(&self, contract: usize, spot: Price) -> Terms {
        self.contracts[contract].terms(spot as f64, self.vol_at(spot), self.now)
    }

    /// All options in all scenarios, at this spot and the time of the last oracle price.
    pub fn grid_at(&self, spot: Price) -> Grid {
        let terms: Vec<_> = (0..self.contracts.len()).map(|i| self.terms(i, spot)).collect();
        Grid::new(self.rule, spot as f64, &terms)
    }

    /// The grid at the spot in force.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// An oracle price comes into force.
    pub fn update(&mut self, now: Ns, spot: Price) {
        self.now = self.now.max(now);
        self.grid = self.grid_at(spot);
    }

    /// The contract's mark, in ticks.
    pub fn mark(&self, contract: usize) -> Price {
        mark(&self.grid, contract)
    }

    /// Contracts that have expired and are not settled yet; marks them as settled.
    pub fn expire(&mut self) -> Vec<usize> {
        let due: Vec<usize> = (0..self.contracts.len())
            .filter(|&i| !self.settled[i] && self.contracts[i].expiry_ns <= self.now)
            .collect();
        due.iter().for_each(|&i| self.settled[i] = true);
        due
    }
}

impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.now.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Chain, D::Error> {
        let nothing = ImpliedVol { start: 0.0, beta: 0.0 };
        let chain = Chain::new(Rule::DeribitPm, nothing, Vec::new(), 1);
        Ok(Chain { now: Ns::deserialize(from)?, ..chain })
    }
}

/// A contract's mark on this grid, in ticks.
pub(crate) fn mark(grid: &Grid, contract: usize) -> Price {
    // A whole number below 2^41: exact.
    libm::round(grid.value(contract)) as Price
}
