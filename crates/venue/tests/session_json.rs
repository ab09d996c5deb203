//! Sessions of the WebSocket, as a machine: every call is answered once, nothing goes to the venue
//! that is not the key's, amounts are exact.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use surgetank_layer::message::Body;
use surgetank_layer::units::SECOND;
use surgetank_venue::answer::{Answer, Refusal, Refused, Sealed};
use surgetank_venue::event::{Event, Position, PriceLevel, Stamped, StreamKey};
use surgetank_venue::genesis::Matching;
use surgetank_venue::query::Query;
use surgetank_venue::request::{AccountRequest, Action, Level};
use surgetank_venue::session::auth::Secret;
use surgetank_venue::session::json::decimal::{Decimal, Unit};
use surgetank_venue::session::json::markets::Markets;
use surgetank_venue::session::json::params::{Auth, GrantType};
use surgetank_venue::session::json::schema::schema;
use surgetank_venue::session::json::signed::{ConnectionChallenge, hex};
use surgetank_venue::session::json::{IN_FLIGHT_MAX, JsonAcceptor, JsonStep, TEXT_BYTES_MAX};
use surgetank_venue::wire::{Answers, CutReason, Gap, GapReason, StreamState};

use crate::session::keys;
use crate::small_venue::genesis;

const NOW: u64 = 1_000 * SECOND;
const NOW_MS: u64 = 1_000_000;
pub const DESK: Secret = Secret::Ed25519([3; 32]);
const SHARED: Secret = Secret::HmacSha256([4; 32]);
const CHALLENGE: ConnectionChallenge = ConnectionChallenge { venue: [1; 16], nonce: [2; 32] };

pub fn acceptor() -> JsonAcceptor {
    let markets = Arc::new(Markets::of(&genesis(Matching::Continuous)));
    JsonAcceptor::open(CHALLENGE, markets, NOW).0
}

fn auth(name: &str, secret: &Secret, challenge: &ConnectionChallenge, timestamp: u64) -> Value {
    let auth = Auth {
        grant_type: GrantType::ClientSignature,
        client_id: name.into(),
        session: "main".into(),
        timestamp,
        nonce: "n".into(),
        signature: String::new(),
        level: Level::Disk,
        cancel_on_disconnect: false,
    };
    let signature = hex(&secret.sign(challenge.auth_text(&auth).as_bytes()).0);
    json!({"jsonrpc": "2.0", "id": 1, "method": "public/auth", "params": {
        "grant_type": "client_signature", "client_id": name, "timestamp": timestamp, "nonce": "n",
        "signature": signature}})
}

pub fn logged_on(name: &str, secret: &Secret) -> JsonAcceptor {
    let mut acceptor = acceptor();
    let text = auth(name, secret, &CHALLENGE, NOW_MS).to_string();
    let steps = acceptor.receive(NOW, &keys(), &text);
    assert!(matches!(&steps[..], [JsonStep::LogOn(logon)] if logon.account == 7), "{steps:?}");
    let said = said(&acceptor.accept(5));
    assert_eq!(said, [json!({"jsonrpc": "2.0", "id": 1, "result": {"account": 7, "sequence": 5}})]);
    acceptor
}

fn said(steps: &[JsonStep]) -> Vec<Value> {
    let text = |step: &JsonStep| match step {
        JsonStep::Say(text) => Some(serde_json::from_str(text).expect("JSON")),
        _ => None,
    };
    steps.iter().filter_map(text).collect()
}

fn call(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc": "2.0", "id": "x", "method": "{method}", "params": {params}}}"#)
}

fn code(steps: &[JsonStep]) -> i64 {
    said(steps)[0]["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {steps:?}"))
}

#[test]
fn amounts_are_exact_in_both_directions() {
    let tick = Unit::of(0.1);
    let count = |text: &str| tick.count(Decimal::parse(text).expect("a number"));
    assert_eq!(count("60000.1"), Some(600_001));
    assert_eq!(count("6e4"), Some(600_000));
    assert_eq!(count("60000.10"), Some(600_001));
    assert_eq!(count("0.15"), None, "no multiple");
    assert_eq!(tick.amount(600_001).to_string(), "60000.1");
    assert_eq!(tick.amount(-1).to_string(), "-0.1");
    assert_eq!(Unit::of(1e-6).amount(25_000).to_string(), "0.025");
    let wrong = ["", "-", ".", "1.", ".5", "1e", "0x1", "+1", "NaN", "1e99", "1 "];
    assert!(wrong.iter().all(|text| Decimal::parse(text).is_none()));
    let quantum = tick.times(Unit::of(0.001));
    assert_eq!(quantum.count(Decimal::parse("1.5").expect("a number")), Some(15_000));
}

proptest! {
    /// With floating point the counts of some of these would be off by one.
    #[test]
    fn what_a_unit_writes_it_reads(step in 1_u32..100_000, places in 0_i32..8, count in 1_i128..1 << 40) {
        let unit = Unit::of(format!("{step}e-{places}").parse().expect("a number"));
        let text = unit.amount(count).to_string();
        prop_assert_eq!(unit.count(Decimal::parse(&text).expect("a number")), Some(count));
    }

    #[test]
    fn any_text_is_answered_and_reaches_nothing(text in any::<String>()) {
        let steps = acceptor().receive(NOW, &keys(), &text);
        prop_assert!(matches!(&steps[..], [JsonStep::Say(_)] | [JsonStep::Close(_)]), "{:?}", steps);
    }

    /// Total on everything that resembles a call, logged on.
    #[test]
    fn any_call_is_answered(
        method in prop::sample::select(vec!["private/buy", "private/edit", "private/withdraw",
            "private/subscribe", "public/get_order_book", "private/cancel_all", "public/auth"]),
        key in prop::sample::select(vec!["instrument_name", "amount", "price", "cl_ord_id",
            "channels", "after", "depth", "type"]),
        value in prop::sample::select(vec!["null", "[]", "{}", "\"BTC\"", "-1", "1e30", "0.001",
            "\"18446744073709551615\"", "18446744073709551616", "[\"book.BTC.raw\"]", "[[1]]"]),
        other in prop::sample::select(vec!["null", "1", "\"7\"", "[\"user.orders\"]"]),
    ) {
        let mut acceptor = logged_on("desk", &DESK);
        let params = format!(r#"{{"{key}": {value}, "instrument_name": "BTC", "cl_ord_id": {other}}}"#);
        let steps = acceptor.receive(NOW, &keys(), &call(method, &params));
        prop_assert!(!steps.is_empty());
    }
}

#[test]
fn both_kinds_of_key_log_on_and_nothing_else_does() {
    logged_on("desk", &DESK);
    logged_on("shared", &SHARED);
    let refused = |text: &str| {
        let steps = acceptor().receive(NOW, &keys(), text);
        let [JsonStep::Say(_), JsonStep::Close(reason)] = &steps[..] else { panic!("{steps:?}") };
        (*reason, code(&steps))
    };
    let at = |challenge: &ConnectionChallenge, timestamp| auth("desk", &DESK, challenge, timestamp);
    let logon = CutReason::LogonRefused;
    let elsewhere = ConnectionChallenge { venue: [9; 16], ..CHALLENGE };
    assert_eq!(refused(&at(&elsewhere, NOW_MS).to_string()), (logon, 13_004), "another venue's");
    let replayed = ConnectionChallenge { nonce: [9; 32], ..CHALLENGE };
    assert_eq!(refused(&at(&replayed, NOW_MS).to_string()).0, logon, "another connection's");
    assert_eq!(refused(&auth("desk", &SHARED, &CHALLENGE, NOW_MS).to_string()).0, logon);
    assert_eq!(refused(&auth("nobody", &DESK, &CHALLENGE, NOW_MS).to_string()).0, logon);
    let late = at(&CHALLENGE, NOW_MS - 31_000).to_string();
    assert_eq!(refused(&late), (CutReason::ClockSkew, 13_005));
    let mut forged = at(&CHALLENGE, NOW_MS);
    forged["params"]["cancel_on_disconnect"] = json!(true);
    assert_eq!(refused(&forged.to_string()).0, logon, "every parameter is signed");
}

#[test]
fn a_connection_logs_on_once_and_nothing_goes_before() {
    let mut early = acceptor();
    let order = call("private/get_positions", "{}");
    assert_eq!(code(&early.receive(NOW, &keys(), &order)), 13_001);
    let mut acceptor = logged_on("desk", &DESK);
    let again = auth("desk", &DESK, &CHALLENGE, NOW_MS).to_string();
    assert_eq!(code(&acceptor.receive(NOW, &keys(), &again)), 13_001);
    assert!(acceptor.recheck(&keys()).is_ok());
}

const BUY: &str =
    r#"{"instrument_name": "BTC", "amount": 0.005, "price": "100.1", "cl_ord_id": 9}"#;

#[test]
fn an_order_is_in_ticks_and_lots_and_answered_once() {
    let mut acceptor = logged_on("desk", &DESK);
    let steps = acceptor.receive(NOW, &keys(), &call("private/buy", BUY));
    let [JsonStep::Requests(requests)] = &steps[..] else { panic!("{steps:?}") };
    let [(request, None)] = &requests[..] else { panic!("{requests:?}") };
    let Action::Message { body: Body::NewOrderSingle(order), .. } = request.action else {
        panic!("{request:?}")
    };
    assert_eq!((order.price, order.order_qty, order.cl_ord_id, order.symbol), (1001, 5, 9, 0));
    assert_eq!((request.number, request.sender), (1, 7));
    let sealed = Sealed {
        request: 1,
        sequence: 3,
        ord_rej_reason: 0,
        received_ns: 1,
        sealed_ns: 2,
        synced_ns: 3,
        executed_ns: 2,
    };
    let answers = Answers { answered_through: 1, answers: vec![Answer::Sealed(sealed)] };
    let answered = said(&acceptor.answers(&answers));
    assert_eq!(answered[0]["id"], "x");
    assert_eq!(answered[0]["result"]["sequence"], 3);
    assert_eq!(acceptor.answers(&answers), [], "once");
}

#[test]
fn refusals_have_a_reason_and_a_hint() {
    let mut acceptor = logged_on("desk", &DESK);
    acceptor.receive(NOW, &keys(), &call("private/buy", BUY));
    let refused = Refused { request: 1, refusal: Refusal::QueueFull, retry_after_ns: 7 };
    let answers = Answers { answered_through: 1, answers: vec![Answer::Refused(refused)] };
    let error = &said(&acceptor.answers(&answers))[0]["error"];
    assert_eq!(error["code"], 11_006);
    assert_eq!(error["data"], json!({"reason": "queue-full", "retry_after_ns": 7}));
}

#[test]
fn what_is_wrong_in_itself_goes_no_further() {
    let mut acceptor = logged_on("desk", &DESK);
    let mut code_of = |text: &str| code(&acceptor.receive(NOW, &keys(), text));
    let buy = |from: &str, to: &str| call("private/buy", &BUY.replace(from, to));
    assert_eq!(code_of(&buy("0.005", "0.0055")), -32_602, "no multiple of the lot");
    assert_eq!(code_of(&buy("100.1", "100.15")), -32_602, "no multiple of the tick");
    assert_eq!(code_of(&buy("0.005", "0")), -32_602);
    assert_eq!(code_of(&buy("BTC", "ETH")), -32_602);
    assert_eq!(code_of(&buy("amount", "amont")), -32_602);
    assert_eq!(code_of(&buy(r#""cl_ord_id": 9"#, r#""type": "market""#)), -32_602);
    assert_eq!(code_of(&call("private/sel", BUY)), -32_601);
    assert_eq!(code_of("{"), -32_700);
    assert_eq!(code_of(&"[".repeat(17)), -32_700);
    assert_eq!(code_of("[]"), -32_600);
    assert_eq!(code_of("7"), -32_600);
    assert_eq!(code_of(r#"{"jsonrpc": "2.0", "method": "public/test"}"#), -32_600, "no id");
    assert_eq!(code_of(r#"{"jsonrpc": "1.0", "id": 1, "method": "public/test"}"#), -32_600);
    let long = format!(r#"{{"jsonrpc": "2.0", "id": "{}"}}"#, "x".repeat(TEXT_BYTES_MAX));
    assert_eq!(acceptor.receive(NOW, &keys(), &long), [JsonStep::Close(CutReason::TooLarge)]);
}

#[test]
fn ids_of_any_type_are_sent_back_and_batches_are_answered_together() {
    let mut acceptor = logged_on("desk", &DESK);
    for id in [r#""a\u00e9""#, "1.50", "null", "[1, {}]", "true"] {
        let text = format!(r#"{{"jsonrpc": "2.0", "id": {id}, "method": "public/test"}}"#);
        let steps = acceptor.receive(NOW, &keys(), &text);
        let [JsonStep::Say(said)] = &steps[..] else { panic!("{steps:?}") };
        assert!(said.contains(&format!(r#""id":{id},"#)), "{said}");
    }
    let batch = format!("[{}, {}, 7]", call("public/test", "{}"), call("private/buy", BUY));
    let steps = acceptor.receive(NOW, &keys(), &batch);
    assert!(matches!(&steps[..], [JsonStep::Requests(_)]), "waits for the order: {steps:?}");
    let refused = Refused { request: 1, refusal: Refusal::Draining, retry_after_ns: 0 };
    let answers = Answers { answered_through: 1, answers: vec![Answer::Refused(refused)] };
    let said = said(&acceptor.answers(&answers));
    assert_eq!(said[0].as_array().map(Vec::len), Some(3));
    let many = format!("[{}]", vec![call("public/test", "{}"); 257].join(","));
    assert_eq!(code(&acceptor.receive(NOW, &keys(), &many)), -32_600);
}

fn withdrawal(signature: Option<&str>) -> String {
    let params = r#"{"amount": 1.5, "cl_ord_id": "12"}"#;
    let signed = CHALLENGE.call_text("private/withdraw", params);
    let own = hex(&DESK.sign(signed.as_bytes()).0);
    let digits = signature.map_or(own, str::to_owned);
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"private/withdraw","params":{params},"signature":"{digits}"}}"#
    )
}

#[test]
fn withdrawals_are_signed() {
    let mut acceptor = logged_on("desk", &DESK);
    let mut refusal = |text: &str| match &acceptor.receive(NOW, &keys(), text)[..] {
        [JsonStep::Requests(requests)] => (requests[0].1, requests[0].0.action),
        other => panic!("{other:?}"),
    };
    let (refused, action) = refusal(&withdrawal(None));
    let request = AccountRequest::Withdraw { account: 7, cash: 15_000 };
    assert_eq!((refused, action), (None, Action::Account { cl_ord_id: 12, request }));
    assert_eq!(refusal(&withdrawal(Some("00"))).0, Some(Refusal::WrongSignature));
    let other = withdrawal(None).replace("1.5,", "2.5,");
    assert_eq!(refusal(&other).0, Some(Refusal::WrongSignature), "the amount is signed");
    let unsigned = call("private/withdraw", r#"{"amount": 1, "cl_ord_id": 13}"#);
    assert_eq!(refusal(&unsigned).0, Some(Refusal::WrongSignature));
    let mut strict = logged_on("strict", &SHARED);
    let steps = strict.receive(NOW, &keys(), &call("private/buy", BUY));
    assert!(
        matches!(&steps[..], [JsonStep::Requests(of)] if of[0].1 == Some(Refusal::WrongSignature))
    );
}

#[test]
fn calls_without_an_answer_are_bounded() {
    let mut acceptor = logged_on("desk", &DESK);
    for _ in 0..IN_FLIGHT_MAX {
        let steps = acceptor.receive(NOW, &keys(), &call("private/get_positions", "{}"));
        assert!(matches!(&steps[..], [JsonStep::Query(_, Query::Positions)]));
    }
    let steps = acceptor.receive(NOW, &keys(), &call("private/get_positions", "{}"));
    assert_eq!(code(&steps), 10_028);
}

fn levels(number: u64, previous: u64, price: i64, qty: i64) -> Stamped {
    let side = surgetank_layer::message::Side::Buy;
    Stamped {
        key: StreamKey::Book(0),
        epoch: 1,
        number,
        previous,
        sequence: number,
        time_ns: NOW,
        event: Event::Levels(vec![PriceLevel { side, price, qty }]),
    }
}

fn state(number: u64) -> StreamState {
    let Event::Levels(rest) = levels(0, 0, 1000, 3).event else { unreachable!() };
    let last = Position { epoch: 1, number };
    StreamState { key: StreamKey::Book(0), last, sequence: 4, events: vec![Event::Levels(rest)] }
}

/// Catches a book without its snapshot, events before it, and events that it contains already.
#[test]
fn a_book_begins_with_a_snapshot_and_goes_on_behind_it() {
    let mut acceptor = logged_on("desk", &DESK);
    let subscribe = call("public/subscribe", r#"{"channels": ["book.BTC.raw"]}"#);
    let steps = acceptor.receive(NOW, &keys(), &subscribe);
    let [JsonStep::Say(_), JsonStep::Subscribe(wanted), JsonStep::Snapshot(key)] = &steps[..]
    else {
        panic!("{steps:?}")
    };
    assert_eq!((wanted[0].key, wanted[0].conflate, *key), (*key, false, StreamKey::Book(0)));
    assert_eq!(acceptor.events(&[levels(3, 2, 1000, 3), levels(4, 3, 999, 1)]), [], "wait");
    let said_first = said(&acceptor.snapshot(&state(3)));
    let data = |value: &Value| value["params"]["data"].clone();
    let [snapshot, change] = &said_first[..] else { panic!("{said_first:?}") };
    assert_eq!(data(snapshot)["type"], "snapshot");
    assert_eq!(data(snapshot)["bids"], json!([["new", 100, 0.003]]));
    assert_eq!(data(change)["change_id"], 4);
    assert_eq!(data(change)["prev_change_id"], 3);
    let next = said(&acceptor.events(&[levels(5, 4, 1000, 0)]));
    assert_eq!(data(&next[0])["bids"], json!([["delete", 100, 0]]));
    // The state that it began with was that of an earlier subscription: a hole.
    let steps = acceptor.events(&[levels(7, 6, 998, 1)]);
    let [JsonStep::Say(missing), JsonStep::Snapshot(StreamKey::Book(0))] = &steps[..] else {
        panic!("{steps:?}")
    };
    let missing: Value = serde_json::from_str(missing).expect("JSON");
    assert_eq!(missing["method"], "gap");
    assert_eq!((&missing["params"]["from"], &missing["params"]["to"]), (&json!(6), &json!(6)));
    let again = said(&acceptor.snapshot(&state(7)));
    assert_eq!(again.len(), 1, "and contains the event that came before it");
    assert_eq!(data(&again[0])["change_id"], 7);
    let both = call("public/subscribe", r#"{"channels": ["book.BTC.conflated"]}"#);
    assert_eq!(code(&acceptor.receive(NOW, &keys(), &both)), -32_602);
    let gap = Gap { key: *key, epoch: 1, from: 8, to: 9, reason: GapReason::NotKept };
    let steps = acceptor.gap(&gap);
    assert!(
        matches!(&steps[..], [JsonStep::Say(_), JsonStep::Snapshot(_)]),
        "begins anew: {steps:?}"
    );
}

#[test]
fn a_silent_client_is_asked_and_then_cut() {
    let mut acceptor = logged_on("desk", &DESK);
    assert_eq!(acceptor.due(), None);
    let set = call("public/set_heartbeat", r#"{"interval": 10}"#);
    acceptor.receive(NOW, &keys(), &set);
    assert_eq!(acceptor.due(), Some(NOW + 10 * SECOND));
    assert_eq!(acceptor.wake(NOW + 9 * SECOND), []);
    let asked = said(&acceptor.wake(NOW + 10 * SECOND));
    assert_eq!(asked[0]["params"]["type"], "test_request");
    let steps = acceptor.wake(NOW + 20 * SECOND);
    assert_eq!(steps, [JsonStep::Close(CutReason::Silent)]);
}

#[test]
fn the_schema_in_the_documents_is_that_of_the_code() {
    let stored = include_str!("../../../docs/websocket.schema.json");
    let stored: Value = serde_json::from_str(stored).expect("JSON");
    let hint = "write it: cargo run -p surgetank-venue --example websocket_schema";
    assert!(stored == schema(), "{hint} > docs/websocket.schema.json");
}
