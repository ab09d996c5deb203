//! The perpetuals of a venue under their names, with the steps of their prices and quantities.

use surgetank_layer::units::{Money, Price, Qty};

use super::decimal::{Decimal, Unit};
use crate::genesis::Genesis;

/// One perpetual.
#[derive(Clone, Debug)]
pub struct NamedPerpetual {
    /// Its name.
    pub name: String,
    /// Step of prices.
    pub tick: Unit,
    /// Step of quantities.
    pub lot: Unit,
    /// Initial margin, in millionths of notional.
    pub initial_ppm: u32,
    /// Maintenance margin, likewise.
    pub maintenance_ppm: u32,
    /// Fee of the incoming order, in millionths of notional.
    pub taker_fee_ppm: u32,
    /// Fee of the resting order.
    pub maker_fee_ppm: u32,
}

impl NamedPerpetual {
    /// A price in USD.
    pub fn price(&self, ticks: Price) -> Decimal {
        self.tick.amount(ticks.into())
    }

    /// A quantity in coins.
    pub fn amount(&self, lots: Qty) -> Decimal {
        self.lot.amount(lots.into())
    }
}

/// All perpetuals, by market index.
#[derive(Clone, Debug)]
pub struct Markets {
    perpetuals: Vec<NamedPerpetual>,
    quantum: Unit,
}

impl Markets {
    /// Those of a genesis.
    pub fn of(genesis: &Genesis) -> Markets {
        let perpetuals: Vec<NamedPerpetual> = genesis
            .perpetuals
            .iter()
            .map(|perpetual| NamedPerpetual {
                name: perpetual.name.clone(),
                tick: Unit::of(perpetual.tick_usd),
                lot: Unit::of(perpetual.lot),
                initial_ppm: perpetual.rules.initial_margin_ppm,
                maintenance_ppm: perpetual.rules.maintenance_margin_ppm,
                taker_fee_ppm: perpetual.rules.taker_fee_ppm,
                maker_fee_ppm: perpetual.rules.maker_fee_ppm,
            })
            .collect();
        let first = perpetuals.first().map(|first| first.tick.times(first.lot));
        Markets { quantum: first.unwrap_or(Unit::of(1.0)), perpetuals }
    }

    /// The perpetual of this index.
    pub fn get(&self, symbol: u16) -> Option<&NamedPerpetual> {
        self.perpetuals.get(usize::from(symbol))
    }

    /// Name of a market; empty if there is none of this index.
    pub fn name(&self, symbol: u16) -> &str {
        self.get(symbol).map_or("", |perpetual| &perpetual.name)
    }

    /// The market of this name.
    pub fn find(&self, name: &str) -> Option<(u16, &NamedPerpetual)> {
        (0..).zip(&self.perpetuals).find(|(_, perpetual)| perpetual.name == name)
    }

    /// All of them, by index.
    pub fn all(&self) -> impl Iterator<Item = (u16, &NamedPerpetual)> {
        (0..).zip(&self.perpetuals)
    }

    /// Step of money.
    pub fn quantum(&self) -> Unit {
        self.quantum
    }

    /// Money in USD.
    pub fn money(&self, quanta: Money) -> Decimal {
        self.quantum.amount(quanta)
    }
}
