//! Reports that are forged, and a leader that does not follow them.

use crate::node_fair_rig;

use std::sync::Arc;

use node_fair_rig::{REPORT, Rig};
use proptest::prelude::*;
use surgetank_layer::fair::{order, themis};
use surgetank_layer::message::{Entry, Envelope};
use surgetank_layer::node::{BlockBuilder, FairRule, FairTally, Honest, Packet, Report};
use surgetank_layer::units::{MS, MessageId, NodeId, SECOND};

const LIAR: NodeId = 4;

/// Five nodes under Themis, of which one may be faulty; node 1 checks what node 0 does.
fn five() -> Rig {
    under(Arc::new(Honest))
}

/// The same, under a leader that makes its blocks so.
fn under(leader: Arc<dyn BlockBuilder>) -> Rig {
    let thresholds = themis::Thresholds::new(5, 1, 1000);
    Rig::with_leader(5, FairRule::Themis(order::Config::of(thresholds)), 1_000, leader)
}

/// What a report of the liar's that has entries becomes.
fn forge(rig: &mut Rig, mut lie: impl FnMut(&mut Report) + 'static) {
    rig.forges = Box::new(move |_, from, packet| {
        if let Packet::OrderReport(report) = packet
            && from == LIAR
            && !report.seen.is_empty()
        {
            lie(report);
        }
    });
}

fn checked(rig: &Rig) -> FairTally {
    rig.nodes[1].fair_tally().expect("there is a fair order")
}

#[test]
fn a_report_changed_on_its_way_is_discarded() {
    let mut rig = five();
    forge(&mut rig, |report| report.seen.reverse());
    (0..5).for_each(|node| rig.sees(MS, node, &[1, 2, 3]));
    rig.run(SECOND);
    assert!(rig.tally().unsigned > 0);
    assert_eq!(rig.order(0), [1, 2, 3], "four of five are enough");
    assert_eq!((checked(&rig).breaks, checked(&rig).forged), (0, 0));
}

#[test]
fn a_report_in_anothers_name_is_discarded() {
    let mut rig = five();
    forge(&mut rig, |report| {
        report.author = 3;
        *report = std::mem::take(report).signed();
    });
    (0..5).for_each(|node| rig.sees(MS, node, &[1]));
    rig.run(SECOND);
    assert!(rig.tally().unsigned > 0);
    assert_eq!(rig.order(0), [1]);
}

#[test]
fn who_rewrites_what_it_stated_is_found_out_and_heard_no_more() {
    let mut rig = five();
    // Its second report pretends, under its own signature, that the first began otherwise.
    forge(&mut rig, |report| {
        if report.first > 0 {
            let other = Report { first: 0, before: Default::default(), ..report.clone() };
            let sight = |message| surgetank_layer::node::ReceivedEntry { message, seen_ns: 0 };
            let seen = [3, 2, 1].map(sight).to_vec();
            *report = Report { seen, ..other }.signed();
        }
    });
    (0..5).for_each(|node| rig.sees(MS, node, &[1, 2]));
    (0..5).for_each(|node| rig.sees(REPORT + MS, node, &[3]));
    rig.run(SECOND);
    assert_eq!(rig.tally().rewritten, 1);
    assert_eq!(rig.order(0), [1, 2, 3]);
    assert_eq!(checked(&rig).forged, 1, "the proof is in a block, for all to see");
}

/// Puts messages 8 and 9 before all others.
#[derive(Debug)]
struct Insider;

impl BlockBuilder for Insider {
    fn takes(&self, _waiting: &Envelope) -> bool {
        true
    }

    fn arrange(&self, entries: &mut [Entry]) {
        entries.sort_by_key(|entry| ![8, 9].contains(&entry.envelope.id));
    }
}

#[test]
fn a_leader_that_puts_its_own_first_breaks_the_order() {
    let play = |insider: bool| {
        let mut rig = if insider { under(Arc::new(Insider)) } else { five() };
        (0..5).for_each(|node| rig.sees(MS, node, &[1, 8, 9, 2]));
        rig.run(SECOND);
        (rig.order(3), checked(&rig).breaks)
    };
    assert_eq!(play(false), (vec![1, 8, 9, 2], 0));
    assert_eq!(play(true), (vec![8, 9, 1, 2], 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A false report before anything else was stated cannot be found out: packets might have come so.
    /// One faulty node in five inverts no pair that the four others saw alike.
    #[test]
    fn what_cannot_be_proved_is_bounded(swaps in prop::collection::vec((0usize..8, 0usize..8), 1..9)) {
        let honest: Vec<MessageId> = (1..=8).collect();
        let mut rig = five();
        // It keeps to its lie: what it states later is chained to what it has stated.
        let mut head = None;
        rig.forges = Box::new(move |_, from, packet| {
            let Packet::OrderReport(report) = packet else { return };
            if from != LIAR {
                return;
            }
            let len = report.seen.len();
            swaps.iter().filter(|_| len > 0).for_each(|&(a, b)| report.seen.swap(a % len, b % len));
            report.before = head.unwrap_or(report.before);
            head = Some(report.after());
            *report = std::mem::take(report).signed();
        });
        (0..5).for_each(|node| rig.sees(MS, node, &honest));
        rig.run(2 * SECOND);
        let found = rig.tally();
        prop_assert_eq!((found.unsigned, found.rewritten, found.cycles), (0, 0, 0));
        prop_assert_eq!(rig.order(0), honest);
        prop_assert_eq!(checked(&rig).breaks, 0);
    }
}
