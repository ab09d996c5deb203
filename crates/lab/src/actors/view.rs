//! What an actor may know: the outside price, and the venue's publications.

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

/// What a client can query when it decides. The host of the actors implements it: the simulated
/// world, or a client of a running venue.
///
/// Without a market there is no outside price, every book is empty and no account is below
/// maintenance.
pub trait View {
    /// The outside price; `None` without a market.
    fn outside(&self) -> Option<Outside>;

    /// The outside price's move over the last `window`, in percent.
    fn move_pct(&self, window: Ns) -> f64;

    /// Best bid and ask of the venue's book.
    fn touch(&self) -> (Option<Price>, Option<Price>);

    /// Price and quantity of the best level of a side of the venue's book, and the price of the
    /// next one; `None` unless there are two.
    fn best_levels(&self, side: Side) -> Option<(Price, Qty, Price)>;

    /// Position and cash of one of the actor's own accounts.
    fn holding(&self, account: AccountId) -> Holding;

    /// Accounts whose positions were below maintenance margin at this mark, in ascending order.
    /// Positions are public, as on a chain.
    fn below_maintenance(&self, mark: Price) -> Vec<AccountId>;

    /// The same at the outside price of its last step.
    fn due(&self) -> impl Iterator<Item = AccountId>
    where
        Self: Sized;

    /// Whether the venue has published, in a block up to this height, that a limit deferred the
    /// account's liquidation, and no keeper has sent for it since.
    fn liquidation_deferred(&self, account: AccountId, height: u32) -> bool;
}

/// The outside price, and the venue's units.
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
    /// Signed position, in lots.
    pub position: Qty,
    /// Equity less the position's value at the mark, in quanta.
    pub cash: Money,
}

/// Lots for a notional, and a limit price on the passive side of the outside price.
pub fn size_and_price(
    view: &(impl View + ?Sized),
    usd: f64,
    side: Side,
    distance: f64,
) -> (Qty, Price) {
    view.outside().map_or((1, 1), |outside| (outside.lots(usd), outside.beside(side, distance)))
}
