//! Errors of JSON-RPC: codes, names and hints. docs/websocket.md lists them.

use serde::Serialize;
use surgetank_market::Reject;

use crate::answer::{Refusal, Refused};
use crate::wire::CutReason;

/// Not JSON, or nested too deeply.
pub const PARSE: i32 = -32_700;
/// JSON, and no request.
pub const INVALID_REQUEST: i32 = -32_600;
/// No such method.
pub const NO_METHOD: i32 = -32_601;
/// Parameters that the method does not take.
pub const INVALID_PARAMS: i32 = -32_602;
/// Needs a logon, or comes after one.
pub const OUT_OF_TURN: i32 = 13_001;
/// No such key, or not its signature.
pub const LOGON_REFUSED: i32 = 13_004;
/// The clocks of client and venue differ by too much.
pub const CLOCK_SKEW: i32 = 13_005;
/// Too many requests of the connection are not answered.
pub const IN_FLIGHT: i32 = 10_028;
/// A further copy of a request that still waits for its place.
pub const WAITING: i32 = 10_029;
/// The venue's refusals: this and the refusal's number in the binary protocol.
pub const REFUSED: i32 = 11_000;
/// The market's: this and FIX OrdRejReason.
pub const REJECTED: i32 = 12_000;
/// The end of the connection: this and the reason's number in the binary protocol.
pub const CUT: i32 = 13_000;

/// An error, as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its code.
    pub code: i32,
    /// What is wrong, for a person.
    pub message: String,
    /// What programs read.
    pub data: FaultData,
}

/// What programs read of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultData {
    /// Name of the error.
    pub reason: &'static str,
    /// Parameter that is wrong, or what was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Time after which the request may be accepted, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ns: Option<u64>,
    /// Place in the journal of a request that the market has rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Whether this is the answer to a further copy of a request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

impl Fault {
    fn new(code: i32, message: &str, reason: &'static str) -> Fault {
        let data = FaultData { reason, ..FaultData::default() };
        Fault { code, message: message.to_owned(), data }
    }

    fn with_detail(mut self, detail: impl Into<String>) -> Fault {
        self.data.detail = Some(detail.into());
        self
    }

    /// Not JSON.
    pub fn parse(detail: impl Into<String>) -> Fault {
        Fault::new(PARSE, "not JSON", "parse").with_detail(detail)
    }

    /// Not a request.
    pub fn request(detail: impl Into<String>) -> Fault {
        Fault::new(INVALID_REQUEST, "not a request of JSON-RPC 2.0", "invalid-request")
            .with_detail(detail)
    }

    /// No such method.
    pub fn method() -> Fault {
        Fault::new(NO_METHOD, "no such method", "no-method")
    }

    /// A parameter is wrong.
    pub fn params(detail: impl Into<String>) -> Fault {
        Fault::new(INVALID_PARAMS, "invalid parameters", "invalid-params").with_detail(detail)
    }

    /// It needs a logon, or comes after one.
    pub fn out_of_turn(detail: &str) -> Fault {
        Fault::new(OUT_OF_TURN, "out of turn", "out-of-turn").with_detail(detail)
    }

    /// Too many requests are not answered.
    pub fn in_flight() -> Fault {
        let message = "too many requests are not answered";
        Fault::new(IN_FLIGHT, message, "too-many-in-flight")
    }

    /// A copy of a request that waits.
    pub fn waiting() -> Fault {
        let mut fault = Fault::new(WAITING, "waits: ask for its status", "waiting");
        fault.data.duplicate = true;
        fault
    }

    /// The venue has not accepted a request.
    pub fn refused(refused: &Refused) -> Fault {
        let mut fault = Fault::of_refusal(refused.refusal);
        fault.data.retry_after_ns = (refused.retry_after_ns > 0).then_some(refused.retry_after_ns);
        fault
    }

    /// The same without a hint.
    pub fn of_refusal(refusal: Refusal) -> Fault {
        let code = REFUSED + refusal as i32;
        Fault::new(code, "the venue has not accepted it; nothing happened", refusal.name())
    }

    /// The market has rejected a request that has its place in the journal.
    pub fn rejected(ord_rej_reason: u8, sequence: u64, duplicate: bool) -> Fault {
        let code = REJECTED + i32::from(ord_rej_reason);
        let mut fault = Fault::new(code, "the market has rejected it", rejection(ord_rej_reason));
        fault.data.sequence = Some(sequence);
        fault.data.duplicate = duplicate;
        fault
    }

    /// The connection ends.
    pub fn cut(reason: CutReason) -> Fault {
        Fault::new(CUT + reason as i32, "the connection ends", cut(reason))
    }
}

/// Name of a FIX OrdRejReason.
pub fn rejection(ord_rej_reason: u8) -> &'static str {
    let names = [
        (Reject::UnknownSymbol, "unknown-symbol"),
        (Reject::OrderExceedsLimit, "order-exceeds-limit"),
        (Reject::UnknownOrder, "unknown-order"),
        (Reject::DuplicateOrder, "duplicate-order"),
        (Reject::UnsupportedOrder, "unsupported-order"),
        (Reject::IncorrectQuantity, "incorrect-quantity"),
        (Reject::UnknownAccount, "unknown-account"),
        (Reject::PriceOutOfBand, "price-out-of-band"),
        (Reject::InsufficientMargin, "insufficient-margin"),
        (Reject::PostOnlyWouldTake, "post-only-would-take"),
        (Reject::ReduceOnlyWouldIncrease, "reduce-only-would-increase"),
        (Reject::StalePrice, "stale-price"),
        (Reject::OnlyReducing, "only-reducing"),
        (Reject::IncorrectAmount, "incorrect-amount"),
        (Reject::AccountUnavailable, "account-unavailable"),
    ];
    let named = names.into_iter().find(|(reject, _)| *reject as u8 == ord_rej_reason);
    named.map_or("other", |(_, name)| name)
}

/// Name of the reason for which a connection ends.
pub fn cut(reason: CutReason) -> &'static str {
    match reason {
        CutReason::Malformed => "malformed",
        CutReason::TooLarge => "too-large",
        CutReason::OutOfTurn => "out-of-turn",
        CutReason::LogonRefused => "logon-refused",
        CutReason::ClockSkew => "clock-skew",
        CutReason::WrongMac => "wrong-mac",
        CutReason::FrameNumber => "frame-number",
        CutReason::RequestNumber => "request-number",
        CutReason::LogonTimeout => "logon-timeout",
        CutReason::Silent => "silent",
        CutReason::Replaced => "replaced",
        CutReason::SlowReader => "slow-reader",
        CutReason::KeyChanged => "key-changed",
        CutReason::TooManyConnections => "too-many-connections",
        CutReason::Stopping => "stopping",
        CutReason::LoggedOut => "logged-out",
        CutReason::LevelNotOffered => "level-not-offered",
        CutReason::NotPermitted => "not-permitted",
        CutReason::TooManySubscriptions => "too-many-subscriptions",
        CutReason::NoSuchStream => "no-such-stream",
    }
}
