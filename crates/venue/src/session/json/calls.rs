//! Each call, carried out.

use surgetank_layer::message::Side;
use surgetank_layer::units::Ns;

use super::channels::NamedChannel;
use super::decimal::Unit;
use super::envelope::{self, Reply};
use super::fault::Fault;
use super::methods::Call;
use super::params::{Auth, GetOrderBook, Subscribe, Unsubscribe};
use super::results::{Instrument, Tested};
use super::{JsonAcceptor, JsonLogon, JsonStep, State, orders};
use crate::answer::Refusal;
use crate::query::{DEPTH_MAX, Query};
use crate::request::{Action, Request};
use crate::session::keys::Keys;
use crate::wire::{CutReason, Subscription};

/// Version of this protocol.
pub const VERSION: &str = "1";
/// Channels of one call.
const CHANNELS_MAX: usize = 256;

impl JsonAcceptor {
    /// Carries out a call. It is answered, or will be, unless this fails.
    pub(super) fn carry_out(
        &mut self,
        now: Ns,
        keys: &Keys,
        call: &envelope::Call<'_>,
        to: &Reply,
    ) -> Result<(), Fault> {
        let params = call.params.map_or("{}", |params| params.get());
        match Call::parse(&call.method, params)? {
            Call::Auth(auth) => self.log_on(now, keys, auth, to),
            Call::Test(_) => self.done(to, Tested { version: VERSION }),
            Call::GetTime(_) => self.done(to, now / 1_000_000),
            Call::GetInstruments(_) => self.done(to, self.instruments()),
            Call::SetHeartbeat(heartbeat) => {
                self.set_heartbeat(now, heartbeat.interval)?;
                self.done(to, "ok")
            }
            Call::DisableHeartbeat(_) => {
                self.heartbeat = None;
                self.done(to, "ok")
            }
            Call::GetOrderBook(book) => self.get_order_book(&book, to),
            Call::GetPositions(_) => self.query(to, Query::Positions),
            Call::GetAccountSummary(_) => self.query(to, Query::Account),
            Call::GetOrderState(order) => self.query(to, Query::Order(order.cl_ord_id.0)),
            Call::SubscribePublic(wanted) => self.subscribe(&wanted, false, to),
            Call::SubscribePrivate(wanted) => self.subscribe(&wanted, true, to),
            Call::UnsubscribePublic(unwanted) => self.unsubscribe(&unwanted, false, to),
            Call::UnsubscribePrivate(unwanted) => self.unsubscribe(&unwanted, true, to),
            Call::EnableCancelOnDisconnect(_) => self.cancel_on_disconnect(true, to),
            Call::DisableCancelOnDisconnect(_) => self.cancel_on_disconnect(false, to),
            Call::Logout(_) => {
                self.entry()?;
                self.done(to, "ok")?;
                self.close(CutReason::LoggedOut);
                Ok(())
            }
            request => {
                let action = self.action(&request)?;
                self.request(now, call, params, action, to)
            }
        }
    }

    fn done(&mut self, to: &Reply, result: impl serde::Serialize) -> Result<(), Fault> {
        self.reply(to, Ok(result));
        Ok(())
    }

    fn log_on(&mut self, now: Ns, keys: &Keys, auth: Auth, to: &Reply) -> Result<(), Fault> {
        if !matches!(self.state, State::Waiting) {
            return Err(Fault::out_of_turn("a connection logs on once"));
        }
        match self.challenge.logon(now, keys, &auth) {
            Ok(entry) => {
                let entry = entry.clone();
                let logon = JsonLogon {
                    key_name: auth.client_id.clone(),
                    session: auth.session,
                    account: entry.account,
                    level: auth.level,
                    cancel_on_disconnect: auth.cancel_on_disconnect,
                };
                self.state = State::Accepting(Box::new((auth.client_id, entry)), to.clone());
                self.steps.push(JsonStep::LogOn(logon));
            }
            Err((fault, reason)) => {
                self.reply(to, Err::<(), _>(fault));
                self.close(reason);
            }
        }
        Ok(())
    }

    fn instruments(&self) -> Vec<Instrument> {
        let share = |ppm: u32| Unit::of(1e-6).amount(ppm.into());
        let instrument = |(symbol, of): (u16, &super::markets::NamedPerpetual)| Instrument {
            instrument_name: of.name.clone(),
            instrument_id: symbol,
            kind: "perpetual",
            tick_size: of.tick.step(),
            min_trade_amount: of.lot.step(),
            initial_margin: share(of.initial_ppm),
            maintenance_margin: share(of.maintenance_ppm),
            taker_commission: share(of.taker_fee_ppm),
            maker_commission: share(of.maker_fee_ppm),
        };
        self.markets.all().map(instrument).collect()
    }

    fn query(&mut self, to: &Reply, query: Query) -> Result<(), Fault> {
        self.entry()?;
        let number = self.begin(to, 0)?;
        self.steps.push(JsonStep::Query(number, query));
        Ok(())
    }

    fn get_order_book(&mut self, book: &GetOrderBook, to: &Reply) -> Result<(), Fault> {
        let (symbol, _) = orders::market(&self.markets, &book.instrument_name)?;
        if !(1..=DEPTH_MAX).contains(&book.depth) {
            return Err(Fault::params(format!("depth: from 1 to {DEPTH_MAX}")));
        }
        self.query(to, Query::Book { symbol, depth: book.depth })
    }

    fn cancel_on_disconnect(&mut self, wanted: bool, to: &Reply) -> Result<(), Fault> {
        self.entry()?;
        self.steps.push(JsonStep::CancelOnDisconnect(wanted));
        self.done(to, "ok")
    }

    /// The channels of these names, all of them allowed under `public` or `private`.
    fn channels(&self, names: &[String], private: bool) -> Result<Vec<NamedChannel>, Fault> {
        if names.len() > CHANNELS_MAX {
            return Err(Fault::params(format!("channels: at most {CHANNELS_MAX}")));
        }
        let channel = |name: &str| match NamedChannel::parse(name, &self.markets) {
            Some(channel) if channel.is_private() && !private => {
                Err(Fault::params(format!("channels: {name} is private")))
            }
            Some(channel) => Ok(channel),
            None => Err(Fault::params("channels: no such channel")),
        };
        JsonAcceptor::unique(names).into_iter().map(channel).collect()
    }

    fn subscribe(&mut self, wanted: &Subscribe, private: bool, to: &Reply) -> Result<(), Fault> {
        let account = self.entry()?.account;
        let channels = self.channels(&wanted.channels, private)?;
        let is_mixed = |channel: &NamedChannel| {
            let is_same = |other: &&NamedChannel| other.stream(account) == channel.stream(account);
            let same = channels.iter().filter(is_same);
            same.into_iter().any(|other| other.conflates() != channel.conflates())
                || !self.following.can_add(channel.stream(account), *channel)
        };
        if channels.iter().any(is_mixed) {
            let detail = "channels: a book is followed either raw or conflated";
            return Err(Fault::params(detail));
        }
        // The answer goes before the first notification.
        let names: Vec<String> =
            channels.iter().map(|channel| channel.name(&self.markets)).collect();
        self.done(to, &names)?;
        for (channel, name) in channels.into_iter().zip(names) {
            let key = channel.stream(account);
            let after = wanted.after.get(&name).map(|place| (*place).into());
            let asks = self.following.add(key, channel, after);
            let subscription = Subscription { key, after, conflate: channel.conflates() };
            self.ask(asks, Some(subscription));
        }
        Ok(())
    }

    fn unsubscribe(
        &mut self,
        unwanted: &Unsubscribe,
        private: bool,
        to: &Reply,
    ) -> Result<(), Fault> {
        let account = self.entry()?.account;
        let channels = self.channels(&unwanted.channels, private)?;
        for channel in &channels {
            let ask = self.following.remove(channel.stream(account), *channel);
            self.ask(ask, None);
        }
        let names: Vec<String> =
            channels.iter().map(|channel| channel.name(&self.markets)).collect();
        self.done(to, names)
    }

    /// What a call asks of the venue.
    fn action(&self, call: &Call) -> Result<Action, Fault> {
        let (own, markets) = (self.entry()?.account, &self.markets);
        match call {
            Call::Buy(order) => orders::new_order(markets, order, Side::Buy),
            Call::Sell(order) => orders::new_order(markets, order, Side::Sell),
            Call::Edit(edit) => orders::edit(markets, edit),
            Call::Cancel(cancel) => orders::cancel(markets, cancel),
            Call::CancelAll(cancel) => orders::cancel_all(markets, own, cancel),
            Call::Deposit(transfer) => orders::transfer(markets, own, transfer, true),
            Call::Withdraw(transfer) => orders::transfer(markets, own, transfer, false),
            _ => Err(Fault::method()),
        }
    }

    /// Sends a request to the venue, which answers it, refused or not.
    fn request(
        &mut self,
        now: Ns,
        call: &envelope::Call<'_>,
        params: &str,
        action: Action,
        to: &Reply,
    ) -> Result<(), Fault> {
        let entry = self.entry()?;
        let request = Request { number: 0, sender: entry.account, sent_ns: now, action };
        let authentic = match &call.signature {
            Some(digits) => self.challenge.signs_call(entry, &call.method, params, digits),
            None => !entry.must_sign(&request),
        };
        let permitted = entry.permits(&request);
        let checked = permitted.and(authentic.then_some(()).ok_or(Refusal::WrongSignature));
        let cl_ord_id = request.cl_ord_id().unwrap_or_default();
        let number = self.begin(to, cl_ord_id)?;
        let request = (Request { number, ..request }, checked.err());
        match self.steps.last_mut() {
            Some(JsonStep::Requests(requests)) => requests.push(request),
            _ => self.steps.push(JsonStep::Requests(vec![request])),
        }
        Ok(())
    }
}
