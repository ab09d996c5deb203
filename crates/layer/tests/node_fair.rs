//! A fair order among nodes: reports, loss, crashes, what few have seen, and what must always hold.

use crate::node_fair_rig;

use node_fair_rig::{REPORT, Rig, is_report};
use proptest::prelude::*;
use surgetank_layer::fair::median;
use surgetank_layer::fair::order;
use surgetank_layer::fair::themis;
use surgetank_layer::node::{FairRule, FairTally, Input, Packet, Reason, Report};
use surgetank_layer::units::{MS, MessageId, NodeId, SECOND};

fn themis(replicas: u32, faulty: u32) -> FairRule {
    let thresholds = themis::Thresholds::new(replicas, faulty, 1000);
    FairRule::Themis(order::Config::of(thresholds))
}

fn by_median(members: u32) -> FairRule {
    FairRule::Median(median::Config::of(members, (members - 1) / 3))
}

/// Five nodes under Themis, of which one may be faulty.
fn five() -> Rig {
    Rig::new(5, themis(5, 1), 1_000)
}

#[test]
fn what_all_followers_saw_first_is_first_whatever_the_leader_saw() {
    let mut rig = five();
    rig.sees(MS, 0, &[2, 1]);
    (1..5).for_each(|node| rig.sees(MS, node, &[1, 2]));
    rig.run(SECOND);
    assert_eq!(rig.order(0), [1, 2]);
    assert_eq!(rig.order(3), [1, 2], "the others follow");
    let tally = rig.tally();
    assert_eq!((tally.ordered, tally.cycles, tally.forced_pairs), (2, 0, 0));
}

#[test]
fn nothing_is_ordered_before_the_reports_are_there() {
    let mut rig = five();
    (0..5).for_each(|node| rig.sees(MS, node, &[1]));
    // Followers report at 50 ms, which takes 7 ms; the leader closes at 100 ms and seals at 101 ms.
    rig.run(2 * REPORT - 1);
    assert!(rig.order(0).is_empty());
    assert_eq!(rig.nodes[0].mempool_len(), 1);
    rig.run(2 * REPORT + MS);
    assert_eq!(rig.order(0), [1]);
    assert_eq!(rig.nodes[0].mempool_len(), 0);
}

#[test]
fn a_circle_of_majorities_is_one_batch_and_is_counted() {
    let mut rig = five();
    let orders = [[1, 2, 3], [1, 2, 3], [2, 3, 1], [2, 3, 1], [3, 1, 2]];
    (0..5).for_each(|node| rig.sees(MS, node, &orders[node as usize]));
    rig.run(SECOND);
    let mut found = rig.order(0);
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3]);
    let tally = rig.tally();
    assert_eq!((tally.cycles, tally.in_cycles, tally.largest), (1, 3, 3));
}

#[test]
fn lost_reports_are_said_again() {
    // No one may be faulty: every report counts.
    let mut rig = Rig::new(3, themis(3, 0), 1_000);
    rig.loses = Box::new(|now, _, packet| is_report(packet) && now < 4 * REPORT);
    rig.sees(MS, 0, &[2, 1, 3]);
    (1..3).for_each(|node| {
        rig.sees(MS, node, &[1, 2]);
        rig.sees(2 * REPORT + MS, node, &[3]);
    });
    rig.run(4 * REPORT - 1);
    assert!(rig.order(0).is_empty());
    // An empty report shows the gap, the leader asks, everything comes in its order.
    rig.run(20 * REPORT);
    assert_eq!(rig.order(0), [1, 2, 3]);
    assert_eq!((rig.tally().overdue, rig.tally().dropped), (0, 0), "patience was not needed");
}

#[test]
fn lost_answers_do_no_harm() {
    let mut rig = Rig::new(3, themis(3, 0), 1_000);
    rig.loses = Box::new(|now, _, packet| {
        matches!(packet, Packet::OrderConfirmed { .. }) && now < 12 * REPORT
            || is_report(packet) && now == REPORT
    });
    (0..3).for_each(|node| rig.sees(MS, node, &[1, 2]));
    (0..3).for_each(|node| rig.sees(3 * REPORT, node, &[3]));
    rig.run(40 * REPORT);
    assert_eq!(rig.order(0), [1, 2, 3]);
}

#[test]
fn a_crashed_follower_is_one_fault_and_comes_back() {
    let mut rig = five();
    (0..5).for_each(|node| rig.sees(MS, node, &[1, 2]));
    rig.crash(10 * MS, 4);
    rig.run(2 * REPORT + MS);
    assert_eq!(rig.order(0), [1, 2], "one of five may be missing");
    rig.restart(5 * REPORT, 4);
    (0..5).for_each(|node| rig.sees(6 * REPORT, node, &[3]));
    // Now another one is gone: the one that came back is needed.
    rig.crash(6 * REPORT - 1, 3);
    rig.run(10 * REPORT);
    assert_eq!(rig.order(0), [1, 2, 3]);
    assert_eq!((rig.tally().overdue, rig.tally().dropped), (0, 0));
}

#[test]
fn a_leader_that_comes_back_hears_the_others_again() {
    let mut rig = Rig::new(3, themis(3, 0), 1_000);
    (0..3).for_each(|node| rig.sees(MS, node, &[1]));
    rig.crash(3 * REPORT, 0);
    rig.restart(4 * REPORT, 0);
    (0..3).for_each(|node| rig.sees(5 * REPORT, node, &[3, 2]));
    rig.run(10 * REPORT);
    assert_eq!(rig.order(0), [1, 3, 2]);
}

#[test]
fn what_no_one_else_reports_goes_in_the_end() {
    let mut rig = five();
    rig.sees(MS, 0, &[9]);
    rig.run(60 * REPORT);
    assert!(rig.order(0).is_empty());
    rig.run(70 * REPORT);
    assert_eq!(rig.order(0), [9]);
    assert_eq!(rig.tally().dropped, 1);
}

#[test]
fn a_place_does_not_wait_without_end_for_a_message_that_the_leader_lacks() {
    let mut rig = five();
    (1..5).for_each(|node| rig.sees(MS, node, &[1, 2]));
    rig.sees(MS, 0, &[2]);
    rig.run(16 * REPORT);
    assert!(rig.order(0).is_empty(), "the first place is not taken yet");
    rig.run(20 * REPORT);
    assert_eq!(rig.order(0), [2]);
    assert_eq!(rig.tally().passed_over, 1);
    rig.sees(21 * REPORT, 0, &[1]);
    rig.run(30 * REPORT);
    assert_eq!(rig.order(0), [2, 1], "late, but not lost");
}

#[test]
fn what_the_leader_refuses_holds_up_no_one() {
    let mut rig = Rig::new(5, themis(5, 1), 2);
    (0..5).for_each(|node| rig.sees(MS, node, &[1, 2, 3]));
    (0..5).for_each(|node| rig.sees(4 * REPORT, node, &[4]));
    rig.run(7 * REPORT);
    assert_eq!(rig.refused, [(0, 3, Reason::MempoolFull)]);
    assert_eq!(rig.order(0), [1, 2, 4]);
}

#[test]
fn the_median_of_the_times_decides() {
    let mut rig = Rig::new(5, by_median(5), 1_000);
    for (node, late) in [(0, 1), (1, 1), (2, 8), (3, 8), (4, 8)] {
        rig.sees(late * MS, node, &[1]);
        rig.sees((9 - late) * MS, node, &[2]);
    }
    rig.run(SECOND);
    assert_eq!(rig.order(0), [2, 1], "three of five saw it at 1 ms");
    assert_eq!(rig.tally().ordered, 2);
}

#[test]
fn a_round_of_the_median_needs_enough_lists() {
    let mut rig = Rig::new(4, by_median(4), 1_000);
    rig.loses = Box::new(|now, from, packet| {
        matches!(packet, Packet::OrderReport(_)) && from > 1 && now < 5 * REPORT
    });
    (0..4).for_each(|node| rig.sees(MS, node, &[1, 2]));
    rig.run(5 * REPORT);
    assert!(rig.order(0).is_empty());
    assert_eq!(rig.tally().failed, 5, "three lists of four are needed");
    rig.run(7 * REPORT);
    assert_eq!(rig.order(0), [1, 2]);
}

#[test]
fn a_report_costs_eight_bytes_a_message_and_a_list_sixteen() {
    // Header, numbers and clock 40, signature 64, and where it is chained the digest before it 32.
    for (rule, bare, each) in [(themis(5, 1), 136, 8), (by_median(5), 104, 16)] {
        let mut rig = Rig::new(5, rule, 1_000);
        (0..5).for_each(|node| rig.sees(MS, node, &[1, 2, 3]));
        rig.run(REPORT);
        let reported = rig.nodes[2].fair_tally().expect("there is a fair order");
        assert_eq!((reported.reports, reported.report_bytes), (1, bare + 3 * each));
    }
}

const MESSAGES: MessageId = 12;

/// For each of five nodes an order of all messages.
fn orders() -> impl Strategy<Value = Vec<Vec<MessageId>>> {
    let one = Just((0..MESSAGES).collect::<Vec<_>>()).prop_shuffle();
    prop::collection::vec(one, 5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn each_goes_once_whatever_is_lost(
        orders in orders(),
        loses in prop::collection::vec(any::<bool>(), 64),
        is_median in any::<bool>(),
    ) {
        let rule = if is_median { by_median(5) } else { themis(5, 1) };
        let mut rig = Rig::new(5, rule, 1_000);
        let mut sent = 0;
        rig.loses = Box::new(move |_, from, packet| {
            sent += 1;
            let counts = matches!(packet, Packet::OrderReport(_) | Packet::OrderConfirmed { .. });
            counts && from != 9 && loses.get(sent).copied().unwrap_or(false)
        });
        for node in 0..5 {
            rig.sees(40 * MS, node, &orders[node as usize]);
        }
        rig.run(5 * SECOND);
        let mut found = rig.order(0);
        found.sort_unstable();
        prop_assert_eq!(found, (0..MESSAGES).collect::<Vec<_>>());
    }

    #[test]
    fn who_was_seen_first_by_all_is_in_no_later_batch(orders in orders()) {
        let mut rig = five();
        for node in 0..5 {
            rig.sees(40 * MS, node, &orders[node as usize]);
        }
        rig.run(SECOND);
        let found = rig.order(0);
        prop_assert_eq!(found.len(), MESSAGES as usize);
        let reported: Vec<_> = rig.nodes.iter().filter_map(|node| node.fair_tally()).collect();
        let wrong = |t: &FairTally| t.unsigned + t.rewritten + t.breaks + t.forged;
        prop_assert_eq!(reported.iter().map(wrong).sum::<u64>(), 0, "no one forged anything");
        // Inside a batch nothing is promised; without one, the promise is about places.
        let place = |of: &[MessageId], m| of.iter().position(|&x| x == m);
        let first = |a, b| orders.iter().all(|own| place(own, a) < place(own, b));
        if rig.tally().cycles == 0 {
            for a in 0..MESSAGES {
                for b in (0..MESSAGES).filter(|&b| b != a && first(a, b)) {
                    prop_assert!(place(&found, a) < place(&found, b), "{} before {}", a, b);
                }
            }
        }
    }
}

/// Reports of a node come in their order, even if packets overtake each other.
#[test]
fn reports_that_overtake_each_other_are_put_in_order() {
    let mut rig = Rig::new(3, themis(3, 0), 1_000);
    (0..3).for_each(|node: NodeId| rig.sees(MS, node, &[1]));
    (0..3).for_each(|node: NodeId| rig.sees(REPORT + MS, node, &[2]));
    // The first report of node 1 is replaced by one that comes after the second.
    rig.loses = Box::new(|now, from, packet| is_report(packet) && from == 1 && now == REPORT);
    rig.run(REPORT);
    let seen = vec![surgetank_layer::node::ReceivedEntry { message: 1, seen_ns: MS }];
    let report = Report { author: 1, clock_ns: REPORT, seen, ..Report::default() }.signed();
    rig.at(2 * REPORT + 20 * MS, 0, Input::Packet { from: 1, packet: Packet::OrderReport(report) });
    rig.run(4 * REPORT);
    assert_eq!(rig.order(0), [1, 2]);
}
