//! What a run records of its messages.

use surgetank_lab::actors::Sending;
use surgetank_lab::trace::{Outcome, Reason, Source};
use surgetank_layer::message::{Body, PriceUpdate};
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
    assert_eq!(record.message_of(&sent), None, "it was not handed over yet");
    record.sent(12, message.id, &sent);
    assert_eq!(record.message_of(&sent), Some(message));
    assert_eq!(record.lateness_ns, [2]);
    sent.sent_ns += 1;
    assert_eq!(record.message_of(&sent), None);
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
    assert_eq!((of.outcome[0], record.unanswered), (Outcome::Executed, 0));
}

#[test]
fn a_refusal_is_counted_by_its_name_and_once() {
    let mut record = Record::default();
    let message = record.sending(0, &sending(0));
    let refused = Refused { request: 1, refusal: Refusal::RateExceeded, retry_after_ns: 0 };
    for _ in 0..2 {
        record.answered(5, START_NS, message.id, &Answer::Refused(refused));
    }
    assert_eq!(record.messages.outcome[0], Outcome::Refused);
    assert_eq!(record.messages.reason[0], Reason::RateExceeded);
    assert_eq!(record.refusals.values().sum::<u64>(), 1);
}
