//! A batch's phases: their order, what each sees, and that nothing else reaches the market.

use proptest::prelude::*;
use surgetank_layer::message::{Message, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, MessageId, Ns, Price};
use surgetank_market::auction::{Call, Rationing};
use surgetank_market::{Fact, MarginMode, Market, Reject};
use surgetank_venue::execution::{Batch, Execution, NO_MESSAGE, Observer, Phase};
use surgetank_venue::genesis::Matching;
use surgetank_venue::request::AccountRequest;

use crate::small_venue::{genesis, liquidation, market, order, seed};

fn opened(matching: Matching) -> Execution {
    Execution::open(&genesis(matching)).unwrap()
}

/// One call of the observer, with the oracle price and the number of resting orders then.
struct Seen {
    at: (Ns, Phase, Price, usize),
    facts: Vec<(MessageId, Fact)>,
}

#[derive(Default)]
struct Log(Vec<Seen>);

impl Observer for Log {
    fn facts(&mut self, now: Ns, phase: Phase, market: &Market, facts: &[(MessageId, Fact)]) {
        let at = (now, phase, market.oracle(0).0, market.book(0).len());
        self.0.push(Seen { at, facts: facts.to_vec() });
    }
}

#[test]
fn prices_then_funding_then_messages() {
    let mut execution = opened(Matching::Continuous);
    let mut log = Log::default();
    let prices = [PriceUpdate { symbol: 0, price: 110, observed_ns: 100 }];
    let messages = [order(2, Side::Buy, 90, 3), order(3, Side::Sell, 120, 4)];
    let batch = Batch {
        now: 100,
        height: 1,
        prices: &prices,
        messages: &messages,
        accounts: &[],
        seed: seed(0),
    };
    execution.execute(&batch, &mut log);
    let seen: Vec<_> = log.0.iter().map(|seen| seen.at).collect();
    let due = [
        (100, Phase::Prices, 110, 0),
        (100, Phase::Funding, 110, 0),
        (100, Phase::Messages, 110, 2),
    ];
    assert_eq!(seen, due);
    let [prices, funding, messages] = [0, 1, 2].map(|phase| &log.0[phase].facts);
    let at_the_batch =
        |(_, fact): &(MessageId, Fact)| matches!(fact, Fact::Funding { price: 110, .. });
    assert!(funding.iter().any(at_the_batch), "{funding:?}");
    assert!(prices.iter().chain(funding).all(|&(message, _)| message == NO_MESSAGE));
    assert!(messages.iter().map(|&(message, _)| message).eq([2, 3]));
    assert_eq!((execution.height(), execution.market().mark(0)), (1, 110));
}

#[test]
fn only_what_has_changed_is_closed() {
    let mut execution = opened(Matching::Continuous);
    let mut close = |height, prices: &[PriceUpdate], messages: &[Message]| {
        let batch = Batch { now: height, height, prices, messages, accounts: &[], seed: seed(0) };
        let closing = execution.execute(&batch, &mut Log::default());
        (closing.touches, closing.insurance, closing.conserved)
    };
    let bid = order(2, Side::Buy, 90, 3);
    assert_eq!(close(1, &[], &[bid]), (vec![(0, (Some(90), None))], None, true));
    let behind = order(4, Side::Buy, 89, 3);
    assert_eq!(close(2, &[], &[behind]), (vec![], None, true), "behind the best");
    // Account 2 is long 50 at 100 with 300, so bankrupt at 94. The fund pays 4 for each of 3 lots at
    // 90, and 5 for one at 89.
    let fall = [PriceUpdate { symbol: 0, price: 93, observed_ns: 3 }];
    let (touches, insurance, conserved) = close(3, &fall, &[liquidation(6, 2)]);
    assert_eq!((touches, insurance, conserved), (vec![(0, (Some(89), None))], Some(3), true));
    assert_eq!(close(4, &[], &[]), (vec![], None, true));
}

#[test]
fn phases_without_facts_are_left_out() {
    let mut execution = opened(Matching::Continuous);
    let mut log = Log::default();
    for height in 1..=2 {
        let batch =
            Batch { now: 1, height, prices: &[], messages: &[], accounts: &[], seed: seed(0) };
        execution.execute(&batch, &mut log);
    }
    assert!(log.0.is_empty() && execution.height() == 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The market's own calls, in the order of the rules, give the same facts and the same state.
    #[test]
    fn a_batch_is_its_calls_on_the_market(
        batches in prop::collection::vec(
            (
                1..40u64,
                prop::option::of(95..106i64),
                prop::collection::vec((any::<bool>(), 95..106i64, 1..20i64), 0..8),
            ),
            1..12,
        ),
        auction in any::<bool>(),
    ) {
        let matching = if auction { Matching::Auction } else { Matching::Continuous };
        let mut execution = opened(matching);
        let mut plain = market();
        let (mut now, mut id) = (0, 0);
        for ((pause, price, orders), height) in batches.iter().zip(1..) {
            now += pause;
            let prices: Vec<_> =
                price.iter().map(|&price| PriceUpdate { symbol: 0, price, observed_ns: now }).collect();
            let messages: Vec<_> = orders
                .iter()
                .zip(id..)
                .map(|(&(buy, price, qty), id)| match qty {
                    1..9 => order(id, if buy { Side::Buy } else { Side::Sell }, price, qty),
                    _ => liquidation(id, qty as AccountId % 6),
                })
                .collect();
            id += messages.len() as u32;
            let seed = seed(height as u8);
            let mut log = Log::default();
            let batch = Batch { now, height, prices: &prices, messages: &messages, accounts: &[], seed };
            execution.execute(&batch, &mut log);

            let mut facts = Vec::new();
            plain.begin_block();
            prices.iter().for_each(|update| plain.block_price(now, update, &mut facts));
            plain.fund(now, &mut facts);
            let mut due: Vec<_> = facts.drain(..).map(|fact| (NO_MESSAGE, fact)).collect();
            if auction {
                let call = Call { seed, rationing: Rationing::Random };
                plain.execute_batch(now, &messages, call, &mut due);
            } else {
                for message in &messages {
                    plain.execute(now, message, &mut facts);
                    due.extend(facts.drain(..).map(|fact| (message.id, fact)));
                }
            }
            let seen: Vec<_> = log.0.into_iter().flat_map(|seen| seen.facts).collect();
            prop_assert_eq!(seen, due);
            prop_assert_eq!(format!("{:?}", execution.market()), format!("{plain:?}"));
        }
    }
}

/// A limit order, and around it the requests of account 7, which opens meanwhile.
#[test]
fn requests_of_accounts_are_executed_at_their_place() {
    let requests = [
        (0, AccountRequest::Deposit { account: 7, cash: 5 }),
        (0, AccountRequest::Open { account: 7, mode: MarginMode::Cross }),
        (0, AccountRequest::Deposit { account: 7, cash: 100_000 }),
        (1, AccountRequest::CancelAll { account: 7, symbol: None }),
        (1, AccountRequest::Withdraw { account: 7, cash: 1_000 }),
        (2, AccountRequest::CancelAll { account: 0, symbol: Some(1) }),
        (2, AccountRequest::Halt { account: Some(7), symbol: None, halted: true }),
    ];
    let messages = [order(3, Side::Buy, 90, 3), order(6, Side::Buy, 91, 3)]
        .map(|message| Message { account: 7, ..message });
    let outcomes = |matching| {
        let mut execution = opened(matching);
        let mut log = Log::default();
        let (prices, accounts) = (&[][..], &requests[..]);
        let batch =
            Batch { now: 1, height: 1, prices, messages: &messages, accounts, seed: seed(0) };
        let closing = execution.execute(&batch, &mut log);
        assert!(closing.conserved);
        let market = execution.market();
        assert_eq!((market.equity(7), market.book(0).len()), (99_000, log.0[0].at.3));
        let facts = log.0.into_iter().flat_map(|seen| seen.facts);
        let by: Vec<_> = facts
            .map(|(id, fact)| (id, matches!(fact, Fact::Canceled { cl_ord_id: 3, .. })))
            .collect();
        (closing.accounts, by, market.book(0).len())
    };
    let due = [
        Err(Reject::UnknownAccount),
        Ok(()),
        Ok(()),
        Ok(()),
        Ok(()),
        Err(Reject::UnknownSymbol),
        Ok(()),
    ];
    let (continuous, facts, resting) = outcomes(Matching::Continuous);
    assert_eq!((&continuous[..], resting), (&due[..], 1));
    assert_eq!(facts, [(3, false), (4, true), (6, false)]);
    // A call auction comes after all of them, so that both orders rest.
    let (auction, facts, resting) = outcomes(Matching::Auction);
    assert_eq!((&auction[..], resting), (&due[..], 2));
    assert_eq!(facts, [(3, false), (6, false)]);
}
