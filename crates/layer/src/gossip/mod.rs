//! Gossip: how a message spreads from node to node.
//!
//! Two machines behind one contract: [`Flood`] and [`Mesh`] (gossipsub v1.1). A node's neighbours are
//! [`Peer`]s `0..degree`; the graph is undirected. Neither machine validates or queues: it hands the
//! first copy to its node ([`Output::Validate`]) and is told the result ([`Input::Validated`]).

mod flood;
mod mesh;
mod seen;

use serde::{Deserialize, Serialize};

use crate::machine::{Draws, Machine};
use crate::message::Envelope;
use crate::units::{MessageId, Ns, Peer};

pub use flood::Flood;
pub use mesh::{Mesh, MeshConfig};
pub use seen::Seen;

/// Which machine.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Config {
    /// None: messages go straight to the sequencer, and from it to every node.
    Direct {},
    /// To every neighbour but the one it came from.
    Flood {},
    /// gossipsub.
    Mesh(MeshConfig),
}

/// What one neighbour sends to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Envelope),
    /// "I have these."
    IHave(Vec<MessageId>),
    /// "I want these."
    IWant(Vec<MessageId>),
    /// "You are in my mesh."
    Graft,
    /// "You are not in my mesh any more."
    Prune,
}

/// What can happen to a gossip machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The node starts, or starts again.
    Start,
    /// A message of this node's own, or of its clients, is valid.
    Publish(Envelope),
    /// A frame arrived.
    Receive {
        /// From which neighbour.
        from: Peer,
        /// The frame.
        frame: Frame,
    },
    /// A received message is valid.
    Validated {
        /// The message.
        envelope: Envelope,
        /// From which neighbour it first came.
        from: Peer,
    },
    /// The time asked for with [`Output::HeartbeatAt`] has come.
    Heartbeat,
}

/// What a gossip machine asks of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The first copy of a message: is it valid?
    Validate {
        /// The message.
        envelope: Envelope,
        /// From which neighbour.
        from: Peer,
    },
    /// Send a message to all neighbours but one.
    Forward {
        /// The message.
        envelope: Envelope,
        /// Not to this one.
        except: Option<Peer>,
    },
    /// Send to one neighbour.
    Send {
        /// The receiver.
        to: Peer,
        /// The frame.
        frame: Frame,
    },
    /// Wake this machine at that time.
    HeartbeatAt(Ns),
}

/// Either machine.
#[derive(Clone, Debug)]
pub enum Gossip {
    /// To everybody.
    Flood(Flood),
    /// gossipsub.
    Mesh(Box<Mesh>),
}

impl Gossip {
    /// The machine of a node with so many neighbours, if it has one.
    pub fn new(config: Config, degree: u32) -> Option<Gossip> {
        match config {
            Config::Direct {} => None,
            Config::Flood {} => Some(Gossip::Flood(Flood::default())),
            Config::Mesh(config) => Some(Gossip::Mesh(Box::new(Mesh::new(config, degree)))),
        }
    }

    /// Whether a copy of the message has been here: another one would be dropped.
    pub fn has_seen(&self, id: MessageId) -> bool {
        match self {
            Gossip::Flood(flood) => flood.has_seen(id),
            Gossip::Mesh(mesh) => mesh.has_seen(id),
        }
    }
}

impl Machine for Gossip {
    type Input = Input;
    type Output = Output;

    #[inline]
    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match self {
            Gossip::Flood(flood) => flood.step(now, input, draws, outbox),
            Gossip::Mesh(mesh) => mesh.step(now, input, draws, outbox),
        }
    }
}
