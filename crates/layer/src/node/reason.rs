//! Reasons for which a node refuses a message.

use crate::admission::AdmissionReason;

/// Reason for which a node refuses a message. A queue's refusal names the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The queue of messages that wait for validation is at its capacity.
    IngressFull,
    /// The queue of messages that wait for ordering is at its capacity.
    MempoolFull,
    /// It waited too long for validation, or was dropped there for another message.
    IngressShed,
    /// It waited too long for ordering, or was dropped there for another message.
    MempoolShed,
    /// Its account has exhausted its rate limit.
    RateExceeded,
    /// Its fee is below the present price.
    FeeTooLow,
    /// Its expiry height has passed.
    Expired,
    /// Its cancel arrived first.
    CancelledBefore,
    /// It is larger than a block.
    TooLarge,
    /// It is throttled by its criticality while the venue is congested.
    Throttled,
}

impl From<AdmissionReason> for Reason {
    fn from(reason: AdmissionReason) -> Reason {
        match reason {
            AdmissionReason::RateExceeded => Reason::RateExceeded,
            AdmissionReason::FeeTooLow => Reason::FeeTooLow,
            AdmissionReason::Expired | AdmissionReason::ExpiryTooFar => Reason::Expired,
            AdmissionReason::CancelledBefore => Reason::CancelledBefore,
        }
    }
}
