//! The express lane in front of the gateways (`layer.queue.express`).
//!
//! The controller's messages get their numbers as they arrive, so none waits for a predecessor.

use surgetank_layer::machine::Machine;
use surgetank_layer::queue::express::{Config, Express, Input, Output, Ticket};
use surgetank_layer::units::{AccountId, MessageId, Money, Ns};

use super::{Event, World};
use crate::scenario::{Scenario, ms};
use crate::seed::{Seed, Stream};
use crate::trace::{LaneRow, Reason};

/// The lane, and who has paid what for it.
pub struct Lane {
    machine: Express,
    draws: Stream,
    sequence: u64,
    /// Every round that was sold.
    pub rows: Vec<LaneRow>,
}

impl Lane {
    pub(super) fn new(scenario: &Scenario, seed: &Seed) -> Option<Lane> {
        let express = &scenario.layer.queue.express;
        if !express.enabled {
            return None;
        }
        let config = Config {
            round_ns: ms(express.round_s * 1e3).max(1),
            closing_ns: ms(express.closing_s * 1e3),
            advantage_ns: ms(express.advantage_ms),
            reserve: money(express.reserve_usd),
            ..Config::default()
        };
        Some(Lane {
            machine: Express::new(config),
            draws: seed.stream("layer.express", 0),
            sequence: 0,
            rows: Vec::new(),
        })
    }

    fn ask(&mut self, now: Ns, input: Input) -> Vec<Output> {
        let mut outbox = Vec::new();
        self.machine.step(now, input, &mut self.draws, &mut outbox);
        outbox
    }
}

/// Millionths of a USD. Bids are not bound to the 32 bits of a message's fee.
fn money(usd: f64) -> Money {
    (usd * 1e6).round() as Money
}

impl World {
    pub(super) fn begin_lane(&mut self) {
        if self.lane.is_some() {
            self.lane_step(Input::Timer);
        }
    }

    pub(super) fn lane_timer(&mut self) {
        self.lane_step(Input::Timer);
    }

    /// Somebody bids for a round.
    pub(super) fn bid_for_lane(&mut self, round: u64, bidder: AccountId, amount: Money) {
        self.lane_step(Input::Bid { round, bidder, amount });
    }

    fn lane_step(&mut self, input: Input) {
        let now = self.now;
        let Some(lane) = &mut self.lane else { return };
        let mut refused = None;
        for output in lane.ask(now, input) {
            match output {
                Output::Arm { at_ns } => self.agenda.push(at_ns.max(now), Event::Lane),
                Output::Sold { round, award: Some(award) } => lane.rows.push(LaneRow {
                    round,
                    controller: award.controller,
                    price_micros: award.price as u64,
                }),
                Output::Control { .. } => lane.sequence = 0,
                Output::Ready { id, ready_ns, .. } => {
                    let slot = self.carried[id as usize].slot;
                    self.agenda.push(ready_ns.max(now), Event::Enter(slot));
                }
                // Only the message that was handed in: without gaps in the numbers none waits.
                Output::Refused { id, .. } => refused = Some(self.carried[id as usize].slot),
                _ => {}
            }
        }
        if let Some(slot) = refused {
            self.turn_away(slot, Reason::RateExceeded, 0);
        }
    }

    /// A message stands in front of its gateway.
    pub(super) fn at_the_lane(&mut self, slot: u32, id: MessageId) {
        let account = self.records[slot as usize].message.account;
        let Some(lane) = &mut self.lane else { return };
        let mine = lane.machine.controller() == Some(account);
        let ticket = mine.then(|| {
            lane.sequence += 1;
            Ticket { round: lane.machine.round(), sequence: lane.sequence - 1 }
        });
        self.lane_step(Input::Message { id, account, ticket });
    }
}
