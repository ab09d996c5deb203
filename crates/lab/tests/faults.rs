//! Faults: when they act, on whom, and that what is measured is what was asked.

use serde_json::{Value, json};
use surgetank_lab::faults::{Ended, Faults, Impairment, Report};
use surgetank_lab::host::{Distribution, Service, Shares};
use surgetank_lab::scenario::Fault;
use surgetank_lab::seed::Seed;
use surgetank_layer::node::Costs;
use surgetank_layer::units::{MS, SECOND};

const NODES: u32 = 6;

fn fault(at_s: f64, duration_s: f64, what: Value) -> Fault {
    let Value::Object(what) = what else { panic!("a table of keys") };
    Fault { at_s, duration_s, what: what.into() }
}

fn loss(nodes: &[u32], probability: f64) -> Fault {
    fault(0.0, 1.0, json!({"kind": "loss", "nodes": nodes, "probability": probability}))
}

fn delay(nodes: &[u32], extra_ms: f64, factor: f64) -> Fault {
    let keys = json!({"kind": "delay", "nodes": nodes, "extra_ms": extra_ms, "factor": factor});
    fault(0.0, 1.0, keys)
}

fn partition(groups: &[&[u32]]) -> Fault {
    fault(0.0, 1.0, json!({"kind": "partition", "groups": groups}))
}

fn slow(nodes: &[u32], factor: f64) -> Fault {
    fault(0.0, 1.0, json!({"kind": "slow", "nodes": nodes, "factor": factor}))
}

fn crash(nodes: &[u32]) -> Fault {
    fault(0.0, 1.0, json!({"kind": "crash", "nodes": nodes}))
}

fn spam(at_s: f64, duration_s: f64) -> Fault {
    fault(at_s, duration_s, json!({"kind": "spam", "rate_per_s": 1.0, "nodes": []}))
}

fn new(faults: &[Fault]) -> Result<Faults, String> {
    Faults::new(faults, NODES, &Seed::new(1))
}

/// All of them in transit.
fn active(list: &[Fault]) -> Faults {
    let mut faults = new(list).unwrap();
    switch(&mut faults, 0..list.len() as u32, true);
    faults
}

fn switch(faults: &mut Faults, which: impl IntoIterator<Item = u32>, begins: bool) {
    which.into_iter().for_each(|index| drop(faults.switch(index, begins)));
}

fn report(faults: &Faults, index: usize) -> Report {
    let service = Service {
        servers: 1,
        means: Costs { validation_ns: [MS; 8], execution_ns: [MS; 8] },
        distribution: Distribution::Fixed,
        decryption_ns: 0,
        share_ns: 0,
    };
    faults.report(index, &Ended { end_ns: SECOND, service: &service, has_leaders: true })
}

/// A packet from one node to another with a delay of `after`; `None` if it is lost.
fn pass(faults: &mut Faults, from: u32, to: u32, after: u64, number: u64) -> Option<u64> {
    let fate = faults.fate(from, to, after, number);
    (!fate.lost).then_some(fate.after_ns)
}

/// Which of the packets of these numbers from 0 to 1 are lost.
fn lost(faults: &mut Faults, numbers: u64) -> Vec<bool> {
    (0..numbers).map(|number| pass(faults, 0, 1, MS, number).is_none()).collect()
}

#[test]
fn boundaries_come_in_order_and_ends_before_begins() {
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
#[should_panic(expected = "shorter than 1 µs")]
fn a_fault_has_a_length() {
    new(&[spam(2.0, 1e-10)]).unwrap().boundaries();
}

#[test]
fn only_active_faults_of_links_act_on_packets() {
    let list = [loss(&[], 1.0), slow(&[0], 3.0), crash(&[1])];
    let mut faults = new(&list).unwrap();
    assert!(!faults.on_links());
    assert_eq!(pass(&mut faults, 0, 1, MS, 1), Some(MS));
    switch(&mut faults, [1], true);
    switch(&mut faults, [2], true);
    assert!(!faults.on_links(), "slow and crashed nodes leave links alone");
    switch(&mut faults, [0], true);
    assert!(faults.on_links());
    assert_eq!(pass(&mut faults, 0, 1, MS, 1), None);
    switch(&mut faults, [0], false);
    assert!(!faults.on_links());
    assert_eq!(report(&faults, 0).samples, 1);
}

#[test]
fn a_partition_cuts_between_groups_and_the_rest_is_one_more() {
    let mut faults = active(&[partition(&[&[0, 1], &[2, 3]])]);
    let group = [0, 0, 1, 1, 2, 2];
    for from in 0..NODES {
        for to in 0..NODES {
            let cut = group[from as usize] != group[to as usize];
            let wanted = if cut { None } else { Some(MS) };
            assert_eq!(pass(&mut faults, from, to, MS, 0), wanted, "{from} → {to}");
        }
    }
    let report = report(&faults, 0);
    assert_eq!((report.measured, report.asked, report.samples), (Some(1.0), 1.0, 24));
    assert!(report.allowed.holds(1.0) && !report.allowed.holds(0.99));
}

#[test]
fn loss_hits_the_share_asked_for() {
    let mut faults = active(&[loss(&[], 0.2)]);
    let n = 50_000;
    let share = lost(&mut faults, n).iter().filter(|lost| **lost).count() as f64 / n as f64;
    assert!((share - 0.2).abs() < 4.0 * (0.16 / n as f64).sqrt(), "{share}");
    let report = report(&faults, 0);
    assert_eq!((report.measured, report.samples), (Some(share), n));
    assert!(report.allowed.holds(share) && !report.allowed.holds(0.2 + 0.01));
    assert!(lost(&mut active(&[loss(&[], 1.0)]), 1000).iter().all(|lost| *lost));
    assert!(lost(&mut active(&[loss(&[], 0.0)]), 1000).iter().all(|lost| !*lost));
}

#[test]
fn loss_concerns_packets_from_and_to_its_nodes() {
    let mut faults = active(&[loss(&[2], 1.0)]);
    assert_eq!(pass(&mut faults, 2, 0, MS, 1), None);
    assert_eq!(pass(&mut faults, 0, 2, MS, 2), None);
    assert_eq!(pass(&mut faults, 0, 1, MS, 3), Some(MS));
    assert_eq!(report(&faults, 0).samples, 2);
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
    assert_eq!(pass(&mut faults, 0, 1, 10 * MS, 1), Some(25 * MS));
    assert_eq!(pass(&mut faults, 1, 0, 20 * MS, 2), Some(45 * MS));
    assert_eq!(pass(&mut faults, 0, 2, 10 * MS, 3), Some(10 * MS));
    let report = report(&faults, 0);
    assert_eq!((report.asked, report.measured, report.samples), (20.0, Some(20.0), 2));
}

/// A run is invalid if what was measured is not what was asked: no factor may look like that.
#[test]
fn a_delay_by_a_fractional_factor_is_measured_as_asked() {
    for factor in [0.5, 1.0, 1.5, 2.75] {
        let mut faults = active(&[delay(&[], 0.0, factor)]);
        (0..100).for_each(|i| assert_ne!(pass(&mut faults, 0, 1, 10 * MS + i, i), None));
        let report = report(&faults, 0);
        let wanted = (factor - 1.0) * (10.0 + 49.5e-6);
        assert!((report.asked - wanted).abs() < 1e-9, "{factor}: {report:?}");
        let measured = report.measured.unwrap();
        assert!(report.allowed.holds(measured), "{factor}: {report:?}");
        let off = [measured - 3e-6, measured + 3e-6];
        assert!(!off.iter().any(|&off| report.allowed.holds(off)), "{factor}: {report:?}");
    }
}

#[test]
fn a_delay_leaves_at_least_a_nanosecond() {
    let mut faults = active(&[delay(&[], 0.0, 1e-9)]);
    assert_eq!(pass(&mut faults, 0, 1, MS, 1), Some(1));
}

/// What the faults do to each node's machine, as their switching says it.
fn machines(list: &[Fault], ended: &[u32]) -> Vec<Impairment> {
    let mut faults = new(list).unwrap();
    let none = active(&[slow(&[0], 1.0)]).switch(0, false)[0].1[1];
    let mut machines = vec![none; NODES as usize];
    let all = (0..list.len() as u32).map(|index| (index, true));
    for (index, begins) in all.chain(ended.iter().map(|&index| (index, false))) {
        for (node, [before, after]) in faults.switch(index, begins) {
            assert_eq!(machines[node as usize], before);
            machines[node as usize] = after;
        }
    }
    machines
}

#[test]
fn slow_and_crashed_nodes_are_those_named() {
    let list = [slow(&[1, 2], 3.0), slow(&[2], 2.0), crash(&[4])];
    let (during, after) = (machines(&list, &[]), machines(&list, &[0, 2]));
    let factors: Vec<f64> = during.iter().map(|machine| machine.slow).collect();
    assert_eq!(factors, [1.0, 3.0, 6.0, 1.0, 1.0, 1.0]);
    assert_eq!(during.iter().map(|machine| machine.down).filter(|down| *down).count(), 1);
    assert!(during[4].down && !after[4].down);
    assert_eq!(after[2].slow, 2.0);
    assert!(active(&[slow(&[], 3.0), crash(&[])]).switch(1, false).is_empty());
}

#[test]
fn several_faults_of_one_keyper_add_up() {
    let keypers = |conduct: &str, extra_ms: f64| {
        let kind =
            json!({"kind": "keypers", "nodes": [3], "conduct": conduct, "extra_ms": extra_ms});
        fault(0.0, 1.0, kind)
    };
    let list = [keypers("late", 2.0), keypers("late", 3.0), keypers("silent", 500.0)];
    let during = machines(&list, &[])[3];
    assert!(during.silent && during.late_ns == 5 * MS);
    assert_eq!(during.shares(), Shares::Never);
    assert_eq!(machines(&list, &[2])[3].shares(), Shares::Late(5 * MS));
    assert_eq!(machines(&list, &[2, 0, 1])[3].shares(), Shares::Prompt);
}

#[test]
fn errors_name_the_fault_and_the_key() {
    let error = |list: &[Fault]| new(list).map(|_| ()).unwrap_err();
    let unknown = fault(0.0, 1.0, json!({"kind": "flood"}));
    assert_eq!(error(&[unknown]), "faults[0].kind: there is no `flood`");
    let typo = fault(0.0, 1.0, json!({"kind": "crash", "nodes": [0], "factor": 2.0}));
    assert!(error(&[typo]).starts_with("faults[0]: unknown field `factor`"));
}

#[test]
fn what_nothing_came_by_has_no_measurement() {
    let faults = active(&[loss(&[], 0.5), delay(&[], 3.0, 1.0)]);
    assert_eq!((report(&faults, 0).measured, report(&faults, 0).samples), (None, 0));
    assert_eq!((report(&faults, 1).measured, report(&faults, 1).asked), (None, 3.0));
}
