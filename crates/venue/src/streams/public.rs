//! Public streams of a market: its trades, prices and liquidations; and, with the latter, what
//! accounts learn of their risk.

use std::collections::BTreeMap;

use surgetank_layer::units::AccountId;
use surgetank_market::Fact;

use super::Outcome;
use super::latest::{Latest, prices};
use super::runs::EventsByStream;
use crate::event::{
    BadDebt, Deleveraging, Event, Funding, Liquidation, MarginCall, StreamKey, Trade,
};

/// The events of trades, prices, funding and risk; `latest` is that of before the batch.
pub fn events(batch: &Outcome<'_>, latest: &mut Latest, out: &mut EventsByStream) {
    let symbols = batch.market.symbols();
    let mut trades: BTreeMap<u16, Vec<Trade>> = BTreeMap::new();
    for (_, fact) in batch.facts {
        match *fact {
            Fact::Trade { symbol, price, qty, taker_side, liquidation, .. } if symbol < symbols => {
                let trade = Trade { price, qty, taker_side, liquidation };
                trades.entry(symbol).or_default().push(trade);
            }
            Fact::Funding { symbol, price, premium_ppb, rate_ppb, .. } => {
                let funding = Funding { price, premium_ppb, rate_ppb };
                latest.set_funding(symbol, funding);
                out.push(StreamKey::Prices(symbol), Event::Funding(funding));
            }
            _ => {}
        }
        if let Some((account, symbol, event)) = risk(fact) {
            let is_public = symbol < symbols && !matches!(event, Event::MarginCall(_));
            if is_public {
                out.push(StreamKey::Liquidations(symbol), event.clone());
            }
            out.push(StreamKey::Risk(account), event);
        }
    }
    for (symbol, trades) in trades {
        out.push(StreamKey::Trades(symbol), Event::Trades(trades));
    }
    for symbol in 0..symbols {
        let now = prices(batch.market, symbol);
        if latest.set_prices(symbol, now) {
            out.push(StreamKey::Prices(symbol), Event::Prices(now));
        }
    }
}

/// What a fact means for the risk of an account, and the market in which.
fn risk(fact: &Fact) -> Option<(AccountId, u16, Event)> {
    Some(match *fact {
        Fact::MarginCall { account, symbol, mark_price, .. } => {
            (account, symbol, Event::MarginCall(MarginCall { symbol, mark_price }))
        }
        Fact::Liquidated {
            account,
            symbol,
            book_qty,
            deleveraged_qty,
            taken_over_qty,
            held,
            mark_price,
            bankruptcy_price,
            fee,
            remaining,
            ..
        } => {
            let liquidation = Liquidation {
                symbol,
                held,
                remaining,
                book_qty,
                deleveraged_qty,
                taken_over_qty,
                mark_price,
                bankruptcy_price,
                fee,
            };
            (account, symbol, Event::Liquidation(liquidation))
        }
        Fact::Deleveraged { against, symbol, qty, price, haircut, .. } => {
            (against, symbol, Event::Deleveraging(Deleveraging { symbol, qty, price, haircut }))
        }
        Fact::BadDebt { account, symbol, amount, borne_by } => {
            let borne_by = borne_by as u8;
            (account, symbol, Event::BadDebt(BadDebt { symbol, amount, borne_by }))
        }
        _ => return None,
    })
}
