//! State: replay of the batches gives its hash, and so does any snapshot with the batches after it;
//! money is conserved.

use proptest::prelude::*;
use surgetank_layer::message::Body;
use surgetank_layer::message::{Message, OrderCancelRequest, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Digest, MessageId, Ns};
use surgetank_market::{Fact, MarginMode, Market};
use surgetank_venue::execution::{
    Batch, Closing, Execution, InvalidState, Observer, Phase, state_hash,
};
use surgetank_venue::genesis::{Genesis, Matching};
use surgetank_venue::request::AccountRequest;

use crate::genesis::large;
use crate::small_venue::{genesis, liquidation, order, seed};

/// A batch of a journal.
#[derive(Clone, Debug)]
struct Sealed {
    now: Ns,
    prices: Vec<PriceUpdate>,
    messages: Vec<Message>,
    accounts: Vec<(u32, AccountRequest)>,
}

/// One entry of a batch.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Order { account: AccountId, buy: bool, percent: i64, qty: i64 },
    Cancel { account: AccountId, place: u32 },
    Liquidation { target: AccountId },
    Request(AccountRequest),
}

#[derive(Default)]
struct Facts(Vec<(MessageId, Fact)>);

impl Observer for Facts {
    fn facts(&mut self, _: Ns, _: Phase, _: &Market, facts: &[(MessageId, Fact)]) {
        self.0.extend_from_slice(facts);
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let account = || 0..9u32;
    let order = (account(), any::<bool>(), 92..109i64, 1..40i64)
        .prop_map(|(account, buy, percent, qty)| Entry::Order { account, buy, percent, qty });
    let cash = || prop_oneof![9 => -10..500_000i128, 1 => any::<i128>()];
    let symbol = || prop::option::of(0..3u16);
    let modes = vec![MarginMode::Cross, MarginMode::Isolated, MarginMode::Portfolio];
    prop_oneof![
        8 => order,
        2 => (account(), 0..12u32).prop_map(|(account, place)| Entry::Cancel { account, place }),
        2 => account().prop_map(|target| Entry::Liquidation { target }),
        1 => (account(), prop::sample::select(modes))
            .prop_map(|(account, mode)| Entry::Request(AccountRequest::Open { account, mode })),
        2 => (account(), cash())
            .prop_map(|(account, cash)| Entry::Request(AccountRequest::Deposit { account, cash })),
        2 => (account(), cash())
            .prop_map(|(account, cash)| Entry::Request(AccountRequest::Withdraw { account, cash })),
        1 => (account(), symbol()).prop_map(|(account, symbol)| {
            Entry::Request(AccountRequest::CancelAll { account, symbol })
        }),
    ]
}

/// Batches of a venue whose first market is at `start`.
fn sealed(batches: &[(Ns, Option<i64>, Vec<Entry>)], start: i64) -> Vec<Sealed> {
    let mut now = 0;
    let mut all = Vec::new();
    for (pause, percent, entries) in batches {
        now += pause;
        let update =
            |percent| PriceUpdate { symbol: 0, price: start * percent / 100, observed_ns: now };
        let prices = percent.map(update).into_iter().collect();
        let (mut messages, mut accounts) = (Vec::new(), Vec::new());
        for (entry, place) in entries.iter().zip(0..) {
            let message = match *entry {
                Entry::Order { account, buy, percent, qty } => {
                    let side = if buy { Side::Buy } else { Side::Sell };
                    Message { account, ..order(place, side, start * percent / 100, qty) }
                }
                Entry::Cancel { account, place: orig } => {
                    let cancel = OrderCancelRequest {
                        cl_ord_id: 1_000,
                        orig_cl_ord_id: u64::from(orig),
                        symbol: 0,
                    };
                    let body = Body::OrderCancelRequest(cancel);
                    Message { id: place, account, sent_ns: 0, body }
                }
                Entry::Liquidation { target } => liquidation(place, target),
                Entry::Request(request) => {
                    accounts.push((messages.len() as u32, request));
                    continue;
                }
            };
            messages.push(message);
        }
        all.push(Sealed { now, prices, messages, accounts });
    }
    all
}

fn execute(execution: &mut Execution, one: &Sealed) -> (Closing, Vec<(MessageId, Fact)>) {
    let height = execution.height() + 1;
    let Sealed { now, prices, messages, accounts } = one;
    let seed = seed(height as u8);
    let batch = Batch { now: *now, height, prices, messages, accounts, seed };
    let mut facts = Facts::default();
    (execution.execute(&batch, &mut facts), facts.0)
}

fn hash(genesis: &Genesis, execution: &Execution) -> Digest {
    state_hash(&genesis.hash(), &execution.state())
}

/// The hash after all of these batches.
fn replayed(genesis: &Genesis, batches: &[Sealed]) -> Digest {
    let mut execution = Execution::open(genesis).unwrap();
    batches.iter().for_each(|batch| drop(execute(&mut execution, batch)));
    hash(genesis, &execution)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn replay_and_every_snapshot_give_the_same_state(
        batches in prop::collection::vec(
            (1..60u64, prop::option::of(85..116i64), prop::collection::vec(entry(), 0..12)), 1..10
        ),
        auction in any::<bool>(),
        many in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let matching = if auction { Matching::Auction } else { Matching::Continuous };
        let genesis = if many { Genesis { matching, ..large() } } else { genesis(matching) };
        let batches = sealed(&batches, genesis.perpetuals[0].price);
        let again = Genesis::from_bytes(&genesis.to_bytes()).unwrap();
        let mut first = Execution::open(&genesis).unwrap();
        let mut replay = Execution::open(&again).unwrap();
        let mut from_snapshot: Option<Execution> = None;
        for (batch, i) in batches.iter().zip(0..) {
            if i == cut.index(batches.len()) {
                from_snapshot = Some(Execution::restore(&again, &first.state()).unwrap());
            }
            let (closing, facts) = execute(&mut first, batch);
            prop_assert!(closing.conserved, "{:?}", batch);
            prop_assert_eq!(closing.accounts.len(), batch.accounts.len());
            let due = (closing, facts, hash(&genesis, &first));
            for other in [Some(&mut replay), from_snapshot.as_mut()].into_iter().flatten() {
                let (closing, facts) = execute(other, batch);
                prop_assert_eq!(&(closing, facts, hash(&again, other)), &due);
            }
        }
    }

    /// Bytes that are cut, extended or damaged are refused, or have another hash.
    #[test]
    fn damaged_states_are_not_taken_for_whole(
        entries in prop::collection::vec(entry(), 12),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 20),
    ) {
        let genesis = large();
        let mut execution = Execution::open(&genesis).unwrap();
        sealed(&[(5, None, entries)], 100_000).iter().for_each(|one| drop(execute(&mut execution, one)));
        let (bytes, due) = (execution.state(), hash(&genesis, &execution));
        let malformed = |bytes: &[u8]| {
            matches!(Execution::restore(&genesis, bytes), Err(InvalidState::Malformed))
        };
        prop_assert!(malformed(&bytes[..bytes.len() - 1]) && malformed(&[&bytes[..], &[0]].concat()));
        for (at, bits) in damages {
            let mut damaged = bytes.clone();
            damaged[at.index(bytes.len())] ^= bits;
            drop(Execution::restore(&genesis, &damaged));
            prop_assert_ne!(state_hash(&genesis.hash(), &damaged), due);
        }
    }
}

#[test]
fn a_lost_or_moved_request_moves_the_hash() {
    let genesis = genesis(Matching::Continuous);
    let order = |account, buy, percent| Entry::Order { account, buy, percent, qty: 2 };
    let entries = [
        Entry::Request(AccountRequest::Open { account: 7, mode: MarginMode::Cross }),
        Entry::Request(AccountRequest::Deposit { account: 7, cash: 900 }),
        order(0, true, 100),
        Entry::Order { account: 1, buy: false, percent: 100, qty: 1 },
        Entry::Request(AccountRequest::CancelAll { account: 0, symbol: None }),
        order(0, false, 104),
        Entry::Request(AccountRequest::Withdraw { account: 7, cash: 400 }),
    ];
    // Each in a batch of its own, so that times and numbers stay when it is lost.
    let whole = sealed(&entries.map(|entry| (1, None, vec![entry])), 100);
    let mut hashes = vec![replayed(&genesis, &whole)];
    for lost in 0..whole.len() {
        let mut fewer = whole.clone();
        fewer[lost].messages.clear();
        fewer[lost].accounts.clear();
        hashes.push(replayed(&genesis, &fewer));
    }
    for (i, one) in hashes.iter().enumerate() {
        assert!(!hashes[..i].contains(one), "change {i}");
    }
    let mut moved = whole.clone();
    (moved[3].now, moved[4].now) = (moved[4].now, moved[3].now);
    moved.swap(3, 4);
    assert_ne!(replayed(&genesis, &moved), hashes[0]);
}

#[test]
fn the_hash_is_of_genesis_and_state() {
    let (one, other) = (genesis(Matching::Continuous), genesis(Matching::Auction));
    let state = Execution::open(&one).unwrap().state();
    assert_eq!(state, Execution::open(&other).unwrap().state());
    assert_ne!(state_hash(&one.hash(), &state), state_hash(&other.hash(), &state));
    let text = [b"surgetank state 1\n", &one.hash().0[..], &state].concat();
    assert_eq!(state_hash(&one.hash(), &state).0, *blake3::hash(&text).as_bytes());
}

#[test]
fn the_state_of_other_rules_is_refused() {
    let state = Execution::open(&large()).unwrap().state();
    let refused = Execution::restore(&genesis(Matching::Continuous), &state).unwrap_err();
    assert_eq!(refused.to_string(), "the stored markets are not those of a venue with these rules");
    let broken = Genesis { insurance: -1, ..large() };
    let refused = Execution::restore(&broken, &state).unwrap_err();
    assert_eq!(refused.to_string(), "insurance fund out of bounds");
}
