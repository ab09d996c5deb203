//! Money and positions are conserved to the last unit under any sequence of messages.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use surgetank_layer::message::*;
use surgetank_layer::units::*;
use surgetank_market::*;

pub const ACCOUNTS: u32 = 8;
const PRICES: [Price; 2] = [10_000, 333];
/// The venue's own account in the last two of the rules below.
const HOUSE: AccountId = ACCOUNTS;

/// Rules of liquidation, as venues have them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rules {
    Plain,
    /// Limits per block and the fillable price (dYdX v4).
    Limited,
    /// Large positions in part, and a vault (Hyperliquid).
    Vault,
    /// Close-outs at the oracle price (GMX).
    Outside,
}

pub const RULES: [Rules; 4] = [Rules::Plain, Rules::Limited, Rules::Vault, Rules::Outside];

fn liquidation(rules: Rules, symbol: SymbolConfig) -> SymbolConfig {
    match rules {
        Rules::Plain => symbol,
        Rules::Limited => SymbolConfig {
            fillable: Some(Fillable {
                bankruptcy_adjustment_ppm: 1_000_003,
                spread_to_maintenance_ppm: 1_499_999,
            }),
            ..symbol
        },
        Rules::Vault => SymbolConfig {
            partial: Some(Partial { above: 300_000, share_ppm: 200_003, cooldown_ns: 9 }),
            backstop: Some(Backstop { below_ppm: 666_667, vault: HOUSE }),
            ..symbol
        },
        Rules::Outside => {
            let close_out = CloseOut::Oracle { worse_ppm: 2_003, against: HOUSE };
            SymbolConfig { close_out, ..symbol }
        }
    }
}

/// Two markets with odd rates.
fn markets() -> [SymbolConfig; 2] {
    let first = SymbolConfig {
        initial_margin_ppm: 25_003,
        maintenance_margin_ppm: 12_501,
        tiers: vec![Tier { above: 300_001, initial_ppm: 40_007, maintenance_ppm: 20_011 }],
        liquidation_fee_ppm: 7_001,
        taker_fee_ppm: 451,
        maker_fee_ppm: 149,
        protection: Protection { slippage_ppm: Some(60_007), ..Protection::default() },
        mark: Mark::Median { ema_ns: 20 },
        funding: Some(Funding {
            sample_ns: 3,
            interval_ns: 17,
            first_ns: 5,
            impact: 70_001,
            interest_ppm: 101,
            formula: Formula::Damped { damping_ppm: 503 },
            average: Average::TimeWeighted,
            paid_ppm: 125_003,
            cap_ppm: Some(40_009),
            cap_margins_ppm: None,
            premium_ppm: -2_003,
        }),
        ..SymbolConfig::default()
    };
    let second = SymbolConfig {
        maintenance_margin_ppm: 30_007,
        initial_margin_ppm: 50_021,
        open_interest_cap: Some(OpenInterestCap { lower: 500_003, upper: 9_000_001 }),
        liquidation_share_ppm: 333_333,
        worst_price_ppm: Some(100_000),
        protection: Protection {
            band_ppm: Some(80_003),
            far_ppm: Some(400_009),
            reduce_only_after_ns: Some(40),
            ..Protection::default()
        },
        funding: Some(Funding {
            sample_ns: 2,
            interval_ns: 41,
            first_ns: 7,
            impact: 30_011,
            interest_ppm: -97,
            formula: Formula::Added,
            average: Average::Mean,
            paid_ppm: 20_011,
            cap_ppm: None,
            cap_margins_ppm: Some(2_000_003),
            premium_ppm: 1_009,
        }),
        ..SymbolConfig::default()
    };
    [first, second]
}

/// These markets; even accounts cross, odd ones isolated, all but the last two poor.
pub fn venue(insurance: Money, rules: Rules) -> Desk {
    let symbols = markets().map(|symbol| liquidation(rules, symbol)).to_vec();
    let config = Config { symbols, insurance };
    let mut market = Market::new(config, &PRICES);
    for account in 0..ACCOUNTS {
        let mode = if account % 2 == 0 { MarginMode::Cross } else { MarginMode::Isolated };
        let rich = account >= ACCOUNTS - 2;
        for (symbol, size) in [(0, 100), (1, 2_000)] {
            let cash = 40_001 * (1 + Money::from(account)) * if rich { 100 } else { 1 };
            market.deposit(account, cash, mode);
            let sign = if account < ACCOUNTS / 2 { 1 } else { -1 };
            market.open(account, symbol, sign * size, PRICES[usize::from(symbol)]);
        }
    }
    if rules == Rules::Limited {
        market.limit(BlockLimits {
            position_share_ppm: 100_003,
            position_min: 70_001,
            account_notional: 30_001,
            account_insurance: 11,
            attempts: 2,
            deleveraging_attempts: 1,
        });
    }
    market.deposit(HOUSE, 400_003, MarginMode::Cross);
    assert_eq!(market.check_genesis(), Ok(()));
    Desk { market, now: 0 }
}

/// Derives a message from 64 random bits: any kind, mostly sensible numbers near the mark.
pub fn message(market: &Market, id: u64, bits: u64) -> (AccountId, Body) {
    let field = |shift: u32, n: u64| (bits >> shift) % n;
    let account = field(8, u64::from(ACCOUNTS)) as u32;
    let symbol = field(16, 2) as u16;
    let mark = market.mark(symbol);
    let order_qty = 1 + field(20, if symbol == 0 { 60 } else { 1_500 }) as i64;
    let off = field(32, 61) as i64 - 30;
    let price = (mark + mark * off / 1_000).max(1);
    let body = match field(0, 16) {
        0..=6 => Body::NewOrderSingle(NewOrderSingle {
            cl_ord_id: id,
            symbol,
            side: if field(40, 2) == 0 { Side::Buy } else { Side::Sell },
            ord_type: if field(41, 8) == 0 { OrdType::Market } else { OrdType::Limit },
            time_in_force: match field(44, 8) {
                0 => TimeInForce::ImmediateOrCancel,
                _ => TimeInForce::GoodTillCancel,
            },
            post_only: field(47, 4) == 0,
            reduce_only: field(49, 4) == 0,
            price,
            order_qty,
        }),
        7 => Body::OrderCancelRequest(OrderCancelRequest {
            cl_ord_id: id,
            orig_cl_ord_id: id.saturating_sub(field(40, 40)),
            symbol,
        }),
        8 | 9 => Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
            cl_ord_id: id,
            orig_cl_ord_id: id.saturating_sub(field(40, 40)),
            symbol,
            price,
            order_qty,
        }),
        10 | 11 => Body::PriceUpdate(PriceUpdate {
            symbol,
            // Up to 3 % either way; one in eight jumps up to 30 %, pulled back to the start.
            price: {
                let step = if field(40, 8) == 0 { off * 10 } else { off };
                let pull = (PRICES[usize::from(symbol)] - mark) / 8;
                (mark + mark * step / 1_000 + pull).max(1)
            },
            observed_ns: id.saturating_sub(field(50, 32)),
        }),
        _ => Body::LiquidationOrder(LiquidationOrder {
            symbol,
            target: field(40, u64::from(ACCOUNTS + 1)) as u32,
            order_qty: if field(48, 4) == 0 { order_qty } else { 0 },
            trigger_price: mark,
        }),
    };
    (account, body)
}

/// What is checked over a run, beside the sums that the desk checks after every message.
#[derive(Default)]
struct Audit {
    reduce_only: BTreeSet<(AccountId, u64)>,
    post_only: BTreeSet<(AccountId, u64)>,
    /// Positions reconstructed from the facts alone.
    positions: BTreeMap<(AccountId, u16), Qty>,
    bad_debt: Money,
    drawn: Money,
    borne: [Money; 4],
    haircuts: Money,
    seen: BTreeSet<&'static str>,
}

impl Audit {
    fn new(market: &Market) -> Audit {
        let mut audit = Audit::default();
        for (account, symbol) in market.accounts().flat_map(|a| [(a, 0), (a, 1)]) {
            audit.positions.insert((account, symbol), market.position(account, symbol));
        }
        audit
    }

    fn order(&mut self, account: AccountId, body: &Body, facts: &[Fact]) {
        match body {
            _ if reject(facts).is_some() => {}
            Body::NewOrderSingle(o) => {
                let key = (account, o.cl_ord_id);
                if o.reduce_only {
                    self.reduce_only.insert(key);
                }
                if o.post_only {
                    self.post_only.insert(key);
                }
            }
            Body::OrderCancelReplaceRequest(r) => {
                let (old, new) = ((account, r.orig_cl_ord_id), (account, r.cl_ord_id));
                for flagged in [&mut self.reduce_only, &mut self.post_only] {
                    if flagged.contains(&old) {
                        flagged.insert(new);
                    }
                }
            }
            _ => {}
        }
    }

    fn moves(&mut self, key: (AccountId, u16), qty: Qty, only_reduces: bool) {
        let position = self.positions.entry(key).or_default();
        let before = *position;
        *position += qty;
        if only_reduces {
            let kept = before.signum() * position.signum() >= 0;
            assert!(kept && position.abs() < before.abs(), "{key:?}: {before} → {position}");
        }
    }

    fn trade(&mut self, fact: &Fact) -> &'static str {
        let Fact::Trade {
            symbol,
            qty,
            maker_account,
            maker_cl_ord_id,
            taker_account,
            taker_cl_ord_id,
            taker_side,
            liquidation,
            ..
        } = *fact
        else {
            unreachable!()
        };
        let signed = qty * taker_side.sign();
        let incoming = (taker_account, taker_cl_ord_id);
        assert!(liquidation || !self.post_only.contains(&incoming), "post-only took");
        let reduces = self.reduce_only.contains(&(maker_account, maker_cl_ord_id));
        self.moves((maker_account, symbol), -signed, reduces);
        let reduces = liquidation || self.reduce_only.contains(&incoming);
        self.moves((taker_account, symbol), signed, reduces);
        if liquidation { "liquidation trade" } else { "trade" }
    }

    fn fact(&mut self, fact: &Fact) {
        let name = match *fact {
            Fact::Trade { .. } => self.trade(fact),
            Fact::Deleveraged { account, against, symbol, qty, haircut, .. } => {
                let sign = self.positions[&(account, symbol)].signum();
                self.moves((account, symbol), -sign * qty, true);
                self.moves((against, symbol), sign * qty, true);
                self.haircuts += haircut;
                "deleveraged"
            }
            Fact::BadDebt { amount, borne_by, .. } => {
                assert!(amount > 0);
                self.bad_debt += amount;
                self.borne[borne_by as usize] += amount;
                ["insured", "deleveraged debt", "deficit", "vault debt"][borne_by as usize]
            }
            Fact::InsuranceDrawn { amount, .. } => {
                self.drawn += amount;
                "drawn"
            }
            Fact::Liquidated { fee, remaining, .. } => match (fee, remaining) {
                (1.., _) => "liquidation fee",
                (_, 0) => "liquidated",
                _ => "liquidated in part",
            },
            Fact::TakenOver { account, vault, symbol, qty, .. } => {
                self.moves((account, symbol), -qty, true);
                self.moves((vault, symbol), qty, false);
                "taken over"
            }
            Fact::LiquidationDeferred { reason, .. } => match reason {
                Deferral::Again => "again",
                Deferral::AccountNotional => "account notional",
                Deferral::InsuranceLost => "insurance lost",
                Deferral::Attempts => "attempts",
                Deferral::DeleveragingAttempts => "deleveraging attempts",
                Deferral::Auction => unreachable!("no portfolios here"),
            },
            Fact::MarginCall { .. } => "margin call",
            Fact::NotLiquidatable { .. } => "not liquidatable",
            Fact::Replaced { .. } => "replaced",
            Fact::Canceled { reason, .. } => match reason {
                CancelReason::SelfTrade => "self-trade",
                CancelReason::ReduceOnly => "reduce-only gone",
                CancelReason::Liquidation => "liquidated order",
                _ => "canceled",
            },
            Fact::Rejected { reason, .. } => match reason {
                Reject::InsufficientMargin => "no margin",
                Reject::PostOnlyWouldTake => "post-only refused",
                Reject::StalePrice => "stale",
                _ => "rejected",
            },
            _ => return,
        };
        self.seen.insert(name);
    }

    fn state(&self, market: &Market) {
        assert!(market.insurance() >= 0 && market.deficit() >= 0);
        assert_eq!(self.bad_debt, market.bad_debt_total());
        assert_eq!(self.borne[Bearer::Insurance as usize], self.drawn);
        assert_eq!(self.borne[Bearer::Venue as usize], market.deficit());
        assert_eq!(self.borne[Bearer::Deleveraged as usize], self.haircuts);
        for (&(account, symbol), &position) in &self.positions {
            assert_eq!(market.position(account, symbol), position);
            let p = market.position_detail(account, symbol);
            let open = |side: Side| -> Qty {
                let orders = market.open_orders(account, symbol);
                orders.filter(|o| o.side == side).map(|o| o.qty).sum()
            };
            assert_eq!((p.open_buy, p.open_sell), (open(Side::Buy), open(Side::Sell)));
        }
        for account in market.accounts().filter(|&account| account != HOUSE) {
            let flat = (0..2).all(|s| market.position(account, s) == 0);
            assert!(!flat || market.equity(account) >= 0, "account {account} is flat and owes");
        }
        for symbol in 0..2 {
            if let (Some((bid, _)), Some((ask, _))) = market.best(symbol) {
                assert!(bid < ask);
            }
        }
    }
}

fn run(insurance: Money, rules: Rules, stream: impl Iterator<Item = u64>) -> Audit {
    let mut d = venue(insurance, rules);
    let mut audit = Audit::new(&d.market);
    let mut copies = [0, 1].map(|symbol| BookCopy::of(&mut d.market, symbol));
    for bits in stream {
        if bits.count_ones() < 28 {
            d.market.begin_block();
        }
        let (account, body) = message(&d.market, d.now + 1, bits);
        let facts = d.send(account, body);
        audit.order(account, &body, &facts);
        facts.iter().for_each(|fact| audit.fact(fact));
        audit.state(&d.market);
        copies.iter_mut().for_each(|copy| copy.follow(&mut d.market));
    }
    audit
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn holds_after_every_message(
        insurance in prop_oneof![Just(0i128), 1..100_000i128],
        rules in prop::sample::select(RULES.to_vec()),
        stream in prop::collection::vec(any::<u64>(), 1..400),
    ) {
        run(insurance, rules, stream.into_iter());
    }

    /// Any numbers at all: nothing panics, nothing is created.
    #[test]
    fn any_message_is_accepted(
        rules in prop::sample::select(RULES.to_vec()),
        raw in prop::collection::vec((any::<u64>(), any::<i64>(), any::<i64>(), 0..40u32), 1..60)
    ) {
        let mut d = venue(50_000, rules);
        for (bits, price, qty, shift) in raw {
            let (account, mut body) = message(&d.market, d.now + 1, bits);
            let (price, qty) = (price >> shift, qty >> shift);
            match &mut body {
                Body::NewOrderSingle(o) => (o.price, o.order_qty) = (price, qty),
                Body::OrderCancelReplaceRequest(r) => (r.price, r.order_qty) = (price, qty),
                Body::PriceUpdate(u) => u.price = price,
                Body::LiquidationOrder(o) => (o.order_qty, o.target) = (qty, bits as u32 >> 20),
                Body::OrderCancelRequest(c) => c.symbol = bits as u16,
                _ => {}
            }
            d.send(account.wrapping_sub(bits as u32 & 1), body);
        }
    }
}

/// At the bounds of price, quantity and money nothing overflows (tests check for overflow).
#[test]
fn the_bounds_hold() {
    let mut rng = Rng(1);
    let rules = SymbolConfig { liquidation_fee_ppm: PPM, taker_fee_ppm: PPM, ..Default::default() };
    let config = Config { symbols: vec![rules.clone(), rules], insurance: MONEY_MAX / 4 };
    let mut market = Market::new(config, &[PRICE_MAX / 2; 2]);
    for account in 0..ACCOUNTS {
        let mode = if account % 2 == 0 { MarginMode::Cross } else { MarginMode::Isolated };
        let cash = if account < 4 { MONEY_MAX / 8 } else { 1 << 75 };
        market.deposit(account, cash, mode);
        let sign = if account % 4 < 2 { 1 } else { -1 };
        market.open(account, 0, sign * QTY_MAX / 2, PRICE_MAX / 2);
    }
    let mut d = Desk { market, now: 0 };
    let mut audit = Audit::new(&d.market);
    for _ in 0..20_000 {
        let (account, mut body) = message(&d.market, d.now + 1, rng.bits());
        let price = PRICE_MAX - (rng.bits() as i64 & (PRICE_MAX - 1)) / 8;
        let qty = QTY_MAX - (rng.bits() as i64 & (QTY_MAX - 1)) / 2;
        match &mut body {
            Body::NewOrderSingle(o) => (o.price, o.order_qty) = (price, qty),
            Body::PriceUpdate(u) => u.price = if rng.bits().is_multiple_of(4) { 1 } else { price },
            _ => {}
        }
        let facts = d.send(account, body);
        audit.order(account, &body, &facts);
        facts.iter().for_each(|fact| audit.fact(fact));
        audit.state(&d.market);
    }
    assert!(audit.seen.contains("trade") && audit.seen.contains("liquidation trade"));
}

/// The random messages reach every case that the invariants are about.
#[test]
fn the_random_streams_reach_every_case() {
    let mut seen = BTreeSet::new();
    for seed in 0..120 {
        let mut rng = Rng(seed);
        let audit = run(
            Money::from(seed % 3) * 20_000,
            RULES[seed as usize % 4],
            (0..800).map(|_| rng.bits()),
        );
        seen.extend(audit.seen);
    }
    let wanted = [
        "trade",
        "liquidation trade",
        "liquidation fee",
        "liquidated",
        "liquidated in part",
        "liquidated order",
        "not liquidatable",
        "deleveraged",
        "deleveraged debt",
        "insured",
        "drawn",
        "deficit",
        "self-trade",
        "reduce-only gone",
        "replaced",
        "canceled",
        "no margin",
        "post-only refused",
        "stale",
        "rejected",
        "taken over",
        "vault debt",
        "margin call",
        "again",
        "account notional",
        "attempts",
        "deleveraging attempts",
    ];
    let missing: Vec<_> = wanted.iter().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
