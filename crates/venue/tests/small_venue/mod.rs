//! A small venue: one market at 100 with funding and at most one liquidation per batch. Accounts 0
//! and 1 are rich, 2 to 5 are not; all hold ±50.

use surgetank_layer::message::{
    Body, LiquidationOrder, Message, NewOrderSingle, OrdType, Side, TimeInForce,
};
use surgetank_layer::units::{AccountId, Digest, MessageId, Money, Price, Qty};
use surgetank_market::{
    Average, BlockLimits, Config, Formula, Funding, MarginMode, Market, PPM, SymbolConfig,
};
use surgetank_venue::genesis::{Genesis, Matching, Perpetual};

const FUNDING: Funding = Funding {
    sample_ns: 10,
    interval_ns: 100,
    first_ns: 100,
    impact: 1_000,
    interest_ppm: 100,
    formula: Formula::Added,
    average: Average::Mean,
    paid_ppm: 125_000,
    cap_ppm: None,
    cap_margins_ppm: None,
    premium_ppm: 0,
};

pub const LIMITS: BlockLimits = BlockLimits {
    position_share_ppm: PPM,
    position_min: 1 << 40,
    account_notional: 1 << 40,
    account_insurance: 1 << 40,
    attempts: 1,
    deleveraging_attempts: 1,
};

fn rules() -> SymbolConfig {
    SymbolConfig { funding: Some(FUNDING), ..SymbolConfig::default() }
}

/// Cash and position of each account.
fn held() -> impl Iterator<Item = (AccountId, Money, Qty)> {
    (0..6).map(|account| {
        let cash = if account < 2 { 1 << 40 } else { 300 };
        (account, cash, if account % 2 == 0 { 50 } else { -50 })
    })
}

pub fn genesis(matching: Matching) -> Genesis {
    let perpetual =
        Perpetual { name: "BTC".to_owned(), tick_usd: 0.1, lot: 0.001, price: 100, rules: rules() };
    let mut genesis = Genesis {
        start_ns: 0,
        matching,
        perpetuals: vec![perpetual],
        options: None,
        insurance: 20,
        limits: Some(LIMITS),
        collateral: Vec::new(),
        liquidator: 8,
        vault: 9,
        entries: Vec::new(),
        entry_prices: Vec::new(),
    };
    for (account, cash, qty) in held() {
        genesis.deposit(account, cash, MarginMode::Cross);
        genesis.open(account, 0, qty, 100);
    }
    genesis
}

/// The same by calls on the market alone.
pub fn market() -> Market {
    let mut market = Market::new(Config { symbols: vec![rules()], insurance: 20 }, &[100]);
    market.limit(LIMITS);
    market.accept_collateral(Vec::new(), 8);
    for (account, cash, qty) in held() {
        market.deposit(account, cash, MarginMode::Cross);
        market.open(account, 0, qty, 100);
    }
    market
}

/// A limit order, good till cancelled, of account 0 or 1.
pub fn order(id: MessageId, side: Side, price: Price, order_qty: Qty) -> Message {
    let body = Body::NewOrderSingle(NewOrderSingle {
        cl_ord_id: u64::from(id),
        symbol: 0,
        side,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        post_only: false,
        reduce_only: false,
        price,
        order_qty,
    });
    Message { id, account: id % 2, sent_ns: 0, body }
}

pub fn liquidation(id: MessageId, target: AccountId) -> Message {
    let order = LiquidationOrder { symbol: 0, target, order_qty: 0, trigger_price: 0 };
    Message { id, account: 0, sent_ns: 0, body: Body::LiquidationOrder(order) }
}

pub fn seed(byte: u8) -> Digest {
    Digest([byte; 32])
}
