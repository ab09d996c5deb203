//! The express lane in front of the gateways (`layer.queue.rule = "express"`).
//!
//! Makers bid what a round is worth to them, drawn each round; an attacker who races bids its own
//! value. In a second-price auction that is what they should do. The controller's messages get their
//! numbers as they arrive, so none waits for a predecessor.

use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::queue::express::{Config, Express, Input, Output, Ticket};
use surgetank_layer::units::{AccountId, MessageId, Money, Ns};

use super::actors::Wake;
use super::{Event, World};
use crate::scenario::{AttackKind, QueueRule, Scenario, ms};
use crate::seed::{Seed, Stream};
use crate::trace::{LaneRow, Reason};

/// The lane, and who has paid what for it.
pub struct Lane {
    machine: Express,
    draws: Stream,
    round_ns: Ns,
    maker_value_usd: f64,
    sequence: u64,
    /// Every round that was sold.
    pub rows: Vec<LaneRow>,
}

impl Lane {
    pub(super) fn new(scenario: &Scenario, seed: &Seed) -> Option<Lane> {
        let queue = &scenario.layer.queue;
        if queue.rule != QueueRule::Express {
            return None;
        }
        let express = &queue.express;
        let round_ns = ms(express.round_s * 1e3).max(1);
        let config = Config {
            round_ns,
            closing_ns: ms(express.closing_s * 1e3),
            blackout_ns: 0,
            advantage_ns: ms(express.advantage_ms),
            reserve: money(express.reserve_usd),
            ..Config::default()
        };
        Some(Lane {
            machine: Express::new(config),
            draws: seed.stream("layer.lane", 0),
            round_ns,
            maker_value_usd: express.maker_value_usd,
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
            self.agenda.push(0, Event::Actor(Wake::Auction));
            self.lane_step(Input::Timer);
        }
    }

    pub(super) fn lane_timer(&mut self) {
        self.lane_step(Input::Timer);
    }

    /// A round begins: everybody who wants the next one bids.
    pub(super) fn bid_for_lane(&mut self) {
        let accounts = self.actors.accounts;
        let Some(lane) = &mut self.lane else { return };
        let (round, next) = (self.now / lane.round_ns + 1, self.now + lane.round_ns);
        let mut bids: Vec<(AccountId, f64)> = (0..accounts.makers)
            .map(|maker| {
                (accounts.makers_from() + maker, lane.draws.exponential() * lane.maker_value_usd)
            })
            .collect();
        if let AttackKind::LatencyRace(racer) | AttackKind::FeeJump(racer) =
            &self.scenario.attack.what
        {
            bids.push((accounts.attackers_from(), racer.lane_usd));
        }
        for (bidder, usd) in bids.into_iter().filter(|&(_, usd)| usd > 0.0) {
            let amount = money(usd);
            self.lane_step(Input::Bid { round, bidder, amount });
        }
        if self.flows(next) {
            self.agenda.push(next, Event::Actor(Wake::Auction));
        }
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
