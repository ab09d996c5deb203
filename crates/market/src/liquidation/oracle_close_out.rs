//! Close-out at the oracle price, against a liquidator that hedges outside the venue.
//!
//! Source: GMX synthetics `LiquidationUtils`: a position is closed at the oracle price, whatever is
//! quoted.

use surgetank_layer::units::{AccountId, Money, Price};

use super::Budget;
use crate::config::{PPM, PRICE_MAX};
use crate::facts::Fact;
use crate::market::Market;
use crate::orders::Taker;

impl Market {
    /// Closes the whole position against the liquidator. The price is rounded in the liquidator's
    /// favour.
    pub(super) fn fill_at_oracle(
        &mut self,
        taker: &mut Taker,
        budget: &mut Budget,
        (worse_ppm, against): (u32, AccountId),
        facts: &mut Vec<Fact>,
    ) {
        let (s, qty) = (usize::from(taker.symbol), taker.leaves);
        if !self.ledger.has_account(against) {
            return;
        }
        let (mark, ppm) = (Money::from(self.ledger.mark(s)), Money::from(PPM));
        let worse = (mark * Money::from(worse_ppm) + ppm - 1) / ppm;
        let price = (mark - budget.sign * worse).clamp(1, Money::from(2 * PRICE_MAX)) as Price;
        budget.filled += qty;
        budget.notional += Money::from(price) * Money::from(qty);
        taker.leaves = 0;
        facts.push(Fact::Trade {
            symbol: taker.symbol,
            price,
            qty,
            maker_account: against,
            maker_cl_ord_id: 0,
            maker_leaves: 0,
            taker_account: taker.account,
            taker_cl_ord_id: taker.cl_ord_id,
            taker_leaves: 0,
            taker_side: taker.side,
            liquidation: true,
        });
        let signed = qty * taker.side.sign();
        self.ledger.trade(against, s, -signed, price);
        self.ledger.trade(taker.account, s, signed, price);
    }
}
