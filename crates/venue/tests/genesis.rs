//! A genesis: its bytes, its entries in their order, and everything with which no venue can open.

use proptest::prelude::*;
use surgetank_market::options::{Auction, Contract, ImpliedVol, Listing, Rule};
use surgetank_market::{
    AssetPrice, Backstop, BlockLimits, CloseOut, CollateralAsset, MarginMode, OpeningEntry, PPM,
    SymbolConfig,
};
use surgetank_venue::genesis::{Genesis, InvalidGenesis, Matching, Perpetual};

use crate::small_venue::{self as small, LIMITS, market};

type Change = fn(&mut Genesis);

fn genesis() -> Genesis {
    small::genesis(Matching::Continuous)
}

/// Two perpetuals, options, collateral, a close-out outside and a vault.
pub fn large() -> Genesis {
    let against = CloseOut::Oracle { worse_ppm: 1_000, against: 0 };
    let backstop = Backstop { below_ppm: 600_000, vault: 0 };
    let rules = SymbolConfig { close_out: against, ..SymbolConfig::default() };
    let vaulted = SymbolConfig { backstop: Some(backstop), ..SymbolConfig::default() };
    let perpetual = |name: &str, price, rules| Perpetual {
        name: name.to_owned(),
        tick_usd: 0.1,
        lot: 0.001,
        price,
        rules,
    };
    let contracts = [true, false].map(|call| Contract { expiry_ns: 9, strike: 90_000, call });
    let auction = Auction {
        start_ppm: 950_000,
        knee_ppm: 700_000,
        fast_ns: 9,
        slow_ns: 99,
        bid_ppm: 900_000,
    };
    let stablecoin = CollateralAsset { price: AssetPrice::Constant {}, haircut_ppm: 10_000 };
    let mut genesis = Genesis {
        start_ns: 7,
        matching: Matching::Auction,
        perpetuals: vec![perpetual("BTC", 100_000, rules), perpetual("ETH", 3_000, vaulted)],
        options: Some(Listing {
            contracts: contracts.to_vec(),
            vol: ImpliedVol { start: 0.1 + 0.2, beta: 0.02 },
            rule: Rule::DeribitPm,
            auction,
            liquidator: 0,
        }),
        collateral: vec![stablecoin],
        entries: Vec::new(),
        ..genesis()
    };
    genesis.deposit(0, 1 << 80, MarginMode::Portfolio);
    genesis.deposit(1, 5, MarginMode::Cross);
    genesis.deposit_asset(1, 0, 1 << 70);
    genesis.withdraw(1, 400);
    genesis.deposit(2, 1 << 60, MarginMode::Isolated);
    genesis.open(0, 1, 30, 3_000);
    genesis.open(2, 1, -30, 3_000);
    genesis.set_entry_price(2, 1, 2_900);
    genesis
}

#[test]
fn a_genesis_is_its_calls_on_the_market() {
    assert_eq!(format!("{:?}", genesis().market().unwrap()), format!("{:?}", market()));
}

#[test]
fn every_part_is_in_the_bytes_and_the_hash() {
    let other: [Change; 9] = [
        |genesis| genesis.start_ns += 1,
        |genesis| genesis.perpetuals[1].price += 1,
        |genesis| genesis.perpetuals[0].lot = 0.001_000_000_000_000_000_2,
        |genesis| genesis.options.as_mut().unwrap().vol.start = 0.3,
        |genesis| genesis.insurance += 1,
        |genesis| genesis.liquidator += 1,
        |genesis| genesis.vault += 1,
        |genesis| genesis.deposit(1, 1, MarginMode::Cross),
        |genesis| genesis.set_entry_price(2, 1, 2_901),
    ];
    let first = large();
    assert_eq!(Genesis::from_bytes(&first.to_bytes()), Ok(first.clone()));
    for change in other {
        let mut changed = first.clone();
        change(&mut changed);
        assert_ne!(changed.hash(), first.hash());
        assert_eq!(Genesis::from_bytes(&changed.to_bytes()), Ok(changed));
    }
}

#[test]
fn a_read_genesis_opens_the_same_venue() {
    for genesis in [genesis(), large()] {
        let read = Genesis::from_bytes(&genesis.to_bytes()).unwrap();
        let opened = |genesis: &Genesis| format!("{:?}", genesis.market().unwrap());
        assert_eq!(opened(&read), opened(&genesis));
    }
    let market = large().market().unwrap();
    assert_eq!((market.equity(1), market.position_detail(2, 1).cost), ((1 << 70) - 395, -87_000));
    assert_eq!(market.options().unwrap().contracts().len(), 2);
}

#[test]
fn other_bytes_are_refused() {
    let bytes = genesis().to_bytes();
    let refused = |bytes: &[u8]| Genesis::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(refused(b""), "not a genesis of version 1: it begins otherwise");
    for length in 0..bytes.len() {
        assert!(Genesis::from_bytes(&bytes[..length]).is_err());
    }
    let text = String::from_utf8(bytes).unwrap();
    let unknown = refused(text.replace("\"vault\"", "\"vaults\"").as_bytes());
    assert!(unknown.contains("unknown field `vaults`"), "{unknown}");
    let later = refused(text.replace("genesis 1", "genesis 2").as_bytes());
    assert_eq!(later, "not a genesis of version 1: it begins otherwise");
}

#[test]
fn rules_without_a_venue_are_named() {
    let said = |change: Change| {
        let mut genesis = large();
        change(&mut genesis);
        genesis.market().unwrap_err().to_string()
    };
    let cases: [(Change, &str); 8] = [
        (|genesis| genesis.perpetuals.clear(), "a venue has at least one market"),
        (|genesis| genesis.perpetuals[1].price = 0, "initial price out of bounds"),
        (|genesis| genesis.perpetuals[0].rules.taker_fee_ppm = PPM + 1, "fee above 100 %"),
        (|genesis| genesis.insurance = -1, "insurance fund out of bounds"),
        (
            |genesis| {
                genesis.limits = Some(BlockLimits { position_share_ppm: PPM + 1, ..LIMITS });
            },
            "share of a position above 100 %",
        ),
        (|genesis| genesis.collateral[0].haircut_ppm = PPM, "a haircut must be below 100 %"),
        (
            |genesis| genesis.options.as_mut().unwrap().contracts[0].strike = 0,
            "a strike is out of bounds",
        ),
        (
            |genesis| genesis.options.as_mut().unwrap().vol.start = 0.0,
            "implied volatility is a positive number",
        ),
    ];
    for (change, problem) in cases {
        assert_eq!(said(change), problem);
    }
}

#[test]
fn entries_count_in_their_order() {
    let mut reversed = genesis();
    reversed.entries.reverse();
    let refused = reversed.market().unwrap_err();
    assert_eq!(refused.to_string(), "account 5: it has no deposit before this entry");
    // An isolated position is backed by the cash of then.
    let backed = |late: bool| {
        let mut genesis = Genesis { entries: Vec::new(), ..genesis() };
        genesis.deposit(0, 100, MarginMode::Isolated);
        genesis.deposit(1, 1 << 40, MarginMode::Cross);
        genesis.open(0, 0, 1, 100);
        genesis.open(1, 0, -1, 100);
        genesis.deposit(0, 50, MarginMode::Isolated);
        if late {
            genesis.entries.swap(2, 4);
        }
        genesis.market().unwrap().position_detail(0, 0).quote
    };
    assert_eq!((backed(false), backed(true)), (0, 50));
}

#[test]
fn an_unbalanced_genesis_is_refused() {
    let mut genesis = genesis();
    genesis.open(0, 0, 1, 100);
    let Err(InvalidGenesis::Unbalanced(found)) = genesis.market() else {
        panic!("it has no other side");
    };
    assert_eq!((found.symbol, found.qty, found.notional), (0, 1, 100));
}

#[test]
fn equal_deposits_of_neighbours_are_one_entry() {
    let mut genesis = Genesis { entries: Vec::new(), ..genesis() };
    let cash = [5, 5, 5, 6, 5, 5];
    for (account, cash) in (0..).zip(cash) {
        genesis.deposit(account, cash, MarginMode::Cross);
    }
    genesis.deposit(5, 5, MarginMode::Cross);
    genesis.deposit(6, 5, MarginMode::Isolated);
    assert_eq!(genesis.entries.len(), 5);
    let market = genesis.market().unwrap();
    let held: Vec<_> = (0..7).map(|account| market.equity(account)).collect();
    assert_eq!(held, [5, 5, 5, 6, 5, 10, 5]);
}

fn entry() -> impl Strategy<Value = OpeningEntry> {
    let account = || prop_oneof![4 => 0..6u32, 1 => any::<u32>()];
    let money = || prop_oneof![4 => 0..1_000i128, 1 => any::<i128>()];
    let number = || prop_oneof![4 => -90..110i64, 1 => any::<i64>()];
    let symbol = || prop_oneof![9 => 0..4u16, 1 => any::<u16>()];
    let modes = [MarginMode::Cross, MarginMode::Isolated, MarginMode::Portfolio];
    prop_oneof![
        // Not millions of accounts, which take their room.
        (
            0..9u32,
            prop_oneof![0..9u32, Just(u32::MAX)],
            money(),
            prop::sample::select(modes.to_vec())
        )
            .prop_map(|(account, count, cash, mode)| {
                OpeningEntry::Deposit { account, count, cash, mode }
            }),
        (account(), money()).prop_map(|(account, cash)| OpeningEntry::Withdraw { account, cash }),
        (account(), symbol(), money()).prop_map(|(account, asset, amount)| {
            OpeningEntry::DepositAsset { account, asset, amount }
        }),
        (account(), symbol(), number(), number()).prop_map(|(account, symbol, qty, price)| {
            OpeningEntry::Open { account, symbol, qty, price }
        }),
        (account(), symbol(), number()).prop_map(|(account, symbol, price)| {
            OpeningEntry::SetEntryPrice { account, symbol, price }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any entries: applied or refused, money is what was paid in; they cross as they are.
    #[test]
    fn entries_are_applied_or_refused(entries in prop::collection::vec(entry(), 0..40)) {
        let genesis = Genesis { entries, ..large() };
        let mut market = genesis.empty_market().unwrap();
        for entry in &genesis.entries {
            let before = format!("{market:?}");
            if market.apply(entry).is_err() {
                prop_assert_eq!(&before, &format!("{market:?}"), "{:?}", entry);
            }
        }
        let assets: i128 = market.accounts().map(|account| market.asset(account, 0)).sum();
        let equity: i128 = market.accounts().map(|account| market.equity(account)).sum();
        if market.check_genesis().is_ok() {
            prop_assert_eq!(market.total_money(), market.paid_in());
            prop_assert_eq!(equity + 20, market.paid_in() + assets);
        }
        prop_assert_eq!(Genesis::from_bytes(&genesis.to_bytes()), Ok(genesis));
    }
}
