//! One gossipsub machine under the hand of a test, which plays all of its neighbours.

use surgetank_layer::gossip::{Frame, Input, Mesh, MeshConfig, Output};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Class, Envelope};
use surgetank_layer::units::{MessageId, Ns, Peer, SECOND};

/// A linear congruential generator, mixed: enough chance for a test.
struct Chance(u64);

impl Draws for Chance {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 ^ (self.0 >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }
}

/// A machine and its clock.
pub struct Lone {
    pub mesh: Mesh,
    pub now: Ns,
    chance: Chance,
}

pub fn envelope(id: MessageId) -> Envelope {
    Envelope::plain(id, Class::NewOrderSingle, 100, 0)
}

impl Lone {
    pub fn new(config: MeshConfig, degree: u32, seed: u64) -> Lone {
        Lone { mesh: Mesh::new(config, degree), now: 0, chance: Chance(seed) }
    }

    pub fn step(&mut self, input: Input) -> Vec<Output> {
        let mut outbox = Vec::new();
        self.mesh.step(self.now, input, &mut self.chance, &mut outbox);
        outbox
    }

    pub fn receive(&mut self, from: Peer, frame: Frame) -> Vec<Output> {
        self.step(Input::Receive { from, frame })
    }

    /// A message arrives from a neighbour and is valid; what is sent on.
    pub fn accept(&mut self, from: Peer, id: MessageId) -> Vec<(Peer, Frame)> {
        let heard = self.receive(from, Frame::Message(envelope(id)));
        assert_eq!(heard, [Output::Validate { envelope: envelope(id), from }]);
        sends(&self.step(Input::Validated { envelope: envelope(id), from }))
    }

    /// One heartbeat a second after the last step; what is sent.
    pub fn heartbeat(&mut self) -> Vec<(Peer, Frame)> {
        self.now += SECOND;
        let outputs = self.step(Input::Heartbeat);
        assert_eq!(outputs.last(), Some(&Output::HeartbeatAt(self.now + SECOND)));
        sends(&outputs)
    }

    /// Neighbours put themselves into the mesh.
    pub fn grafted_by(&mut self, peers: impl IntoIterator<Item = Peer>) {
        for peer in peers {
            assert_eq!(self.receive(peer, Frame::Graft), []);
        }
    }

    pub fn members(&self) -> Vec<Peer> {
        self.mesh.mesh().collect()
    }
}

/// What is sent to whom; nothing else may be asked but to be woken.
pub fn sends(outputs: &[Output]) -> Vec<(Peer, Frame)> {
    let mut sent = Vec::new();
    for output in outputs {
        match output {
            Output::Send { to, frame } => sent.push((*to, frame.clone())),
            Output::HeartbeatAt(_) => {}
            other => panic!("{other:?}"),
        }
    }
    sent
}

/// Those to whom this frame is sent, in order.
pub fn sent(frames: &[(Peer, Frame)], what: &Frame) -> Vec<Peer> {
    let mut to: Vec<Peer> = frames.iter().filter(|(_, f)| f == what).map(|&(to, _)| to).collect();
    to.sort_unstable();
    to
}
