//! Messages that share a connection: their order, and what a loss does to those behind it.

use proptest::prelude::*;

use super::*;

/// Ten messages of one segment each; the third is lost.
fn behind_a_loss(quic: bool) -> BTreeMap<u32, Ns> {
    let line = Line { lost: vec![3], ..Line::new(50 * MS, 0) };
    let mut transfer = Transfer::new(Rules { quic, ..rules() }, line);
    for number in 0..10 {
        transfer.send(Ns::from(number) * MS, Channel::Messages, number, SEGMENT);
    }
    transfer.until(NEVER);
    transfer.times()
}

#[test]
fn tcp_holds_back_what_is_behind_a_loss_and_quic_does_not() {
    // Three later segments: the last of them is sent at 5 ms, and acknowledged a round trip later.
    let repaired = 5 * MS + 100 * MS + 50 * MS;
    let (tcp, quic) = (behind_a_loss(false), behind_a_loss(true));
    for number in 0..10 {
        let prompt = Ns::from(number) * MS + 50 * MS;
        let of_loss = number == 2;
        assert_eq!(quic[&number], if of_loss { repaired } else { prompt });
        assert_eq!(tcp[&number], if number >= 2 { repaired } else { prompt });
    }
}

#[test]
fn a_vote_overtakes_the_block_before_it() {
    let times = |priorities| {
        let mut transfer =
            Transfer::new(Rules { priorities, ..rules() }, Line::new(50 * MS, 1_000));
        transfer.send(0, Channel::Blocks, 0, 1_000 * SEGMENT);
        transfer.send(10 * MS, Channel::Votes, 1, 170);
        transfer.until(NEVER);
        transfer.times()
    };
    let times = times([7.0, 10.0, 5.0]);
    // Ten segments fill the window; the vote is in the next that is sent.
    assert!(times[&1] < 300 * MS, "{times:?}");
    assert!(times[&0] > 1_000 * MS);
}

#[test]
fn a_full_send_buffer_has_no_room() {
    let rules = Rules { send_buffer: 50_000, ..rules() };
    let mut transfer = Transfer::new(rules, Line::new(50 * MS, 0));
    transfer.send(0, Channel::Messages, 0, 60 * SEGMENT);
    // Ten segments are sent, fifty wait.
    assert!(!transfer.connection.has_room(&transfer.rules, 1));
    transfer.until(NEVER);
    assert!(transfer.connection.has_room(&transfer.rules, 50_000));
}

#[derive(Clone, Debug)]
struct Given {
    messages: Vec<(Ns, usize, u32)>,
    loss: f64,
    key: u64,
    byte_ns: Ns,
    delay: Ns,
    quic: bool,
    cubic: bool,
    burst_ns: Ns,
}

fn given() -> impl Strategy<Value = Given> {
    let message = (0..200 * MS, 0..CHANNELS, 1u32..60_000);
    let messages = prop::collection::vec(message, 1..40);
    let line = (0.0..0.3f64, any::<u64>(), 0..2_000u64, 1..200 * MS);
    (messages, line, any::<[bool; 2]>(), 0..3 * MS).prop_map(
        |(messages, (loss, key, byte_ns, delay), [quic, cubic], burst_ns)| Given {
            messages,
            loss,
            key,
            byte_ns,
            delay,
            quic,
            cubic,
            burst_ns,
        },
    )
}

/// Every message arrives once, not before its bytes can be there, and within a channel of TCP in the
/// order in which it was sent.
fn holds(given: &Given) -> Result<(), TestCaseError> {
    let Given { loss, key, byte_ns, delay, quic, burst_ns, .. } = *given;
    let congestion = if given.cubic { Congestion::Cubic } else { Congestion::Newreno };
    let line = Line { loss, key, ..Line::new(delay, byte_ns) };
    let mut transfer = Transfer::new(Rules { quic, congestion, burst_ns, ..rules() }, line);
    let channels = [Channel::Votes, Channel::Blocks, Channel::Messages];
    let (mut at, mut sent) = (0, Vec::new());
    for (number, &(gap, channel, bytes)) in (0..).zip(&given.messages) {
        at += gap;
        transfer.send(at, channels[channel], number, bytes);
        sent.push((at, channel, bytes));
    }
    transfer.until(NEVER);
    prop_assert_eq!(transfer.arrived.len(), sent.len());
    let times = transfer.times();
    prop_assert_eq!(times.len(), sent.len());
    let mut last = [0; CHANNELS];
    for (number, (at, channel, bytes)) in (0..).zip(sent) {
        prop_assert!(times[&number] >= at + delay + Ns::from(bytes) * byte_ns);
        if !quic {
            prop_assert!(times[&number] >= last[channel]);
            last[channel] = times[&number];
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn all_arrives_once_and_in_order(given in given()) {
        holds(&given)?;
    }

    /// Bursts that are only noted first have the same effects, whatever comes between them.
    #[test]
    fn noted_bursts_are_accounted_for_exactly(
        messages in prop::collection::vec((0..80 * MS, 1u32..3_000), 1..300),
        delay in 1..150 * MS,
        byte_ns in 0..300u64,
        quic: bool,
    ) {
        let run = |eager| {
            let rules = Rules { quic, burst_ns: MS, ..rules() };
            let mut transfer = Transfer { eager, ..Transfer::new(rules, Line::new(delay, byte_ns)) };
            let mut at = 0;
            for (number, &(gap, bytes)) in (0..).zip(&messages) {
                at += if gap < 70 * MS { gap / 100 } else { 100 * gap };
                transfer.send(at, Channel::Messages, number, bytes);
            }
            // A last message whose way depends on all that was before it.
            transfer.send(at, Channel::Messages, messages.len() as u32, 200_000);
            transfer.until(NEVER);
            (transfer.times(), transfer.connection.window_bytes())
        };
        prop_assert_eq!(run(true), run(false));
    }
}
