//! Names of the numbers in the tables. An enumeration crosses to Python by them: its number in a
//! cell is its place in its list.

use surgetank_layer::message::Class;
use surgetank_layer::tuning::{Knob, Parameter, Why};
use surgetank_market::{Bearer, Deferral};

use super::{MarketKind, Outcome, Quantity, Reason, Resource, Source};

/// Declares an enumeration with numbers from 0 and a name for each.
macro_rules! named {
    (
        $(#[$about:meta])*
        pub enum $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $type { $($(#[$doc])* $variant,)* }

        impl $type {
            /// All values, in the order of their numbers.
            pub const ALL: &[$type] = &[$($type::$variant),*];

            /// Name in the trace.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name,)* }
            }
        }
    };
}

/// Names of an enumeration that is declared elsewhere, indexed by number. A variant without a name
/// does not compile.
macro_rules! names_of {
    ($type:ident { $($variant:ident = $name:literal,)* }) => {{
        let _all_named = |value: $type| match value { $($type::$variant => ()),* };
        let named = [$(($type::$variant as usize, $name)),*];
        let most = named.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let mut names = vec![String::new(); most + 1];
        for (number, name) in named {
            names[number] = name.to_owned();
        }
        names
    }};
}

/// Every enumeration of the tables, and the names of its numbers.
pub fn names() -> Vec<(&'static str, Vec<String>)> {
    fn listed<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<String> {
        all.iter().map(|&value| name(value).to_owned()).collect()
    }
    vec![
        ("class", classes()),
        ("outcome", listed(Outcome::ALL, Outcome::name)),
        ("reason", listed(Reason::ALL, Reason::name)),
        ("source", listed(Source::ALL, Source::name)),
        ("market_kind", listed(MarketKind::ALL, MarketKind::name)),
        ("bearer", bearers()),
        ("deferral", deferrals()),
        ("knob", knobs()),
        ("why", whys()),
        ("resource", listed(Resource::ALL, Resource::name)),
        ("quantity", listed(Quantity::ALL, Quantity::name)),
    ]
}

fn classes() -> Vec<String> {
    names_of!(Class {
        PriceUpdate = "price-update",
        LiquidationOrder = "liquidation-order",
        OrderCancelRequest = "cancel",
        OrderCancelReplaceRequest = "replace",
        NewOrderSingle = "order",
        ExecutionReport = "execution-report",
        Proposal = "proposal",
        Vote = "vote",
    })
}

fn bearers() -> Vec<String> {
    names_of!(Bearer {
        Insurance = "insurance",
        Deleveraged = "deleveraged",
        Venue = "venue",
        Vault = "vault",
    })
}

fn deferrals() -> Vec<String> {
    names_of!(Deferral {
        Again = "tried in this block already",
        AccountNotional = "notional of the account",
        InsuranceLost = "insurance lost by the account",
        Attempts = "attempts in the block",
        DeleveragingAttempts = "deleveraging attempts in the block",
        Auction = "auction asks more than is bid",
    })
}

/// Parameters that controllers set and consensus adapts, by [`Parameter::code`].
fn knobs() -> Vec<String> {
    let classes = classes();
    let name = |code| match Parameter::of_code(code) {
        Some(Parameter::Knob(Knob::BatchMessagesMax)) => "batch_messages_max".to_owned(),
        Some(Parameter::Knob(Knob::WindowNs)) => "window_ns".to_owned(),
        Some(Parameter::Knob(Knob::AdmissionLimit)) => "admission_limit".to_owned(),
        Some(Parameter::Knob(Knob::LaneWeight(class))) => {
            format!("weight of {}", classes[usize::from(class)])
        }
        Some(Parameter::TimeoutCommit) => "timeout_commit_ns".to_owned(),
        Some(Parameter::TimeoutPropose) => "timeout_propose_ns".to_owned(),
        Some(Parameter::Throttle) => "throttle".to_owned(),
        // Nothing has this number. The others keep theirs, and with them the tables of recorded runs.
        None => "timeout_vote_ns".to_owned(),
    };
    (0..=Parameter::Throttle.code()).map(name).collect()
}

fn whys() -> Vec<String> {
    names_of!(Why {
        Bounds = "bounds",
        SojournAbove = "sojourn above target",
        SojournBelow = "sojourn below target",
        Gradient = "gradient",
        Outside = "outside",
        CongestionRises = "congestion rises",
        CongestionFalls = "congestion falls",
    })
}
