//! Views of the state: made of the state as the last batch left it, and shown once that batch is
//! durable, since no client may see what a crash could take back.

use std::collections::VecDeque;

use surgetank_layer::message::Side;
use surgetank_layer::units::AccountId;

use super::{Output, Venue};
use crate::answer::Status;
use crate::event::StreamKey;
use crate::query::{AccountView, BookView, OrderView, PositionView, Query, RestingView, View};
use crate::wire::ConnectionId;

/// Views that wait for their batch, by its record.
#[derive(Clone, Debug, Default)]
pub(super) struct Views(VecDeque<(u64, ConnectionId, u32, View)>);

impl Views {
    /// All records up to this one are durable.
    pub(super) fn durable(&mut self, record: u64) -> Vec<Output> {
        let due = self.0.partition_point(|(of, ..)| *of <= record);
        let shown = self.0.drain(..due);
        shown.map(|(_, connection, number, view)| Output::View(connection, number, view)).collect()
    }

    /// A connection has ended.
    pub(super) fn gone(&mut self, connection: ConnectionId) {
        self.0.retain(|(_, of, ..)| *of != connection);
    }
}

impl Venue {
    /// Answers a question, at once if the last batch is durable.
    pub(super) fn query(
        &mut self,
        connection: ConnectionId,
        number: u32,
        query: Query,
    ) -> Option<Output> {
        let account = self.intake.session(connection)?.account;
        let view = match query {
            Query::Book { symbol, depth } => View::Book(self.book_view(symbol, depth)?),
            Query::Positions => View::Positions(self.position_views(account)),
            Query::Account => View::Account(self.account_view(account)),
            Query::Order(cl_ord_id) => View::Order(self.order_view(account, cl_ord_id)),
        };
        if self.durable >= self.record {
            return Some(Output::View(connection, number, view));
        }
        self.views.0.push_back((self.record, connection, number, view));
        None
    }

    fn book_view(&self, symbol: u16, depth: u32) -> Option<BookView> {
        let market = self.execution.market();
        if symbol >= market.symbols() {
            return None;
        }
        let side = |side| market.book(symbol).levels(side).take(depth as usize).collect();
        Some(BookView {
            symbol,
            last: self.streams.executed(StreamKey::Book(symbol)),
            bids: side(Side::Buy),
            asks: side(Side::Sell),
            mark: market.mark(symbol),
            oracle: market.oracle(symbol).0,
            last_trade: market.last(symbol),
        })
    }

    fn position_views(&self, account: AccountId) -> Vec<PositionView> {
        let market = self.execution.market();
        let view = |symbol| {
            let held = market.position_detail(account, symbol);
            PositionView {
                symbol,
                qty: held.qty,
                cost: held.cost,
                mark: market.mark(symbol),
                open_buy: held.open_buy,
                open_sell: held.open_sell,
                liquidation_price: market.liquidation_price(account, symbol),
            }
        };
        let is_held = |view: &PositionView| view.qty != 0 || view.open_buy + view.open_sell != 0;
        (0..market.symbols()).map(view).filter(is_held).collect()
    }

    fn account_view(&self, account: AccountId) -> AccountView {
        let market = self.execution.market();
        let is_open = market.has_account(account);
        let of = |amount: i128| if is_open { amount } else { 0 };
        AccountView {
            account,
            is_open,
            cash: of(market.cash(account)),
            equity: of(market.equity(account)),
            withdrawable: of(market.withdrawable(account)),
            fees_paid: of(market.fees_paid(account)),
        }
    }

    fn order_view(&self, account: AccountId, cl_ord_id: u64) -> OrderView {
        let market = self.execution.market();
        let status = self.intake.status(account, cl_ord_id);
        let resting = (0..market.symbols()).find_map(|symbol| {
            let order = market.book(symbol).get(account, cl_ord_id)?;
            let (side, price, qty) = (order.side, order.price, order.qty);
            Some(RestingView { symbol, side, price, qty })
        });
        let resting = resting.filter(|_| matches!(status, Status::Known(_)));
        OrderView { cl_ord_id, status, resting }
    }
}
