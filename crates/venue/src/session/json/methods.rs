//! The methods: name, parameters, result, each declared once. The parser and
//! docs/websocket.schema.json follow from it.

use schemars::{Schema, SchemaGenerator};
use serde::Deserialize;

use super::fault::Fault;
use super::params::{
    Auth, Cancel, CancelAll, Edit, GetOrderBook, GetOrderState, NewOrder, Nothing, SetHeartbeat,
    Subscribe, Transfer, Unsubscribe,
};
use super::results::{
    AccountSummary, Authenticated, Instrument, OrderBook, OrderState, Placed, PositionState, Tested,
};

macro_rules! methods {
    ($($name:literal => $call:ident($params:ty) -> $result:ty;)+) => {
        /// A call with its parameters.
        #[derive(Clone, Debug)]
        pub enum Call {
            $(#[doc = $name] $call($params),)+
        }

        impl Call {
            /// Reads the parameters of a method.
            ///
            /// # Errors
            /// There is no such method, or it does not take these parameters.
            pub fn parse(method: &str, params: &str) -> Result<Call, Fault> {
                match method {
                    $($name => read(params).map(Call::$call),)+
                    _ => Err(Fault::method()),
                }
            }
        }

        /// Each method with the schemas of parameters and result.
        pub fn schemas(of: &mut SchemaGenerator) -> Vec<(&'static str, Schema, Schema)> {
            vec![$(($name, of.subschema_for::<$params>(), of.subschema_for::<$result>()),)+]
        }
    };
}

methods! {
    "public/auth" => Auth(Auth) -> Authenticated;
    "public/test" => Test(Nothing) -> Tested;
    "public/get_time" => GetTime(Nothing) -> u64;
    "public/get_instruments" => GetInstruments(Nothing) -> Vec<Instrument>;
    "public/set_heartbeat" => SetHeartbeat(SetHeartbeat) -> String;
    "public/disable_heartbeat" => DisableHeartbeat(Nothing) -> String;
    "public/get_order_book" => GetOrderBook(GetOrderBook) -> OrderBook;
    "public/subscribe" => SubscribePublic(Subscribe) -> Vec<String>;
    "public/unsubscribe" => UnsubscribePublic(Unsubscribe) -> Vec<String>;
    "private/subscribe" => SubscribePrivate(Subscribe) -> Vec<String>;
    "private/unsubscribe" => UnsubscribePrivate(Unsubscribe) -> Vec<String>;
    "private/buy" => Buy(NewOrder) -> Placed;
    "private/sell" => Sell(NewOrder) -> Placed;
    "private/edit" => Edit(Edit) -> Placed;
    "private/cancel" => Cancel(Cancel) -> Placed;
    "private/cancel_all" => CancelAll(CancelAll) -> Placed;
    "private/get_order_state" => GetOrderState(GetOrderState) -> OrderState;
    "private/get_positions" => GetPositions(Nothing) -> Vec<PositionState>;
    "private/get_account_summary" => GetAccountSummary(Nothing) -> AccountSummary;
    "private/enable_cancel_on_disconnect" => EnableCancelOnDisconnect(Nothing) -> String;
    "private/disable_cancel_on_disconnect" => DisableCancelOnDisconnect(Nothing) -> String;
    "private/deposit" => Deposit(Transfer) -> Placed;
    "private/withdraw" => Withdraw(Transfer) -> Placed;
    "private/logout" => Logout(Nothing) -> String;
}

fn read<'d, T: Deserialize<'d>>(params: &'d str) -> Result<T, Fault> {
    // serde reads structs out of arrays too.
    if !params.trim_start().starts_with('{') {
        return Err(Fault::params("expected an object"));
    }
    serde_json::from_str(params).map_err(|error| Fault::params(error.to_string()))
}
