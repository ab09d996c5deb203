//! What a run records of its messages.

use surgetank_lab::actors::Sending;
use surgetank_lab::trace::{Outcome, Reason, Source};
use surgetank_layer::audit::batch::{Batch, Header};
use surgetank_layer::message::{Body, PriceUpdate};
use surgetank_layer::units::Digest;
use surgetank_rig::promises::Breaches;
use surgetank_rig::record::{Record, request};
use surgetank_venue::answer::{Answer, Refusal, Refused, Sealed};

const START_NS: u64 = 1_700_000_000_000_000_000;

fn sending(sent_ns: u64) -> Sending {
    let body = Body::PriceUpdate(PriceUpdate { symbol: 0, price: 600_000, observed_ns: sent_ns });
    Sending { sent_ns, account: 5, gateway: 3, source: Source::Oracle, body, fee_micros: None }
}

fn sealed(stamps: [u64; 4]) -> Answer {
    let [received_ns, sealed_ns, synced_ns, executed_ns] = stamps;
    let (request, sequence, ord_rej_reason) = (1, 1, 0);
    Answer::Sealed(Sealed {
        request,
        sequence,
        ord_rej_reason,
        received_ns,
        sealed_ns,
        synced_ns,
        executed_ns,
    })
}

#[test]
fn a_request_of_the_journal_is_the_message_that_was_sent_and_others_are_not() {
    let mut record = Record::default();
    let message = record.sending(10, &sending(10));
    let mut sent = request(&message, START_NS);
    sent.number = 1;
    assert_eq!(record.placed(1, &sent), None, "it was not handed over yet");
    record.ready(12, message.id);
    record.sent(message.id, &sent);
    assert_eq!(record.placed(2, &sent), Some(message));
    assert_eq!((record.lateness_ns.as_slice(), record.foreign), ([2].as_slice(), 1));
    sent.sent_ns += 1;
    assert_eq!(record.placed(3, &sent), None);
}

#[test]
fn requests_of_two_connections_under_one_number_are_two_messages() {
    let mut record = Record::default();
    let mut sent = Vec::new();
    for symbol in 0..2 {
        let mut sending = sending(10);
        sending.body = Body::PriceUpdate(PriceUpdate { symbol, price: 1, observed_ns: 10 });
        let message = record.sending(10, &sending);
        let mut request = request(&message, START_NS);
        request.number = 1;
        record.sent(message.id, &request);
        sent.push((message, request));
    }
    for (sequence, (message, request)) in (1..).zip(sent) {
        assert_eq!(record.placed(sequence, &request), Some(message));
    }
    assert_eq!(record.promises.breaches(|_| false), Breaches::default());
}

#[test]
fn a_message_whose_answer_never_came_is_what_the_journal_says() {
    let mut record = Record::default();
    let mut requests = Vec::new();
    for at in [10, 20] {
        let message = record.sending(at, &sending(at));
        let mut request = request(&message, START_NS);
        request.number = 1;
        record.sent(message.id, &request);
        requests.push(request);
    }
    let message = record.placed(1, &requests[0]).expect("it was sent");
    let header = Header {
        height: 1,
        first_sequence: 1,
        sealed_ns: START_NS + 100,
        inputs: 1,
        carried_in: 0,
        ordered: 1,
        carried_out: 0,
        reveal: [0; 32],
        seed: [0; 32],
        inputs_root: [0; 32],
        order_root: [0; 32],
        previous: Digest([0; 32]),
        terms: String::new(),
        terms_next: String::new(),
        beacon: Vec::new(),
    };
    let (inputs, checks, order) = (Vec::new(), Vec::new(), vec![0]);
    let hash = Digest([0; 32]);
    let batch = Batch { header, inputs, checks, order, carried: Vec::new(), hash };
    record.batch(5000, START_NS, &batch, 10, vec![message]);
    record.conclude();
    let of = &record.messages;
    assert_eq!(of.outcome, [Outcome::Executed, Outcome::Lost]);
    assert_eq!(of.reason, [Reason::None, Reason::Disconnected]);
    // It was sealed at 100, and seen to be durable when the batch arrived.
    assert_eq!((of.gateway_ns[0], of.proposed_ns[0]), (100, 100));
    assert_eq!((of.decided_ns[0], of.executed_ns[0], of.confirmed_ns[0]), (5000, 5000, 5000));
}

#[test]
fn stages_are_in_order_even_if_the_clock_of_the_venue_is_behind() {
    let mut record = Record::default();
    let message = record.sending(1000, &sending(1000));
    // The venue's clock is 500 ns behind, and it executes before the sync has ended.
    let stamps = [600, 700, 2000, 1500].map(|at| START_NS + at);
    record.answered(3000, START_NS, message.id, &sealed(stamps));
    let of = &record.messages;
    let stages = [
        of.created_ns[0],
        of.gateway_ns[0],
        of.admitted_ns[0],
        of.queued_ns[0],
        of.proposed_ns[0],
        of.decided_ns[0],
        of.executed_ns[0],
        of.confirmed_ns[0],
    ];
    assert_eq!(stages, [1000, 1000, 1000, 1000, 1000, 2000, 2000, 3000]);
    assert_eq!(of.outcome[0], Outcome::Executed);
}

#[test]
fn a_refused_message_that_could_not_be_sent_again_before_the_end_was_refused() {
    let mut record = Record::default();
    let message = record.sending(0, &sending(0));
    let refused = Refused { request: 1, refusal: Refusal::DiskFull, retry_after_ns: 7 };
    let again = record.answered(5, START_NS, message.id, &Answer::Refused(refused));
    assert_eq!(again, Some(7));
    record.again(message.id);
    assert_eq!(record.messages.outcome[0], Outcome::Pending);
    record.conclude();
    assert_eq!(record.messages.outcome[0], Outcome::Refused);
    assert_eq!(record.messages.reason[0], Reason::TargetRefused);
}

#[test]
fn a_refusal_is_counted_by_its_name_and_once() {
    let mut record = Record::default();
    let message = record.sending(0, &sending(0));
    let refused = Refused { request: 1, refusal: Refusal::RateExceeded, retry_after_ns: 0 };
    let answer = Answer::Refused(refused);
    assert_eq!(record.answered(5, START_NS, message.id, &answer), Some(0), "it passes");
    assert_eq!(record.answered(5, START_NS, message.id, &answer), None);
    assert_eq!(record.messages.outcome[0], Outcome::Refused);
    assert_eq!(record.messages.reason[0], Reason::RateExceeded);
    assert_eq!(record.refusals.values().sum::<u64>(), 1);
}
