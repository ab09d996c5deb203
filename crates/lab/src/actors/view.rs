//! What an actor may know: the outside price, and the venue's publications.

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

/// What a client can query when it decides. The host of the actors implements it: the simulated
/// world, or a client of a running venue.
///
/// Without a market there is no outside price, every book is empty and no account is below
/// maintenance.
pub trait View {
    /// Number of markets (perpetuals); 1 without a market. Market 0 is the first.
    fn markets(&self) -> u16;

    /// The outside price of a market; `None` without one.
    fn outside(&self, market: u16) -> Option<Outside>;

    /// The move of a market's outside price over the last `window`, in percent.
    fn move_pct(&self, market: u16, window: Ns) -> f64;

    /// Best bid and ask of a market's book.
    fn touch(&self, market: u16) -> (Option<Price>, Option<Price>);

    /// Price and quantity of the best level of a side of a market's book, and the price of the next
    /// one; `None` unless there are two.
    fn best_levels(&self, market: u16, side: Side) -> Option<(Price, Qty, Price)>;

    /// Position in a market, and the rest of the equity, of one of the actor's own accounts.
    fn holding(&self, account: AccountId, market: u16) -> Holding;

    /// Positions below maintenance margin at these marks, one per market, as (account, market) in
    /// ascending order. Of an account whose positions share their collateral, the one with the
    /// largest maintenance requirement. Positions are public, as on a chain.
    fn below_maintenance(&self, marks: &[Price]) -> Vec<(AccountId, u16)>;

    /// Number of the collateral unit of an account's position in a market: 0 if its positions share
    /// their collateral, else the market.
    fn collateral_unit(&self, account: AccountId, market: u16) -> u16;

    /// Collateral units below maintenance margin at the outside prices of their last step, as
    /// (account, unit).
    fn due(&self) -> impl Iterator<Item = (AccountId, u16)>
    where
        Self: Sized;

    /// Whether the venue has published, in a block up to this height, that a limit deferred the
    /// account's liquidation, and no keeper has sent for it since.
    fn liquidation_deferred(&self, account: AccountId, height: u32) -> bool;
}

/// The outside price of a market, and its units.
#[derive(Clone, Copy, Debug)]
pub struct Outside {
    /// The outside price in ticks.
    pub ticks: Price,
    /// Value of a tick, in USD.
    pub tick_usd: f64,
    /// Size of a lot, in coins.
    pub lot: f64,
}

impl Outside {
    /// Value of one quantum of money, in USD.
    pub fn quantum_usd(&self) -> f64 {
        self.tick_usd * self.lot
    }

    /// A recorded price and quantity in ticks and lots.
    pub fn ticks_and_lots(&self, usd: f64, coins: f64) -> (Price, Qty) {
        let (price, qty) = (usd / self.tick_usd, coins / self.lot);
        ((price.round() as Price).max(1), (qty.round() as Qty).max(1))
    }

    /// Lots for a notional, at least one.
    pub fn lots(&self, usd: f64) -> Qty {
        ((usd / (self.ticks as f64 * self.quantum_usd())).round() as Qty).max(1)
    }

    /// A share of the outside price, in ticks.
    pub fn offset(&self, distance: f64) -> Price {
        (self.ticks as f64 * distance) as Price
    }

    /// A limit price on the passive side of the outside price, this share of it away.
    pub fn beside(&self, side: Side, distance: f64) -> Price {
        (self.ticks - side.sign() * self.offset(distance)).max(1)
    }
}

/// An account's balance, as the venue reports it to its owner.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holding {
    /// Signed position in one market, in lots.
    pub position: Qty,
    /// Equity less that position's value at the mark, in quanta.
    pub cash: Money,
}

/// Lots for a notional, and a limit price on the passive side of a market's outside price.
pub fn size_and_price(
    view: &(impl View + ?Sized),
    market: u16,
    usd: f64,
    side: Side,
    distance: f64,
) -> (Qty, Price) {
    let outside = view.outside(market);
    outside.map_or((1, 1), |outside| (outside.lots(usd), outside.beside(side, distance)))
}
