//! Attackers are machines: tested with events and a view, without a world.

use serde_json::{Value, json};
use surgetank_layer::message::{
    Block, Body, Class, Entry, Envelope, Message, NewOrderSingle, OrdType, OrderCancelRequest,
    Payload, Proposal, Side, TimeInForce, Vote, VoteType,
};
use surgetank_layer::node::Unsealing;
use surgetank_layer::sequencer::chain;
use surgetank_layer::units::{AccountId, Digest, NodeId, Ns, Price, Qty, SECOND};

use super::means::Means;
use super::{Attack, AttackRequest, KINDS};
use crate::actors::{Accounts, Action, ActorEvent, Holding, Outside, Sending, Timer, View};
use crate::scenario::{self, Kinded};
use crate::seed::Seed;

/// The outside price and the best levels of a book.
#[derive(Clone, Copy)]
struct Screen {
    ticks: Price,
    bid: Price,
    ask: Price,
}

impl View for Screen {
    fn markets(&self) -> u16 {
        1
    }

    fn outside(&self, _market: u16) -> Option<Outside> {
        Some(Outside { ticks: self.ticks, tick_usd: 1.0, lot: 1.0 })
    }

    fn move_pct(&self, _market: u16, _window: Ns) -> f64 {
        0.0
    }

    fn touch(&self, _market: u16) -> (Option<Price>, Option<Price>) {
        (Some(self.bid), Some(self.ask))
    }

    fn best_levels(&self, _market: u16, side: Side) -> Option<(Price, Qty, Price)> {
        Some(match side {
            Side::Buy => (self.bid, 4, self.bid - 10),
            Side::Sell => (self.ask, 4, self.ask + 10),
        })
    }

    fn holding(&self, _account: AccountId, _market: u16) -> Holding {
        Holding::default()
    }

    fn below_maintenance(&self, _marks: &[Price]) -> Vec<(AccountId, u16)> {
        Vec::new()
    }

    fn collateral_unit(&self, _account: AccountId, market: u16) -> u16 {
        market
    }

    fn due(&self) -> impl Iterator<Item = (AccountId, u16)> {
        std::iter::empty()
    }

    fn liquidation_deferred(&self, _account: AccountId, _height: u32) -> bool {
        false
    }
}

const SCREEN: Screen = Screen { ticks: 1_000, bid: 995, ask: 1_005 };

/// An attack from second 1 to second 9 with two accounts, on four nodes.
fn means() -> Means {
    let accounts = Accounts {
        leveraged: 0,
        portfolios: 0,
        hedgers: 0,
        background: 10,
        makers: 0,
        keepers: 0,
        oracles: 0,
        attackers: 2,
        nodes: 4,
    };
    let attack = json!({
        "at_s": 1.0, "duration_s": 8.0, "capital_usd": 1e6, "accounts": 2, "what": {"kind": "none"},
    });
    let attack: scenario::Attack = serde_json::from_value(attack).expect("an attack");
    Means::new(&attack, 10.0, accounts, &Seed::new(1))
}

/// What a scenario's entry requests, on a venue of four nodes whose leader is node 2.
fn request(what: Value, unsealing: &Unsealing) -> Result<Option<Box<dyn Attack>>, String> {
    let what: Kinded = serde_json::from_value(what).expect("a table");
    let (leader, round_ns) = (Some(2), SECOND);
    AttackRequest { what: &what, unsealing, leader, weights: vec![1; 4], round_ns }.build()
}

/// An attack with its means.
struct Rig {
    attack: Box<dyn Attack>,
    means: Means,
}

impl Rig {
    fn new(what: Value, unsealing: &Unsealing) -> Rig {
        let attack = request(what, unsealing).expect("its keys").expect("an attack");
        Rig { attack, means: means() }
    }

    fn hears(&mut self, now: Ns, event: ActorEvent<'_>, view: Screen) -> Vec<Action> {
        let mut out = Vec::new();
        self.attack.step(now, event, &mut self.means, &view, &mut out);
        out
    }

    /// It reads a message that passes its node.
    fn reads(&mut self, now: Ns, message: &Message) -> Vec<Action> {
        let last_hash = Digest::default();
        self.hears(now, ActorEvent::Passes { node: 3, message, last_hash }, SCREEN)
    }
}

fn reader(kind: &str, least_usd: f64, unsealing: &Unsealing) -> Rig {
    let keys = json!({
        "kind": kind, "node": 3, "least_usd": least_usd, "size_usd": 3_000.0, "fee_micros": 9,
    });
    Rig::new(keys, unsealing)
}

fn sent(actions: &[Action]) -> Vec<Sending> {
    let sendings = actions.iter().filter_map(|action| match action {
        Action::Send(sending) => Some(*sending),
        _ => None,
    });
    sendings.collect()
}

fn orders(actions: &[Action]) -> Vec<(Side, Price, Qty)> {
    let order = |sending: &Sending| match sending.body {
        Body::NewOrderSingle(order) => (order.side, order.price, order.order_qty),
        other => panic!("{other:?}"),
    };
    sent(actions).iter().map(order).collect()
}

fn victim(account: AccountId, order_qty: Qty, time_in_force: TimeInForce) -> Message {
    let order = NewOrderSingle {
        cl_ord_id: 1,
        symbol: 0,
        side: Side::Buy,
        ord_type: OrdType::Limit,
        time_in_force,
        post_only: false,
        reduce_only: false,
        price: 1_100,
        order_qty,
    };
    Message { id: 77, account, sent_ns: 0, body: Body::NewOrderSingle(order) }
}

#[test]
fn a_kind_reads_its_own_keys_only() {
    let refused = |what: Value| request(what, &Unsealing::at_once()).err().unwrap_or_default();
    assert_eq!(refused(json!({"kind": "bribe"})), "attack.kind: there is no `bribe`");
    assert!(refused(json!({"kind": "none", "node": 1})).contains("node"));
    for (kind, _) in KINDS {
        let said = refused(json!({"kind": kind, "surplus": 1}));
        assert!(said.starts_with("attack: "), "{kind}: {said}");
    }
    let none = request(json!({"kind": "none"}), &Unsealing::at_once());
    assert!(none.is_ok_and(|attack| attack.is_none()));
}

#[test]
fn a_racer_takes_quotes_that_a_move_leaves_behind() {
    let keys = json!({
        "kind": "fee-jump", "move_bp": 50.0, "size_usd": 5_000.0, "link_ms": 1.0,
        "fee_micros": 500_000, "lane_usd": 2.5,
    });
    let mut rig = Rig::new(keys, &Unsealing::at_once());
    let mut see = |now: Ns, ticks: Price| {
        rig.hears(now, ActorEvent::Index { next_ns: now + 1 }, Screen { ticks, ..SCREEN })
    };
    assert!(see(2 * SECOND, 1_000).is_empty(), "it has nothing to compare with");
    assert!(see(3 * SECOND, 1_004).is_empty(), "40 bp are too few");
    let out = see(4 * SECOND, 1_006);
    assert_eq!(orders(&out), [(Side::Buy, 1_005, 5)], "60 bp from where it last acted");
    assert_eq!((sent(&out)[0].gateway, sent(&out)[0].fee_micros), (2, Some(500_000)));
    let out = see(5 * SECOND, 990);
    assert_eq!(orders(&out), [(Side::Sell, 991, 5)]);
    assert!(see(9 * SECOND, 900).is_empty(), "the attack is over");
    assert_eq!(rig.means.found, 2);
    assert_eq!(rig.attack.link_ns(), Some(SECOND / 1_000));
    let bids = rig.hears(4 * SECOND, ActorEvent::Timer(Timer::Auction), SCREEN);
    assert!(matches!(bids[..], [Action::Bid { round: 5, amount: 2_500_000, .. }]), "{bids:?}");
}

#[test]
fn a_reader_stands_around_a_large_order_until_it_is_executed() {
    let mut rig = reader("sandwich", 5_000.0, &Unsealing::at_once());
    let takes = TimeInForce::ImmediateOrCancel;
    assert!(rig.reads(2 * SECOND, &victim(0, 4, takes)).is_empty(), "too small");
    let rests = victim(0, 9, TimeInForce::GoodTillCancel);
    assert!(rig.reads(2 * SECOND, &rests).is_empty(), "it rests");
    assert!(rig.reads(2 * SECOND, &victim(14, 9, takes)).is_empty(), "its own");
    assert!(rig.reads(0, &victim(0, 9, takes)).is_empty(), "not yet");
    let out = rig.reads(2 * SECOND, &victim(0, 9, takes));
    let around = [(Side::Buy, 1_005, 3), (Side::Sell, 1_014, 3)];
    assert_eq!(orders(&out), around, "the best level, and one tick below the next");
    assert!(sent(&out).iter().all(|sending| sending.gateway == 3));
    assert!(rig.attack.follows(77) && out.len() == 2);

    let out = rig.hears(3 * SECOND, ActorEvent::Confirmed(77), SCREEN);
    let [Action::Send(Sending { body: Body::OrderCancelRequest(cancel), .. })] = out[..] else {
        panic!("{out:?}")
    };
    let offer = OrderCancelRequest { cl_ord_id: 3, orig_cl_ord_id: 2, symbol: 0 };
    assert_eq!(cancel, offer, "what is left of the offer goes");
    assert!(!rig.attack.follows(77));
}

/// The block that a proposer of this policy makes of messages in this order, as their numbers.
fn arranged(action: &Action, waiting: &[Envelope]) -> Vec<u32> {
    let Action::BuildBlocks { node: 3, builder } = action else { panic!("{action:?}") };
    let entry = |&envelope| Entry { envelope, queued_ns: 0 };
    let mut entries: Vec<Entry> = waiting.iter().map(entry).collect();
    builder.arrange(&mut entries);
    entries.iter().map(|entry| entry.envelope.id).collect()
}

/// An insider whose first two victims wait with its orders for them: each pair goes before its own
/// victim, whatever was sent last.
#[test]
fn an_insider_names_which_orders_go_before_which_victim() {
    let mut rig = reader("insider", 5_000.0, &Unsealing::at_once());
    let takes = TimeInForce::ImmediateOrCancel;
    let mut waiting = Vec::new();
    let mut policy = None;
    for (id, order) in [(77, 0), (78, 0)] {
        waiting.push(Envelope::plain(id, Class::NewOrderSingle, 100, order));
        let victim = Message { id, ..victim(0, 9, takes) };
        for action in rig.reads(2 * SECOND, &victim) {
            match action {
                Action::Send(Sending { account, body, .. }) => {
                    let id = 100 + body.order();
                    let plain = Envelope::plain(id, body.class(), 100, account);
                    waiting.push(Envelope { order: body.order(), ..plain });
                }
                other => policy = Some(other),
            }
        }
    }
    // What the first victim's offer is cancelled with concerns an order of the same number.
    let cancel = Envelope { class: Class::OrderCancelRequest, id: 99, ..waiting[2] };
    waiting.insert(0, cancel);
    let policy = policy.expect("a policy");
    assert_eq!(arranged(&policy, &waiting), [99, 101, 102, 77, 103, 104, 78]);
    waiting.reverse();
    assert_eq!(arranged(&policy, &waiting), [103, 104, 78, 101, 102, 77, 99]);
    waiting.retain(|envelope| envelope.id != 103);
    assert_eq!(arranged(&policy, &waiting), [104, 78, 101, 102, 77, 99], "one is missing");
}

#[test]
fn what_is_sealed_is_not_read() {
    let sealed = Unsealing { reveal_ns: SECOND, ..Unsealing::at_once() };
    let mut rig = reader("sandwich", 0.0, &sealed);
    let out = rig.reads(2 * SECOND, &victim(0, 9, TimeInForce::ImmediateOrCancel));
    assert!(out.is_empty(), "unreadable before the reveal");
}

#[test]
fn a_withholder_reveals_what_pays() {
    let sealed = Unsealing { reveal_ns: SECOND, ..Unsealing::at_once() };
    let keys = json!({"kind": "withhold", "rate_per_s": 10.0, "size_usd": 2_000.0});
    let mut rig = Rig::new(keys, &sealed);
    let out = rig.hears(2 * SECOND, ActorEvent::Timer(Timer::Attack), SCREEN);
    assert_eq!(orders(&out), [(Side::Buy, 1_001, 2), (Side::Sell, 999, 2)]);
    assert!(rig.attack.may_withhold());
    let risen = Screen { ticks: 1_010, ..SCREEN };
    let mut silent = Vec::new();
    for (id, Sending { account, sent_ns, body, .. }) in (0..).zip(sent(&out)) {
        let message = Message { id, account, sent_ns, body };
        silent.extend(rig.hears(3 * SECOND, ActorEvent::Reveal(&message), risen));
    }
    assert!(matches!(silent[..], [Action::Withhold(1)]), "the sale: {silent:?}");
    assert_eq!((rig.means.withheld, rig.attack.may_withhold()), (1, false));
}

#[test]
fn a_censor_omits_its_class_until_it_is_over() {
    let keys = json!({"kind": "censor", "node": 3, "class": "liquidation-order"});
    let mut rig = Rig::new(keys, &Unsealing::at_once());
    let mut taken = |now: Ns| {
        let out = rig.hears(now, ActorEvent::Timer(Timer::Attack), SCREEN);
        let builder = out.iter().find_map(|action| match action {
            Action::BuildBlocks { node: 3, builder } => Some(builder),
            _ => None,
        });
        let builder = builder.expect("a policy");
        let takes = |class| builder.takes(&Envelope::plain(1, class, 100, 0));
        [Class::LiquidationOrder, Class::NewOrderSingle].map(takes)
    };
    assert_eq!(taken(SECOND), [false, true]);
    assert_eq!(taken(9 * SECOND), [true, true]);
}

fn block(entries: u32) -> Block {
    let entry =
        |id| Entry { envelope: Envelope::plain(id, Class::NewOrderSingle, 100, 0), queued_ns: 0 };
    let entries: Vec<Entry> = (0..entries).map(entry).collect();
    let hash = chain(&Digest::default(), 5, &entries);
    Block {
        height: 5,
        proposer: 1,
        proposed_ns: 0,
        entries,
        hash,
        evidence: Vec::new(),
        graph: None,
    }
}

/// What a validator of the attacker publishes instead: each version, and who is left out.
fn versions(rig: &mut Rig, now: Ns, payload: &Payload) -> Vec<(Payload, Vec<NodeId>)> {
    let last_hash = Digest::default();
    let out = rig.hears(now, ActorEvent::Publishes { node: 1, payload, last_hash }, SCREEN);
    let published = out.into_iter().map(|action| match action {
        Action::Publish { node: 1, payload, withheld_from } => (payload, withheld_from),
        other => panic!("{other:?}"),
    });
    published.collect()
}

#[test]
fn an_equivocator_says_one_thing_to_each_half() {
    let keys = json!({"kind": "equivocate", "nodes": [1]});
    let mut rig = Rig::new(keys, &Unsealing::at_once());
    assert_eq!([0, 1].map(|node| rig.attack.controls(node)), [false, true]);
    let proposed = block(3);
    let proposal =
        Proposal { height: 5, round: 0, value: proposed.hash, valid_round: None, validator: 1 };
    let payload = Payload::Proposal(proposal, std::sync::Arc::new(proposed));
    assert_eq!(versions(&mut rig, 0, &payload), [(payload.clone(), vec![])], "not yet");

    let out = versions(&mut rig, 2 * SECOND, &payload);
    let (first_half, second_half) = (vec![1, 0, 3], vec![2]);
    let [(same, left_out), (Payload::Proposal(other, without), others_left_out)] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!((same, left_out, others_left_out), (&payload, &second_half, &first_half));
    assert_eq!((other.value, without.entries.len()), (block(2).hash, 2));
    assert_eq!((other.height, other.round), (5, 0));

    let vote = |value| {
        let vote_type = VoteType::Prevote;
        Payload::Vote(Vote { vote_type, height: 5, round: 0, value, validator: 1 })
    };
    let of = |rig: &mut Rig, value| versions(rig, 2 * SECOND, &vote(value));
    let both = [
        (vote(Some(block(3).hash)), second_half.clone()),
        (vote(Some(block(2).hash)), first_half.clone()),
    ];
    assert_eq!(of(&mut rig, Some(block(3).hash)), both, "each half's own block");
    let honest = Some(block(1).hash);
    let one = [(vote(honest), second_half), (vote(None), first_half)];
    assert_eq!(of(&mut rig, honest), one, "an honest proposer's only block");
    assert_eq!(of(&mut rig, None), [(vote(None), vec![])]);
    let empty = Payload::Proposal(proposal, std::sync::Arc::new(block(0)));
    assert_eq!(versions(&mut rig, 2 * SECOND, &empty), [(empty, vec![])], "nothing to leave out");
}
