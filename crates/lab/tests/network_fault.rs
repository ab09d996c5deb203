//! Faults: when they act, on whom, and that what is measured is what was asked.

use surgetank_lab::network::{Fate, Faults};
use surgetank_lab::scenario::{Fault, FaultKind};
use surgetank_lab::seed::Seed;
use surgetank_layer::units::{MS, SECOND};

const NODES: u32 = 6;

fn fault(at_s: f64, duration_s: f64, what: FaultKind) -> Fault {
    Fault { at_s, duration_s, what }
}

fn loss(nodes: &[u32], probability: f64) -> Fault {
    fault(0.0, 1.0, FaultKind::Loss { nodes: nodes.to_vec(), probability })
}

fn delay(nodes: &[u32], extra_ms: f64, factor: f64) -> Fault {
    fault(0.0, 1.0, FaultKind::Delay { nodes: nodes.to_vec(), extra_ms, factor })
}

fn partition(groups: &[&[u32]]) -> Fault {
    let groups = groups.iter().map(|group| group.to_vec()).collect();
    fault(0.0, 1.0, FaultKind::Partition { groups })
}

fn slow(nodes: &[u32], factor: f64) -> Fault {
    fault(0.0, 1.0, FaultKind::Slow { nodes: nodes.to_vec(), factor })
}

fn crash(nodes: &[u32]) -> Fault {
    fault(0.0, 1.0, FaultKind::Crash { nodes: nodes.to_vec() })
}

fn new(faults: &[Fault]) -> Result<Faults, String> {
    Faults::new(faults, NODES, Seed::new(1).key("fault.loss"))
}

/// All of them under way.
fn active(list: &[Fault]) -> Faults {
    let mut faults = new(list).unwrap();
    (0..list.len()).for_each(|index| faults.set_active(index, true));
    faults
}

/// Which of the packets of these numbers from 0 to 1 are lost.
fn lost(faults: &mut Faults, numbers: u64) -> Vec<bool> {
    (0..numbers).map(|number| faults.fate(0, 1, MS, number) == Fate::Lost).collect()
}

#[test]
fn boundaries_come_in_order_and_ends_before_begins() {
    let spam = |at_s, duration_s| {
        fault(at_s, duration_s, FaultKind::Spam { rate_per_s: 1.0, nodes: vec![] })
    };
    let faults = new(&[spam(5.0, 1.0), spam(1.0, 4.0), spam(5.0, 0.5)]).unwrap();
    let seconds = |s: f64| (s * SECOND as f64) as u64;
    assert_eq!(
        faults.boundaries(),
        [
            (seconds(1.0), 1, true),
            (seconds(5.0), 1, false),
            (seconds(5.0), 0, true),
            (seconds(5.0), 2, true),
            (seconds(5.5), 2, false),
            (seconds(6.0), 0, false),
        ]
    );
}

#[test]
fn a_fault_of_no_length_ends_after_it_begins() {
    let spam = FaultKind::Spam { rate_per_s: 1.0, nodes: vec![] };
    let ends = new(&[fault(2.0, 1e-10, spam)]).unwrap().boundaries();
    assert_eq!(ends, [(2 * SECOND, 0, true), (2 * SECOND + 1, 0, false)]);
}

#[test]
fn only_active_faults_of_links_act_on_packets() {
    let list = [loss(&[], 1.0), slow(&[0], 3.0), crash(&[1])];
    let mut faults = new(&list).unwrap();
    assert!(!faults.any_active());
    assert_eq!(faults.fate(0, 1, MS, 1), Fate::Delivered { after_ns: MS });
    faults.set_active(1, true);
    faults.set_active(2, true);
    assert!(!faults.any_active(), "slow and crashed nodes leave links alone");
    faults.set_active(0, true);
    assert!(faults.any_active());
    assert_eq!(faults.fate(0, 1, MS, 1), Fate::Lost);
    faults.set_active(0, false);
    assert!(!faults.any_active());
    assert_eq!(faults.report(0).samples, 1);
}

#[test]
fn a_partition_cuts_between_groups_and_the_rest_is_one_more() {
    let mut faults = active(&[partition(&[&[0, 1], &[2, 3]])]);
    let group = [0, 0, 1, 1, 2, 2];
    for from in 0..NODES {
        for to in 0..NODES {
            let cut = group[from as usize] != group[to as usize];
            let wanted = if cut { Fate::Lost } else { Fate::Delivered { after_ns: MS } };
            assert_eq!(faults.fate(from, to, MS, 0), wanted, "{from} → {to}");
        }
    }
    let report = faults.report(0);
    assert_eq!((report.measured, report.asked, report.samples), (Some(1.0), 1.0, 24));
}

#[test]
fn loss_hits_the_share_asked_for() {
    let mut faults = active(&[loss(&[], 0.2)]);
    let n = 50_000;
    let share = lost(&mut faults, n).iter().filter(|lost| **lost).count() as f64 / n as f64;
    assert!((share - 0.2).abs() < 4.0 * (0.16 / n as f64).sqrt(), "{share}");
    let report = faults.report(0);
    assert_eq!((report.measured, report.samples), (Some(share), n));
    assert!(lost(&mut active(&[loss(&[], 1.0)]), 1000).iter().all(|lost| *lost));
    assert!(lost(&mut active(&[loss(&[], 0.0)]), 1000).iter().all(|lost| !*lost));
}

#[test]
fn loss_concerns_packets_from_and_to_its_nodes() {
    let mut faults = active(&[loss(&[2], 1.0)]);
    assert_eq!(faults.fate(2, 0, MS, 1), Fate::Lost);
    assert_eq!(faults.fate(0, 2, MS, 2), Fate::Lost);
    assert_eq!(faults.fate(0, 1, MS, 3), Fate::Delivered { after_ns: MS });
    assert_eq!(faults.report(0).samples, 2);
}

#[test]
fn a_further_fault_leaves_the_draws_of_the_first_alone() {
    let alone = lost(&mut active(&[loss(&[], 0.3)]), 2_000);
    let mut both = active(&[loss(&[], 0.3), loss(&[5], 0.5), delay(&[], 1.0, 1.0)]);
    assert_eq!(lost(&mut both, 2_000), alone);
    // Two faults of the same probability lose different packets: together 1 − 0.7².
    let mut twice = active(&[loss(&[], 0.3), loss(&[], 0.3)]);
    let share = lost(&mut twice, 20_000).iter().filter(|lost| **lost).count() as f64 / 20_000.0;
    assert!((share - 0.51).abs() < 4.0 * (0.25f64 / 20_000.0).sqrt(), "{share}");
}

#[test]
fn a_delay_multiplies_first_and_adds_then() {
    let mut faults = active(&[delay(&[1], 5.0, 2.0)]);
    assert_eq!(faults.fate(0, 1, 10 * MS, 1), Fate::Delivered { after_ns: 25 * MS });
    assert_eq!(faults.fate(1, 0, 20 * MS, 2), Fate::Delivered { after_ns: 45 * MS });
    assert_eq!(faults.fate(0, 2, 10 * MS, 3), Fate::Delivered { after_ns: 10 * MS });
    let report = faults.report(0);
    assert_eq!((report.asked, report.measured, report.samples), (20.0, Some(20.0), 2));
}

/// A run is invalid if what was measured is not what was asked: no factor may look like that.
#[test]
fn a_delay_by_a_fractional_factor_is_measured_as_asked() {
    for factor in [0.5, 1.0, 1.5, 2.75] {
        let mut faults = active(&[delay(&[], 0.0, factor)]);
        (0..100).for_each(|i| assert_ne!(faults.fate(0, 1, 10 * MS + i, i), Fate::Lost));
        let report = faults.report(0);
        let wanted = (factor - 1.0) * (10.0 + 49.5e-6);
        assert!((report.asked - wanted).abs() < 1e-9, "{factor}: {report:?}");
        let off = (report.measured.unwrap() - report.asked).abs();
        assert!(off <= 1e-5 * report.asked.abs(), "{factor}: {report:?}");
    }
}

#[test]
fn a_delay_leaves_at_least_a_nanosecond() {
    let mut faults = active(&[delay(&[], 0.0, 1e-9)]);
    assert_eq!(faults.fate(0, 1, MS, 1), Fate::Delivered { after_ns: 1 });
}

#[test]
fn slow_and_crashed_nodes_are_those_named() {
    let mut faults = active(&[slow(&[1, 2], 3.0), slow(&[2], 2.0), crash(&[4])]);
    let factors: Vec<f64> = (0..NODES).map(|node| faults.service_factor(node)).collect();
    assert_eq!(factors, [1.0, 3.0, 6.0, 1.0, 1.0, 1.0]);
    assert_eq!((0..NODES).filter(|&node| faults.is_down(node)).collect::<Vec<_>>(), [4]);
    faults.set_active(0, false);
    faults.set_active(2, false);
    assert_eq!(faults.service_factor(2), 2.0);
    assert!(!faults.is_down(4));
    let none = active(&[slow(&[], 3.0), crash(&[])]);
    assert!((0..NODES).all(|node| none.service_factor(node) == 1.0 && !none.is_down(node)));
}

#[test]
fn errors_name_the_fault_and_the_node() {
    let error = |list: &[Fault]| new(list).map(|_| ()).unwrap_err();
    let wanted = "faults[1].groups: node 31 is not there; the network has 6 nodes, 0..5";
    assert_eq!(error(&[crash(&[0]), partition(&[&[0], &[31]])]), wanted);
    assert!(error(&[crash(&[6])]).starts_with("faults[0].nodes: node 6 "));
    let twice = error(&[partition(&[&[0, 1], &[2, 1]])]);
    assert!(twice.starts_with("faults[0].groups: node 1 is in two groups, 0 and 1"), "{twice}");
}

#[test]
fn what_nothing_came_by_has_no_measurement() {
    let faults = active(&[loss(&[], 0.5), delay(&[], 3.0, 1.0)]);
    assert_eq!((faults.report(0).measured, faults.report(0).samples), (None, 0));
    assert_eq!((faults.report(1).measured, faults.report(1).asked), (None, 3.0));
}
