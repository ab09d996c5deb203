//! Rounds of fair order on lists made by hand: cycles, deferral, patience, bounds.

use crate::fair_rig;

use fair_rig::Rig;
use surgetank_layer::fair::order::Config;
use surgetank_layer::fair::themis::{Extraction, Thresholds};

/// Five replicas of which one may be faulty: an edge takes 2 lists, solid 3.
fn five() -> Config {
    Config::of(Thresholds::new(5, 1, 1000))
}

fn paper() -> Config {
    Config { extraction: Extraction::Paper, ..five() }
}

#[test]
fn agreement_is_kept_as_it_is() {
    let mut rig = Rig::new(five());
    rig.round(&[&[7, 3, 5][..]; 5]);
    assert_eq!(rig.batches(), [[7], [3], [5]]);
    assert_eq!(rig.ordered[0].cycles().count(), 0);
    assert!(rig.order.is_empty() && rig.deferred.is_empty());
}

#[test]
fn condorcets_three_are_one_batch() {
    // 0 before 1 before 2 before 0, in two of three lists each.
    let mut rig = Rig::new(Config::of(Thresholds::new(3, 0, 1000)));
    rig.round(&[&[0, 1, 2], &[1, 2, 0], &[2, 0, 1]]);
    assert_eq!(rig.batches().len(), 1);
    assert_eq!(rig.ordered[0].cycles().collect::<Vec<_>>(), [3]);
    // The path runs along majorities: 0 → 1, 1 → 2, 2 → 0.
    let batch = &rig.batches()[0];
    assert!(batch.windows(2).all(|p| (p[0] + 1) % 3 == p[1]), "{batch:?}");
}

#[test]
fn two_messages_of_an_attacker_put_honest_pairs_into_one_batch() {
    // arXiv 2306.15743: all replicas are honest and all saw 0 before 1. The attacker sends 8 and 9
    // so that they arrive in a circle with the pair, and nothing is promised about 0 and 1 any more.
    let thresholds = Thresholds::new(3, 0, 1000);
    let mut quiet = Rig::new(Config::of(thresholds));
    quiet.round(&[&[0, 1], &[0, 1], &[0, 1]]);
    assert_eq!(quiet.batches(), [[0], [1]]);
    let mut rig = Rig::new(Config::of(thresholds));
    rig.round(&[&[0, 1, 8, 9], &[8, 9, 0, 1], &[9, 0, 1, 8]]);
    assert_eq!(rig.ordered[0].cycles().collect::<Vec<_>>(), [4]);
}

#[test]
fn chained_cycles_stay_apart() {
    // Two circles of three, all of the one before all of the other.
    let mut rig = Rig::new(Config::of(Thresholds::new(3, 0, 1000)));
    rig.round(&[&[0, 1, 2, 3, 4, 5], &[1, 2, 0, 4, 5, 3], &[2, 0, 1, 5, 3, 4]]);
    assert_eq!(rig.ordered[0].cycles().collect::<Vec<_>>(), [3, 3]);
    assert!(rig.batches()[0].iter().all(|&m| m < 3));
    // Overlapping ones do not: a third of the lists has the second circle first.
    let mut rig = Rig::new(Config::of(Thresholds::new(3, 0, 1000)));
    rig.round(&[&[0, 1, 2, 3, 4], &[1, 3, 2, 4, 0], &[4, 0, 2, 1, 3]]);
    assert_eq!(rig.ordered[0].cycles().collect::<Vec<_>>(), [5]);
}

#[test]
fn one_faulty_replica_turns_nothing_round() {
    let mut rig = Rig::new(five());
    rig.round(&[&[0, 1, 2], &[0, 1, 2], &[0, 1, 2], &[0, 1, 2], &[2, 1, 0]]);
    assert_eq!(rig.batches(), [[0], [1], [2]]);
    // Nor does it keep anything from being ordered by saying nothing.
    rig.round(&[&[3, 4], &[3, 4], &[3, 4], &[3, 4], &[]]);
    assert_eq!(rig.batches()[3..], [[3], [4]]);
}

#[test]
fn too_few_lists_order_nothing_and_lose_nothing() {
    let mut rig = Rig::new(five());
    rig.round(&[&[0, 1], &[1]]);
    let census = rig.census();
    assert_eq!((census.solid, census.shaded, census.blank), (0, 1, 1));
    assert!(rig.batches().is_empty());
    assert_eq!(rig.deferred, [1]);
    rig.round(&[&[], &[0], &[0, 1], &[0, 1]]);
    // 0 is first in three of four lists.
    assert_eq!(rig.batches(), [[0], [1]]);
}

/// The AUTIG authors' remark: 2 is shaded and before the solid 3; 1 is still blank, but every honest
/// replica (1 to 4) sees it before 2. Replica 0 is faulty.
const EARLY: [&[u32]; 5] = [&[2, 3], &[1, 2, 3], &[3], &[], &[]];
const LATE: [&[u32]; 5] = [&[], &[], &[1, 2], &[1, 2, 3], &[1, 2, 3]];

#[test]
fn the_papers_extraction_ends_a_shaded_message_too_early() {
    let mut rig = Rig::new(paper());
    rig.round(&EARLY);
    let census = rig.census();
    assert_eq!((census.solid, census.shaded, census.blank, census.extracted), (1, 1, 1, 2));
    assert_eq!(rig.batches(), [[2], [3]]);
    rig.round(&LATE);
    // All honest replicas saw 1 before 2, and 1 is in a later batch.
    assert_eq!(rig.batches(), [[2], [3], [1]]);
}

#[test]
fn the_safe_extraction_waits_for_it() {
    let mut rig = Rig::new(five());
    rig.round(&EARLY);
    assert_eq!((rig.census().extracted, rig.deferred.clone()), (0, vec![2, 3]));
    rig.round(&LATE);
    assert_eq!(rig.batches(), [[1], [2], [3]]);
}

#[test]
fn the_paper_fills_missing_edges_later() {
    // 1 and 2 are shaded: four lists hold them, two in each order, which is too few for an edge. 3 is
    // solid and after both.
    let thresholds = Thresholds::new(9, 2, 1000);
    let mut rig = Rig::new(Config { extraction: Extraction::Paper, ..Config::of(thresholds) });
    assert_eq!((thresholds.edge_min(), thresholds.solid_min()), (3, 5));
    rig.round(&[&[1, 2, 3], &[2, 1, 3], &[1, 2, 3], &[2, 1, 3], &[3]]);
    // 2 lists each way: no edge; the proposal stays open, and so does what comes after it.
    assert_eq!((rig.census().extracted, rig.batches().len()), (3, 0));
    rig.round(&[&[4], &[4], &[4], &[4], &[4]]);
    assert_eq!((rig.census().extracted, rig.batches().len()), (1, 0));
    rig.round(&[&[], &[], &[], &[], &[2, 1]]);
    assert_eq!(rig.batches(), [[2], [1], [3], [4]]);
    assert_eq!(rig.ordered.iter().map(|o| o.round).collect::<Vec<_>>(), [1, 2]);
    assert!(rig.ordered.iter().all(|o| o.forced_pairs == 0));
}

#[test]
fn patience_ends() {
    for extraction in [Extraction::Paper, Extraction::Safe] {
        let thresholds = Thresholds::new(9, 2, 1000);
        let config = Config { extraction, patience_rounds: 3, ..Config::of(thresholds) };
        let mut rig = Rig::new(config);
        rig.round(&[&[1, 2, 3], &[2, 1, 3], &[1, 2, 3], &[2, 1, 3], &[3]]);
        rig.close();
        rig.close();
        assert!(rig.batches().is_empty());
        rig.close();
        // 2 lists each way to the end: the smaller first, and said to be forced.
        assert_eq!(rig.batches(), [[1], [2], [3]]);
        assert_eq!(rig.ordered[0].forced_pairs, 1);
        assert!(rig.order.is_empty());
        let overdue: u32 = rig.censuses.iter().map(|c| c.overdue).sum();
        assert_eq!(overdue, if extraction == Extraction::Safe { 2 } else { 0 });
    }
}

#[test]
fn what_is_ordered_is_not_ordered_again() {
    let mut rig = Rig::new(Config { memory_rounds: 2, ..five() });
    rig.round(&[&[0], &[0], &[0]]);
    assert_eq!((rig.batches(), rig.order.remembered()), (vec![vec![0]], 1));
    // The other two hear of it later: only then is it forgotten.
    rig.round(&[&[0], &[], &[], &[0]]);
    assert_eq!((rig.order.remembered(), rig.order.len()), (1, 0));
    rig.report(4, &[0]);
    assert_eq!(rig.order.remembered(), 0);
    // Or after its rounds.
    rig.round(&[&[1], &[1], &[1]]);
    rig.close();
    assert_eq!(rig.order.remembered(), 1);
    rig.close();
    assert_eq!(rig.order.remembered(), 0);
    assert_eq!(rig.batches(), [[0], [1]]);
}

#[test]
fn a_full_replica_is_refused_from_the_first_that_does_not_fit() {
    let mut rig = Rig::new(Config { pending_max: 2, ..five() });
    rig.report(0, &[0, 1, 0, 2, 1, 3]);
    assert_eq!(rig.refused, [(0, vec![2, 1, 3])]);
    (1..3).for_each(|r| rig.report(r, &[0, 1]));
    rig.close();
    assert_eq!(rig.batches(), [[0], [1]]);
    rig.report(0, &[2, 1, 3]);
    assert_eq!((rig.refused.len(), rig.order.len()), (1, 2));
    rig.report(5, &[9]);
    assert_eq!(rig.refused[1], (5, vec![9]));
}

#[test]
fn what_stays_blank_makes_room() {
    let mut rig = Rig::new(Config { pending_max: 1, memory_rounds: 2, ..five() });
    rig.report(0, &[4]);
    rig.close();
    rig.close();
    assert!(rig.dropped.is_empty());
    rig.close();
    assert_eq!((rig.dropped.clone(), rig.order.len()), (vec![4], 0));
    (0..3).for_each(|r| rig.report(r, &[4]));
    rig.close();
    assert_eq!(rig.batches(), [[4]]);
}
