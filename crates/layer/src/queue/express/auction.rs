//! Allocation of the next round: a sealed-bid second-price auction with a reserve price.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::LaneRound;
use crate::units::{AccountId, Money};

/// Domain separation tag of the hash that breaks ties.
const TIE_TAG: &[u8] = b"surgetank express tie 1";

/// Result of an auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Award {
    /// Account that won the auction.
    pub controller: AccountId,
    /// Winning bid, in quanta.
    pub bid: Money,
    /// Price to pay, in quanta: the second-highest bid or the reserve.
    pub price: Money,
}

/// Reason for which a bid was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BidRefusal {
    /// The bid is not for the round on sale.
    NotForSale = 1,
    /// The auction is closed.
    Closed = 2,
    /// It is below the reserve.
    BelowReserve = 3,
    /// The bidder has used all its bids; the last of them remains valid.
    TooManyBids = 4,
}

/// Bids for one round: each bidder's last bid, and its number of bids.
#[derive(Clone, Debug, Default)]
pub(super) struct Bids(BTreeMap<AccountId, (Money, u32)>);

impl Bids {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn bid(&mut self, bidder: AccountId, amount: Money, max: u32) -> Result<(), BidRefusal> {
        let (last, count) = self.0.entry(bidder).or_insert((amount, 0));
        if *count == max {
            return Err(BidRefusal::TooManyBids);
        }
        (*last, *count) = (amount, *count + 1);
        Ok(())
    }

    /// Evaluates the bids of the round and clears them.
    pub fn settle(&mut self, round: LaneRound, reserve: Money) -> Option<Award> {
        let bids = std::mem::take(&mut self.0);
        settle(round, reserve, bids.into_iter().map(|(bidder, (last, _))| (bidder, last)))
    }
}

/// The auction of one round: one bid per bidder; those below the reserve do not count. Equal bids
/// go to the lower hash of round, bidder and bid.
pub fn settle(
    round: LaneRound,
    reserve: Money,
    bids: impl IntoIterator<Item = (AccountId, Money)>,
) -> Option<Award> {
    let bids = bids.into_iter().filter(|&(_, bid)| bid >= reserve);
    let mut bids: Vec<_> =
        bids.map(|(bidder, bid)| (Reverse(bid), tie_hash(round, bidder, bid), bidder)).collect();
    bids.sort_unstable();
    let &(Reverse(bid), _, controller) = bids.first()?;
    let price = bids.get(1).map_or(reserve, |&(Reverse(second), ..)| second);
    Some(Award { controller, bid, price })
}

fn tie_hash(round: LaneRound, bidder: AccountId, bid: Money) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(TIE_TAG);
    hasher.update(&round.to_le_bytes());
    hasher.update(&bidder.to_le_bytes());
    hasher.update(&bid.to_le_bytes());
    *hasher.finalize().as_bytes()
}
