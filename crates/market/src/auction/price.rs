//! The price of a call auction.

use std::collections::BTreeMap;

use surgetank_layer::units::{Price, Qty};

/// What an auction comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clearing {
    /// The price of every trade.
    pub price: Price,
    /// How much trades.
    pub volume: Qty,
}

/// The price at which most trades, of (limit, quantity) on both sides; `None` if nothing can.
///
/// Where several prices trade as much, the one that leaves the smaller surplus |demand − supply|;
/// of those the one nearest to `reference`. Such prices are always neighbours: demand does not
/// rise with the price, and supply does not fall.
pub fn clearing(
    buys: impl IntoIterator<Item = (Price, Qty)>,
    sells: impl IntoIterator<Item = (Price, Qty)>,
    reference: Price,
) -> Option<Clearing> {
    // From each of these prices on, surplus demand is less by so much: of demand, and of supply.
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
