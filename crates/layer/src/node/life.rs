//! Start and crash of a node's process, and recovery of the next one from disk.
//!
//! # Rules
//! 1. Only [`Disk`] outlives a process: the next one is a new node ([`Node::recover`]).
//! 2. Consensus logs received messages before it acts on them, as CometBFT's write-ahead log does:
//!    a replay restores its votes, its lock and the messages received. Its pending timers are set
//!    again, with their full duration.
//! 3. Blocks that were decided and not executed are unsealed and executed again.
//! 4. Of its local order a node keeps the number and digest of the last entry, so that it does not
//!    rewrite what it has reported.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Node, Output, Timer, Wait, fair, ordering};
use crate::gossip;
use crate::machine::Draws;
use crate::message::Block;
use crate::units::{Digest, Height, Ns};

/// What a node's process leaves on disk.
pub struct Disk {
    chain: Vec<Arc<Block>>,
    executed: Height,
    log: Option<ordering::EngineLog>,
    proposed: BTreeMap<Digest, Arc<Block>>,
    /// Timers of the engine that had not expired, each with its duration.
    pending: Vec<(Ns, Wait)>,
    fair: Option<Box<fair::State>>,
    started: bool,
}

impl Node {
    pub(super) fn start(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        self.gossip_step(now, gossip::Input::Start, draws, out);
        self.begin_tuning(out);
        if let Some(rebroadcast_ns) = self.engine.rebroadcast_ns() {
            out.push(Output::After(rebroadcast_ns, Timer::Rebroadcast));
        }
        if self.started {
            for (after_ns, wait) in std::mem::take(&mut self.pending) {
                self.schedule(now, wait, after_ns, out);
            }
            for height in self.executed + 1..=self.chain.len() as Height {
                self.seal(now, height, true, draws, out);
            }
            self.execute_next(out);
            self.ask_for_blocks(now, out);
        } else {
            self.started = true;
            self.engine_step(now, ordering::Input::Start, draws, out);
        }
        self.fair.iter().for_each(|fair| fair.arm(out));
    }

    /// The process dies at `now`; what it leaves.
    pub fn into_disk(mut self, now: Ns) -> Disk {
        let log = self.engine.into_log();
        if log.is_none() {
            self.proposed.clear();
        }
        let armed = self.armed.iter().filter(|(at, ..)| *at >= now);
        let mut pending: Vec<_> = armed.map(|(_, after_ns, wait)| (*after_ns, *wait)).collect();
        pending.extend(self.sync.held_commit);
        self.fair.iter_mut().for_each(|fair| fair.crash());
        Disk {
            chain: self.chain,
            executed: self.executed,
            log,
            proposed: self.proposed,
            pending,
            fair: self.fair,
            started: self.started,
        }
    }

    /// This node, which is new, continues on the disk of one of the same configuration. Step
    /// [`super::Input::Start`] next.
    pub fn recover(&mut self, disk: Disk) {
        let pace = self.engine.pace();
        let hash = disk.chain.last().map_or(Digest::default(), |block| block.hash);
        self.engine.resume(disk.log, disk.chain.len() as Height, hash);
        if let Some(pace) = pace {
            self.engine.set_pace(pace);
        }
        for entry in disk.chain.iter().flat_map(|block| &block.entries) {
            self.included.insert(entry.envelope.id);
        }
        self.known = self.included.clone();
        self.unsealing.resume(disk.executed);
        self.chain = disk.chain;
        self.executed = disk.executed;
        self.proposed = disk.proposed;
        self.pending = disk.pending;
        self.fair = disk.fair;
        self.started = disk.started;
    }
}
