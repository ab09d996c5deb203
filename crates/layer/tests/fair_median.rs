//! Order by median time: which messages are included, what time it is, which is first.

use crate::fair_rig;

use fair_rig::NoDraws;
use proptest::prelude::*;
use surgetank_layer::fair::median::{
    Config, Input, ListedMessage, MedianOrder, Output, RoundOrder, median,
};
use surgetank_layer::machine::Machine;
use surgetank_layer::units::{Digest, MS, NodeId, Ns, SECOND};

fn listed(message: u32, seen_ns: Ns) -> ListedMessage {
    ListedMessage { message, seen_ns, content: Digest([message as u8; 32]) }
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
    match step(machine, Input::Close).pop() {
        Some(Output::Ordered(ordered)) => ordered,
        other => panic!("{other:?}"),
    }
}

fn four() -> MedianOrder {
    MedianOrder::new(Config::of(4, 1))
}

#[test]
#[should_panic(expected = "1 of 3 members")]
fn a_third_may_not_be_faulty() {
    MedianOrder::new(Config::of(3, 1));
}

#[test]
fn in_with_one_list_more_than_can_lie() {
    let mut machine = four();
    let found = round(&mut machine, 0, [&[listed(1, 0)], &[listed(1, 0), listed(2, 0)], &[], &[]]);
    assert_eq!((found.messages, found.too_few), (vec![1], 1));
    // A list that names a message twice counts once.
    let found = round(&mut machine, 0, [&[listed(2, 0), listed(2, 0)], &[], &[], &[]]);
    assert_eq!((found.messages, found.too_few), (vec![], 1));
}

#[test]
fn not_again_for_eight_rounds() {
    let mut machine = four();
    let lists: [&[ListedMessage]; 4] = [&[listed(1, 0)], &[listed(1, 0)], &[], &[]];
    assert_eq!(round(&mut machine, 0, lists).messages, [1]);
    // Eight rounds in which too few list it, or enough do: never again.
    for _ in 0..8 {
        assert!(round(&mut machine, 0, lists).messages.is_empty());
    }
    // Seven rounds without it are not enough for it to be forgotten, eight are.
    for (without, expected) in [(7, vec![]), (8, vec![1])] {
        for _ in 0..without {
            round(&mut machine, 0, [&[]; 4]);
        }
        assert_eq!(round(&mut machine, 0, lists).messages, expected);
    }
    assert_eq!(machine.remembered(), 1);
}

#[test]
fn time_is_the_median_and_never_goes_back() {
    let mut machine = four();
    for (from, clock) in [(0, 9 * SECOND), (1, 2), (2, 5), (3, 4)] {
        report(&mut machine, from, clock, &[]);
    }
    let close = Input::Close;
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
    report(&mut machine, 0, 0, &[listed(1, 0)]);
    report(&mut machine, 1, 0, &[listed(1, 0)]);
    let said = step(&mut machine, Input::Close);
    assert_eq!(said, [Output::Failed { round: 1, lists: 2 }]);
    let found = round(&mut machine, 0, [&[listed(1, 0)], &[listed(1, 0)], &[], &[]]);
    assert_eq!((found.round, found.messages), (2, vec![1]));
}

#[test]
fn by_median_time_one_faulty_member_changes_nothing() {
    let mut machine = four();
    let honest = [listed(1, 10 * MS), listed(2, 11 * MS)];
    let liar = [listed(1, 99 * MS), listed(2, 0)];
    let found = round(&mut machine, 0, [&honest, &honest, &honest, &liar]);
    assert_eq!(found.messages, [1, 2]);
}

#[test]
fn what_is_not_taken_is_said() {
    let mut machine = MedianOrder::new(Config { list_max: 1, ..Config::of(4, 1) });
    let list = vec![listed(1, 0), listed(2, 0)];
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
    ) {
        let lists: Vec<Vec<ListedMessage>> = lists
            .into_iter()
            .map(|list| list.into_iter().map(|(m, at)| listed(m, at)).collect())
            .collect();
        let played = |turn: usize| {
            let mut machine = four();
            for from in (0..4).map(|i| (i + turn) % 4) {
                report(&mut machine, from as NodeId, from as Ns, &lists[from]);
            }
            step(&mut machine, Input::Close)
        };
        let found = played(turn);
        prop_assert_eq!(&found, &played(0));
        let [Output::Ordered(ordered)] = &found[..] else { panic!("{found:?}") };
        let mut rest = ordered.messages.clone();
        rest.sort_unstable();
        let listed = |m| lists.iter().filter(|l| l.iter().any(|s| s.message == m)).count();
        let expected: Vec<u32> = (0..8).filter(|&m| listed(m) >= 2).collect();
        prop_assert_eq!(rest, expected);
        // The median lies between the times that two different members gave.
        prop_assert_eq!(ordered.time_ns, 1);
    }
}
