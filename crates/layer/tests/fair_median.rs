//! The decentralised Timeboost: who is in, what time it is, who is first.

use crate::fair_rig;

use fair_rig::NoDraws;
use proptest::prelude::*;
use surgetank_layer::fair::median::{
    Config, ExpressPosition, Input, ListedMessage, MedianOrder, Output, RoundOrder, Within, lot,
    median,
};
use surgetank_layer::machine::Machine;
use surgetank_layer::units::{Digest, MS, NodeId, Ns, SECOND};

const SEED: Digest = Digest([7; 32]);

fn plain(message: u32, seen_ns: Ns) -> ListedMessage {
    let content = Digest([message as u8; 32]);
    let (account, nonce) = (message, u64::from(message));
    ListedMessage { message, seen_ns, account, nonce, content, express: None }
}

fn express(message: u32, epoch: u64, sequence: u64) -> ListedMessage {
    ListedMessage { express: Some(ExpressPosition { epoch, sequence }), ..plain(message, 0) }
}

fn step(machine: &mut MedianOrder, input: Input) -> Vec<Output> {
    let mut outbox = Vec::new();
    machine.step(0, input, &mut NoDraws, &mut outbox);
    outbox
}

fn report(machine: &mut MedianOrder, from: NodeId, clock_ns: Ns, seen: &[ListedMessage]) {
    let said = step(machine, Input::Report { from, clock_ns, seen: seen.to_vec() });
    assert_eq!(said, []);
}

/// Four members, all with the clock `clock_ns`, and what each lists.
fn round(machine: &mut MedianOrder, clock_ns: Ns, lists: [&[ListedMessage]; 4]) -> RoundOrder {
    lists.iter().zip(0..).for_each(|(list, from)| report(machine, from, clock_ns, list));
    match step(machine, Input::Close { seed: SEED }).pop() {
        Some(Output::Ordered(ordered)) => ordered,
        other => panic!("{other:?}"),
    }
}

fn four() -> MedianOrder {
    MedianOrder::new(Config::of(4)).unwrap()
}

#[test]
fn a_third_may_not_be_faulty() {
    let config = Config { faulty: 1, ..Config::of(3) };
    assert!(MedianOrder::new(config).unwrap_err().contains("third"));
}

#[test]
fn in_with_one_list_more_than_can_lie() {
    let mut machine = four();
    let found = round(&mut machine, 0, [&[plain(1, 0)], &[plain(1, 0), plain(2, 0)], &[], &[]]);
    assert_eq!((found.rest, found.too_few), (vec![1], 1));
    // A list that names a message twice counts once.
    let found = round(&mut machine, 0, [&[plain(2, 0), plain(2, 0)], &[], &[], &[]]);
    assert_eq!((found.rest, found.too_few), (vec![], 1));
}

#[test]
fn not_again_for_eight_rounds() {
    let mut machine = four();
    let lists: [&[ListedMessage]; 4] = [&[plain(1, 0)], &[plain(1, 0)], &[], &[]];
    assert_eq!(round(&mut machine, 0, lists).rest, [1]);
    // Eight rounds in which too few list it, or enough do: never again.
    for _ in 0..8 {
        assert!(round(&mut machine, 0, lists).rest.is_empty());
    }
    // Seven rounds without it are not enough for it to be forgotten, eight are.
    for (without, expected) in [(7, vec![]), (8, vec![1])] {
        for _ in 0..without {
            round(&mut machine, 0, [&[]; 4]);
        }
        assert_eq!(round(&mut machine, 0, lists).rest, expected);
    }
    assert_eq!(machine.remembered(), 1);
}

#[test]
fn time_is_the_median_and_never_goes_back() {
    let mut machine = four();
    for (from, clock) in [(0, 9 * SECOND), (1, 2), (2, 5), (3, 4)] {
        report(&mut machine, from, clock, &[]);
    }
    let close = Input::Close { seed: SEED };
    let Some(Output::Ordered(found)) = step(&mut machine, close).pop() else { panic!() };
    assert_eq!(found.time_ns, 4);
    assert_eq!(round(&mut machine, 3, [&[]; 4]).time_ns, 4);
    assert_eq!(round(&mut machine, 8, [&[]; 4]).time_ns, 8);
}

#[test]
fn median_of_few() {
    assert_eq!((median(&mut []), median(&mut [3]), median(&mut [9, 1])), (0, 3, 1));
    assert_eq!((median(&mut [9, 1, 5]), median(&mut [4, 3, 2, 1])), (5, 2));
}

#[test]
fn a_round_needs_all_but_the_faulty() {
    let mut machine = four();
    report(&mut machine, 0, 0, &[plain(1, 0)]);
    report(&mut machine, 1, 0, &[plain(1, 0)]);
    let said = step(&mut machine, Input::Close { seed: SEED });
    assert_eq!(said, [Output::Failed { round: 1, lists: 2 }]);
    let found = round(&mut machine, 0, [&[plain(1, 0)], &[plain(1, 0)], &[], &[]]);
    assert_eq!((found.round, found.rest), (2, vec![1]));
}

#[test]
fn express_goes_first_by_number_and_a_gap_holds_it_up() {
    let mut machine = four();
    let lists: [&[ListedMessage]; 4] =
        [&[express(12, 0, 2), express(10, 0, 0)], &[plain(1, 0)], &[plain(1, 0)], &[]];
    let found = round(&mut machine, 0, lists);
    assert_eq!((found.express, found.rest), (vec![10], vec![1]));
    let lists: [&[ListedMessage]; 4] = [&[express(12, 0, 2)], &[], &[express(11, 0, 1)], &[]];
    assert_eq!(round(&mut machine, 0, lists).express, [11, 12]);
    // Numbers that are spent, and epochs that are not the round's, are left out.
    let lists: [&[ListedMessage]; 4] = [&[express(13, 0, 2), express(14, 1, 0)], &[], &[], &[]];
    assert!(round(&mut machine, 0, lists).express.is_empty());
    // The next epoch begins at nought again.
    let lists: [&[ListedMessage]; 4] = [&[express(14, 1, 0), express(15, 0, 3)], &[], &[], &[]];
    assert_eq!(round(&mut machine, 60 * SECOND, lists).express, [14]);
}

#[test]
fn of_two_express_messages_with_one_number_the_smaller_hash_counts() {
    let lists: [&[ListedMessage]; 4] = [&[express(11, 0, 0)], &[express(10, 0, 0)], &[], &[]];
    assert_eq!(round(&mut four(), 0, lists).express, [10]);
}

#[test]
fn the_lot_falls_on_accounts_and_keeps_their_own_order() {
    let of = |message, account, nonce| ListedMessage { account, nonce, ..plain(message, 0) };
    let list = [of(1, 5, 9), of(2, 5, 8), of(3, 6, 1), of(4, 7, 1)];
    let found = round(&mut four(), 0, [&list, &list, &[], &[]]).rest;
    let mut accounts = [(5, vec![2, 1]), (6, vec![3]), (7, vec![4])];
    accounts.sort_by_key(|(account, _)| lot(SEED, *account));
    assert_eq!(found, accounts.map(|(_, messages)| messages).concat());
    assert_ne!(lot(SEED, 5), lot(Digest([8; 32]), 5));
}

#[test]
fn by_median_time_one_faulty_member_changes_nothing() {
    let config = Config { within: Within::MedianTime, ..Config::of(4) };
    let mut machine = MedianOrder::new(config).unwrap();
    let honest = [plain(1, 10 * MS), plain(2, 11 * MS)];
    let liar = [plain(1, 99 * MS), plain(2, 0)];
    let found = round(&mut machine, 0, [&honest, &honest, &honest, &liar]);
    assert_eq!(found.rest, [1, 2]);
}

#[test]
fn what_is_not_taken_is_said() {
    let mut machine = MedianOrder::new(Config { list_max: 1, ..Config::of(4) }).unwrap();
    let list = vec![plain(1, 0), plain(2, 0)];
    let report = |from| Input::Report { from, clock_ns: 0, seen: list.clone() };
    let refused = |from, messages| vec![Output::Refused { from, messages }];
    assert_eq!(step(&mut machine, report(0)), refused(0, vec![2]));
    assert_eq!(step(&mut machine, report(0)), refused(0, vec![1, 2]));
    assert_eq!(step(&mut machine, report(4)), refused(4, vec![1, 2]));
}

proptest! {
    /// Whoever reports first changes nothing; what enough list comes once, in one order for all.
    #[test]
    fn order_of_reports_does_not_matter(
        lists in prop::collection::vec(prop::collection::vec((0u32..8, 0u64..50), 0..10), 4),
        turn in 0usize..4,
        by_time in any::<bool>(),
    ) {
        let within = if by_time { Within::MedianTime } else { Within::Lot };
        let lists: Vec<Vec<ListedMessage>> = lists
            .into_iter()
            .map(|list| list.into_iter().map(|(m, at)| plain(m, at)).collect())
            .collect();
        let played = |turn: usize| {
            let mut machine = MedianOrder::new(Config { within, ..Config::of(4) }).unwrap();
            for from in (0..4).map(|i| (i + turn) % 4) {
                report(&mut machine, from as NodeId, from as Ns, &lists[from]);
            }
            step(&mut machine, Input::Close { seed: SEED })
        };
        let found = played(turn);
        prop_assert_eq!(&found, &played(0));
        let [Output::Ordered(ordered)] = &found[..] else { panic!("{found:?}") };
        let mut rest = ordered.rest.clone();
        rest.sort_unstable();
        let listed = |m| lists.iter().filter(|l| l.iter().any(|s| s.message == m)).count();
        let expected: Vec<u32> = (0..8).filter(|&m| listed(m) >= 2).collect();
        prop_assert_eq!(rest, expected);
        // The median lies between the times that two different members gave.
        prop_assert_eq!(ordered.time_ns, 1);
    }
}
