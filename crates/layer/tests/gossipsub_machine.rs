//! The gossipsub machine with scores, whose neighbours are played by the test.

use proptest::prelude::*;
use surgetank_layer::gossip::{Frame, Gossipsub, GossipsubConfig, Input, Output, ScoreConfig};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Class, Envelope};
use surgetank_layer::units::{MessageId, Ns, Peer, SECOND};

use crate::gossipsub_score::config as score;

struct Chance(u64);

impl Draws for Chance {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 ^ (self.0 >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }
}

/// A machine, its clock, and what it sends.
struct Router {
    machine: Gossipsub,
    now: Ns,
    chance: Chance,
}

fn config(score: Option<ScoreConfig>) -> GossipsubConfig {
    GossipsubConfig {
        d: 6,
        d_lo: 4,
        d_hi: 8,
        d_score: 3,
        d_lazy: 2,
        gossip_factor: 0.25,
        heartbeat_ns: SECOND,
        history_length: 5,
        history_gossip: 3,
        flood_publish: true,
        prune_backoff_ns: 60 * SECOND,
        opportunistic_graft_ticks: 5,
        opportunistic_graft_peers: 2,
        graft_flood_threshold_ns: 10 * SECOND,
        iwant_followup_ns: 3 * SECOND,
        max_ihave_length: 50,
        max_ihave_messages: 3,
        gossip_retransmission: 2,
        idontwant_bytes: 1_000,
        score,
    }
}

fn envelope(id: MessageId, bytes: u32) -> Envelope {
    Envelope::plain(id, Class::NewOrderSingle, bytes, 0)
}

impl Router {
    fn new(degree: u32, config: GossipsubConfig, seed: u64) -> Router {
        Router { machine: Gossipsub::new(config, degree), now: 0, chance: Chance(seed) }
    }

    fn step(&mut self, input: Input) -> Vec<(Peer, Frame)> {
        let mut outbox = Vec::new();
        self.machine.step(self.now, input, &mut self.chance, &mut outbox);
        let sends = outbox.into_iter().filter_map(|output| match output {
            Output::Send { to, frame } => Some((to, frame)),
            _ => None,
        });
        sends.collect()
    }

    fn beat(&mut self) -> Vec<(Peer, Frame)> {
        self.now += SECOND;
        self.step(Input::Heartbeat)
    }

    fn receive(&mut self, from: Peer, frame: Frame) -> Vec<(Peer, Frame)> {
        self.step(Input::Receive { from, frame })
    }

    /// A message comes and is valid; what is sent on.
    fn accept(&mut self, from: Peer, id: MessageId) -> Vec<(Peer, Frame)> {
        self.receive(from, Frame::Message(envelope(id, 100)));
        self.step(Input::Validated { envelope: envelope(id, 100), from })
    }

    fn mesh(&self) -> Vec<Peer> {
        self.machine.mesh().collect()
    }

    fn break_promises(&mut self, of: Peer, count: u32) {
        for id in 0..count {
            self.receive(of, Frame::IHave(vec![1_000 * (of + 1) + id]));
            self.beat();
        }
        (0..4).for_each(|_| {
            self.beat();
        });
    }
}

fn to(frames: &[(Peer, Frame)], what: impl Fn(&Frame) -> bool) -> Vec<Peer> {
    let mut found: Vec<Peer> = frames.iter().filter(|(_, f)| what(f)).map(|&(to, _)| to).collect();
    found.sort_unstable();
    found
}

fn is_message(frame: &Frame) -> bool {
    matches!(frame, Frame::Message(_))
}

#[test]
fn a_peer_of_negative_score_leaves_the_mesh_and_is_not_taken_back() {
    let free = ScoreConfig {
        mesh_message_deliveries_weight: 0.0,
        behaviour_penalty_decay: 1.0,
        ..score()
    };
    let mut router = Router::new(10, config(Some(free)), 1);
    router.beat();
    let bad = router.mesh()[0];
    router.break_promises(bad, 4);
    assert!(router.machine.score(router.now, bad) < 0.0);
    assert!(!router.mesh().contains(&bad));
    assert_eq!(to(&router.receive(bad, Frame::Graft), |f| *f == Frame::Prune), [bad]);
    // Without scores it stays: what removes it is its score.
    let mut plain = Router::new(10, config(None), 1);
    plain.beat();
    let bad = plain.mesh()[0];
    plain.break_promises(bad, 4);
    assert!(plain.mesh().contains(&bad));
}

#[test]
fn below_the_thresholds_a_peer_gets_and_gives_less() {
    let strict = ScoreConfig {
        mesh_message_deliveries_weight: 0.0,
        behaviour_penalty_decay: 1.0,
        behaviour_penalty_threshold: 0.0,
        behaviour_penalty_weight: -1.0,
        gossip_threshold: -1.5,
        publish_threshold: -100.0,
        graylist_threshold: -200.0,
        ..score()
    };
    let mut router = Router::new(6, config(Some(strict)), 3);
    router.break_promises(0, 2);
    assert_eq!(router.machine.score(router.now, 0), -4.0);
    // Below the threshold of gossip: no IWANT for its IHAVE, no answer to its IWANT, no IHAVE.
    assert_eq!(router.receive(0, Frame::IHave(vec![77])), []);
    router.accept(1, 5);
    assert_eq!(router.receive(0, Frame::IWant(vec![5])), []);
    assert_eq!(to(&router.receive(2, Frame::IWant(vec![5])), is_message), [2]);
    for _ in 0..20 {
        assert!(!to(&router.beat(), |f| matches!(f, Frame::IHave(_))).contains(&0));
    }
    // Above that of publishing it still gets what this node publishes, and is heard.
    let sent = router.step(Input::Publish(envelope(50, 100)));
    assert!(to(&sent, is_message).contains(&0));
    assert!(!router.accept(0, 51).is_empty());
    router.break_promises(0, 12);
    assert!(router.machine.score(router.now, 0) >= -4.0, "no promise is asked of it any more");
}

#[test]
fn a_graylisted_peer_is_not_heard_and_gets_no_flood() {
    let strict = ScoreConfig {
        mesh_message_deliveries_weight: 0.0,
        behaviour_penalty_decay: 1.0,
        behaviour_penalty_threshold: 0.0,
        ..score()
    };
    let mut router = Router::new(6, config(Some(strict)), 3);
    router.break_promises(0, 9);
    assert!(router.machine.score(router.now, 0) < -300.0);
    assert_eq!(
        router.accept(0, 60),
        router.step(Input::Validated { envelope: envelope(60, 100), from: 0 }),
        "the copy itself asked for nothing"
    );
    let mut outbox = Vec::new();
    let frame = Frame::Message(envelope(61, 100));
    let input = Input::Receive { from: 0, frame };
    router.machine.step(router.now, input, &mut router.chance, &mut outbox);
    assert_eq!(outbox, []);
    let sent = router.step(Input::Publish(envelope(62, 100)));
    assert_eq!(to(&sent, is_message), [1, 2, 3, 4, 5]);
}

#[test]
fn grafting_during_the_backoff_is_misbehaviour() {
    let lenient = ScoreConfig {
        mesh_message_deliveries_weight: 0.0,
        behaviour_penalty_decay: 1.0,
        behaviour_penalty_threshold: 0.0,
        ..score()
    };
    let mut router = Router::new(6, config(Some(lenient)), 1);
    router.receive(0, Frame::Prune);
    router.now += SECOND;
    assert_eq!(router.receive(0, Frame::Graft), [(0, Frame::Prune)]);
    assert_eq!(router.machine.score(router.now, 0), -10.0 * 4.0, "twice: soon after the PRUNE");
    router.now += 30 * SECOND;
    router.receive(0, Frame::Graft);
    assert_eq!(router.machine.score(router.now, 0), -10.0 * 9.0, "once: later");
}

#[test]
fn what_is_large_is_announced_as_not_wanted_and_not_sent_again() {
    let mut router = Router::new(8, config(None), 1);
    router.beat();
    let mesh = router.mesh();
    let sent = router.receive(mesh[0], Frame::Message(envelope(1, 2_000)));
    assert_eq!(to(&sent, |f| *f == Frame::IDontWant(vec![1])), mesh[1..]);
    assert_eq!(router.receive(mesh[0], Frame::Message(envelope(2, 999))), [], "it is small");
    router.receive(mesh[2], Frame::IDontWant(vec![1, 3]));
    let sent = router.step(Input::Validated { envelope: envelope(1, 2_000), from: mesh[0] });
    let others: Vec<Peer> = [&mesh[1..2], &mesh[3..]].concat();
    assert_eq!(to(&sent, is_message), others);
    // It holds for three heartbeats.
    (0..3).for_each(|_| {
        router.beat();
    });
    assert!(to(&router.accept(mesh[0], 3), is_message).contains(&mesh[2]));
}

#[test]
fn gossip_goes_to_a_share_of_the_others_and_is_limited() {
    let mut router = Router::new(50, config(None), 1);
    router.beat();
    router.accept(0, 9);
    let heard = to(&router.beat(), |f| *f == Frame::IHave(vec![9]));
    let outside = 50 - router.mesh().len();
    assert_eq!(heard.len(), outside / 4, "a quarter");
    // Three IHAVE of a peer are considered per heartbeat, and fifty messages requested.
    let asked = router.receive(7, Frame::IHave((100..200).collect()));
    assert!(matches!(&asked[..], [(7, Frame::IWant(ids))] if ids.len() == 50));
    assert_eq!(router.receive(7, Frame::IHave(vec![300])), [], "fifty are fifty");
    for id in 0..3 {
        assert_eq!(router.receive(8, Frame::IHave(vec![400 + id])).len(), 1);
    }
    assert_eq!(router.receive(8, Frame::IHave(vec![500])), []);
    router.beat();
    assert_eq!(router.receive(8, Frame::IHave(vec![500])).len(), 1);
}

#[test]
fn a_message_is_sent_on_request_a_few_times_and_while_it_is_kept() {
    let mut router = Router::new(12, config(None), 1);
    router.accept(0, 9);
    for expected in [1, 1, 0] {
        assert_eq!(router.receive(5, Frame::IWant(vec![9])).len(), expected);
    }
    assert_eq!(router.receive(6, Frame::IWant(vec![9])).len(), 1, "each peer has its own count");
    (0..5).for_each(|_| {
        router.beat();
    });
    assert_eq!(router.receive(7, Frame::IWant(vec![9])), []);
}

#[test]
fn a_poor_mesh_takes_better_peers_in() {
    let free = ScoreConfig { mesh_message_deliveries_weight: 0.0, ..score() };
    let mut router = Router::new(14, config(Some(free)), 1);
    router.beat();
    let mesh = router.mesh();
    let good: Vec<Peer> = (0..14).filter(|peer| !mesh.contains(peer)).take(2).collect();
    let mut grafted = Vec::new();
    for round in 0..10 {
        for (i, &peer) in (0..).zip(&good) {
            router.accept(peer, 1_000 + 2 * round + i);
        }
        grafted.extend(to(&router.beat(), |f| *f == Frame::Graft));
    }
    grafted.sort_unstable();
    assert_eq!(grafted, good, "and no other");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the neighbours do: after a heartbeat the mesh is within its bounds (and the two peers
    /// that were grafted opportunistically after it), has no peer of negative score, and took none
    /// during its backoff; no message is asked to be validated twice.
    #[test]
    fn the_mesh_keeps_its_bounds(
        seed in any::<u64>(),
        degree in 1u32..30,
        acts in proptest::collection::vec((0u32..30, 0u8..6, 0u32..40), 0..120),
    ) {
        let mut router = Router::new(degree, config(Some(score())), seed);
        let (mut validated, mut backoff) = (Vec::new(), std::collections::BTreeMap::new());
        for (peer, act, id) in acts {
            let from = peer % degree;
            let frame = match act {
                0 => Frame::Message(envelope(id, 100 + 100 * id)),
                1 => Frame::Graft,
                2 => Frame::Prune,
                3 => Frame::IHave(vec![id, id + 1]),
                4 => Frame::IWant(vec![id]),
                _ => Frame::IDontWant(vec![id]),
            };
            if frame == Frame::Prune {
                backoff.insert(from, router.now + 60 * SECOND);
            }
            let mut outbox = Vec::new();
            let input = Input::Receive { from, frame };
            router.machine.step(router.now, input, &mut router.chance, &mut outbox);
            for output in outbox {
                match output {
                    Output::Validate { envelope, from } => {
                        prop_assert!(!validated.contains(&envelope.id));
                        validated.push(envelope.id);
                        router.step(Input::Validated { envelope, from });
                    }
                    Output::Send { to, frame: Frame::Prune } => {
                        backoff.insert(to, router.now + 60 * SECOND);
                    }
                    _ => {}
                }
            }
            let sent = router.beat();
            for grafted in to(&sent, |f| *f == Frame::Graft) {
                prop_assert!(backoff.get(&grafted).is_none_or(|&until| until <= router.now));
            }
            for pruned in to(&sent, |f| *f == Frame::Prune) {
                backoff.insert(pruned, router.now + 60 * SECOND);
            }
            let mesh = router.mesh();
            prop_assert!(mesh.len() <= 8 + 2);
            for &peer in &mesh {
                prop_assert!(router.machine.score(router.now, peer) >= 0.0);
            }
        }
    }
}
