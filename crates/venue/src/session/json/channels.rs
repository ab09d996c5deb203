//! Channels: the venue's streams under names in Deribit's style.

use surgetank_layer::units::AccountId;

use super::markets::Markets;
use crate::event::StreamKey;

/// What a client subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedChannel {
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

impl NamedChannel {
    /// The channel of this name; `None`: there is none.
    pub fn parse(name: &str, markets: &Markets) -> Option<NamedChannel> {
        let market = |name: &str| markets.find(name).map(|(symbol, _)| symbol);
        let (kind, rest) = name.split_once('.')?;
        Some(match kind {
            "book" => match rest.rsplit_once('.')? {
                (name, "raw") => NamedChannel::Book(market(name)?),
                (name, "conflated") => NamedChannel::ConflatedBook(market(name)?),
                _ => return None,
            },
            "trades" => NamedChannel::Trades(market(rest)?),
            "ticker" => NamedChannel::Ticker(market(rest)?),
            "liquidations" => NamedChannel::Liquidations(market(rest)?),
            "user" => match rest.split_once('.').unwrap_or((rest, "any")) {
                ("orders", "any") => NamedChannel::Orders(None),
                ("orders", name) => NamedChannel::Orders(Some(market(name)?)),
                ("portfolio", "any") => NamedChannel::Portfolio,
                ("risk", "any") => NamedChannel::Risk,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(&self, markets: &Markets) -> String {
        let name = |symbol: u16| markets.name(symbol);
        match *self {
            NamedChannel::Book(symbol) => format!("book.{}.raw", name(symbol)),
            NamedChannel::ConflatedBook(symbol) => format!("book.{}.conflated", name(symbol)),
            NamedChannel::Trades(symbol) => format!("trades.{}", name(symbol)),
            NamedChannel::Ticker(symbol) => format!("ticker.{}", name(symbol)),
            NamedChannel::Liquidations(symbol) => format!("liquidations.{}", name(symbol)),
            NamedChannel::Orders(None) => "user.orders".to_owned(),
            NamedChannel::Orders(Some(symbol)) => format!("user.orders.{}", name(symbol)),
            NamedChannel::Portfolio => "user.portfolio".to_owned(),
            NamedChannel::Risk => "user.risk".to_owned(),
        }
    }

    /// The stream that it shows.
    pub fn stream(&self, account: AccountId) -> StreamKey {
        match *self {
            NamedChannel::Book(symbol) | NamedChannel::ConflatedBook(symbol) => {
                StreamKey::Book(symbol)
            }
            NamedChannel::Trades(symbol) => StreamKey::Trades(symbol),
            NamedChannel::Ticker(symbol) => StreamKey::Prices(symbol),
            NamedChannel::Liquidations(symbol) => StreamKey::Liquidations(symbol),
            NamedChannel::Orders(_) => StreamKey::Executions(account),
            NamedChannel::Portfolio => StreamKey::Positions(account),
            NamedChannel::Risk => StreamKey::Risk(account),
        }
    }

    /// Whether it is of an account.
    pub fn is_private(&self) -> bool {
        matches!(self, NamedChannel::Orders(_) | NamedChannel::Portfolio | NamedChannel::Risk)
    }

    /// Whether changes may be merged.
    pub fn conflates(&self) -> bool {
        matches!(self, NamedChannel::ConflatedBook(_))
    }

    /// Whether it begins with the state that its changes change.
    pub fn has_snapshot(&self) -> bool {
        matches!(
            self,
            NamedChannel::Book(_) | NamedChannel::ConflatedBook(_) | NamedChannel::Portfolio
        )
    }
}
