//! The express lane in front of the gateways (`layer.queue.express`).
//!
//! The controller's messages are numbered as they arrive, so none waits for a predecessor.

use surgetank_layer::machine::Machine;
use surgetank_layer::queue::express::{Config, Express, ExpressTicket, Input, Output};
use surgetank_layer::units::{AccountId, MessageId, Money, Ns};

use crate::scenario::Scenario;
use crate::seed::{Seed, Stream};
use crate::trace::LaneRow;

/// Effects of a step of the lane.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// Set a timer of the lane.
    Wake(Ns),
    /// A message may enter its gateway.
    Enter(Ns, MessageId),
    /// A message is refused.
    TurnAway(MessageId),
}

/// The lane and the rounds sold.
pub struct Lane {
    machine: Express,
    draws: Stream,
    sequence: u64,
    outbox: Vec<Output>,
    rows: Vec<LaneRow>,
}

impl Lane {
    /// `None` where the venue has no express lane.
    pub fn new(scenario: &Scenario, seed: &Seed) -> Option<Lane> {
        let express = &scenario.layer.queue.express;
        if !express.enabled {
            return None;
        }
        let config = Config {
            round_ns: express.round_ns,
            closing_ns: express.closing_ns,
            advantage_ns: express.advantage_ns,
            reserve: (express.reserve_usd * 1e6).round() as Money,
            ..Config::default()
        };
        Some(Lane {
            machine: Express::new(config),
            draws: seed.stream("layer.express", 0),
            sequence: 0,
            outbox: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// Every round that was sold.
    pub fn rows(&self) -> &[LaneRow] {
        &self.rows
    }

    /// Processes a timer of the lane, or the start of the run.
    pub fn timer(&mut self, now: Ns, out: &mut Vec<Effect>) {
        self.step(now, Input::Timer, out);
    }

    /// Processes a bid for a round, in millionths of a USD.
    pub fn bid(
        &mut self,
        now: Ns,
        (round, bidder, amount): (u64, AccountId, Money),
        out: &mut Vec<Effect>,
    ) {
        self.step(now, Input::Bid { round, bidder, amount }, out);
    }

    /// Processes a message that arrives in front of its gateway.
    pub fn message(&mut self, now: Ns, id: MessageId, account: AccountId, out: &mut Vec<Effect>) {
        let mine = self.machine.controller() == Some(account);
        let ticket = mine.then(|| {
            self.sequence += 1;
            ExpressTicket { round: self.machine.round(), sequence: self.sequence - 1 }
        });
        self.step(now, Input::Message { id, account, ticket }, out);
    }

    fn step(&mut self, now: Ns, input: Input, out: &mut Vec<Effect>) {
        self.machine.step(now, input, &mut self.draws, &mut self.outbox);
        let mut refused = None;
        for output in self.outbox.drain(..) {
            match output {
                Output::Arm { at_ns } => out.push(Effect::Wake(at_ns.max(now))),
                Output::Sold { round, award: Some(award) } => self.rows.push(LaneRow {
                    round,
                    controller: award.controller,
                    price_micros: award.price as u64,
                }),
                Output::Control { .. } => self.sequence = 0,
                Output::Ready { id, ready_ns, .. } => {
                    out.push(Effect::Enter(ready_ns.max(now), id));
                }
                // Only the message handed in: without gaps in the numbers none waits.
                Output::Refused { id, .. } => refused = Some(id),
                _ => {}
            }
        }
        out.extend(refused.map(Effect::TurnAway));
    }
}
