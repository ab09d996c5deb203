//! gossipsub: asking for what one lacks, and answering from the message cache.

use crate::lone_mesh;

use lone_mesh::{Lone, envelope, sends};
use proptest::prelude::*;
use surgetank_layer::gossip::{Frame, Input, MeshConfig};

fn asked(node: &mut Lone, from: u32, ids: impl IntoIterator<Item = u32>) -> Vec<u32> {
    match &sends(&node.receive(from, Frame::IHave(ids.into_iter().collect())))[..] {
        [] => Vec::new(),
        [(to, Frame::IWant(ids))] if *to == from => ids.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_what_was_not_seen_is_asked_for() {
    let mut node = Lone::new(MeshConfig::default(), 20, 1);
    node.accept(2, 1);
    node.step(Input::Publish(envelope(3)));
    assert_eq!(asked(&mut node, 8, [1, 2, 3, 4]), [2, 4]);
    assert_eq!(asked(&mut node, 8, [1, 3]), []);
}

#[test]
fn once_between_two_heartbeats_even_if_said_twice() {
    let mut node = Lone::new(MeshConfig::default(), 20, 1);
    assert_eq!(asked(&mut node, 8, [2, 2, 4, 2]), [2, 4]);
    assert_eq!(asked(&mut node, 9, [2, 4, 5]), [5]);
    // The answer did not come: ask another.
    node.heartbeat();
    assert_eq!(asked(&mut node, 9, [2]), [2]);
}

#[test]
fn no_more_than_iwant_max_between_two_heartbeats() {
    let config = MeshConfig { iwant_max: 3, ..MeshConfig::default() };
    let mut node = Lone::new(config, 20, 1);
    assert_eq!(asked(&mut node, 8, 0..2), [0, 1]);
    assert_eq!(asked(&mut node, 9, 0..10), [2]);
    assert_eq!(asked(&mut node, 7, 10..20), []);
    node.heartbeat();
    assert_eq!(asked(&mut node, 7, 10..20), [10, 11, 12]);
}

#[test]
fn an_answer_is_a_message_like_any_other() {
    let mut node = Lone::new(MeshConfig::default(), 20, 1);
    node.grafted_by(0..4);
    assert_eq!(asked(&mut node, 8, [2]), [2]);
    assert_eq!(node.accept(8, 2).len(), 4, "passed on in the mesh");
    assert_eq!(node.receive(0, Frame::Message(envelope(2))), [], "seen");
}

#[test]
fn iwant_is_answered_while_the_cache_has_it() {
    for length in 1..5 {
        let config =
            MeshConfig { history_length: length, history_gossip: 1, ..MeshConfig::default() };
        let mut node = Lone::new(config, 20, 1);
        node.accept(2, 1);
        for heartbeat in 0..6 {
            let answer = sends(&node.receive(8, Frame::IWant(vec![1, 77])));
            let is_answered = answer == [(8, Frame::Message(envelope(1)))];
            assert!(is_answered || answer.is_empty(), "{answer:?}");
            assert_eq!(is_answered, heartbeat < length, "{length} windows, {heartbeat} heartbeats");
            node.heartbeat();
        }
    }
}

#[test]
fn what_is_not_valid_yet_is_not_passed_on() {
    let mut node = Lone::new(MeshConfig::default(), 20, 1);
    node.receive(2, Frame::Message(envelope(1)));
    assert_eq!(node.receive(8, Frame::IWant(vec![1])), []);
    assert_eq!(asked(&mut node, 9, [1]), [], "nor asked for");
}

#[derive(Clone, Debug)]
enum Act {
    Beat,
    Hear(u32, Frame),
    Accept(u32, u32),
}

fn act() -> impl Strategy<Value = Act> {
    let ids = || prop::collection::vec(0u32..12, 0..6);
    let frame = prop_oneof![
        Just(Frame::Graft),
        Just(Frame::Prune),
        ids().prop_map(Frame::IHave),
        ids().prop_map(Frame::IWant),
    ];
    prop_oneof![
        1 => Just(Act::Beat),
        4 => (0u32..20, frame).prop_map(|(from, frame)| Act::Hear(from, frame)),
        2 => (0u32..20, 0u32..12).prop_map(|(from, id)| Act::Accept(from, id)),
    ]
}

proptest! {
    /// Whatever neighbours say: no more than D_hi in the mesh, every message handed over once,
    /// no node sends the same id twice between heartbeats, nothing sent that is not there.
    #[test]
    fn no_neighbour_can_break_the_rules(
        acts in prop::collection::vec(act(), 0..120), seed in any::<u64>(),
    ) {
        let config = MeshConfig { iwant_max: 4, ..MeshConfig::default() };
        let mut node = Lone::new(config, 20, seed);
        let mut seen = std::collections::BTreeSet::new();
        let mut wanted: Vec<u32> = Vec::new();
        for act in acts {
            match act {
                Act::Beat => {
                    node.heartbeat();
                    wanted.clear();
                }
                Act::Accept(from, id) if seen.insert(id) => {
                    node.accept(from, id);
                }
                Act::Accept(from, id) => {
                    prop_assert_eq!(node.receive(from, Frame::Message(envelope(id))), []);
                }
                Act::Hear(from, frame) => for (to, reply) in sends(&node.receive(from, frame)) {
                    prop_assert_eq!(to, from);
                    match reply {
                        Frame::IWant(ids) => {
                            prop_assert!(ids.iter().all(|id| !seen.contains(id)));
                            wanted.extend(ids);
                        }
                        Frame::Message(answer) => prop_assert!(seen.contains(&answer.id)),
                        Frame::Prune => {}
                        other => prop_assert!(false, "{:?}", other),
                    }
                },
            }
            let times = wanted.len();
            prop_assert!(times <= 4);
            prop_assert_eq!(wanted.iter().collect::<std::collections::BTreeSet<_>>().len(), times);
            prop_assert!(node.members().len() <= 12);
        }
    }
}
