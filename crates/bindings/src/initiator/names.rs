//! The protocol's enumerations, so that the Python package can be compared with them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use pyo3::prelude::*;
use surgetank_layer::message::{ExecType, Side};
use surgetank_market::{Bearer, CancelReason, MarginMode, Reject};
use surgetank_venue::answer::Refusal;
use surgetank_venue::encoding::Encoded;
use surgetank_venue::request::Level;
use surgetank_venue::wire::{CutReason, GapReason, Notice};

type Names = BTreeMap<String, u8>;

/// All values of an enumeration that is one byte on the wire.
fn names<T: Encoded + Debug>() -> Names {
    let value = |number| T::from_bytes(&[number]).ok().map(|value| (format!("{value:?}"), number));
    (0..=u8::MAX).filter_map(value).collect()
}

/// Values of an enumeration that is declared in the market. A variant that is left out does not
/// compile.
macro_rules! names_of {
    ($type:ident { $($variant:ident),+ $(,)? }) => {{
        let _all_named = |value: $type| match value { $($type::$variant => ()),+ };
        BTreeMap::from([$((stringify!($variant).to_owned(), $type::$variant as u8)),+])
    }};
}

fn cancel_reasons() -> Names {
    names_of!(CancelReason { Requested, ImmediateOrCancel, SelfTrade, ReduceOnly, Liquidation })
}

fn ord_rej_reasons() -> Names {
    names_of!(Reject {
        UnknownSymbol,
        OrderExceedsLimit,
        UnknownOrder,
        DuplicateOrder,
        UnsupportedOrder,
        IncorrectQuantity,
        UnknownAccount,
        PriceOutOfBand,
        InsufficientMargin,
        PostOnlyWouldTake,
        ReduceOnlyWouldIncrease,
        StalePrice,
        OnlyReducing,
        IncorrectAmount,
        AccountUnavailable,
    })
}

fn bearers() -> Names {
    names_of!(Bearer { Insurance, Deleveraged, Venue, Vault })
}

/// Enumerations of the protocol: names and numbers of their values.
#[pyfunction]
pub fn protocol_names() -> BTreeMap<&'static str, Names> {
    BTreeMap::from([
        ("Bearer", bearers()),
        ("CancelReason", cancel_reasons()),
        ("CutReason", names::<CutReason>()),
        ("ExecType", names::<ExecType>()),
        ("GapReason", names::<GapReason>()),
        ("Level", names::<Level>()),
        ("MarginMode", names::<MarginMode>()),
        ("Notice", names::<Notice>()),
        ("OrdRejReason", ord_rej_reasons()),
        ("RefusalReason", names::<Refusal>()),
        ("Side", names::<Side>()),
    ])
}
