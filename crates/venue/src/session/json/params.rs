//! Parameters of the methods, as clients write them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::value::RawValue;

use super::decimal::Decimal;
use crate::event::Position;
use crate::request::Level;

/// No parameters.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A number, or a text that has one: exact, in the unit of the parameter.
#[derive(Clone, Copy, Debug)]
pub struct Amount(pub Decimal);

impl<'d> Deserialize<'d> for Amount {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Amount, D::Error> {
        let text: &RawValue = Deserialize::deserialize(from)?;
        let number = Decimal::parse(unquoted(text.get()));
        number.map(Amount).ok_or_else(|| D::Error::custom("expected a decimal number"))
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["number", "string"]})
    }
}

/// ClOrdID: a whole number below 2⁶⁴, better written as a text, since many languages read numbers
/// above 2⁵³ inexactly.
#[derive(Clone, Copy, Debug)]
pub struct ClOrdId(pub u64);

impl<'d> Deserialize<'d> for ClOrdId {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<ClOrdId, D::Error> {
        let text: &RawValue = Deserialize::deserialize(from)?;
        let digits = unquoted(text.get());
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse());
        match number {
            Some(Ok(number)) if number > 0 => Ok(ClOrdId(number)),
            _ => Err(D::Error::custom("expected a ClOrdID, a whole number from 1 to 2^64 - 1")),
        }
    }
}

impl JsonSchema for ClOrdId {
    fn schema_name() -> Cow<'static, str> {
        "ClOrdId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["integer", "string"]})
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Of `public/auth`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Always `client_signature`.
    pub grant_type: GrantType,
    /// Name of the key.
    pub client_id: String,
    /// Name of the session: a connection of it ends the earlier one.
    #[serde(default = "main")]
    pub session: String,
    /// The client's time, in milliseconds since 1970.
    pub timestamp: u64,
    /// Text that the client has drawn.
    pub nonce: String,
    /// Signature in hexadecimal digits.
    pub signature: String,
    /// When requests are answered.
    #[serde(default = "disk")]
    #[schemars(with = "LevelName")]
    pub level: Level,
    /// Whether orders are cancelled when the connection ends without a logout.
    #[serde(default)]
    pub cancel_on_disconnect: bool,
}

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// By a signature over the connection's challenge.
    ClientSignature,
}

/// Names of [`Level`].
#[derive(Clone, Copy, Debug, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LevelName {
    /// Once they are executed.
    Memory,
    /// Once they are durable on the disk.
    Disk,
}

fn main() -> String {
    "main".to_owned()
}

fn disk() -> Level {
    Level::Disk
}

/// Of `public/set_heartbeat`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetHeartbeat {
    /// Seconds of silence after which the venue asks for `public/test`; at least 10.
    pub interval: u32,
}

/// Of `public/get_order_book`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetOrderBook {
    /// Name of the market.
    pub instrument_name: String,
    /// Greatest number of prices of a side, at most 1,000.
    #[serde(default = "twenty")]
    pub depth: u32,
}

fn twenty() -> u32 {
    20
}

/// Of `subscribe`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// Names of channels.
    pub channels: Vec<String>,
    /// Last place that the client has of each channel, to go on from there.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ChannelPlace>")]
    pub after: BTreeMap<String, ChannelPlace>,
}

/// A place in a channel.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelPlace {
    /// History to which the number belongs.
    pub epoch: u32,
    /// Number of an event.
    pub number: u64,
}

impl From<ChannelPlace> for Position {
    fn from(ChannelPlace { epoch, number }: ChannelPlace) -> Position {
        Position { epoch, number }
    }
}

/// Of `unsubscribe`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    /// Names of channels.
    pub channels: Vec<String>,
}

/// Of `private/buy` and `private/sell`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// Name of the market.
    pub instrument_name: String,
    /// Quantity in coins, a multiple of the market's step.
    pub amount: Amount,
    /// Kind of order.
    #[serde(rename = "type", default)]
    pub kind: OrderType,
    /// Limit price in USD, a multiple of the market's tick.
    #[serde(default)]
    pub price: Option<Amount>,
    /// How long it rests.
    #[serde(default)]
    pub time_in_force: Force,
    /// Refused if it would trade at once.
    #[serde(default)]
    pub post_only: bool,
    /// Refused, or cut to what reduces the position.
    #[serde(default)]
    pub reduce_only: bool,
    /// The client's number of the order, unique for its account.
    #[serde(alias = "label")]
    pub cl_ord_id: ClOrdId,
}

/// Kind of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderType {
    /// At its price or better.
    #[default]
    Limit,
    /// At any price; what does not trade at once is cancelled.
    Market,
}

/// How long an order rests.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// Until it is cancelled.
    #[default]
    GoodTilCancelled,
    /// Not at all.
    ImmediateOrCancel,
}

/// Of `private/edit`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Name of the market.
    pub instrument_name: String,
    /// ClOrdID of the order to replace.
    pub orig_cl_ord_id: ClOrdId,
    /// ClOrdID of the order that replaces it.
    #[serde(alias = "label")]
    pub cl_ord_id: ClOrdId,
    /// New quantity in coins.
    pub amount: Amount,
    /// New limit price in USD.
    pub price: Amount,
}

/// Of `private/cancel`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Name of the market.
    pub instrument_name: String,
    /// ClOrdID of the order to cancel.
    pub orig_cl_ord_id: ClOrdId,
    /// ClOrdID of this request.
    #[serde(alias = "label")]
    pub cl_ord_id: ClOrdId,
}

/// Of `private/cancel_all`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelAll {
    /// Name of the market; without it, in all.
    #[serde(default)]
    pub instrument_name: Option<String>,
    /// ClOrdID of this request.
    #[serde(alias = "label")]
    pub cl_ord_id: ClOrdId,
}

/// Of `private/get_order_state`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetOrderState {
    /// ClOrdID of the request.
    #[serde(alias = "label")]
    pub cl_ord_id: ClOrdId,
}

/// Of `private/deposit` and `private/withdraw`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Account; the key's own if it is not given.
    #[serde(default)]
    pub account: Option<u32>,
    /// Amount in USD.
    pub amount: Amount,
    /// ClOrdID of this request.
    #[serde(alias = "label")]
    pub cl_ord_id: ClOrdId,
}
