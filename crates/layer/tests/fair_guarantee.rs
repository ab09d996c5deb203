//! What fair order promises, by brute force over small groups of replicas and few messages.

use crate::fair_rig;

use fair_rig::Rig;
use proptest::prelude::*;
use surgetank_layer::fair::order::Config;
use surgetank_layer::fair::themis::{Extraction, Thresholds};
use surgetank_layer::units::MessageId;

const MESSAGES: u32 = 7;

/// Replicas, faulty ones, γ in thousandths. The third is the tightest.
const GROUPS: [(u32, u32, u32); 8] = [
    (1, 0, 1000),
    (3, 0, 1000),
    (5, 1, 1000),
    (5, 1, 1000),
    (5, 1, 1000),
    (9, 2, 1000),
    (7, 1, 900),
    (10, 1, 750),
];

/// What each replica saw, and how its reports fall into rounds. The first replicas are the faulty.
#[derive(Clone, Debug)]
struct Case {
    group: (u32, u32, u32),
    saw: Vec<Vec<MessageId>>,
    /// What the faulty say instead, and how much of it.
    lies: Vec<(Vec<MessageId>, usize)>,
    /// Replica that reports up to so many, or a close.
    steps: Vec<(u32, usize, bool)>,
}

fn shuffled() -> impl Strategy<Value = Vec<MessageId>> {
    Just((0..MESSAGES).collect::<Vec<_>>()).prop_shuffle()
}

/// Orders that are alike, as on a network: each is the same one with some neighbours swapped.
fn alike() -> impl Strategy<Value = Vec<Vec<MessageId>>> {
    let swaps = prop::collection::vec(0usize..MESSAGES as usize - 1, 0..3);
    (shuffled(), prop::collection::vec(swaps, 10)).prop_map(|(order, swaps)| {
        let swapped = |swaps: Vec<usize>| {
            let mut own = order.clone();
            swaps.into_iter().for_each(|i| own.swap(i, i + 1));
            own
        };
        swaps.into_iter().map(swapped).collect()
    })
}

fn case() -> impl Strategy<Value = Case> {
    let saw = prop_oneof![prop::collection::vec(shuffled(), 10), alike()];
    let lies = prop::collection::vec((shuffled(), 0..=MESSAGES as usize), 2);
    let step = (0u32..10, 1usize..=MESSAGES as usize, prop::bool::weighted(0.4));
    let steps = prop::collection::vec(step, 0..20);
    (prop::sample::select(&GROUPS[..]), saw, lies, steps)
        .prop_map(|(group, saw, lies, steps)| Case { group, saw, lies, steps })
}

impl Case {
    fn thresholds(&self) -> Thresholds {
        let (replicas, faulty, gamma) = self.group;
        Thresholds::new(replicas, faulty, gamma)
    }

    /// What replica `r` will have reported in the end.
    fn says(&self, r: u32) -> &[MessageId] {
        let (_, faulty, _) = self.group;
        match r < faulty {
            true => &self.lies[r as usize].0[..self.lies[r as usize].1],
            false => &self.saw[r as usize],
        }
    }

    /// All that happens, with the reports between two closes in this or the opposite order.
    fn play(&self, config: Config, backwards: bool) -> Rig {
        let mut rig = Rig::new(config);
        let replicas = self.group.0;
        let mut reported = vec![0; replicas as usize];
        let mut round: Vec<(u32, Vec<MessageId>)> = Vec::new();
        let last = (0..replicas).map(|r| (r, MESSAGES as usize, false));
        for (r, count, close) in self.steps.iter().copied().chain(last) {
            let r = r % replicas;
            let from = reported[r as usize];
            let until = self.says(r).len().min(from + count);
            round.push((r, self.says(r)[from..until].to_vec()));
            reported[r as usize] = until;
            if close {
                flush(&mut rig, &mut round, backwards);
                rig.close();
            }
        }
        flush(&mut rig, &mut round, backwards);
        rig.close();
        rig
    }

    /// Whether at least a share γ of all replicas saw `a` before `b`.
    fn before(&self, a: MessageId, b: MessageId) -> bool {
        let (replicas, _, gamma) = self.group;
        let place = |list: &[MessageId], m| list.iter().position(|&own| own == m);
        let saw = self.saw[..replicas as usize].iter().filter(|l| place(l, a) < place(l, b));
        saw.count() as u32 * 1000 >= replicas * gamma
    }
}

/// Hands in a round's reports. A replica's own stay in their order.
fn flush(rig: &mut Rig, round: &mut Vec<(u32, Vec<MessageId>)>, backwards: bool) {
    round.sort_by_key(|&(r, _)| if backwards { u32::MAX - r } else { 0 });
    round.drain(..).for_each(|(r, messages)| rig.report(r, &messages));
}

fn places(rig: &Rig) -> Vec<usize> {
    let mut place = vec![usize::MAX; MESSAGES as usize];
    for (index, batch) in rig.batches().iter().enumerate() {
        batch.iter().for_each(|&m| place[m as usize] = index);
    }
    place
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The definition: if a share γ of the replicas saw a before b, a is in no later batch than b.
    #[test]
    fn batches_keep_the_order_that_enough_saw(case in case()) {
        let rig = case.play(Config::of(case.thresholds()), false);
        let place = places(&rig);
        for a in 0..MESSAGES {
            for b in 0..MESSAGES {
                let (own, other) = (place[a as usize], place[b as usize]);
                prop_assert!(!case.before(a, b) || own <= other, "{a} {b} {:?}", rig.batches());
            }
        }
    }

    /// With whole lists, batches are exactly what reaches each other by majorities: none larger.
    #[test]
    fn batches_are_no_larger_than_they_must_be(case in case()) {
        let mut rig = Rig::new(Config::of(case.thresholds()));
        let honest = case.group.1..case.group.0;
        let lists: Vec<&[MessageId]> = honest.clone().map(|r| case.says(r)).collect();
        honest.zip(&lists).for_each(|(r, list)| rig.report(r, list));
        rig.close();
        let place = |list: &[MessageId], m| list.iter().position(|&own| own == m).unwrap();
        let wins = |a: MessageId, b: MessageId| {
            let ahead = lists.iter().filter(|l| place(l, a) < place(l, b)).count();
            2 * ahead > lists.len() || 2 * ahead == lists.len() && a < b
        };
        let all = 0..MESSAGES;
        let mut to: Vec<Vec<bool>> =
            all.clone().map(|a| all.clone().map(|b| a == b || wins(a, b)).collect()).collect();
        let all = 0..MESSAGES as usize;
        for (via, a) in all.clone().flat_map(|via| all.clone().map(move |a| (via, a))) {
            for b in all.clone() {
                to[a][b] |= to[a][via] && to[via][b];
            }
        }
        let place = places(&rig);
        for (a, b) in all.clone().flat_map(|a| all.clone().map(move |b| (a, b))) {
            prop_assert_eq!(place[a] == place[b], to[a][b] && to[b][a]);
            prop_assert!(place[a] >= place[b] || to[a][b]);
        }
    }

    /// What all honest replicas report is ordered, once, whatever the faulty say.
    #[test]
    fn nothing_is_lost_or_ordered_twice(
        case in case(),
        paper in any::<bool>(),
        patience_rounds in 0u32..6,
    ) {
        let extraction = if paper { Extraction::Paper } else { Extraction::Safe };
        let config = Config { extraction, patience_rounds, ..Config::of(case.thresholds()) };
        let rig = case.play(config, false);
        let mut all = rig.batches().concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..MESSAGES));
        prop_assert!(rig.order.is_empty() && rig.refused.is_empty() && rig.dropped.is_empty());
        let extracted: u32 = rig.censuses.iter().map(|c| c.extracted).sum();
        prop_assert_eq!(extracted, MESSAGES);
    }

    /// Only what a replica says counts, not when between two closes it says it.
    #[test]
    fn the_order_of_reports_does_not_matter(case in case(), paper in any::<bool>()) {
        let extraction = if paper { Extraction::Paper } else { Extraction::Safe };
        let config = Config { extraction, patience_rounds: 3, ..Config::of(case.thresholds()) };
        let (one, other) = (case.play(config, false), case.play(config, true));
        prop_assert_eq!(one.ordered, other.ordered);
        prop_assert_eq!(one.censuses, other.censuses);
    }

    /// With patience to spare no promise is ever forced.
    #[test]
    fn safe_extraction_never_forces(case in case()) {
        let config = Config { patience_rounds: u32::MAX, ..Config::of(case.thresholds()) };
        let rig = case.play(config, false);
        prop_assert!(rig.ordered.iter().all(|o| o.forced_pairs == 0));
        prop_assert!(rig.censuses.iter().all(|c| c.overdue == 0));
    }

    /// Garbage from faulty replicas is bounded and keeps no one else waiting.
    #[test]
    fn memory_is_bounded(junk in prop::collection::vec(100u32..10_000, 0..200)) {
        let thresholds = Thresholds::new(5, 1, 1000);
        let config = Config { pending_max: 8, memory_rounds: 3, ..Config::of(thresholds) };
        let mut rig = Rig::new(config);
        for (round, part) in junk.chunks(20).enumerate() {
            rig.report(0, part);
            (1..5).for_each(|r| rig.report(r, &[round as u32]));
            rig.close();
            prop_assert!(rig.order.len() <= 8 && rig.order.remembered() <= 3);
        }
        prop_assert!(rig.batches().concat().into_iter().eq(0..junk.chunks(20).len() as u32));
    }
}
