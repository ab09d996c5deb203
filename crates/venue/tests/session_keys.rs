//! The file of keys, and what each key may do.

use surgetank_layer::message::{
    Body, ExecType, ExecutionReport, LiquidationOrder, PriceUpdate, Side,
};
use surgetank_market::MarginMode;
use surgetank_venue::answer::Refusal;
use surgetank_venue::request::{AccountRequest, Request};
use surgetank_venue::session::keys::{Entry, Keys};

use crate::examples::{about, message, order};
use crate::session::{digits, keys};

fn entry(permissions: &str) -> Entry {
    let secret = digits([5; 32]);
    let json = format!(
        r#"{{"key": {{"account": 7, "permissions": [{permissions}], "hmac": "{secret}"}}}}"#
    );
    Keys::parse(&json).expect("valid").get("key").expect("there").clone()
}

#[test]
fn permissions_are_what_they_say() {
    let (own, other) = (7, 9);
    let of = |request| about(1, 1, request);
    let trade = message(1, order(1));
    let price = message(1, Body::PriceUpdate(PriceUpdate { symbol: 0, price: 1, observed_ns: 1 }));
    let liquidation = LiquidationOrder { symbol: 0, target: 9, order_qty: 0, trigger_price: 1 };
    let liquidation = message(1, Body::LiquidationOrder(liquidation));
    let withdraw = |account| of(AccountRequest::Withdraw { account, cash: 1 });
    let cancel = |account| of(AccountRequest::CancelAll { account, symbol: None });
    let open = of(AccountRequest::Open { account: other, mode: MarginMode::Cross });
    let deposit = of(AccountRequest::Deposit { account: other, cash: 1 });
    let halt = of(AccountRequest::Halt { account: None, symbol: None, halted: true });
    let all = [
        trade,
        cancel(own),
        cancel(other),
        price,
        liquidation,
        withdraw(own),
        withdraw(other),
        open,
        deposit,
        halt,
    ];
    for (permission, allowed) in [
        (r#""trade""#, vec![trade, cancel(own)]),
        (r#""withdraw""#, vec![withdraw(own)]),
        (r#""price""#, vec![price]),
        (r#""keeper""#, vec![liquidation]),
        (r#""operate""#, vec![cancel(own), cancel(other), open, deposit, halt]),
        ("", vec![]),
    ] {
        for request in all {
            let expected =
                if allowed.contains(&request) { Ok(()) } else { Err(Refusal::NotPermitted) };
            assert_eq!(entry(permission).permits(&request), expected, "{permission} {request:?}");
            let elsewhere = Request { sender: other, ..request };
            let refused = Err(Refusal::NotPermitted);
            assert_eq!(entry(permission).permits(&elsewhere), refused, "another's name");
        }
    }
}

#[test]
fn messages_of_the_venue_itself_are_refused() {
    let report = Body::ExecutionReport(ExecutionReport {
        cl_ord_id: 1,
        symbol: 0,
        exec_type: ExecType::Trade,
        side: Side::Buy,
        last_px: 1,
        last_qty: 1,
        leaves_qty: 0,
        ord_rej_reason: 0,
    });
    let all = entry(r#""trade", "withdraw", "keeper", "price", "operate""#);
    assert_eq!(all.permits(&message(1, report)), Err(Refusal::UnknownClass));
}

#[test]
fn a_wrong_file_is_refused_without_showing_secrets() {
    let secret = digits([0xab; 32]);
    for (written, said) in [
        ("[]".to_owned(), "not a table"),
        (r#"{"a": {}}"#.to_owned(), "keys: [a]: missing field"),
        (r#"{"a": {"account": 1, "permissions": []}}"#.to_owned(), "give one of"),
        (
            format!(r#"{{"a": {{"account": 1, "permissions": [], "hmac": "{secret}ab"}}}}"#),
            "64 hexadecimal digits",
        ),
        (
            format!(
                r#"{{"a": {{"account": 1, "permissions": [], "hmac": "{}xy"}}}}"#,
                &secret[2..]
            ),
            "64 hexadecimal digits",
        ),
        (
            format!(
                r#"{{"a": {{"account": 1, "permissions": [], "hmac": "{secret}", "ed25519": "{secret}"}}}}"#
            ),
            "give one of",
        ),
        (
            format!(r#"{{"a": {{"account": 1, "permissions": ["own"], "hmac": "{secret}"}}}}"#),
            "unknown variant `own`",
        ),
        (
            format!(r#"{{"a": {{"account": 4294967295, "permissions": [], "hmac": "{secret}"}}}}"#),
            "must be below",
        ),
        (
            format!(r#"{{"a": {{"account": 1, "permissions": [], "hmac": "{secret}", "x": 1}}}}"#),
            "unknown field `x`",
        ),
        (
            // The identity: every signature of a kind would be valid under it.
            format!(
                r#"{{"a": {{"account": 1, "permissions": [], "ed25519": "01{}"}}}}"#,
                "00".repeat(31)
            ),
            "no public key",
        ),
    ] {
        let error = Keys::parse(&written).expect_err(&written);
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("abab"), "{error}");
    }
    assert!(!format!("{:?}", keys()).contains("4, 4, 4"), "secrets are not printed");
}
