//! gossipsub: what the mesh carries, and which messages IHAVE announces to whom, for how long.

use crate::lone_mesh;

use lone_mesh::{Lone, envelope, sends, sent};
use surgetank_layer::gossip::{Frame, Input, MeshConfig, Output};

fn ihaves(frames: &[(u32, Frame)]) -> Vec<(u32, Vec<u32>)> {
    let mut reported: Vec<(u32, Vec<u32>)> = frames
        .iter()
        .filter_map(|(to, frame)| match frame {
            Frame::IHave(ids) => Some((*to, ids.clone())),
            _ => None,
        })
        .collect();
    reported.sort_unstable();
    reported
}

fn with_mesh(degree: u32, config: MeshConfig) -> Lone {
    let mut node = Lone::new(config, degree, 1);
    node.grafted_by(0..6);
    node
}

#[test]
fn a_valid_message_goes_to_the_mesh_and_not_back() {
    let mut node = with_mesh(20, MeshConfig::default());
    let message = Frame::Message(envelope(9));
    assert_eq!(sent(&node.accept(2, 9), &message), [0, 1, 3, 4, 5]);
    // From outside the mesh: to all of it.
    assert_eq!(sent(&node.accept(15, 10), &Frame::Message(envelope(10))), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_second_copy_is_nothing() {
    let mut node = with_mesh(20, MeshConfig::default());
    node.accept(2, 9);
    assert_eq!(node.receive(3, Frame::Message(envelope(9))), []);
}

#[test]
fn an_own_message_goes_to_the_mesh_and_does_not_come_back() {
    let mut node = with_mesh(20, MeshConfig::default());
    let outputs = node.step(Input::Publish(envelope(9)));
    assert_eq!(sent(&sends(&outputs), &Frame::Message(envelope(9))), [0, 1, 2, 3, 4, 5]);
    assert_eq!(node.receive(3, Frame::Message(envelope(9))), []);
}

#[test]
fn flood_publish_goes_to_all_neighbours_and_is_announced_too() {
    let config = MeshConfig { flood_publish: true, ..MeshConfig::default() };
    let mut node = with_mesh(20, config);
    let outputs = node.step(Input::Publish(envelope(9)));
    assert_eq!(outputs, [Output::Forward { envelope: envelope(9), except: None }]);
    assert_eq!(ihaves(&node.heartbeat())[0].1, [9]);
    // Messages of others still travel in the mesh.
    assert_eq!(node.accept(15, 10).len(), 6);
}

#[test]
fn d_lazy_neighbours_outside_the_mesh_are_reported() {
    let mut node = with_mesh(20, MeshConfig::default());
    node.accept(2, 9);
    let reported = ihaves(&node.heartbeat());
    assert_eq!(reported.len(), 6);
    assert!(reported.iter().all(|(to, ids)| *to >= 6 && *ids == [9]), "{reported:?}");
    // Others are chosen the next time.
    let again = ihaves(&node.heartbeat());
    assert_ne!(reported, again);
}

#[test]
fn with_fewer_outside_all_of_them_are_reported() {
    let mut node = with_mesh(8, MeshConfig::default());
    node.accept(2, 9);
    assert_eq!(ihaves(&node.heartbeat()), [(6, vec![9]), (7, vec![9])]);
}

#[test]
fn nothing_new_is_not_reported() {
    let mut node = with_mesh(20, MeshConfig::default());
    assert_eq!(node.heartbeat(), []);
}

#[test]
fn history_gossip_heartbeats_tell_of_a_message() {
    for windows in 0..4 {
        let config = MeshConfig { history_gossip: windows, ..MeshConfig::default() };
        let mut node = with_mesh(20, config);
        node.accept(2, 9);
        for heartbeat in 0..6 {
            let is_reported = !ihaves(&node.heartbeat()).is_empty();
            assert_eq!(
                is_reported,
                heartbeat < windows,
                "{windows} windows, heartbeat {heartbeat}"
            );
        }
    }
}

#[test]
fn each_heartbeat_tells_of_the_windows_then_open() {
    let mut node = with_mesh(7, MeshConfig::default());
    let mut reported = Vec::new();
    for id in 0..5 {
        node.accept(2, id);
        let mut ids = ihaves(&node.heartbeat()).remove(0).1;
        ids.sort_unstable();
        reported.push(ids);
    }
    assert_eq!(reported, [vec![0], vec![0, 1], vec![0, 1, 2], vec![1, 2, 3], vec![2, 3, 4]]);
}
