//! The express lane: auction, advantage, numbers, hand-over.

use proptest::prelude::*;
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::queue::express::*;
use surgetank_layer::units::*;

const ROUND: Ns = SECOND;

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        unreachable!("the lane draws nothing")
    }
}

fn config() -> Config {
    Config {
        round_ns: ROUND,
        closing_ns: ROUND / 4,
        reserve: 10,
        future_max: 4,
        ..Config::default()
    }
}

struct Rig(Express);

impl Rig {
    fn new(config: Config) -> Rig {
        Rig(Express::new(config))
    }

    /// Round 1 is sold to account 7 for the reserve, and has just begun.
    fn sold(config: Config) -> Rig {
        let mut rig = Rig::new(config);
        assert!(rig.bid(0, 1, 7, 25).is_empty());
        rig.at(ROUND, Input::Timer);
        assert_eq!(rig.0.controller(), Some(7));
        rig
    }

    /// What is answered, but for the arming.
    fn at(&mut self, now: Ns, input: Input) -> Vec<Output> {
        let mut outbox = Vec::new();
        self.0.step(now, input, &mut NoDraws, &mut outbox);
        outbox.retain(|output| !matches!(output, Output::Arm { .. }));
        outbox
    }

    fn bid(&mut self, now: Ns, round: LaneRound, bidder: AccountId, amount: Money) -> Vec<Output> {
        self.at(now, Input::Bid { round, bidder, amount })
    }

    fn express(&mut self, now: Ns, account: AccountId, number: (u64, u64), id: u32) -> Vec<Output> {
        let ticket = Some(ExpressTicket { round: number.0, sequence: number.1 });
        self.at(now, Input::Message { id, account, ticket })
    }

    fn ordinary(&mut self, now: Ns, id: MessageId) -> Vec<Output> {
        self.at(now, Input::Message { id, account: 1, ticket: None })
    }
}

fn ready(id: MessageId, ready_ns: Ns, lane: Lane) -> Output {
    Output::Ready { id, ready_ns, lane }
}

fn refused(id: MessageId, reason: ExpressRefusal) -> Vec<Output> {
    vec![Output::Refused { id, reason }]
}

fn sold(round: LaneRound, controller: AccountId, bid: Money, price: Money) -> Output {
    Output::Sold { round, award: Some(Award { controller, bid, price }) }
}

#[test]
fn the_highest_bid_wins_and_pays_the_second() {
    let mut rig = Rig::new(config());
    for (bidder, amount) in [(1, 30), (2, 50), (3, 40)] {
        assert!(rig.bid(5, 1, bidder, amount).is_empty());
    }
    assert_eq!(rig.at(3 * ROUND / 4 - 1, Input::Timer), vec![]);
    assert_eq!(rig.at(3 * ROUND / 4, Input::Timer), vec![sold(1, 2, 50, 40)]);
    assert_eq!(rig.0.controller(), None);
    let control = |round, controller| Output::Control { round, controller };
    assert_eq!(rig.at(ROUND, Input::Timer), vec![control(1, Some(2))]);
    assert_eq!(rig.at(2 * ROUND, Input::Timer), vec![control(2, None)]);
}

#[test]
fn a_single_bid_pays_the_reserve() {
    let mut rig = Rig::new(config());
    rig.bid(0, 1, 3, 99);
    assert_eq!(rig.at(ROUND - 1, Input::Timer), vec![sold(1, 3, 99, 10)]);
}

#[test]
fn of_five_bids_the_last_counts_and_the_sixth_is_refused() {
    let mut rig = Rig::new(config());
    for amount in [90, 80, 70, 60, 20] {
        assert!(rig.bid(1, 1, 3, amount).is_empty());
    }
    let reason = BidRefusal::TooManyBids;
    assert_eq!(rig.bid(1, 1, 3, 99), vec![Output::BidRefused { bidder: 3, reason }]);
    rig.bid(1, 1, 4, 30);
    assert_eq!(rig.at(ROUND - 1, Input::Timer), vec![sold(1, 4, 30, 20)]);
}

#[test]
fn bids_that_do_not_fit_are_refused() {
    let mut rig = Rig::new(config());
    let refused = |reason| vec![Output::BidRefused { bidder: 3, reason }];
    assert_eq!(rig.bid(0, 0, 3, 50), refused(BidRefusal::NotForSale));
    assert_eq!(rig.bid(0, 2, 3, 50), refused(BidRefusal::NotForSale));
    assert_eq!(rig.bid(0, 1, 3, 9), refused(BidRefusal::BelowReserve));
    assert_eq!(rig.bid(3 * ROUND / 4, 1, 3, 50), refused(BidRefusal::Closed));
    assert_eq!(rig.bid(ROUND - 1, 1, 3, 50), refused(BidRefusal::Closed));
    assert_eq!(rig.bid(ROUND, 1, 3, 50), refused(BidRefusal::NotForSale));
}

#[test]
fn equal_bids_go_to_the_lower_hash_and_not_always_to_the_same() {
    let winners: Vec<_> = (1..40).filter_map(|round| settle(round, 0, [(1, 5), (2, 5)])).collect();
    assert!(winners.iter().all(|award| (award.bid, award.price) == (5, 5)));
    let first = winners.iter().filter(|award| award.controller == 1).count();
    assert!((8..=31).contains(&first), "{first} of 39");
}

#[test]
fn it_arms_for_the_closing_and_for_the_rounds_end() {
    let mut rig = Rig::new(config());
    let mut outbox = Vec::new();
    let mut step = |now, input| {
        outbox.clear();
        rig.0.step(now, input, &mut NoDraws, &mut outbox);
        outbox.iter().find_map(|o| if let Output::Arm { at_ns } = *o { Some(at_ns) } else { None })
    };
    assert_eq!(step(0, Input::Timer), None);
    assert_eq!(step(1, Input::Bid { round: 1, bidder: 1, amount: 20 }), Some(3 * ROUND / 4));
    assert_eq!(step(2, Input::Bid { round: 1, bidder: 2, amount: 20 }), None);
    assert_eq!(step(3 * ROUND / 4, Input::Timer), Some(ROUND));
    assert_eq!(step(ROUND, Input::Timer), Some(2 * ROUND));
    assert_eq!(step(2 * ROUND, Input::Timer), None);
}

#[test]
fn others_are_held_back_only_while_somebody_controls_the_lane() {
    let mut rig = Rig::sold(config());
    let held = ROUND + 200 * MS;
    assert_eq!(rig.ordinary(ROUND, 1), vec![ready(1, held, Lane::Ordinary)]);
    assert_eq!(rig.express(ROUND, 7, (1, 0), 2), vec![ready(2, ROUND, Lane::Express)]);
    let later = 2 * ROUND;
    let outputs = rig.ordinary(later, 3);
    assert_eq!(outputs[1], ready(3, later, Lane::Ordinary));
}

#[test]
fn what_is_held_back_is_not_overtaken_after_the_rounds_end() {
    let mut rig = Rig::sold(config());
    let held = 2 * ROUND - 1 + 200 * MS;
    assert_eq!(rig.ordinary(2 * ROUND - 1, 1), vec![ready(1, held, Lane::Ordinary)]);
    assert_eq!(rig.ordinary(2 * ROUND, 2)[1], ready(2, held, Lane::Ordinary));
    assert_eq!(rig.ordinary(held + 1, 3), vec![ready(3, held + 1, Lane::Ordinary)]);
}

#[test]
fn numbers_leave_in_order() {
    let mut rig = Rig::sold(config());
    let now = ROUND + 1;
    assert_eq!(rig.express(now, 7, (1, 2), 12), vec![]);
    assert_eq!(rig.express(now, 7, (1, 1), 11), vec![]);
    assert_eq!(rig.0.waiting(), 2);
    let all = [10, 11, 12].map(|id| ready(id, now + 5, Lane::Express)).to_vec();
    assert_eq!(rig.express(now + 5, 7, (1, 0), 10), all);
    assert_eq!(rig.0.waiting(), 0);
}

#[test]
fn the_same_again_does_nothing_and_another_is_refused() {
    let mut rig = Rig::sold(config());
    rig.express(ROUND, 7, (1, 0), 10);
    rig.express(ROUND, 7, (1, 2), 12);
    assert_eq!(rig.express(ROUND, 7, (1, 0), 10), vec![]);
    assert_eq!(rig.express(ROUND, 7, (1, 2), 12), vec![]);
    assert_eq!(rig.express(ROUND, 7, (1, 0), 20), refused(20, ExpressRefusal::SequenceTaken));
    assert_eq!(rig.express(ROUND, 7, (1, 2), 20), refused(20, ExpressRefusal::SequenceTaken));
}

#[test]
fn tickets_that_do_not_fit_are_refused() {
    let mut rig = Rig::sold(config());
    assert_eq!(rig.express(ROUND, 7, (0, 0), 1), refused(1, ExpressRefusal::WrongRound));
    assert_eq!(rig.express(ROUND, 7, (2, 0), 1), refused(1, ExpressRefusal::WrongRound));
    assert_eq!(rig.express(ROUND, 8, (1, 0), 1), refused(1, ExpressRefusal::NotController));
    assert_eq!(rig.express(ROUND, 7, (1, 4), 1), refused(1, ExpressRefusal::TooFarAhead));
    assert_eq!(rig.express(ROUND, 7, (1, 3), 1), vec![]);
    let mut unsold = Rig::new(config());
    assert_eq!(unsold.express(ROUND, 7, (1, 0), 1), refused(1, ExpressRefusal::NoController));
}

#[test]
fn what_waits_at_the_rounds_end_goes_where_the_rule_says() {
    for leftover in [Leftover::Refuse, Leftover::Ordinary] {
        let mut rig = Rig::sold(Config { leftover, ..config() });
        rig.bid(ROUND + 1, 2, 8, 20);
        rig.express(ROUND + 2, 7, (1, 1), 11);
        rig.express(ROUND + 2, 7, (1, 3), 13);
        let outputs = rig.at(2 * ROUND, Input::Timer);
        assert_eq!(
            outputs[..2],
            [sold(2, 8, 20, 10), Output::Control { round: 2, controller: Some(8) },]
        );
        let left = [11, 13].map(|id| match leftover {
            Leftover::Refuse => Output::Refused { id, reason: ExpressRefusal::ChangedHands },
            Leftover::Ordinary => ready(id, 2 * ROUND + 200 * MS, Lane::Ordinary),
        });
        assert_eq!(outputs[2..], left);
        // The next controller begins at 0.
        let first = rig.express(2 * ROUND, 8, (2, 0), 20);
        assert_eq!(first, vec![ready(20, 2 * ROUND, Lane::Express)]);
    }
}

#[test]
fn a_long_silence_ends_control() {
    let mut rig = Rig::sold(config());
    let control = Output::Control { round: 2, controller: None };
    let at = 1_000_000 * ROUND + 3;
    assert_eq!(rig.ordinary(at, 1), vec![control, ready(1, at, Lane::Ordinary)]);
    assert_eq!(rig.0.round(), 1_000_000);
}

/// What a bidder gains that values the lane at `value`.
fn gain(award: Option<Award>, bidder: AccountId, value: Money) -> Money {
    award.filter(|award| award.controller == bidder).map_or(0, |award| value - award.price)
}

proptest! {
    #[test]
    fn no_bid_is_better_than_ones_value(
        reserve in 0..20i128,
        value in 0..40i128,
        other in 0..40i128,
        rivals in prop::collection::vec(0..40i128, 0..6),
        round in 1..1_000u64,
    ) {
        let rivals: Vec<_> = (1..).zip(rivals).collect();
        let with = |bid| settle(round, reserve, rivals.iter().copied().chain([(0, bid)]));
        prop_assert!(gain(with(value), 0, value) >= gain(with(other), 0, value));
        prop_assert!(gain(with(value), 0, value) >= 0);
    }

    #[test]
    fn the_price_lies_between_reserve_and_bid(
        reserve in 0..20i128,
        bids in prop::collection::vec(0..40i128, 0..8),
        round in 1..1_000u64,
    ) {
        let bids: Vec<_> = (0..).zip(bids).collect();
        let award = settle(round, reserve, bids.iter().copied());
        let best = bids.iter().map(|b| b.1).filter(|&bid| bid >= reserve).max();
        prop_assert_eq!(award.map(|a| a.bid), best);
        if let Some(award) = award {
            prop_assert!(reserve <= award.price && award.price <= award.bid);
            prop_assert_eq!(bids[award.controller as usize].1, award.bid);
        }
        let backwards = settle(round, reserve, bids.into_iter().rev());
        prop_assert_eq!(award, backwards);
    }

    /// Whatever comes: every message is answered once, at most, waits bounded; ordinary messages do
    /// not overtake each other, and the controller's leave by number.
    #[test]
    fn nothing_is_lost_or_served_twice(
        steps in prop::collection::vec((0..ROUND / 3, 0..8u8, 0..3u32, 0..7u64), 1..120),
        to_ordinary in any::<bool>(),
    ) {
        let leftover = if to_ordinary { Leftover::Ordinary } else { Leftover::Refuse };
        let mut rig = Rig::new(Config { leftover, ..config() });
        let (mut now, mut answered, mut held) = (0, std::collections::BTreeSet::new(), 0);
        let mut sent = 0;
        for (id, (gap, kind, account, number)) in (0..).zip(steps) {
            now += gap;
            let round = now / ROUND;
            let outputs = match kind {
                0 | 1 => rig.bid(now, round + 1, account, Money::from(number) * 5),
                2 => rig.at(now, Input::Timer),
                3 => { sent += 1; rig.ordinary(now, id) }
                _ => { sent += 1; rig.express(now, account, (round, number), id) }
            };
            for output in outputs {
                match output {
                    Output::Ready { id, ready_ns, lane } => {
                        prop_assert!(answered.insert(id));
                        prop_assert!(ready_ns <= now + 200 * MS);
                        if lane == Lane::Ordinary {
                            prop_assert!(ready_ns >= held);
                            held = ready_ns;
                        } else {
                            prop_assert_eq!(ready_ns, now);
                        }
                    }
                    Output::Refused { id, .. } => prop_assert!(answered.insert(id)),
                    _ => {}
                }
            }
            prop_assert!(rig.0.waiting() < 4);
            prop_assert_eq!(answered.len() + rig.0.waiting(), sent);
        }
    }
}
