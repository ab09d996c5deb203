//! Oracles: they take turns to send the outside prices that they observed, one message per market.

use surgetank_layer::message::{Body, PriceUpdate};
use surgetank_layer::units::{AccountId, Ns};

use super::{Accounts, Action, ActorEvent, Sending, Timer, Times, View};
use crate::scenario::{self};
use crate::trace::Source;

/// All oracles of a run.
pub struct Oracles {
    accounts: Accounts,
    interval_ns: Ns,
    observation_ns: Ns,
    flow_end_ns: Ns,
    /// Index of the next oracle.
    turn: u32,
}

impl Oracles {
    /// Oracles in their initial state.
    pub fn new(config: &scenario::Oracle, accounts: Accounts, times: Times) -> Oracles {
        Oracles {
            accounts,
            interval_ns: config.interval_ns,
            observation_ns: config.observation_ns,
            flow_end_ns: times.flow_end_ns,
            turn: 0,
        }
    }

    /// Sets the timer of the first price.
    pub fn start(&self, now: Ns, out: &mut Vec<Action>) {
        if self.accounts.oracles > 0 {
            out.push(Action::Wake { at: now, timer: Timer::Oracle });
        }
    }

    /// Processes the timer of an oracle; ignores other events.
    pub fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        if let ActorEvent::Timer(Timer::Oracle) = event {
            self.send(now, view, out);
        }
    }

    /// The next oracle in turn sends the prices that it observed.
    fn send(&mut self, now: Ns, view: &impl View, out: &mut Vec<Action>) {
        let next = now + self.interval_ns;
        if next < self.flow_end_ns {
            out.push(Action::Wake { at: next, timer: Timer::Oracle });
        }
        let account: AccountId = self.accounts.oracles_from() + self.turn;
        self.turn = (self.turn + 1) % self.accounts.oracles;
        for symbol in 0..view.markets() {
            let price = view.outside(symbol).map_or(0, |outside| outside.ticks);
            let body = Body::PriceUpdate(PriceUpdate { symbol, price, observed_ns: now });
            out.push(Action::Send(Sending {
                sent_ns: now + self.observation_ns,
                account,
                gateway: self.accounts.gateway(account),
                source: Source::Oracle,
                body,
                fee_micros: None,
            }));
        }
    }
}
