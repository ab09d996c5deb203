//! Recovery from losses: timers, fast retransmissions, closed connections.

use super::*;

fn lossy(rules: Rules, lost: &[u64]) -> Transfer {
    Transfer::new(rules, Line { lost: lost.to_vec(), ..Line::new(50 * MS, 0) })
}

/// The only segment is lost: RFC 6298's timer before any sample, then twice as long.
#[test]
fn a_lone_segment_waits_for_the_timer() {
    for (lost, timeouts) in [(vec![1], 1_000), (vec![1, 2], 3_000), (vec![1, 2, 3], 7_000)] {
        assert_eq!(lossy(rules(), &lost).time_of(500), timeouts * MS + 50 * MS);
    }
}

/// The first of ten segments is lost: three later ones are acknowledged after a round trip.
#[test]
fn a_segment_with_followers_is_retransmitted_fast() {
    assert_eq!(lossy(rules(), &[1]).time_of(10 * SEGMENT), 100 * MS + 50 * MS);
    // The last but one has one follower: a round trip, and a quarter for reordering (RFC 8985).
    assert_eq!(lossy(rules(), &[9]).time_of(10 * SEGMENT), 125 * MS + 50 * MS);
    // The last has none.
    let last = lossy(rules(), &[10]).time_of(10 * SEGMENT);
    assert!((300 * MS..500 * MS).contains(&last), "{last}");
}

/// A loss halves the window once, however many segments are lost with it.
#[test]
fn one_reduction_for_one_round() {
    for lost in [vec![3], vec![3, 4, 5, 6]] {
        let mut transfer = lossy(rules(), &lost);
        transfer.send(0, Channel::Messages, 0, 10 * SEGMENT);
        transfer.until(NEVER);
        let window = transfer.connection.window_bytes();
        assert!((4_500..=8_000).contains(&window), "{window}");
    }
}

/// A loss detected by acknowledgements costs less than a timer: the window does not collapse.
#[test]
fn a_timeout_collapses_the_window() {
    let mut transfer = lossy(rules(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    transfer.send(0, Channel::Messages, 0, 10 * SEGMENT);
    transfer.until(1_500 * MS);
    assert_eq!(transfer.connection.window_bytes(), u64::from(SEGMENT));
    transfer.until(NEVER);
    assert_eq!(transfer.arrived.len(), 1);
}

/// While nothing passes, the timer backs off; the connection is closed, and set up again.
#[test]
fn a_cut_line_closes_the_connection() {
    let rules = Rules { keep_alive_ns: 10_000 * MS, ..rules() };
    let line = Line { cut: (0, 20_000 * MS), ..Line::new(50 * MS, 0) };
    let mut transfer = Transfer::new(rules, line);
    transfer.send(0, Channel::Messages, 0, 500);
    transfer.until(15_000 * MS);
    assert_eq!(transfer.dropped, [0]);
    transfer.send(15_000 * MS, Channel::Messages, 1, 500);
    transfer.until(NEVER);
    // Attempts every second; the first that passes takes a round trip.
    assert_eq!(transfer.times()[&1], 20_000 * MS + 100 * MS + 50 * MS);
    // Without an end of patience the message comes at the first timer after the cut.
    let line = Line { cut: (0, 20_000 * MS), ..Line::new(50 * MS, 0) };
    let mut patient = Transfer::new(super::rules(), line);
    patient.send(0, Channel::Messages, 0, 500);
    patient.until(NEVER);
    assert_eq!(patient.times()[&0], 31_000 * MS + 50 * MS);
}

/// Acknowledgements that are lost delay nothing but the sender's knowledge.
#[test]
fn data_arrives_though_acknowledgements_do_not() {
    struct Deaf(Line);
    impl Path for Deaf {
        fn carry(&mut self, now: Ns, segments: u32, bytes: u32) -> Carried {
            self.0.carry(now, segments, bytes)
        }
        fn answer(&mut self, at: Ns, number: u64) -> Option<Ns> {
            // Every second one.
            number.is_multiple_of(2).then_some(at + self.0.delay)
        }
        fn sure_answer(&mut self, at: Ns, _number: u64) -> Ns {
            at + self.0.delay
        }
        fn is_lossless(&self) -> bool {
            false
        }
    }
    let rules = rules();
    let mut path = Deaf(Line::new(50 * MS, 0));
    let mut connection = Connection::new(&rules, rules.burst(&[0]));
    let (mut arrived, mut now) = (Vec::new(), 0);
    connection.push(0, Channel::Messages, 0, 101 * SEGMENT);
    connection.advance(0, &rules, &mut path, &mut arrived);
    while arrived.is_empty() || connection.next_wake(now, &rules) != NEVER {
        now = connection.next_wake(now, &rules);
        connection.advance(now, &rules, &mut path, &mut arrived);
    }
    assert_eq!(arrived.len(), 1);
    assert!(arrived[0].at <= 700 * MS, "{}", arrived[0].at);
}

/// A message that waits for a loss before it says so.
#[test]
fn time_is_charged_to_what_held_it() {
    use super::super::stalls::Stall;
    let mut transfer = lossy(rules(), &[1]);
    transfer.send(0, Channel::Messages, 0, 500);
    transfer.send(10 * MS, Channel::Messages, 1, 500);
    transfer.until(NEVER);
    let second = transfer.arrived.iter().find(|one| one.cargo == 1).unwrap();
    let span = second.leaves - second.since;
    assert_eq!(second.held.get(Stall::Loss), span);
    assert!(span > 50 * MS);
    let mut long = Transfer::new(rules(), Line::new(50 * MS, 0));
    long.send(0, Channel::Messages, 0, 70 * SEGMENT);
    long.until(NEVER);
    assert_eq!(long.arrived[0].held.get(Stall::Window), 200 * MS);
}
