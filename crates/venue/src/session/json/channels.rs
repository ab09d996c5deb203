//! Channels: the venue's streams under names in Deribit's style.

use surgetank_layer::units::AccountId;

use super::markets::Markets;
use crate::event::StreamKey;

/// What a client subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Quantity by price of a market, every change.
    Book(u16),
    /// The same, with changes merged while the client is slow.
    ConflatedBook(u16),
    /// Trades of a market.
    Trades(u16),
    /// Oracle price, mark price and funding of a market.
    Ticker(u16),
    /// Liquidations of a market.
    Liquidations(u16),
    /// Execution reports of the account, of one market or of all.
    Orders(Option<u16>),
    /// Positions and cash of the account.
    Portfolio,
    /// Margin calls, liquidations and deleveraging of the account.
    Risk,
}

impl Channel {
    /// The channel of this name; `None`: there is none.
    pub fn parse(name: &str, markets: &Markets) -> Option<Channel> {
        let market = |name: &str| markets.find(name).map(|(symbol, _)| symbol);
        let (kind, rest) = name.split_once('.')?;
        Some(match kind {
            "book" => match rest.rsplit_once('.')? {
                (name, "raw") => Channel::Book(market(name)?),
                (name, "conflated") => Channel::ConflatedBook(market(name)?),
                _ => return None,
            },
            "trades" => Channel::Trades(market(rest)?),
            "ticker" => Channel::Ticker(market(rest)?),
            "liquidations" => Channel::Liquidations(market(rest)?),
            "user" => match rest.split_once('.').unwrap_or((rest, "any")) {
                ("orders", "any") => Channel::Orders(None),
                ("orders", name) => Channel::Orders(Some(market(name)?)),
                ("portfolio", "any") => Channel::Portfolio,
                ("risk", "any") => Channel::Risk,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(&self, markets: &Markets) -> String {
        let name = |symbol: u16| markets.name(symbol);
        match *self {
            Channel::Book(symbol) => format!("book.{}.raw", name(symbol)),
            Channel::ConflatedBook(symbol) => format!("book.{}.conflated", name(symbol)),
            Channel::Trades(symbol) => format!("trades.{}", name(symbol)),
            Channel::Ticker(symbol) => format!("ticker.{}", name(symbol)),
            Channel::Liquidations(symbol) => format!("liquidations.{}", name(symbol)),
            Channel::Orders(None) => "user.orders".to_owned(),
            Channel::Orders(Some(symbol)) => format!("user.orders.{}", name(symbol)),
            Channel::Portfolio => "user.portfolio".to_owned(),
            Channel::Risk => "user.risk".to_owned(),
        }
    }

    /// The stream that it shows.
    pub fn stream(&self, account: AccountId) -> StreamKey {
        match *self {
            Channel::Book(symbol) | Channel::ConflatedBook(symbol) => StreamKey::Book(symbol),
            Channel::Trades(symbol) => StreamKey::Trades(symbol),
            Channel::Ticker(symbol) => StreamKey::Prices(symbol),
            Channel::Liquidations(symbol) => StreamKey::Liquidations(symbol),
            Channel::Orders(_) => StreamKey::Executions(account),
            Channel::Portfolio => StreamKey::Positions(account),
            Channel::Risk => StreamKey::Risk(account),
        }
    }

    /// Whether it is of an account.
    pub fn is_private(&self) -> bool {
        matches!(self, Channel::Orders(_) | Channel::Portfolio | Channel::Risk)
    }

    /// Whether changes may be merged.
    pub fn conflates(&self) -> bool {
        matches!(self, Channel::ConflatedBook(_))
    }

    /// Whether it begins with the state that its changes change.
    pub fn has_snapshot(&self) -> bool {
        matches!(self, Channel::Book(_) | Channel::ConflatedBook(_) | Channel::Portfolio)
    }
}
