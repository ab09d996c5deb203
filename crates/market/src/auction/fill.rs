//! Allocation of the volume at the price of a call auction.

use surgetank_layer::units::{AccountId, MessageId, Qty};

use super::{Rank, Rationing};
use crate::book::{Resting, reaches};
use surgetank_layer::units::Price;

/// An order in the call auction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The order as it rests in the book.
    pub order: Resting,
    /// Quantity that may trade, in lots: all of it, except for reduce-only orders.
    pub open: Qty,
    /// For an order of this batch: its rank and the number of its message.
    pub new: Option<(Rank, MessageId)>,
}

/// An order and the quantity of it that trades, in lots.
pub(super) type Fill = (Part, Qty);

/// Allocates `volume` among the orders of one side, best price first; at one price, those that rest
/// from earlier batches first, in their order, then this batch's under the rule.
pub(super) fn ration(
    mut parts: Vec<Part>,
    price: Price,
    volume: Qty,
    rationing: Rationing,
) -> Vec<Fill> {
    parts.retain(|part| part.open > 0 && reaches(part.order.side, part.order.price, price));
    // A stable sort: resting orders stay in the order of the book.
    parts.sort_by_key(|p| (-p.order.price * p.order.side.sign(), p.new));
    let alike = |a: &Part, b: &Part| {
        (a.order.price, a.new.is_some()) == (b.order.price, b.new.is_some())
            && a.new.is_some()
            && rationing == Rationing::ProRata
    };
    let (mut left, mut fills) = (volume, Vec::new());
    for group in parts.chunk_by(alike) {
        let wanted: Qty = group.iter().map(|part| part.open).sum();
        let given = wanted.min(left);
        left -= given;
        fills.extend(pro_rata(group, wanted, given));
    }
    fills.retain(|fill| fill.1 > 0);
    fills
}

/// Shares of `given` in proportion to size, rounded down; the lots left over are given one each, in
/// order of rank. They are fewer than the shares that were rounded.
fn pro_rata(group: &[Part], wanted: Qty, given: Qty) -> impl Iterator<Item = Fill> + '_ {
    let floor =
        move |open: Qty| (i128::from(open) * i128::from(given) / i128::from(wanted.max(1))) as Qty;
    let mut odd = given - group.iter().map(|part| floor(part.open)).sum::<Qty>();
    group.iter().map(move |part| {
        let share = floor(part.open);
        let extra = Qty::from(odd > 0);
        odd -= extra;
        (*part, share + extra)
    })
}

/// The orders that would trade with orders of their own account and must be cancelled: those that
/// rest, or, if both sides came in this batch, the side of the order that is last by rank; each
/// with the message that causes the cancel.
pub(super) fn self_trades(bought: &[Fill], sold: &[Fill]) -> Vec<(Part, MessageId)> {
    let sells = by_account(sold);
    let mut gone = Vec::new();
    for (account, buys) in by_account(bought) {
        let Ok(at) = sells.binary_search_by_key(&account, |(account, _)| *account) else {
            continue;
        };
        let sells = &sells[at].1;
        let rests = |parts: &[Part]| parts.iter().any(|part| part.new.is_none());
        let last = |parts: &[Part]| parts.iter().filter_map(|part| part.new).max();
        let buys_go =
            if rests(&buys) || rests(sells) { rests(&buys) } else { last(&buys) > last(sells) };
        let (go, stay) = if buys_go { (&buys, sells) } else { (sells, &buys) };
        let mut cause = last(stay).map_or(0, |(_, message)| message);
        let some_rest = rests(go);
        for part in go.iter().filter(|part| part.new.is_none() || !some_rest) {
            if let Some((_, message)) = part.new {
                cause = message;
            }
            gone.push((*part, cause));
        }
    }
    gone
}

/// Trading orders of each account, by account.
fn by_account(fills: &[Fill]) -> Vec<(AccountId, Vec<Part>)> {
    let mut parts: Vec<Part> = fills.iter().map(|fill| fill.0).collect();
    parts.sort_by_key(|part| part.order.account);
    let same = |a: &Part, b: &Part| a.order.account == b.order.account;
    parts.chunk_by(same).map(|parts| (parts[0].order.account, parts.to_vec())).collect()
}
