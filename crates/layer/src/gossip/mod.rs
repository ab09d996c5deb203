//! Gossip: how a message spreads from node to node.
//!
//! Machines behind one contract: [`Flood`], [`Mesh`] (gossipsub without scores) and [`Gossipsub`]
//! (v1.1 with scores, IDONTWANT of v1.2). A node's neighbours
//! are [`Peer`]s `0..degree`; the graph is undirected. Neither machine validates or queues: it
//! passes the first copy to its node ([`Output::Validate`]) and receives the result
//! ([`Input::Validated`]).

mod flood;
mod gossipsub;
mod mesh;
mod seen;

use serde::{Deserialize, Serialize};

use crate::machine::{Draws, Machine};
use crate::message::Envelope;
use crate::units::{MessageId, Ns, Peer};

pub use flood::Flood;
pub use gossipsub::{Gossipsub, GossipsubConfig, Promises, ScoreConfig, Scores};
pub use mesh::{Mesh, MeshConfig};
pub use seen::SeenCache;

/// Choice of the gossip protocol.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Config {
    /// None: messages go straight to the sequencer, and from it to every node.
    Direct {},
    /// To every neighbour but the one it came from.
    Flood {},
    /// gossipsub v1.1 without scores, with these parameters.
    Mesh(MeshConfig),
    /// gossipsub v1.1 with scores, and IDONTWANT.
    Gossipsub(Box<GossipsubConfig>),
}

/// A frame between two neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message in full.
    Message(Envelope),
    /// IHAVE: numbers of messages that the sender has.
    IHave(Vec<MessageId>),
    /// IWANT: numbers of messages that the sender requests.
    IWant(Vec<MessageId>),
    /// GRAFT: the sender adds the receiver to its mesh.
    Graft,
    /// PRUNE: the sender removes the receiver from its mesh.
    Prune,
    /// IDONTWANT: numbers of messages that the sender has, and is not to be sent.
    IDontWant(Vec<MessageId>),
}

/// Events of a gossip machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The node starts, or starts again.
    Start,
    /// A message of this node or of its clients is valid and to be published.
    Publish(Envelope),
    /// A frame arrived.
    Receive {
        /// From which neighbour.
        from: Peer,
        /// The frame itself.
        frame: Frame,
    },
    /// A received message is valid.
    Validated {
        /// Envelope of the message.
        envelope: Envelope,
        /// From which neighbour it first came.
        from: Peer,
    },
    /// The time set by [`Output::HeartbeatAt`] was reached.
    Heartbeat,
}

/// Requests of a gossip machine to its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Validate the first copy of a message.
    Validate {
        /// Envelope of the message.
        envelope: Envelope,
        /// From which neighbour.
        from: Peer,
    },
    /// Send a message to all neighbours but one.
    Forward {
        /// Envelope of the message.
        envelope: Envelope,
        /// Neighbour that does not receive it: the one that it came from.
        except: Option<Peer>,
    },
    /// Send to one neighbour.
    Send {
        /// Neighbour that receives it.
        to: Peer,
        /// The frame itself.
        frame: Frame,
    },
    /// Hand [`Input::Heartbeat`] in at this time.
    HeartbeatAt(Ns),
}

/// A gossip machine of either protocol.
#[derive(Clone, Debug)]
pub enum Gossip {
    /// A flooding machine.
    Flood(Flood),
    /// A gossipsub machine without scores.
    Mesh(Box<Mesh>),
    /// A gossipsub machine with scores.
    Gossipsub(Box<Gossipsub>),
}

impl Gossip {
    /// The machine of a node with so many neighbours, if it has one.
    pub fn new(config: Config, degree: u32) -> Option<Gossip> {
        match config {
            Config::Direct {} => None,
            Config::Flood {} => Some(Gossip::Flood(Flood::default())),
            Config::Mesh(config) => Some(Gossip::Mesh(Box::new(Mesh::new(config, degree)))),
            Config::Gossipsub(config) => {
                Some(Gossip::Gossipsub(Box::new(Gossipsub::new(*config, degree))))
            }
        }
    }

    /// Whether it hears every copy of a message, and not only the first.
    pub fn hears_copies(&self) -> bool {
        matches!(self, Gossip::Gossipsub(_))
    }

    /// Whether a copy of the message was received: another one would be dropped.
    pub fn has_seen(&self, id: MessageId) -> bool {
        match self {
            Gossip::Flood(flood) => flood.has_seen(id),
            Gossip::Mesh(mesh) => mesh.has_seen(id),
            Gossip::Gossipsub(router) => router.has_seen(id),
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
            Gossip::Gossipsub(router) => router.step(now, input, draws, outbox),
        }
    }
}

/// Up to `count` random neighbours, of `degree`, that `fits` accepts.
fn sample(
    degree: u32,
    count: usize,
    draws: &mut dyn Draws,
    fits: impl Fn(Peer) -> bool,
) -> Vec<Peer> {
    let mut peers: Vec<Peer> = (0..degree).filter(|&peer| fits(peer)).collect();
    for i in 0..count.min(peers.len()) {
        let j = i + draws.below((peers.len() - i) as u64) as usize;
        peers.swap(i, j);
    }
    peers.truncate(count);
    peers
}
