//! gossipsub: who comes into the mesh, who is put out of it, and for how long.

use crate::lone_mesh;

use lone_mesh::{Lone, sends, sent};
use surgetank_layer::gossip::{Frame, Input, MeshConfig};
use surgetank_layer::units::SECOND;

const BACKOFF: u64 = 10 * SECOND;

fn config() -> MeshConfig {
    MeshConfig { prune_backoff_ns: BACKOFF, ..MeshConfig::default() }
}

/// The specification's v1.0: no backoff.
fn first_version() -> MeshConfig {
    MeshConfig { prune_backoff_ns: 0, ..MeshConfig::default() }
}

#[test]
fn graft_is_accepted_in_silence_and_once() {
    let mut node = Lone::new(config(), 20, 1);
    node.grafted_by([3, 3, 5]);
    assert_eq!(node.members(), [3, 5]);
}

#[test]
fn a_full_mesh_answers_graft_with_prune() {
    let mut node = Lone::new(config(), 20, 1);
    node.grafted_by(0..12);
    assert_eq!(sends(&node.receive(12, Frame::Graft)), [(12, Frame::Prune)]);
    assert_eq!(node.members(), (0..12).collect::<Vec<_>>());
    // Who is in the mesh already stays there.
    node.grafted_by([11]);
    assert_eq!(node.members().len(), 12);
}

#[test]
fn without_backoff_a_full_mesh_accepts_and_the_heartbeat_puts_it_right() {
    let mut node = Lone::new(first_version(), 20, 1);
    node.grafted_by(0..15);
    assert_eq!(node.members().len(), 15);
    assert_eq!(sent(&node.heartbeat(), &Frame::Prune).len(), 9);
    assert_eq!(node.members().len(), 6);
}

#[test]
fn graft_within_the_backoff_is_pruned_and_extends_it() {
    let mut node = Lone::new(config(), 20, 1);
    node.grafted_by([3]);
    assert_eq!(node.receive(3, Frame::Prune), []);
    assert!(node.members().is_empty());
    node.now = BACKOFF - 1;
    assert_eq!(sends(&node.receive(3, Frame::Graft)), [(3, Frame::Prune)]);
    // Now the backoff counts from the refusal.
    node.now = 2 * BACKOFF - 2;
    assert_eq!(sends(&node.receive(3, Frame::Graft)), [(3, Frame::Prune)]);
    node.now += BACKOFF;
    node.grafted_by([3]);
    assert_eq!(node.members(), [3]);
}

#[test]
fn a_refusal_starts_a_backoff() {
    let mut node = Lone::new(config(), 20, 1);
    node.grafted_by(0..12);
    assert_eq!(sends(&node.receive(12, Frame::Graft)), [(12, Frame::Prune)]);
    assert_eq!(node.receive(0, Frame::Prune), []);
    // There is room again, but it was asked to wait.
    assert_eq!(sends(&node.receive(12, Frame::Graft)), [(12, Frame::Prune)]);
}

#[test]
fn prune_from_outside_the_mesh_starts_a_backoff_too() {
    let mut node = Lone::new(config(), 20, 1);
    assert_eq!(node.receive(3, Frame::Prune), []);
    assert_eq!(sends(&node.receive(3, Frame::Graft)), [(3, Frame::Prune)]);
}

/// Five neighbours all in backoff: none is grafted until it is over, and then some slack, because
/// the other side counts from when PRUNE reached it.
#[test]
fn heartbeat_waits_for_the_backoff_and_some_slack() {
    let mut node = Lone::new(config(), 5, 1);
    node.grafted_by(0..5);
    (0..5).for_each(|peer| assert_eq!(node.receive(peer, Frame::Prune), []));
    while node.now < BACKOFF {
        assert_eq!(node.heartbeat(), [], "at {} s", node.now / SECOND);
    }
    assert_eq!(sent(&node.heartbeat(), &Frame::Graft), [0, 1, 2, 3, 4]);
}

#[test]
fn without_backoff_the_next_heartbeat_grafts_again() {
    let mut node = Lone::new(first_version(), 5, 1);
    node.grafted_by(0..5);
    (0..5).for_each(|peer| assert_eq!(node.receive(peer, Frame::Prune), []));
    // However soon it comes.
    node.now += 1;
    assert_eq!(sent(&sends(&node.step(Input::Heartbeat)), &Frame::Graft), [0, 1, 2, 3, 4]);
}

/// A pruned neighbour, whose backoff started a link's delay later, is not grafted too early.
#[test]
fn the_pruner_is_not_refused_when_it_grafts_again() {
    let mut pruner = Lone::new(MeshConfig { d: 1, d_lo: 1, d_hi: 1, ..config() }, 1, 1);
    let mut pruned = Lone::new(config(), 1, 2);
    pruner.grafted_by([0]);
    pruned.grafted_by([0]);
    // They part: the PRUNE sent now arrives 50 ms later.
    pruned.now = 50_000_000;
    assert_eq!(pruner.receive(0, Frame::Prune), []);
    assert_eq!(pruned.receive(0, Frame::Prune), []);
    while pruner.members().is_empty() {
        pruner.heartbeat();
        assert!(pruner.now < 3 * BACKOFF, "never grafted again");
    }
    pruned.now = pruner.now + 1;
    assert_eq!(pruned.receive(0, Frame::Graft), [], "refused: it was too early");
}
