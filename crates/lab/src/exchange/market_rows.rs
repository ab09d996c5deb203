//! Rows of the market's table for executed messages.

use surgetank_layer::units::{AccountId, Money, NEVER, Ns};
use surgetank_market::{Deferral, Fact, Market};

use super::Recorder;
use crate::trace::{MarketKind, MarketRow};

impl Recorder {
    /// Records a fact of a message.
    pub(super) fn fact(&mut self, now: Ns, venue: &Market, message: u32, fact: Fact) {
        let changes_no_account = matches!(
            fact,
            Fact::OraclePrice { .. }
                | Fact::Mark { .. }
                | Fact::Accepted { .. }
                | Fact::Canceled { .. }
                | Fact::Rejected { .. }
                | Fact::NotLiquidatable { .. }
        );
        if !changes_no_account {
            self.due.unmoved = None;
        }
        // Options are numbered after the perpetuals and written on the first.
        let symbol = fact.symbol().filter(|&symbol| symbol < venue.symbols()).unwrap_or(0);
        let perpetual = &mut self.perpetuals[usize::from(symbol)];
        self.ledger.note(&fact, perpetual.ticks);
        let row = |kind| MarketRow { message, market: symbol, ..MarketRow::new(now, kind) };
        match fact {
            Fact::OraclePrice { price, observed_ns, .. } => {
                perpetual.pressure.marked(observed_ns);
                self.row(MarketRow { price, ref_ns: observed_ns, ..row(MarketKind::Oracle) });
            }
            Fact::Mark { price, .. } => self.row(MarketRow { price, ..row(MarketKind::Mark) }),
            Fact::Trade { .. } => self.traded(now, venue, message, fact),
            Fact::BadDebt { account, amount, borne_by, .. } => {
                let (code, amount) = (borne_by as u8, self.fitting(amount));
                self.row(MarketRow { account, code, amount, ..row(MarketKind::BadDebt) });
            }
            Fact::Deleveraged { account, against, qty, price, haircut, .. } => {
                let (other, amount) = (against, self.fitting(haircut));
                let row = row(MarketKind::Deleveraged);
                self.row(MarketRow { account, other, price, qty, amount, ..row });
            }
            Fact::NotLiquidatable { account, .. } => {
                self.row(MarketRow { account, ..row(MarketKind::NotLiquidatable) });
            }
            Fact::LiquidationDeferred { account, keeper, reason, .. } => {
                let (code, ref_ns) = (reason as u8, self.due_ns(venue, account, symbol));
                let row = row(MarketKind::LiquidationDeferred);
                self.row(MarketRow { account, other: keeper, code, ref_ns, ..row });
            }
            Fact::AuctionOpen { account, keeper, .. } => {
                let (code, ref_ns) = (Deferral::Auction as u8, self.due_ns(venue, account, symbol));
                let row = row(MarketKind::LiquidationDeferred);
                self.row(MarketRow { account, other: keeper, code, ref_ns, ..row });
            }
            Fact::TakenOver { account, vault, price, qty, margin, .. } => {
                let (other, amount) = (vault, self.fitting(margin));
                let row = row(MarketKind::TakenOver);
                self.row(MarketRow { account, other, price, qty, amount, ..row });
            }
            Fact::CollateralSold { account, buyer, asset, amount, proceeds } => {
                let (qty, amount) = (self.fitting(amount), self.fitting(proceeds));
                let (other, code) = (buyer, asset as u8);
                let row = row(MarketKind::CollateralSold);
                self.row(MarketRow { account, other, code, qty, amount, ..row });
            }
            Fact::Funding { price, rate_ppb, paid, .. } => {
                let (qty, amount) = (rate_ppb, self.fitting(paid));
                self.row(MarketRow { price, qty, amount, ..row(MarketKind::Funding) });
            }
            Fact::MarginCall { .. } => self.called(now, message, fact),
            Fact::Liquidated { .. } => self.liquidated(now, venue, message, fact),
            Fact::Auctioned { .. } => self.auctioned(now, venue, message, fact),
            _ => {}
        }
    }

    fn traded(&mut self, now: Ns, venue: &Market, message: u32, fact: Fact) {
        let Fact::Trade {
            symbol,
            price,
            qty,
            maker_account,
            taker_account,
            taker_side,
            liquidation,
            ..
        } = fact
        else {
            return;
        };
        let kind = if liquidation { MarketKind::LiquidationTrade } else { MarketKind::Trade };
        let (_, observed_ns) = venue.oracle(symbol);
        let amount = self.fitting(Money::from(price) * Money::from(qty));
        self.row(MarketRow {
            message,
            account: taker_account,
            market: symbol,
            other: maker_account,
            price,
            qty: qty * taker_side.sign(),
            amount,
            ref_ns: observed_ns,
            ..MarketRow::new(now, kind)
        });
        if liquidation {
            let musd = price as f64 * qty as f64 * self.quantum_usd / 1e6;
            self.press(now, taker_account, symbol, taker_side.sign() as f64 * musd);
        }
    }

    fn called(&mut self, now: Ns, message: u32, fact: Fact) {
        let Fact::MarginCall { account, symbol, mark_price, trigger_price, falling } = fact else {
            return;
        };
        let pressure = &self.perpetuals[usize::from(symbol)].pressure;
        let cause = trigger_price.and_then(|trigger| pressure.cause(mark_price, trigger, falling));
        self.row(MarketRow {
            message,
            account,
            market: symbol,
            other: cause.map_or(u32::MAX, |cause| cause.account),
            price: mark_price,
            amount: trigger_price.unwrap_or(0),
            ref_ns: cause.map_or(NEVER, |cause| cause.executed_ns),
            ..MarketRow::new(now, MarketKind::MarginCall)
        });
    }

    /// A liquidation of this account moves the outside price of its market, by millions of USD
    /// bought.
    fn press(&mut self, now: Ns, account: AccountId, market: u16, musd: f64) {
        let perpetual = &mut self.perpetuals[usize::from(market)];
        let bp = musd * perpetual.impact_bp_per_musd;
        perpetual.pressure.press(now, account, bp / 1e4);
        self.shocks.push((market, bp));
    }

    fn liquidated(&mut self, now: Ns, venue: &Market, message: u32, fact: Fact) {
        let Fact::Liquidated {
            account,
            keeper,
            symbol,
            book_qty,
            book_notional,
            deleveraged_qty,
            taken_over_qty,
            held,
            mark_price,
            fee,
            remaining,
            ..
        } = fact
        else {
            return;
        };
        let average = match book_qty {
            0 => mark_price,
            _ => self.fitting(book_notional / Money::from(book_qty)),
        };
        let amount = self.fitting(fee);
        let ref_ns = self.due_ns(venue, account, symbol);
        self.row(MarketRow {
            message,
            account,
            market: symbol,
            other: keeper,
            price: average,
            qty: -held.signum() * (book_qty + deleveraged_qty + taken_over_qty),
            amount,
            ref_ns,
            ..MarketRow::new(now, MarketKind::Liquidated)
        });
        if remaining == 0 {
            self.closed(now, venue, message, (account, symbol));
        }
    }
    /// Records the sale of a portfolio.
    fn auctioned(&mut self, now: Ns, venue: &Market, message: u32, fact: Fact) {
        let Fact::Auctioned { account, keeper, discount, size, delta, mark_price, closed, .. } =
            fact
        else {
            return;
        };
        let amount = self.fitting(discount);
        self.row(MarketRow {
            message,
            account,
            market: 0,
            other: keeper,
            price: mark_price,
            qty: if delta > 0 { -size } else { size },
            amount,
            ref_ns: self.due_ns(venue, account, 0),
            ..MarketRow::new(now, MarketKind::Liquidated)
        });
        // The liquidator hedges its purchase outside.
        let musd = mark_price as f64 * delta as f64 * self.quantum_usd / 1e6;
        self.press(now, account, 0, -musd);
        if closed && account < self.accounts.judged() {
            self.closed(now, venue, message, (account, 0));
        }
    }
}
