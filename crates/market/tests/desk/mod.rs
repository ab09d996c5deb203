//! A test client of a market: sends messages and returns the facts of each.

use surgetank_layer::message::*;
use surgetank_layer::units::*;
use surgetank_market::book::{BookChange, Resting};
use surgetank_market::*;

/// More money than any test can lose.
pub const RICH: Money = 1 << 70;

pub struct Desk {
    pub market: Market,
    pub now: Ns,
}

/// A limit order, good till cancelled.
pub fn limit(cl_ord_id: u64, side: Side, price: Price, order_qty: Qty) -> NewOrderSingle {
    NewOrderSingle {
        cl_ord_id,
        symbol: 0,
        side,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        post_only: false,
        reduce_only: false,
        price,
        order_qty,
    }
}

/// A market order.
pub fn market(cl_ord_id: u64, side: Side, order_qty: Qty) -> NewOrderSingle {
    NewOrderSingle { ord_type: OrdType::Market, ..limit(cl_ord_id, side, 0, order_qty) }
}

impl Desk {
    pub fn new(rules: SymbolConfig, insurance: Money, price: Price) -> Desk {
        let config = Config { symbols: vec![rules], insurance };
        Desk { market: Market::new(config, &[price]), now: 0 }
    }

    /// One market at price 100, default rules, accounts 0..n with unlimited cash.
    pub fn rich(n: AccountId) -> Desk {
        let mut desk = Desk::new(SymbolConfig::default(), 0, 100);
        (0..n).for_each(|account| desk.market.deposit(account, RICH, MarginMode::Cross));
        desk
    }

    /// Executes a message and checks what must hold after any.
    pub fn send(&mut self, account: AccountId, body: Body) -> Vec<Fact> {
        let mut facts = Vec::new();
        self.now += 1;
        let message = Message { id: self.now as u32, account, sent_ns: self.now, body };
        self.market.fund(self.now, &mut facts);
        self.market.execute(self.now, &message, &mut facts);
        assert_eq!(self.market.total_money(), self.market.paid_in(), "{body:?}: {facts:?}");
        for symbol in 0..self.market.symbols() {
            let positions = self.market.accounts().map(|a| self.market.position(a, symbol));
            assert_eq!(positions.sum::<Qty>(), 0, "{body:?}: {facts:?}");
        }
        facts
    }

    pub fn order(&mut self, account: AccountId, order: NewOrderSingle) -> Vec<Fact> {
        self.send(account, Body::NewOrderSingle(order))
    }

    pub fn cancel(&mut self, account: AccountId, orig_cl_ord_id: u64) -> Vec<Fact> {
        let body = OrderCancelRequest { cl_ord_id: 900, orig_cl_ord_id, symbol: 0 };
        self.send(account, Body::OrderCancelRequest(body))
    }

    pub fn replace(
        &mut self,
        account: AccountId,
        (orig_cl_ord_id, cl_ord_id): (u64, u64),
        price: Price,
        order_qty: Qty,
    ) -> Vec<Fact> {
        let body =
            OrderCancelReplaceRequest { cl_ord_id, orig_cl_ord_id, symbol: 0, price, order_qty };
        self.send(account, Body::OrderCancelReplaceRequest(body))
    }

    pub fn price(&mut self, price: Price) -> Vec<Fact> {
        let body = PriceUpdate { symbol: 0, price, observed_ns: self.now };
        self.send(0, Body::PriceUpdate(body))
    }

    pub fn liquidate(&mut self, target: AccountId) -> Vec<Fact> {
        let trigger_price = self.market.mark(0);
        let body = LiquidationOrder { symbol: 0, target, order_qty: 0, trigger_price };
        self.send(0, Body::LiquidationOrder(body))
    }
}

/// The state of a market in bytes.
pub fn stored(market: &Market) -> Vec<u8> {
    postcard::to_allocvec(market).unwrap()
}

/// The market of these bytes, under the rules of another.
pub fn restored(rules: &Market, bytes: &[u8]) -> Market {
    rules.restore(postcard::from_bytes(bytes).unwrap()).unwrap()
}

/// A subscriber's copy of a book, which follows its changes.
pub struct BookCopy {
    symbol: u16,
    /// In the order in which they entered.
    orders: Vec<Resting>,
}

impl BookCopy {
    pub fn of(market: &mut Market, symbol: u16) -> BookCopy {
        market.record_book_changes(true);
        let orders = [Side::Buy, Side::Sell].map(|side| market.book(symbol).queue(side));
        BookCopy { symbol, orders: orders.into_iter().flatten().collect() }
    }

    /// Applies the changes and compares: the same orders in the same order.
    pub fn follow(&mut self, market: &mut Market) {
        for BookChange { order, orig_cl_ord_id, orig_qty } in market.take_book_changes(self.symbol)
        {
            let known = |o: &Resting| (o.account, o.cl_ord_id) == (order.account, orig_cl_ord_id);
            let place = self.orders.iter().position(known);
            assert_eq!(place.map_or(0, |at| self.orders[at].qty), orig_qty);
            match (place, order.qty) {
                (Some(at), 0) => drop(self.orders.remove(at)),
                (Some(at), _) => self.orders[at] = order,
                (None, _) => self.orders.push(order),
            }
        }
        for side in [Side::Buy, Side::Sell] {
            let mut copy: Vec<_> = self.orders.iter().filter(|o| o.side == side).collect();
            copy.sort_by_key(|o| -o.price * side.sign());
            assert!(copy.into_iter().copied().eq(market.book(self.symbol).queue(side)));
        }
    }
}

/// (maker's account, maker's ClOrdID, price, quantity) of every trade.
pub fn trades(facts: &[Fact]) -> Vec<(AccountId, u64, Price, Qty)> {
    let trade = |fact: &Fact| match *fact {
        Fact::Trade { maker_account, maker_cl_ord_id, price, qty, .. } => {
            Some((maker_account, maker_cl_ord_id, price, qty))
        }
        _ => None,
    };
    facts.iter().filter_map(trade).collect()
}

/// Why the message was refused, if it was.
pub fn reject(facts: &[Fact]) -> Option<Reject> {
    match facts {
        [Fact::Rejected { reason, .. }] => Some(*reason),
        _ => None,
    }
}

/// (ClOrdID, quantity, reason) of every cancel.
pub fn canceled(facts: &[Fact]) -> Vec<(u64, Qty, CancelReason)> {
    let cancel = |fact: &Fact| match *fact {
        Fact::Canceled { cl_ord_id, qty, reason, .. } => Some((cl_ord_id, qty, reason)),
        _ => None,
    };
    facts.iter().filter_map(cancel).collect()
}

/// (amount, bearer) of every bad debt.
pub fn bad_debt(facts: &[Fact]) -> Vec<(Money, Bearer)> {
    let debt = |fact: &Fact| match *fact {
        Fact::BadDebt { amount, borne_by, .. } => Some((amount, borne_by)),
        _ => None,
    };
    facts.iter().filter_map(debt).collect()
}

/// SplitMix64 (Steele, Lea, Flood 2014), for tests only.
pub struct Rng(pub u64);

impl Rng {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform on (0, 1].
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    pub fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}
