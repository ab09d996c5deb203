//! A market that opens with a position book.

use proptest::prelude::*;
use surgetank_lab::actors::Accounts;
use surgetank_lab::exchange::PositionBook;
use surgetank_market::{AssetPrice, CollateralAsset, Market, SymbolConfig};
use surgetank_venue::genesis::{Genesis, Matching, Perpetual};

/// Two perpetuals of one quantum: tick and lot, and the price at the start.
const PERPETUALS: [(f64, f64, i64); 2] = [(0.1, 0.001, 500_000), (0.01, 0.01, 300_000)];

/// One priced by market 1 with 20 % haircut, and one of constant price.
const ASSETS: [CollateralAsset; 2] = [
    CollateralAsset { price: AssetPrice::Mark { symbol: 1 }, haircut_ppm: 200_000 },
    CollateralAsset { price: AssetPrice::Constant {}, haircut_ppm: 0 },
];

fn accounts(leveraged: u32) -> Accounts {
    Accounts {
        leveraged,
        portfolios: 0,
        hedgers: leveraged / 10 + 1,
        background: 0,
        makers: 0,
        keepers: 0,
        oracles: 0,
        attackers: 0,
        nodes: 1,
    }
}

/// The venue with this book. Without `entry_prices`, positions have their opening prices.
fn opened(book: &PositionBook, accounts: &Accounts) -> Result<Genesis, String> {
    let perpetual = |(tick_usd, lot, price)| {
        let (name, rules) = ("P".to_owned(), SymbolConfig::default());
        Perpetual { name, tick_usd, lot, price, rules }
    };
    let mut genesis = Genesis {
        start_ns: 0,
        matching: Matching::Continuous,
        perpetuals: PERPETUALS.map(perpetual).to_vec(),
        options: None,
        insurance: 0,
        limits: None,
        collateral: ASSETS.to_vec(),
        // The account after the hedgers.
        liquidator: accounts.judged() + accounts.hedgers,
        vault: 0,
        entries: Vec::new(),
        entry_prices: Vec::new(),
    };
    book.open(&mut genesis, accounts)?;
    Ok(genesis)
}

fn market(book: &PositionBook, accounts: &Accounts) -> Market {
    opened(book, accounts).unwrap().market().unwrap()
}

proptest! {
    #[test]
    fn every_account_opens_with_the_equity_of_the_book(
        equities in prop::collection::vec(-1e6..1e9_f64, 1..30),
        sizes in prop::collection::vec((0..30_u32, 0..2_u16, -1e4..1e4_f64, 1.0..1e5_f64), 0..60),
        assets in prop::collection::vec((0..30_u32, 0..2_u16, 0.0..1e8_f64), 0..40),
    ) {
        let count = equities.len() as u32;
        let mut book = PositionBook { equity_usd: equities.clone(), ..PositionBook::default() };
        for (account, symbol, size, entry) in sizes {
            book.position_account.push(account % count);
            book.position_market.push(symbol);
            book.position_size.push(size);
            book.position_entry_usd.push(entry);
        }
        for (account, index, usd) in assets {
            book.asset_account.push(account % count);
            book.asset_index.push(index);
            book.asset_usd.push(usd);
        }
        book.check().unwrap();
        let accounts = accounts(count);
        let genesis = opened(&book, &accounts).unwrap();
        let market = genesis.market().unwrap();
        let plain = Genesis { entry_prices: Vec::new(), ..genesis }.market().unwrap();
        for (equity, account) in equities.iter().zip(0..) {
            let quanta = (equity / 1e-4).round() as i128;
            prop_assert_eq!([market.equity(account), plain.equity(account)], [quanta; 2]);
        }
        prop_assert_eq!(market.total_money(), market.paid_in());
    }
}

#[test]
fn sizes_are_rounded_to_lots_and_hedged() {
    let book = PositionBook {
        equity_usd: vec![5_000.0, -20.0],
        position_account: vec![0, 1],
        position_market: vec![0, 0],
        position_size: vec![1.0004, -0.3],
        position_entry_usd: vec![40_000.0, 50_000.0],
        ..PositionBook::default()
    };
    let market = market(&book, &accounts(2));
    assert_eq!((market.position(0, 0), market.position(1, 0)), (1_000, -300));
    assert_eq!(market.position(2, 0), -700);
    assert_eq!(market.equity(1), -200_000);
    assert_eq!(market.position_detail(0, 0).cost, 1_000 * 400_000);
}

#[test]
fn an_asset_opens_with_its_value_and_the_rest_of_the_equity_is_cash() {
    let book = PositionBook {
        equity_usd: vec![10_000.0, 50.0],
        asset_account: vec![0, 0, 1],
        asset_index: vec![0, 1, 0],
        asset_usd: vec![6_001.0, 500.0, 90.0],
        ..PositionBook::default()
    };
    let market = market(&book, &accounts(2));
    // A lot of market 1 is worth 0.01 coins × 3,000 USD = 30 USD: 200 lots, 1 USD stays cash.
    assert_eq!((market.asset(0, 0), market.asset(0, 1)), (200, 5_000_000));
    assert_eq!((market.equity(0), market.equity(1)), (100_000_000, 500_000));
    // Account 1 owes 40 USD. At half the price 45 USD remain of the asset.
    assert_eq!((market.asset(1, 0), market.worth(1, &[500_000, 150_000])), (3, 50_000));
}

#[test]
fn a_book_that_does_not_fit_is_refused() {
    let book = |size, market| PositionBook {
        equity_usd: vec![1.0],
        position_account: vec![0],
        position_market: vec![market],
        position_size: vec![size],
        position_entry_usd: vec![1.0],
        ..PositionBook::default()
    };
    assert!(opened(&book(1e15, 0), &accounts(1)).unwrap_err().contains("lots"));
    assert!(opened(&book(1.0, 2), &accounts(1)).unwrap_err().contains("market 2"));
    assert!(opened(&book(1.0, 0), &accounts(2)).unwrap_err().contains("has 1 accounts"));
    let mut damaged = book(1.0, 0);
    damaged.position_account[0] = 1;
    assert!(damaged.check().unwrap_err().contains("names no account"));
    let asset = |index, usd| PositionBook {
        equity_usd: vec![1.0],
        asset_account: vec![0],
        asset_index: vec![index],
        asset_usd: vec![usd],
        ..PositionBook::default()
    };
    assert!(opened(&asset(2, 1.0), &accounts(1)).unwrap_err().contains("not in market.collateral"));
    assert!(asset(0, -1.0).check().unwrap_err().contains("negative"));
}
