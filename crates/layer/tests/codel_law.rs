//! CoDel's control law against RFC 8289: worked out by formula, and against its pseudo-code.

use std::collections::VecDeque;

use proptest::prelude::*;
use surgetank_layer::queue::codel::{Codel, INTERVAL_NS, Law, TARGET_NS, Verdict, spacing_ns};
use surgetank_layer::units::{MS, Ns, SECOND};

/// Times of the drops when an item that has waited `sojourn_ns` is taken at each of `times`.
fn drops(codel: &mut Codel, times: impl IntoIterator<Item = Ns>, sojourn_ns: Ns) -> Vec<Ns> {
    let mut dropped = Vec::new();
    for now in times {
        while codel.on_dequeue(now, sojourn_ns, true) == Verdict::Drop {
            dropped.push(now);
        }
    }
    dropped
}

/// A constant overload, served every microsecond: the first item is shed one interval after the
/// first sojourn above target, then at 100 ms · Σ 1/√i, i.e. after 100, 70.71, 57.74, 50, 44.72,
/// 40.82, 37.80, 35.36, 33.33, 31.62 ms.
#[test]
fn constant_overload_is_shed_at_the_table_of_the_inverse_square_root() {
    let mut codel = Codel::default();
    let micros = (0..=700_000).map(|us| us * 1_000);
    let table_us = [
        100_000, 200_000, 270_711, 328_446, 378_446, 423_168, 463_992, 501_789, 537_144, 570_478,
        602_100, 632_251, 661_119, 688_854,
    ];
    let shed_us: Vec<Ns> =
        drops(&mut codel, micros, TARGET_NS).iter().map(|at| at / 1_000).collect();
    assert_eq!(shed_us, table_us);
}

/// To the nanosecond: asked one nanosecond early it keeps, asked on time it sheds.
#[test]
fn the_next_drop_is_due_to_the_nanosecond() {
    let mut codel = Codel::default();
    assert_eq!(drops(&mut codel, [7, INTERVAL_NS + 6], TARGET_NS), []);
    assert_eq!(drops(&mut codel, [INTERVAL_NS + 7], TARGET_NS), [INTERVAL_NS + 7]);
    let mut due_ns = INTERVAL_NS + 7;
    for count in 1..500 {
        due_ns += (INTERVAL_NS as f64 / f64::from(count).sqrt()) as Ns;
        assert_eq!(codel.drop_next_ns(), Some(due_ns));
        assert_eq!(drops(&mut codel, [due_ns - 1, due_ns], TARGET_NS), [due_ns]);
    }
}

/// A pause in serving is made up for: the drops that fell due meanwhile come at once.
#[test]
fn overdue_drops_come_at_once() {
    let mut codel = Codel::default();
    let late = 4 * INTERVAL_NS;
    let shed = drops(&mut codel, [0, INTERVAL_NS, late], TARGET_NS);
    // Due at 200, 270.7, 328.4 and 378.4 ms; the next one at 423.2 ms.
    assert_eq!(shed, [INTERVAL_NS, late, late, late, late]);
    assert_eq!(codel.drop_next_ns().map(|at| at / MS), Some(423));
}

#[test]
fn one_short_sojourn_in_an_interval_prevents_shedding() {
    let mut codel = Codel::default();
    for now in (0..10 * SECOND).step_by(MS as usize) {
        let sojourn_ns = if now % INTERVAL_NS == 99 * MS { TARGET_NS - 1 } else { SECOND };
        assert_eq!(codel.on_dequeue(now, sojourn_ns, true), Verdict::Keep);
    }
}

#[test]
fn the_last_item_is_never_shed() {
    let mut codel = Codel::default();
    for now in (0..10 * SECOND).step_by(MS as usize) {
        assert_eq!(codel.on_dequeue(now, SECOND, false), Verdict::Keep);
    }
}

/// Leaves after `sheds` drops, returns `pause` after the next one was due, and tells the count.
fn count_on_return(sheds: usize, pause_ns: Ns) -> u32 {
    let mut codel = Codel::default();
    let mut now = INTERVAL_NS;
    assert_eq!(drops(&mut codel, [0, now], TARGET_NS).len(), 1);
    for _ in 1..sheds {
        now = codel.drop_next_ns().expect("shedding");
        assert_eq!(drops(&mut codel, [now], TARGET_NS).len(), 1);
    }
    let due_ns = codel.drop_next_ns().expect("shedding");
    assert_eq!(codel.on_dequeue(now, 0, true), Verdict::Keep);
    assert_eq!(codel.drop_next_ns(), None);
    let back_ns = due_ns + pause_ns;
    assert_eq!(codel.on_dequeue(back_ns - INTERVAL_NS, TARGET_NS, true), Verdict::Keep);
    assert_eq!(codel.on_dequeue(back_ns, TARGET_NS, true), Verdict::Drop);
    codel.count()
}

#[test]
fn a_return_within_16_intervals_resumes_at_the_count_of_the_last_row() {
    assert_eq!(count_on_return(10, 16 * INTERVAL_NS - 1), 9);
    assert_eq!(count_on_return(10, 16 * INTERVAL_NS), 1);
    // A row of two drops has a difference of 1, which is too few to resume from.
    assert_eq!(count_on_return(2, 2 * INTERVAL_NS), 1);
    assert_eq!(count_on_return(3, 2 * INTERVAL_NS), 2);
}

#[test]
fn spacing_is_the_floor_of_the_real_quotient() {
    for count in 1..=65_536_u32 {
        let real = INTERVAL_NS as f64 / f64::from(count).sqrt();
        assert_eq!(spacing_ns(INTERVAL_NS, count), real as Ns, "count {count}");
    }
    assert_eq!(spacing_ns(Ns::MAX, 1), Ns::MAX);
    assert_eq!(spacing_ns(1, u32::MAX), 0);
}

/// RFC 8289 §5's pseudo-code, transcribed, over a queue of arrival times, in f64 nanoseconds
/// (whole numbers, so that comparing is exact).
#[derive(Default)]
struct Rfc {
    queue: VecDeque<Ns>,
    target: f64,
    interval: f64,
    first_above_time: f64,
    drop_next: f64,
    count: u32,
    lastcount: u32,
    dropping: bool,
    dropped: Vec<Ns>,
}

impl Rfc {
    fn control_law(&self, t: f64, count: u32) -> f64 {
        t + (self.interval / f64::from(count).sqrt()).floor()
    }

    fn dodequeue(&mut self, now: f64) -> (Option<Ns>, bool) {
        let p = self.queue.pop_front();
        let mut ok_to_drop = false;
        if let Some(tstamp) = p {
            let sojourn_time = now - tstamp as f64;
            if sojourn_time < self.target || self.queue.is_empty() {
                self.first_above_time = 0.0;
            } else if self.first_above_time == 0.0 {
                self.first_above_time = now + self.interval;
            } else if now >= self.first_above_time {
                ok_to_drop = true;
            }
        }
        (p, ok_to_drop)
    }

    fn deque(&mut self, now: f64) -> Option<Ns> {
        let (mut p, mut ok_to_drop) = self.dodequeue(now);
        if self.dropping {
            if !ok_to_drop {
                self.dropping = false;
            }
            while now >= self.drop_next && self.dropping {
                self.dropped.extend(p);
                self.count += 1;
                (p, ok_to_drop) = self.dodequeue(now);
                if !ok_to_drop {
                    self.dropping = false;
                } else {
                    self.drop_next = self.control_law(self.drop_next, self.count);
                }
            }
        } else if ok_to_drop {
            self.dropped.extend(p);
            (p, _) = self.dodequeue(now);
            self.dropping = true;
            let delta = self.count - self.lastcount;
            self.count = 1;
            if delta > 1 && now - self.drop_next < 16.0 * self.interval {
                self.count = delta;
            }
            self.drop_next = self.control_law(now, self.count);
            self.lastcount = self.count;
        }
        p
    }
}

proptest! {
    /// Spells of load above and below the service rate; every served and every shed item agrees.
    #[test]
    fn agrees_with_the_rfcs_pseudo_code(
        spells in prop::collection::vec((1u64..40, 1u64..12, 1u64..12), 1..40),
    ) {
        let (target, interval) = (50, 1_000);
        let mut rfc =
            Rfc { target: target as f64, interval: interval as f64, ..Rfc::default() };
        let mut codel = Codel::new(Law { target_ns: target, interval_ns: interval });
        let (mut queue, mut dropped, mut now) = (VecDeque::new(), Vec::new(), 1);
        for (length, arrive_every, serve_every) in spells {
            for tick in 0..length * 40 {
                now += 1;
                if tick % arrive_every == 0 {
                    queue.push_back(now);
                    rfc.queue.push_back(now);
                }
                if tick % serve_every != 0 {
                    continue;
                }
                let mut served = None;
                while let Some(at) = queue.pop_front() {
                    match codel.on_dequeue(now, now - at, !queue.is_empty()) {
                        Verdict::Drop => dropped.push(at),
                        Verdict::Keep => {
                            served = Some(at);
                            break;
                        }
                    }
                }
                prop_assert_eq!(served, rfc.deque(now as f64));
                prop_assert_eq!(&dropped, &rfc.dropped);
                prop_assert_eq!(codel.count(), rfc.count);
            }
        }
    }
}
