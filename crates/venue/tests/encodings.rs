//! Encodings: decoding is the inverse of encoding, one encoding per value, total on any bytes.

use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;
use surgetank_layer::codec::Malformed;
use surgetank_venue::answer::Refusal;
use surgetank_venue::encoding::Encoded;
use surgetank_venue::event::{Stamped, StreamKey};
use surgetank_venue::request::{PADDING_MAX, REQUEST_BYTES_MAX, Request};
use surgetank_venue::session::json::fault::rejection;
use surgetank_venue::streams::published::{Published, events_body};
use surgetank_venue::wire::{CutReason, Down, Frame, HEADER_BYTES, SignedRequest, Up, encode};

use crate::examples::{downs, events, message, order, requests, ups};

/// What holds for any bytes: they are refused, or they are the value's encoding.
fn is_canonical<T: Encoded + Debug + PartialEq>(bytes: &[u8]) -> Result<(), TestCaseError> {
    match T::from_bytes(bytes) {
        Ok(value) => prop_assert_eq!(value.to_bytes(), bytes),
        Err(error) => prop_assert!(error.offset <= bytes.len() && !error.field.is_empty()),
    }
    Ok(())
}

fn survives<T: Encoded + Debug + PartialEq>(value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    for length in 0..bytes.len() {
        assert!(T::from_bytes(&bytes[..length]).is_err(), "{value:?} cut at {length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(T::from_bytes(&longer).expect_err("a byte too many").kind, Malformed::Surplus);
}

#[test]
fn every_kind_is_read_back_and_no_part_of_it_is() {
    requests().iter().for_each(survives);
    ups().iter().for_each(survives);
    downs().iter().for_each(survives);
}

#[test]
fn types_of_both_directions_differ() {
    for up in ups() {
        assert!(Down::from_bytes(&up.to_bytes()).is_err());
    }
    for down in downs() {
        assert!(Up::from_bytes(&down.to_bytes()).is_err());
    }
}

#[test]
fn the_greatest_request_is_the_greatest() {
    let mut largest = message(1, order(1));
    if let surgetank_venue::request::Action::Message { padding, .. } = &mut largest.action {
        *padding = PADDING_MAX;
    }
    assert!(largest.to_bytes().len() <= REQUEST_BYTES_MAX);
}

/// The encodings of all examples, one of which is damaged.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<Vec<u8>> = requests()
        .iter()
        .map(Encoded::to_bytes)
        .chain(ups().iter().map(Encoded::to_bytes))
        .chain(downs().iter().map(Encoded::to_bytes))
        .collect();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9);
    (prop::sample::select(all), changes).prop_map(|(mut bytes, changes)| {
        for (at, to) in changes {
            let index = at.index(bytes.len());
            bytes[index] = to;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn whatever_decodes_encodes_to_itself(
        damaged in damaged(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        for bytes in [&damaged, &noise] {
            is_canonical::<Request>(bytes)?;
            is_canonical::<SignedRequest>(bytes)?;
            is_canonical::<Up>(bytes)?;
            is_canonical::<Down>(bytes)?;
        }
    }

    #[test]
    fn frames_are_found_in_any_bytes(noise in prop::collection::vec(any::<u8>(), 0..80)) {
        let max = 64;
        if let Ok(Some(frame)) = Frame::first(&noise, max) {
            prop_assert!((HEADER_BYTES..=max).contains(&frame.bytes().len()));
            prop_assert!(noise.starts_with(frame.bytes()));
            let _ = (frame.number(), frame.parts().is_ok(), frame.plain::<Up>().is_ok());
        }
    }
}

#[test]
fn a_list_takes_no_memory_for_what_is_not_there() {
    let mut bytes = ups()[1].to_bytes();
    bytes[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Up::from_bytes(&bytes).expect_err("claims 4 Gi").kind, Malformed::Truncated);
}

#[test]
fn a_frame_is_its_header_and_body() {
    let frame = encode(&Up::Ping(7), 0, 0);
    assert_eq!(
        frame,
        [[13, 0, 0, 0], [0; 4]]
            .concat()
            .into_iter()
            .chain([7, 7, 0, 0, 0, 0, 0, 0, 0])
            .collect::<Vec<u8>>()
    );
    let found = Frame::first(&frame, 64).expect("short").expect("whole");
    assert_eq!(found.plain(), Ok(Up::Ping(7)));
    assert!(Frame::first(&frame[..12], 64).expect("short").is_none());
    assert_eq!(Frame::first(&frame, 16).expect_err("long").kind, Malformed::TooLarge(13));
    assert_eq!(Frame::first(&[4, 0, 0, 0], 64).expect_err("short").kind, Malformed::Truncated);
}

/// The numbers and names of the rows of a table of docs/venue-protocol.md.
fn documented(chapter: &str, table: &str) -> Vec<(u8, String)> {
    let page = include_str!("../../../docs/venue-protocol.md");
    let chapter = page.lines().skip_while(|line| *line != chapter);
    let rows = chapter.skip_while(|line| !line.starts_with(table)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (number, name) = cells[1].split_once(' ').unwrap_or((cells[1], cells[2]));
        (number.parse().expect("a number"), name.to_lowercase().replace(' ', "-"))
    };
    rows.map(row).collect()
}

#[test]
fn the_documented_numbers_are_those_of_the_code() {
    let types = |bodies: Vec<Vec<u8>>| {
        let mut types: Vec<u8> = bodies.iter().map(|bytes| bytes[0]).collect();
        types.dedup();
        types
    };
    let (up, down) = ("## Frames of clients", "## Frames of the venue");
    let numbers = |chapter, table| {
        documented(chapter, table).into_iter().map(|(number, _)| number).collect::<Vec<_>>()
    };
    let head = "| type | name | body";
    assert_eq!(numbers(up, head), types(ups().iter().map(Encoded::to_bytes).collect()));
    assert_eq!(numbers(down, head), types(downs().iter().map(Encoded::to_bytes).collect()));
    let events = types(events().iter().map(Encoded::to_bytes).collect());
    assert_eq!(numbers(down, "| event |"), events);
    let named = Refusal::ALL.iter().map(|one| (*one as u8, one.name().to_owned()));
    assert_eq!(documented(down, "| refusal |"), named.collect::<Vec<_>>());
    let named = (1..=u8::MAX).map(|number| (number, rejection(number).to_owned()));
    let named: Vec<_> = named.filter(|(_, name)| name != "other").collect();
    assert_eq!(documented(down, "| ord_rej_reason |"), named);
    let cuts: Vec<u8> = CutReason::ALL.iter().map(|reason| *reason as u8).collect();
    assert_eq!(numbers(down, "| cut |"), cuts);
}

#[test]
fn the_documented_bytes_are_those_of_the_code() {
    let page = include_str!("../../../docs/venue-protocol.md");
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: Vec<String> = page.lines().map(|line| line.replace(' ', "")).collect();
    let examples = [encode(&Up::Ping(7), 0, 0), message(1, order(9)).to_bytes()];
    for bytes in examples {
        assert!(lines.contains(&digits(&bytes)), "{}", digits(&bytes));
    }
}

#[test]
fn shared_events_are_encoded_as_events_are() {
    let key = StreamKey::Risk(4);
    let stamped =
        |event| Stamped { key, epoch: 1, number: 2, previous: 1, sequence: 5, time_ns: 6, event };
    let all: Vec<Stamped> = events().into_iter().map(stamped).collect();
    let shared: Vec<Arc<Published>> =
        all.iter().map(|event| Arc::new(Published::from(event.clone()))).collect();
    assert_eq!(events_body(&shared), Down::Events(all).to_bytes());
    assert!(shared.iter().all(|event| event.bytes() >= event.encoded().len()));
}
