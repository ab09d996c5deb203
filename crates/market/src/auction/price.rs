//! The price of a call auction.

use std::collections::BTreeMap;

use surgetank_layer::units::{Price, Qty};

/// Result of a call auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clearing {
    /// The price of every trade, in ticks.
    pub price: Price,
    /// Quantity traded, in lots.
    pub volume: Qty,
}

/// The price of the greatest volume, given (limit, quantity) of both sides; `None` if none crosses.
///
/// Among prices of equal volume, the one with the smallest surplus |demand − supply|; among those,
/// the one nearest to `reference`. Such prices are always adjacent: demand does not rise with the
/// price, and supply does not fall.
pub fn clearing(
    buys: impl IntoIterator<Item = (Price, Qty)>,
    sells: impl IntoIterator<Item = (Price, Qty)>,
    reference: Price,
) -> Option<Clearing> {
    // At each of these prices demand falls by the first number and supply rises by the second.
    let mut steps: BTreeMap<Price, (Qty, Qty)> = BTreeMap::new();
    let mut demand = 0;
    for (limit, qty) in buys {
        demand += qty;
        steps.entry(limit + 1).or_default().0 += qty;
    }
    for (limit, qty) in sells {
        steps.entry(limit).or_default().1 += qty;
    }
    let mut supply = 0;
    // Volume, surplus, first and last price.
    let mut best: Option<(Qty, Qty, Price, Price)> = None;
    let mut steps = steps.into_iter().peekable();
    while let Some((from, (less, more))) = steps.next() {
        demand -= less;
        supply += more;
        let Some(&(next, _)) = steps.peek() else {
            break; // demand is used up
        };
        let (volume, surplus) = (supply.min(demand), (demand - supply).abs());
        match &mut best {
            _ if volume == 0 => {}
            Some((v, s, _, to)) if (*v, *s) == (volume, surplus) => *to = next - 1,
            Some((v, s, ..)) if *v > volume || *v == volume && *s < surplus => {}
            _ => best = Some((volume, surplus, from, next - 1)),
        }
    }
    best.map(|(volume, _, from, to)| Clearing { price: reference.clamp(from, to), volume })
}
