//! Liquidation of portfolios: each is sold in a Dutch auction.
//!
//! Rules: the first liquidation order against a portfolio that is liquidatable *at the market's own
//! marks when it executes* opens an auction; an order against a portfolio that has recovered closes
//! the auction. Its price is a share of mark value (perpetual, options and cash): from `start_ppm`
//! it falls linearly to `knee_ppm` within `fast_ns` and from there to zero within `slow_ns`. As
//! soon as an order executes with the price at or below the liquidators' bid,
//! `liquidation_share_ppm` of every position passes to the liquidator at its mark, and the
//! liquidator gains the discount on that share of mark value. The remainder waits for the next
//! order. If mark value is not positive the whole portfolio passes at once, and negative cash is
//! bad debt: the insurance fund pays it, and beyond the fund it is the venue's deficit.
//!
//! Theory of operation: a transfer of positions at their marks changes no account's equity, so the
//! discount is the only money that moves, and total money is constant.
//!
//! Source: Derive v2-core `DutchAuction.sol` at 7736900d (95 % → 70 % in 15 min → 0 in 12 h).
//!
//! Departures: Derive sells no more than what brings the account back above a buffer, charges a fee
//! of 10 % for its insurance fund, and in an insolvent auction pays the liquidator an amount that
//! rises from mark value to the maintenance requirement within an hour. Here one account bids a
//! fixed share, with unlimited funds.

use surgetank_layer::message::LiquidationOrder;
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

use crate::config::PPM;
use crate::facts::{Fact, Reject};
use crate::margin::fraction_up;
use crate::market::Market;
use crate::options::OptionsDesk;

impl Market {
    pub(crate) fn sell_portfolio(
        &mut self,
        now: Ns,
        keeper: AccountId,
        order: &LiquidationOrder,
        facts: &mut Vec<Fact>,
    ) {
        let (account, symbol) = (order.target, order.symbol);
        let Some(OptionsDesk { auction: rules, liquidator }) = self.desk else { return };
        let refused = |reason| Fact::Rejected { account: keeper, cl_ord_id: 0, symbol, reason };
        if usize::from(symbol) >= self.books.len() {
            return facts.push(refused(Reject::UnknownSymbol));
        }
        if order.order_qty < 0 {
            return facts.push(refused(Reject::IncorrectQuantity));
        }
        if !self.ledger.liquidatable(account, 0, self.ledger.mark(0)) {
            self.auctions.remove(&account);
            return facts.push(Fact::NotLiquidatable { account, keeper, symbol });
        }
        let opened_ns = *self.auctions.entry(account).or_insert(now);
        self.cancel_unit(account, 0, facts);
        let value = self.ledger.equity(account);
        let price_ppm = rules.price_ppm(now.saturating_sub(opened_ns));
        if value > 0 && price_ppm > rules.bid_ppm {
            return facts.push(Fact::AuctionOpen { account, keeper, price_ppm });
        }
        let share_ppm = if value > 0 { self.config.symbols[0].liquidation_share_ppm } else { PPM };
        let sold = self.transfer_share(account, liquidator, share_ppm);
        let closed = self.ledger.is_flat(account);
        let mut discount = 0;
        if value > 0 {
            let (ppm, share) = (Money::from(PPM), if closed { PPM } else { share_ppm });
            let part = Money::from(share) * Money::from(PPM - price_ppm);
            // In two steps, so that nothing overflows; rounded down, for the account.
            discount = value / ppm * part / ppm + value % ppm * part / ppm / ppm;
            self.ledger.pay(account, 0, discount);
            self.ledger.pay(liquidator, 0, -discount);
        }
        self.settle_flat(account, 0, facts);
        if closed {
            self.auctions.remove(&account);
        }
        facts.push(Fact::Auctioned {
            account,
            keeper,
            liquidator,
            value,
            price_ppm,
            discount,
            size: sold.0,
            delta: sold.1,
            trigger_price: order.trigger_price,
            mark_price: self.ledger.mark(0),
            closed,
        });
    }

    /// Transfers a share of every position at its mark, rounded up to a lot; returns the lots
    /// transferred and their signed delta in lots of the perpetual.
    fn transfer_share(&mut self, from: AccountId, to: AccountId, share_ppm: u32) -> (Qty, Qty) {
        let spot = self.ledger.mark(0);
        let (mut size, mut delta) = (0, 0.0);
        let options: Vec<usize> = self.ledger.held(from).iter().map(|(s, _)| *s).collect();
        for s in (0..self.books.len()).chain(options) {
            let held = self.ledger.position(from, s).qty;
            let part = fraction_up(Money::from(held.abs()), share_ppm) as Qty * held.signum();
            if part == 0 {
                continue;
            }
            let mark = self.ledger.mark(s);
            self.ledger.close(from, s, -part, -Money::from(part) * Money::from(mark));
            self.ledger.trade(to, s, part, mark);
            size += part.abs();
            delta += part as f64 * self.ledger.delta(s, spot);
        }
        (size, libm::round(delta) as Qty)
    }

    /// Settles expired options at this price.
    pub(crate) fn settle_expired(&mut self, price: Price, facts: &mut Vec<Fact>) {
        let first = self.books.len();
        for contract in self.ledger.expire() {
            let s = first + contract;
            let payoff = self.ledger.contracts()[contract].payoff(price);
            let symbol = s as u16;
            facts.push(Fact::Expired { symbol, payoff });
            let holders: Vec<AccountId> = self.ledger.holders(s).collect();
            for &account in &holders {
                let qty = self.ledger.position(account, s).qty;
                let value = Money::from(qty) * Money::from(payoff);
                self.ledger.close(account, s, -qty, -value);
            }
            for account in holders {
                self.settle_flat(account, symbol, facts);
            }
        }
    }
}
