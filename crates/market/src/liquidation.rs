//! Liquidation: closing out accounts below maintenance margin, and who bears what they cannot pay.
//!
//! Rules: a liquidation order against an account that is not liquidatable *at the market's own mark
//! price when it executes* does nothing. Otherwise, in this order:
//! 1. The account's resting orders go (isolated: in this market; cross: in all).
//! 2. Up to `order_qty` and `liquidation_share_ppm` of the position is sold to (bought from) the
//!    book, down to `worst_price_ppm` from the mark, and only as far as the insurance fund can
//!    make up what the fills bring in below the bankruptcy price.
//!    Where the market closes out at the oracle price ([`CloseOut::Oracle`]) there is no book and
//!    no such limit: all of it goes to the liquidator, and the venue stands for what is lacking.
//! 3. What they bring in above it pays the liquidation fee, at most all of it, to the insurance
//!    fund; the rest is the account's. What they lack is bad debt, paid by the insurance fund.
//! 4. If something is left unfilled and equity is negative at the mark, the rest is closed at the
//!    bankruptcy price against winners (auto-deleveraging). If equity is not negative the rest
//!    stays with the account, for the next liquidation order. The fund never holds a position.
//!
//! Theory of operation: each lot carries its share of the equity behind the position, so a part of
//! a position is settled as the whole would be. The bankruptcy price is where the position's share
//! of equity is nil; in cross mode equity is shared out by maintenance requirement. Amounts are
//! computed from the cumulative quantity, so the parts sum to the whole to the last quantum.
//! Winners are ranked by profit/entry notional × notional/equity (profit ratio × leverage; for a
//! loser profit ratio ÷ leverage), then by account number; one whom its close-out would ruin in
//! turn is passed over.
//!
//! A debt that arises without a liquidation (an account trades itself flat below zero) is borne by
//! the insurance fund, and beyond it stands as the venue's deficit.
//!
//! Source: dYdX v4 `x/clob/keeper/liquidations.go` and `deleveraging.go` (steps 2–4, bankruptcy
//! price, fee); GMX synthetics `LiquidationUtils` (closing at the oracle price); Binance "Auto-Deleveraging (ADL)" for the rank.
//!
//! Departures: dYdX deleverages against a pseudo-random opposite; its limits per block are not
//! kept; its fillable price is here a plain distance from the mark. Binance and Hyperliquid let a
//! fund or vault take positions over before they deleverage.

use surgetank_layer::message::{LiquidationOrder, Side};
use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::Market;
use crate::config::{CloseOut, PPM, PRICE_MAX};
use crate::facts::{Bearer, CancelReason, Fact, Reject};
use crate::margin::{Ledger, fraction_up, split};
use crate::orders::Taker;

/// How far a liquidation may go, and what it has brought in.
pub(crate) struct Budget {
    /// +1 closes a long.
    sign: Money,
    /// Quote behind the position; leaving it for minus this is bankruptcy exactly.
    own: Money,
    /// Size of the position.
    size: Qty,
    insurance: Money,
    filled: Qty,
    notional: Money,
}

impl Budget {
    fn new(ledger: &Ledger, account: AccountId, symbol: usize, insurance: Money) -> Budget {
        let held = ledger.position(account, symbol).qty;
        let own = ledger.own_quote(account, symbol);
        let sign = Money::from(held.signum());
        Budget { sign, own, size: held.abs(), insurance, filled: 0, notional: 0 }
    }

    /// What closing the first `qty` lots at the bankruptcy price adds to the quote.
    fn at_bankruptcy(&self, qty: Qty) -> Money {
        -split(self.own, Money::from(qty), Money::from(self.size))
    }

    /// Bankruptcy price in whole ticks, rounded down.
    fn bankruptcy_price(&self) -> Price {
        let price = (-self.own * self.sign).div_euclid(Money::from(self.size).max(1));
        price.clamp(Money::from(-PRICE_MAX), Money::from(2 * PRICE_MAX)) as Price
    }

    /// Above zero: brought in beyond bankruptcy; below: lacking.
    fn surplus(&self, price: Price, qty: Qty) -> Money {
        let notional = self.notional + Money::from(price) * Money::from(qty);
        self.sign * notional - self.at_bankruptcy(self.filled + qty)
    }

    /// Takes as much of `want` at this price as the insurance fund can stand for.
    pub(crate) fn take(&mut self, price: Price, want: Qty) -> Qty {
        let bearable = |qty: Qty| self.surplus(price, qty) + self.insurance >= 0;
        let mut qty = want;
        if !bearable(want) {
            let mut above = want;
            qty = 0;
            while above - qty > 1 {
                let middle = qty + (above - qty) / 2;
                if bearable(middle) {
                    qty = middle;
                } else {
                    above = middle;
                }
            }
        }
        self.filled += qty;
        self.notional += Money::from(price) * Money::from(qty);
        qty
    }
}

impl Market {
    pub(crate) fn liquidate(
        &mut self,
        keeper: AccountId,
        o: &LiquidationOrder,
        facts: &mut Vec<Fact>,
    ) {
        let (account, symbol) = (o.target, o.symbol);
        let s = usize::from(symbol);
        let refused = |reason| Fact::Rejected { account: keeper, cl_ord_id: 0, symbol, reason };
        if s >= self.books.len() {
            return facts.push(refused(Reject::UnknownSymbol));
        }
        if o.order_qty < 0 {
            return facts.push(refused(Reject::IncorrectQuantity));
        }
        let mark_price = self.ledger.mark(s);
        if self.is_liquidator(account, s) || !self.ledger.liquidatable(account, s, mark_price) {
            return facts.push(Fact::NotLiquidatable { account, keeper, symbol });
        }
        self.cancel_all(account, symbol, facts);
        let want = self.liquidation_qty(account, s, o.order_qty);
        let mut budget = Budget::new(&self.ledger, account, s, self.insurance);
        let bankruptcy_price = budget.bankruptcy_price();
        let side = if budget.sign > 0 { Side::Sell } else { Side::Buy };
        let limit = self.worst_price(s, side);
        let mut taker = Taker { account, cl_ord_id: 0, symbol, side, limit, leaves: want };
        match self.config.symbols[s].close_out {
            CloseOut::Book => self.match_taker(&mut taker, Some(&mut budget), facts),
            CloseOut::Oracle { worse_ppm, against } => {
                self.fill_outside(&mut taker, &mut budget, (worse_ppm, against), facts);
            }
        }
        let fee = self.settle_liquidation(account, symbol, &budget, facts);
        let mut deleveraged_qty = 0;
        if taker.leaves > 0 && self.ledger.risk(account, s, mark_price).0 < 0 {
            deleveraged_qty = self.deleverage(account, symbol, taker.leaves, facts);
        }
        self.settle_flat(account, symbol, facts);
        facts.push(Fact::Liquidated {
            account,
            keeper,
            symbol,
            book_qty: budget.filled,
            book_notional: budget.notional,
            deleveraged_qty,
            trigger_price: o.trigger_price,
            mark_price,
            bankruptcy_price,
            fee,
            remaining: self.ledger.position(account, s).qty,
        });
    }

    fn is_liquidator(&self, account: AccountId, symbol: usize) -> bool {
        match self.config.symbols[symbol].close_out {
            CloseOut::Oracle { against, .. } => against == account,
            CloseOut::Book => false,
        }
    }

    /// Closes all of it against the liquidator, who hedges outside. Rounded in their favour.
    fn fill_outside(
        &mut self,
        taker: &mut Taker,
        budget: &mut Budget,
        (worse_ppm, against): (u32, AccountId),
        facts: &mut Vec<Fact>,
    ) {
        let (s, qty) = (usize::from(taker.symbol), taker.leaves);
        if !self.ledger.knows(against) {
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

    pub(crate) fn cancel_all(&mut self, account: AccountId, symbol: u16, facts: &mut Vec<Fact>) {
        let all = self.ledger.is_cross(account);
        for s in (0..self.books.len() as u16).filter(|&s| all || s == symbol) {
            let orders: Vec<_> = self.books[usize::from(s)].orders(account).collect();
            for order in orders {
                self.take_out(s, order, CancelReason::Liquidation, facts);
            }
        }
    }

    fn liquidation_qty(&self, account: AccountId, symbol: usize, order_qty: Qty) -> Qty {
        let size = Money::from(self.ledger.position(account, symbol).qty.abs());
        let share = fraction_up(size, self.config.symbols[symbol].liquidation_share_ppm);
        let most = share.clamp(1, size) as Qty;
        if order_qty > 0 { most.min(order_qty) } else { most }
    }

    fn worst_price(&self, symbol: usize, side: Side) -> Option<Price> {
        let worst = Money::from(self.config.symbols[symbol].worst_price_ppm?);
        let (mark, ppm) = (Money::from(self.ledger.mark(symbol)), Money::from(PPM));
        Some(match side {
            // Both rounded towards the mark.
            Side::Sell => ((mark * (ppm - worst) + ppm - 1).div_euclid(ppm)) as Price,
            Side::Buy => (mark * (ppm + worst) / ppm) as Price,
        })
    }

    /// Step 3; returns the fee.
    fn settle_liquidation(
        &mut self,
        account: AccountId,
        symbol: u16,
        budget: &Budget,
        facts: &mut Vec<Fact>,
    ) -> Money {
        let s = usize::from(symbol);
        let surplus = budget.surplus(0, 0);
        if surplus >= 0 {
            let rate = self.config.symbols[s].liquidation_fee_ppm;
            let fee = fraction_up(budget.notional, rate).min(surplus);
            self.ledger.pay(account, s, fee);
            self.insurance += fee;
            return fee;
        }
        self.ledger.pay(account, s, surplus);
        self.bear(account, symbol, -surplus, facts);
        0
    }

    /// Step 4; returns how much was closed.
    fn deleverage(
        &mut self,
        account: AccountId,
        symbol: u16,
        most: Qty,
        facts: &mut Vec<Fact>,
    ) -> Qty {
        let s = usize::from(symbol);
        let budget = Budget::new(&self.ledger, account, s, 0);
        let (sign, mark, price) = (budget.sign, self.ledger.mark(s), budget.bankruptcy_price());
        let (mut done, mut borne) = (0, 0);
        for (_, against) in self.winners(s, sign) {
            let theirs = self.ledger.position(against, s).qty.abs();
            let qty = theirs.min(most - done);
            if qty == 0 {
                break;
            }
            let value = budget.at_bankruptcy(done + qty) - budget.at_bankruptcy(done);
            let haircut = value - sign * Money::from(qty) * Money::from(mark);
            if self.ledger.risk(against, s, mark).0 < haircut {
                continue;
            }
            let signed = qty * sign as Qty;
            self.ledger.close(account, s, -signed, -value);
            self.ledger.close(against, s, signed, value);
            facts.push(Fact::Deleveraged { account, against, symbol, qty, price, haircut });
            self.settle_flat(against, symbol, facts);
            done += qty;
            borne += haircut;
        }
        if borne > 0 {
            self.bad_debt += borne;
            let borne_by = Bearer::Deleveraged;
            facts.push(Fact::BadDebt { account, symbol, amount: borne, borne_by });
        }
        done
    }

    /// Holders of the opposite of `sign` positions, first to be deleveraged first.
    fn winners(&self, symbol: usize, sign: Money) -> Vec<(Money, AccountId)> {
        let mark = Money::from(self.ledger.mark(symbol));
        let ppm = Money::from(PPM);
        let mut ranked = Vec::new();
        for (p, account) in self.ledger.positions(symbol).iter().zip(0..) {
            if Money::from(p.qty.signum()) != -sign {
                continue;
            }
            let equity = self.ledger.risk(account, symbol, mark as Price).0;
            if equity <= 0 {
                continue;
            }
            let value = Money::from(p.qty) * mark;
            let profit_ppm = (value - p.cost) * ppm / p.cost.abs().max(1);
            let leverage_ppm = (value.abs() * ppm / equity).max(1);
            let score = if profit_ppm > 0 {
                profit_ppm.saturating_mul(leverage_ppm)
            } else {
                profit_ppm.saturating_mul(ppm) / leverage_ppm
            };
            ranked.push((score, account));
        }
        ranked.sort_unstable_by_key(|&(score, account)| (std::cmp::Reverse(score), account));
        ranked
    }

    /// Gives a flat position's collateral back; a debt left behind by it is borne here.
    pub(crate) fn settle_flat(&mut self, account: AccountId, symbol: u16, facts: &mut Vec<Fact>) {
        let s = usize::from(symbol);
        if self.ledger.position(account, s).qty != 0 {
            return;
        }
        self.ledger.release(account, s);
        let debt = self.ledger.strike_debt(account);
        if debt > 0 {
            self.bear(account, symbol, debt, facts);
        }
    }

    /// Pays an account's debt out of the insurance fund, and beyond it as the venue's deficit.
    fn bear(&mut self, account: AccountId, symbol: u16, amount: Money, facts: &mut Vec<Fact>) {
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
