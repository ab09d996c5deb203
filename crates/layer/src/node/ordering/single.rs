//! One node orders: [`crate::sequencer`] there, [`crate::consensus::single`] everywhere.

use serde::{Deserialize, Serialize};

use super::{Engine, EngineLog, Input, Output, Pace, Wait, WaitKind};
use crate::consensus::single::{self, Single};
use crate::machine::{Draws, Machine};
use crate::sequencer::{self, Sequencer};
use crate::units::{Digest, Height, NodeId, Ns, Weight};

/// A batch waits in no height: it is not known which it will get.
const BATCH: Wait = Wait { what: WaitKind::Batch, height: 0, round: 0 };

/// The ordering node, and the settings of its batches.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The sequencing node.
    pub node: NodeId,
    /// A batch closes after this long; 0 = at once.
    pub window_ns: Ns,
    /// ... or at this many messages.
    pub block_messages_max: u32,
    /// ... or at this many bytes.
    pub block_bytes_max: u32,
    /// A request for missing batches is sent again after this long, until an answer was timed.
    pub request_ns: Ns,
}

pub(super) fn engine(config: Config, id: NodeId, _weights: &[Weight]) -> Box<dyn Engine> {
    Box::new(Sequenced::new(id, config))
}

/// A node's part under a single sequencer.
#[derive(Clone, Debug)]
pub struct Sequenced {
    id: NodeId,
    leader: NodeId,
    block_bytes_max: u32,
    request_ns: Ns,
    follower: Single,
    /// At the leader.
    sequencer: Option<Sequencer>,
    made: Vec<sequencer::Output>,
    followed: Vec<single::Output>,
}

impl Sequenced {
    /// The part of node `id`.
    pub fn new(id: NodeId, config: Config) -> Sequenced {
        let leader = config.node;
        let batches = sequencer::Config {
            batch_messages_max: config.block_messages_max,
            batch_bytes_max: u64::from(config.block_bytes_max),
            window_ns: config.window_ns,
        };
        Sequenced {
            id,
            leader,
            block_bytes_max: config.block_bytes_max,
            request_ns: config.request_ns,
            follower: Single::new(single::Config { node: id, orderer: leader }),
            sequencer: (id == leader).then(|| Sequencer::new(batches)),
            made: Vec::new(),
            followed: Vec::new(),
        }
    }

    fn sequence(
        &mut self,
        now: Ns,
        input: sequencer::Input,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let Some(sequencer) = &mut self.sequencer else { return };
        let mut made = std::mem::take(&mut self.made);
        sequencer.step(now, input, draws, &mut made);
        for output in made.drain(..) {
            match output {
                sequencer::Output::Arm { at_ns } => {
                    out.push(Output::Schedule { wait: BATCH, after_ns: at_ns.saturating_sub(now) });
                }
                sequencer::Output::Close { messages_max, bytes_max } => {
                    out.push(Output::Take { messages_max, bytes_max });
                }
                sequencer::Output::Sealed(block) => {
                    let (height, hash) = (block.height, block.hash);
                    out.push(Output::Seal(block));
                    self.follow(now, single::Input::Sealed { height, hash }, draws, out);
                }
            }
        }
        self.made = made;
    }

    fn follow(
        &mut self,
        now: Ns,
        input: single::Input,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        self.follower.step(now, input, draws, &mut self.followed);
        for output in self.followed.drain(..) {
            match output {
                single::Output::Decide { hash, .. } => out.push(Output::Decide { hash, round: 0 }),
                single::Output::Missing { to_height, .. } => {
                    out.push(Output::Missing { to_height, at: self.leader });
                }
                single::Output::Broken { height } => out.push(Output::Broken(height)),
            }
        }
    }
}

impl Engine for Sequenced {
    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        match input {
            Input::Waiting { messages, bytes } => {
                self.sequence(now, sequencer::Input::Waiting { messages, bytes }, draws, out);
            }
            Input::Waited(_) => self.sequence(now, sequencer::Input::Timer, draws, out),
            Input::Taken(entries) => {
                let input = sequencer::Input::Seal { entries, proposer: self.id };
                self.sequence(now, input, draws, out);
            }
            Input::Sealed { height, prev, hash } | Input::Fetched { height, prev, hash, .. } => {
                self.follow(now, single::Input::Batch { height, prev, hash }, draws, out);
            }
            Input::Start
            | Input::Made { .. }
            | Input::Proposal { .. }
            | Input::Vote(_)
            | Input::Chained { .. }
            | Input::Tick => {}
        }
    }

    /// Batches beyond a gap are fetched again, and no batch is open.
    fn into_log(self: Box<Self>) -> Option<EngineLog> {
        None
    }

    fn resume(&mut self, _log: Option<EngineLog>, height: Height, hash: Digest) {
        self.follower =
            Single::resume(single::Config { node: self.id, orderer: self.leader }, height, hash);
        self.sequencer = self
            .sequencer
            .take()
            .map(|sequencer| Sequencer::resume(sequencer.config(), height, hash));
    }

    fn proposes(&self) -> bool {
        self.sequencer.is_some()
    }

    fn leader(&self) -> Option<NodeId> {
        Some(self.leader)
    }

    fn leads(&self) -> Option<bool> {
        Some(self.id == self.leader)
    }

    fn block_bytes_max(&self) -> Option<u32> {
        Some(self.block_bytes_max)
    }

    fn answer_ns(&self) -> Ns {
        self.request_ns
    }

    fn pace(&self) -> Option<Pace> {
        let sequencer::Config { batch_messages_max, window_ns, .. } =
            self.sequencer.as_ref()?.config();
        Some(Pace { block_messages_max: batch_messages_max, window_ns, propose_ns: None })
    }

    fn set_pace(&mut self, pace: Pace) {
        if let Some(sequencer) = &mut self.sequencer {
            sequencer.tune(pace.block_messages_max, pace.window_ns);
        }
    }

    fn closes_ns(&self, messages: u64) -> Ns {
        self.sequencer.as_ref().map_or(0, |sequencer| {
            let sequencer::Config { batch_messages_max, window_ns, .. } = sequencer.config();
            window_ns * messages.div_ceil(u64::from(batch_messages_max))
        })
    }
}
