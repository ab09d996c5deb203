//! Sessions: what is not authentic ends the connection and goes no further.

use proptest::prelude::*;
use surgetank_layer::units::SECOND;
use surgetank_venue::answer::Refusal;
use surgetank_venue::request::{AccountRequest, Level, Request};
use surgetank_venue::session::auth::{Channel, Secret, logon_bytes, request_bytes};
use surgetank_venue::session::initiator::{Heard, Identity, Initiator};
use surgetank_venue::session::keys::Keys;
use surgetank_venue::session::logon::CLOCK_SKEW_MAX_NS;
use surgetank_venue::session::{Acceptor, FRAME_BYTES_MAX, LOGON_BYTES_MAX, Step};
use surgetank_venue::wire::{
    self, Challenge, Cut, CutReason, Down, LoggedOn, Logon, Signature, SignedRequest, Up,
};

use crate::examples::{about, message, order};

const NOW: u64 = 1_000 * SECOND;
const DESK: Secret = Secret::Ed25519([3; 32]);
const SHARED: Secret = Secret::HmacSha256([4; 32]);

pub fn digits(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn keys() -> Keys {
    let (public, secret) = (digits(DESK.shown_to_venue()), digits(SHARED.shown_to_venue()));
    let json = format!(
        r#"{{"desk": {{"account": 7, "permissions": ["trade", "withdraw"], "ed25519": "{public}"}},
            "shared": {{"account": 7, "permissions": ["trade"], "hmac": "{secret}"}},
            "strict": {{"account": 7, "permissions": ["trade"], "hmac": "{secret}",
                        "sign-requests": true}},
            "other": {{"account": 8, "permissions": ["trade"], "hmac": "{}"}}}}"#,
        "0a".repeat(32),
    );
    Keys::parse(&json).expect("valid")
}

fn identity(key_name: &str, secret: Secret) -> Identity {
    Identity {
        key_name: key_name.into(),
        secret,
        session: "main".into(),
        level: Level::Disk,
        cancel_on_disconnect: false,
        sign_requests: false,
    }
}

fn opened(venue: u8, nonce: u8) -> (Acceptor, Challenge) {
    let (acceptor, _) = Acceptor::open([venue; 16], [nonce; 32], NOW);
    let challenge =
        Challenge { version: wire::VERSION, venue: [venue; 16], nonce: [nonce; 32], time_ns: NOW };
    (acceptor, challenge)
}

fn logon(name: &str, secret: &Secret, challenge: &Challenge, time_ns: u64) -> Vec<u8> {
    let mut logon = Logon {
        key_name: name.into(),
        session: "main".into(),
        nonce: [1; 16],
        time_ns,
        level: Level::Disk,
        cancel_on_disconnect: false,
        signature: Signature::default(),
    };
    logon.signature = secret.sign(&logon_bytes(challenge, &logon));
    wire::encode(&Up::Logon(logon), 0, 0)
}

fn accepted(account: u32) -> LoggedOn {
    LoggedOn { account, session_key: [7; 32], time_ns: NOW, sequence: 0, streams: vec![] }
}

/// Both sides of a connection that is logged on.
fn pair(name: &str, secret: Secret) -> (Acceptor, Initiator) {
    let (mut acceptor, challenge) = Acceptor::open([1; 16], [2; 32], NOW);
    let mut initiator = Initiator::new(identity(name, secret), [9; 16]);
    let heard = initiator.receive(NOW, &challenge).expect("a challenge");
    let [Heard::Challenge(frame)] = &heard[..] else { panic!("{heard:?}") };
    let steps = acceptor.receive(NOW, &keys(), frame).expect("a logon");
    let [Step::LoggedOn(said, entry)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((said.key_name.as_str(), entry.account), (name, 7));
    let frame = acceptor.accept(&accepted(7)).expect("waits");
    assert_eq!(initiator.receive(NOW, &frame), Ok(vec![Heard::LoggedOn(accepted(7))]));
    (acceptor, initiator)
}

/// Three frames of a client: two of requests, one of a query; and what they say.
fn frames(initiator: &mut Initiator) -> (Vec<Vec<u8>>, Vec<Step>) {
    let mut first = [message(0, order(1)), message(0, order(2))];
    let mut second = [message(0, order(3))];
    let frames = vec![
        initiator.requests(&mut first).expect("logged on"),
        initiator.send(&Up::OrderStatus(1)).expect("logged on"),
        initiator.requests(&mut second).expect("logged on"),
    ];
    let steps = vec![
        Step::Requests(first.map(|request| (request, None)).to_vec()),
        Step::Other(Up::OrderStatus(1)),
        Step::Requests(second.map(|request| (request, None)).to_vec()),
    ];
    (frames, steps)
}

#[test]
fn both_kinds_of_keys_log_on_and_are_heard() {
    for (name, secret) in [("desk", DESK), ("shared", SHARED)] {
        let (mut acceptor, mut initiator) = pair(name, secret);
        let (frames, steps) = frames(&mut initiator);
        assert_eq!(acceptor.receive(NOW, &keys(), &frames.concat()), Ok(steps));
        for down in [Down::Pong(1), Down::Notice(wire::Notice::Draining)] {
            let frame = acceptor.send(&down).expect("logged on");
            assert_eq!(initiator.receive(NOW, &frame), Ok(vec![Heard::Down(down)]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bytes_may_come_in_any_pieces(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let (mut acceptor, mut initiator) = pair("shared", SHARED);
        let (frames, expected) = frames(&mut initiator);
        let bytes = frames.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let (mut said, mut from) = (Vec::new(), 0);
        for to in cuts.into_iter().chain([bytes.len()]) {
            said.extend(acceptor.receive(NOW, &keys(), &bytes[from..to]).expect("authentic"));
            from = to;
        }
        prop_assert_eq!(said, expected);
    }

    #[test]
    fn a_forged_byte_ends_the_connection(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (mut acceptor, mut initiator) = pair("desk", DESK);
        let (frames, expected) = frames(&mut initiator);
        let mut bytes = frames[0].clone();
        let index = at.index(bytes.len());
        bytes[index] ^= 1 << bit;
        // Another length lets the next frames be taken for this one's rest, or waits for more.
        let said = acceptor.receive(NOW, &keys(), &[&bytes[..], &frames[1], &frames[2]].concat());
        prop_assert!(said.is_err() || said == Ok(vec![]), "{said:?} of {expected:?}");
    }

    #[test]
    fn a_forged_byte_of_a_logon_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (mut acceptor, challenge) = opened(1, 2);
        let mut bytes = logon("desk", &DESK, &challenge, NOW);
        let index = at.index(bytes.len());
        bytes[index] ^= 1 << bit;
        let said = acceptor.receive(NOW, &keys(), &bytes);
        prop_assert!(said.is_err() || said == Ok(vec![]), "{said:?}");
        prop_assert!(acceptor.accept(&accepted(7)).is_none());
    }

    #[test]
    fn noise_ends_or_waits(noise in prop::collection::vec(any::<u8>(), 0..600), logged_on in any::<bool>()) {
        let mut acceptor = if logged_on { pair("desk", DESK).0 } else { opened(1, 2).0 };
        let said = acceptor.receive(NOW, &keys(), &noise);
        prop_assert!(said.is_err() || said == Ok(vec![]), "{said:?}");
    }
}

#[test]
fn repeated_left_out_and_reordered_frames_end_the_connection() {
    for order in [&[0, 0][..], &[1], &[0, 2], &[1, 0], &[0, 1, 0]] {
        let (mut acceptor, mut initiator) = pair("shared", SHARED);
        let (frames, _) = frames(&mut initiator);
        let bytes: Vec<u8> = order.iter().flat_map(|&index| frames[index].clone()).collect();
        let cut = Err(CutReason::FrameNumber);
        assert_eq!(acceptor.receive(NOW, &keys(), &bytes), cut, "{order:?}");
        let after = acceptor.receive(NOW, &keys(), &frames[1]);
        assert_eq!(after, Err(CutReason::OutOfTurn), "nothing counts after a cut");
    }
}

#[test]
fn frames_of_another_connection_or_of_the_venue_are_not_taken() {
    let (mut acceptor, _) = pair("shared", SHARED);
    let foreign = Channel::new([8; 32]).seal(&Up::Ping(1)).expect("the first");
    assert_eq!(acceptor.receive(NOW, &keys(), &foreign), Err(CutReason::WrongMac));
    let (mut acceptor, _) = pair("shared", SHARED);
    let own = acceptor.send(&Down::Pong(1)).expect("logged on");
    assert_eq!(acceptor.receive(NOW, &keys(), &own), Err(CutReason::Malformed));
}

#[test]
fn a_logon_is_worth_nothing_on_another_connection_or_at_another_venue() {
    let (_, challenge) = opened(1, 2);
    let frame = logon("desk", &DESK, &challenge, NOW);
    assert!(opened(1, 2).0.receive(NOW, &keys(), &frame).is_ok(), "of this connection");
    for (mut acceptor, _) in [opened(1, 3), opened(2, 2)] {
        assert_eq!(acceptor.receive(NOW, &keys(), &frame), Err(CutReason::LogonRefused));
    }
}

#[test]
fn a_key_logs_on_under_its_own_name_only() {
    for (name, secret) in [("other", SHARED), ("desk", SHARED), ("shared", DESK), ("unknown", DESK)]
    {
        let (mut acceptor, challenge) = opened(1, 2);
        let frame = logon(name, &secret, &challenge, NOW);
        assert_eq!(acceptor.receive(NOW, &keys(), &frame), Err(CutReason::LogonRefused), "{name}");
    }
}

#[test]
fn clocks_may_differ_by_half_a_minute() {
    for (time_ns, expected) in [
        (NOW + CLOCK_SKEW_MAX_NS, None),
        (NOW - CLOCK_SKEW_MAX_NS, None),
        (NOW + CLOCK_SKEW_MAX_NS + 1, Some(CutReason::ClockSkew)),
        (0, Some(CutReason::ClockSkew)),
    ] {
        let (mut acceptor, challenge) = opened(1, 2);
        let frame = logon("desk", &DESK, &challenge, time_ns);
        assert_eq!(acceptor.receive(NOW, &keys(), &frame).err(), expected);
    }
}

#[test]
fn nothing_is_heard_before_the_logon_is_accepted() {
    let ping = wire::encode(&Up::Ping(1), 0, 0);
    let (mut acceptor, challenge) = opened(1, 2);
    assert_eq!(acceptor.receive(NOW, &keys(), &ping), Err(CutReason::OutOfTurn));
    let (mut acceptor, _) = opened(1, 2);
    let eager = [logon("desk", &DESK, &challenge, NOW), ping].concat();
    assert_eq!(acceptor.receive(NOW, &keys(), &eager), Err(CutReason::OutOfTurn));
    assert!(acceptor.send(&Down::Pong(1)).is_none());
    let cut = Cut { reason: CutReason::OutOfTurn, streams: vec![] };
    let mut initiator = Initiator::new(identity("desk", DESK), [9; 16]);
    let heard = initiator.receive(NOW, &acceptor.cut(cut.clone()));
    assert_eq!(heard, Ok(vec![Heard::Down(Down::Cut(cut))]), "the client is told why");
}

#[test]
fn a_second_logon_ends_the_connection() {
    let (mut acceptor, mut initiator) = pair("desk", DESK);
    let logon = Logon {
        key_name: "desk".into(),
        session: "main".into(),
        nonce: [1; 16],
        time_ns: NOW,
        level: Level::Disk,
        cancel_on_disconnect: false,
        signature: Signature::default(),
    };
    let frame = initiator.send(&Up::Logon(logon)).expect("logged on");
    assert_eq!(acceptor.receive(NOW, &keys(), &frame), Err(CutReason::OutOfTurn));
}

#[test]
fn sizes_are_bounded_before_anything_is_kept() {
    let claim = |bytes: usize| u32::try_from(bytes - 4).expect("small").to_le_bytes();
    let (mut acceptor, _) = opened(1, 2);
    assert_eq!(acceptor.receive(NOW, &keys(), &claim(LOGON_BYTES_MAX)), Ok(vec![]));
    let (mut acceptor, _) = opened(1, 2);
    let too_large = Err(CutReason::TooLarge);
    assert_eq!(acceptor.receive(NOW, &keys(), &claim(LOGON_BYTES_MAX + 1)), too_large);
    let (mut acceptor, _) = pair("desk", DESK);
    assert_eq!(acceptor.receive(NOW, &keys(), &claim(FRAME_BYTES_MAX + 1)), too_large);
    let (mut acceptor, mut initiator) = pair("desk", DESK);
    let mut many = vec![message(0, order(1)); wire::REQUESTS_MAX + 1];
    let frame = initiator.requests(&mut many).expect("logged on");
    assert_eq!(acceptor.receive(NOW, &keys(), &frame), too_large);
}

#[test]
fn requests_are_numbered_without_holes() {
    for numbers in [&[2][..], &[1, 1], &[1, 3], &[0]] {
        let (mut acceptor, mut initiator) = pair("shared", SHARED);
        let request = |&number| SignedRequest {
            request: message(number, order(number.into())),
            signature: Signature::default(),
        };
        let up = Up::Requests(numbers.iter().map(request).collect());
        let frame = initiator.send(&up).expect("logged on");
        let cut = Err(CutReason::RequestNumber);
        assert_eq!(acceptor.receive(NOW, &keys(), &frame), cut, "{numbers:?}");
    }
}

fn sent(name: &str, secret: Secret, request: Request, signature: Signature) -> Option<Refusal> {
    let (mut acceptor, mut initiator) = pair(name, secret);
    let up = Up::Requests(vec![SignedRequest { request, signature }]);
    let frame = initiator.send(&up).expect("logged on");
    let steps = acceptor.receive(NOW, &keys(), &frame).expect("authentic");
    let [Step::Requests(requests)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(requests.len(), 1);
    requests[0].1
}

#[test]
fn withdrawals_and_strict_keys_need_signatures_of_this_connection() {
    let (_, challenge) = opened(1, 2);
    let (_, elsewhere) = opened(1, 3);
    let withdrawal = about(1, 1, AccountRequest::Withdraw { account: 7, cash: 5 });
    let more = about(1, 1, AccountRequest::Withdraw { account: 7, cash: 6 });
    let plain = message(1, order(1));
    let none = Signature::default;
    let sign = |secret: &Secret, challenge: &Challenge, request: &Request| {
        secret.sign(&request_bytes(challenge, request))
    };
    let wrong = Some(Refusal::WrongSignature);
    for (name, secret, request, signature, expected) in [
        ("desk", DESK, withdrawal, sign(&DESK, &challenge, &withdrawal), None),
        ("desk", DESK, withdrawal, none(), wrong),
        ("desk", DESK, withdrawal, sign(&DESK, &elsewhere, &withdrawal), wrong),
        ("desk", DESK, withdrawal, sign(&SHARED, &challenge, &withdrawal), wrong),
        ("desk", DESK, more, sign(&DESK, &challenge, &withdrawal), wrong),
        ("desk", DESK, plain, none(), None),
        ("desk", DESK, plain, sign(&DESK, &elsewhere, &plain), wrong),
        ("strict", SHARED, plain, none(), wrong),
        ("strict", SHARED, plain, sign(&SHARED, &challenge, &plain), None),
    ] {
        assert_eq!(sent(name, secret, request, signature), expected, "{name} {request:?}");
    }
}

#[test]
fn a_client_signs_what_must_be_signed() {
    let (mut acceptor, mut initiator) = pair("desk", DESK);
    let mut requests = [about(0, 1, AccountRequest::Withdraw { account: 7, cash: 5 })];
    let frame = initiator.requests(&mut requests).expect("logged on");
    let expected = vec![Step::Requests(vec![(requests[0], None)])];
    assert_eq!(acceptor.receive(NOW, &keys(), &frame), Ok(expected));
}

#[test]
fn a_removed_or_changed_key_ends_its_connections() {
    let (acceptor, _) = pair("shared", SHARED);
    assert_eq!(acceptor.recheck(&keys()), Ok(()));
    assert_eq!(acceptor.recheck(&Keys::default()), Err(CutReason::KeyChanged));
    let public = digits(DESK.shown_to_venue());
    let other = format!(
        r#"{{"shared": {{"account": 7, "permissions": ["trade"], "ed25519": "{public}"}}}}"#
    );
    let changed = Keys::parse(&other).expect("valid");
    assert_eq!(acceptor.recheck(&changed), Err(CutReason::KeyChanged));
    assert_eq!(opened(1, 2).0.recheck(&Keys::default()), Ok(()), "no client has logged on");
}
