//! A market that was stored and restored executes every message as the stored one would have.

use crate::auction_properties as batches;
use crate::conservation::{RULES, message, venue};
use crate::desk;
use desk::*;
use proptest::prelude::*;
use surgetank_layer::message::Side;
use surgetank_market::*;

fn symbols(count: usize) -> Market {
    let config = Config { symbols: vec![SymbolConfig::default(); count], insurance: 0 };
    Market::new(config, &vec![100; count])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Before every message; at the end the bytes are the same too.
    #[test]
    fn storing_changes_nothing(
        rules in prop::sample::select(RULES.to_vec()),
        stream in prop::collection::vec(any::<u64>(), 1..150),
    ) {
        let opened = venue(20_000, rules).market;
        let (mut d, mut e) = (venue(20_000, rules), venue(20_000, rules));
        for bits in stream {
            if bits.count_ones() < 30 {
                d.market.begin_block();
                e.market.begin_block();
            }
            e.market = restored(&opened, &stored(&e.market));
            let (account, body) = message(&d.market, d.now + 1, bits);
            prop_assert_eq!(d.send(account, body), e.send(account, body));
        }
        prop_assert_eq!(stored(&d.market), stored(&e.market));
    }

    #[test]
    fn storing_changes_no_call_auction(
        all in prop::collection::vec(
            prop::collection::vec(batches::random_order(), 0..24), 1..6
        ),
    ) {
        let opened = batches::venue().market;
        let (mut d, mut e, mut id) = (batches::venue(), batches::venue(), 1);
        for batch in all {
            e.market = restored(&opened, &stored(&e.market));
            let numbered = (id..).zip(&batch);
            let messages: Vec<_> = numbered.map(|(id, m)| batches::message(&d, id, m)).collect();
            id += messages.len() as u32;
            let call = batches::call(7, false);
            let facts = batches::run(&mut d, &messages, call);
            prop_assert_eq!(facts, batches::run(&mut e, &messages, call));
        }
        prop_assert_eq!(stored(&d.market), stored(&e.market));
    }

    /// A market of damaged bytes is refused, or one whose read access is total.
    #[test]
    fn damaged_bytes_do_not_panic(
        stream in prop::collection::vec(any::<u64>(), 60),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 20),
    ) {
        let mut d = venue(20_000, RULES[2]);
        let opened = d.market.clone();
        for bits in stream {
            let (account, body) = message(&d.market, d.now + 1, bits);
            d.send(account, body);
        }
        let bytes = stored(&d.market);
        for (at, bits) in damages {
            let mut damaged = bytes.clone();
            damaged[at.index(bytes.len())] ^= bits;
            let read = postcard::from_bytes(&damaged).ok();
            let market = read.and_then(|market| opened.restore(market).ok());
            if let Some(market) = market {
                for account in market.accounts() {
                    market.open_orders(account, 1).for_each(drop);
                    market.position_detail(account, 0);
                }
            }
        }
        for length in 0..bytes.len().min(300) {
            prop_assert!(postcard::from_bytes::<Market>(&bytes[..length]).is_err());
        }
    }
}

#[test]
fn the_state_of_another_venue_is_refused() {
    let refused = |rules: &Market, market: &Market| {
        let read = postcard::from_bytes(&stored(market)).unwrap();
        rules.restore(read).unwrap_err().to_string()
    };
    let said = |part: &str| format!("the stored {part} are not those of a venue with these rules");
    assert_eq!(refused(&symbols(1), &symbols(2)), said("markets"));
    let funded = venue(0, RULES[0]).market;
    assert_eq!(refused(&symbols(2), &funded), said("funding premiums"));
    let mut d = Desk::rich(2);
    d.order(1, limit(1, Side::Buy, 99, 1));
    let mut bytes = stored(&d.market);
    assert_eq!(bytes[..3], [1, 1, 1], "one book, one order, account 1");
    bytes[2] = 7;
    let read = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(d.market.restore(read).unwrap_err().to_string(), said("owners of resting orders"));
}

#[test]
fn a_restored_book_does_not_record_until_asked() {
    let mut d = Desk::rich(2);
    d.market.record_book_changes(true);
    d.order(1, limit(1, Side::Buy, 99, 1));
    let opened = Desk::rich(2).market;
    let mut again = restored(&opened, &stored(&d.market));
    assert_eq!((again.take_book_changes(0), d.market.take_book_changes(0).len()), (vec![], 1));
}
