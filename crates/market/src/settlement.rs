//! Settlement of trades and close-outs: trades are booked, fees charged, bad debt allocated,
//! resting orders cancelled.

use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::book::Resting;
use crate::facts::{Bearer, CancelReason, Fact};
use crate::margin::fraction_up;
use crate::market::Market;

impl Market {
    /// Books a trade, `qty` signed as for the taker, with the fees of both sides. The taker in a
    /// liquidation is settled by the liquidation.
    pub(crate) fn settle_trade(
        &mut self,
        symbol: u16,
        price: Price,
        qty: Qty,
        maker: AccountId,
        (taker, settles): (AccountId, bool),
        facts: &mut Vec<Fact>,
    ) {
        let s = usize::from(symbol);
        let notional = Money::from(qty.abs()) * Money::from(price);
        let (maker_fee_ppm, taker_fee_ppm) = {
            let rules = &self.config.symbols[s];
            (rules.maker_fee_ppm, rules.taker_fee_ppm)
        };
        self.ledger.trade(maker, s, -qty, price);
        self.charge(maker, s, fraction_up(notional, maker_fee_ppm));
        self.settle_flat(maker, symbol, facts);
        self.ledger.trade(taker, s, qty, price);
        if settles {
            self.charge(taker, s, fraction_up(notional, taker_fee_ppm));
            self.settle_flat(taker, symbol, facts);
        }
    }

    fn charge(&mut self, account: AccountId, symbol: usize, fee: Money) {
        self.ledger.pay(account, symbol, fee);
        self.fees += fee;
        let index = account as usize;
        if index >= self.paid.len() {
            self.paid.resize(index + 1, 0);
        }
        self.paid[index] += fee;
    }

    /// Cancels a resting order on the venue's initiative.
    pub(crate) fn cancel_resting(
        &mut self,
        symbol: u16,
        order: Resting,
        reason: CancelReason,
        facts: &mut Vec<Fact>,
    ) {
        let Resting { account, cl_ord_id, side, qty, .. } = order;
        self.books[usize::from(symbol)].remove(account, cl_ord_id);
        self.ledger.add_open(account, usize::from(symbol), side, -qty);
        facts.push(Fact::Canceled { account, cl_ord_id, symbol, side, qty, reason });
    }

    /// Cancels the resting orders behind a collateral unit that is liquidated: an account's in this
    /// market; in cross mode in all.
    pub(crate) fn cancel_unit(&mut self, account: AccountId, symbol: u16, facts: &mut Vec<Fact>) {
        let all = self.ledger.is_cross(account);
        for s in (0..self.symbols()).filter(|&s| all || s == symbol) {
            self.cancel_orders(account, s, CancelReason::Liquidation, facts);
        }
    }

    /// Cancels an account's resting orders in a market.
    pub(crate) fn cancel_orders(
        &mut self,
        account: AccountId,
        symbol: u16,
        reason: CancelReason,
        facts: &mut Vec<Fact>,
    ) {
        let orders: Vec<_> = self.book(symbol).orders(account).collect();
        for order in orders {
            self.cancel_resting(symbol, order, reason, facts);
        }
    }

    /// Returns a flat position's collateral to cash and settles the debt that it leaves, if any.
    pub(crate) fn settle_flat(&mut self, account: AccountId, symbol: u16, facts: &mut Vec<Fact>) {
        let s = usize::from(symbol);
        if self.ledger.position(account, s).qty != 0 {
            return;
        }
        self.ledger.release_margin(account, s);
        self.sell_collateral(account, facts);
        let debt = self.ledger.write_off_debt(account);
        if debt > 0 {
            self.bear(account, symbol, debt, facts);
        }
    }

    /// Sells the assets of an account without positions as far as its negative cash needs it.
    fn sell_collateral(&mut self, account: AccountId, facts: &mut Vec<Fact>) {
        let owes = self.ledger.cash(account) < 0 && self.ledger.has_assets(account);
        if !owes || !self.ledger.is_flat(account) {
            return;
        }
        let buyer = self.collateral_buyer;
        for (asset, amount, proceeds) in self.ledger.sell_assets(account, buyer) {
            let asset = asset as u16;
            facts.push(Fact::CollateralSold { account, buyer, asset, amount, proceeds });
        }
    }

    /// Pays an account's debt out of the insurance fund, and beyond it as the venue's deficit.
    pub(crate) fn bear(
        &mut self,
        account: AccountId,
        symbol: u16,
        amount: Money,
        facts: &mut Vec<Fact>,
    ) {
        self.bad_debt += amount;
        let drawn = amount.min(self.insurance);
        self.insurance -= drawn;
        self.deficit += amount - drawn;
        if drawn > 0 {
            let borne_by = Bearer::Insurance;
            facts.push(Fact::BadDebt { account, symbol, amount: drawn, borne_by });
            facts.push(Fact::InsuranceDrawn { amount: drawn, remaining: self.insurance });
        }
        if amount > drawn {
            let borne_by = Bearer::Venue;
            facts.push(Fact::BadDebt { account, symbol, amount: amount - drawn, borne_by });
        }
    }
}
