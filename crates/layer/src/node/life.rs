//! A node starts, crashes and starts again.

use super::{Node, Orderer, Output, Timer, sync};
use crate::consensus::tendermint;
use crate::gossip;
use crate::machine::Draws;
use crate::units::{Height, Ns};

impl Node {
    pub(super) fn start(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        self.gossip_step(now, gossip::Input::Start, draws, out);
        self.begin_tuning(out);
        if let Orderer::Tendermint { rebroadcast_ns, .. } = self.orderer {
            out.push(Output::After(rebroadcast_ns, Timer::Rebroadcast));
        }
        self.consensus_step(now, tendermint::Input::Start, draws, out);
        self.fair.iter().for_each(|fair| fair.arm(out));
    }

    pub(super) fn crash(&mut self, now: Ns) {
        self.validation_busy.stop(now);
        self.consensus_busy.stop(now);
        self.execution_busy.stop(now);
        self.ingress.clear();
        self.hearing.clear();
        self.mempool.clear();
        self.mempool_bytes = 0;
        self.serving = 0;
        self.executing = false;
        self.opening.crash();
        self.fair.iter_mut().for_each(|fair| fair.crash());
        // What was only in memory may come again.
        self.known = self.included.clone();
        self.sync = sync::State::default();
    }

    pub(super) fn restart(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        self.gossip_step(now, gossip::Input::Start, draws, out);
        if let Orderer::Tendermint { rebroadcast_ns, .. } = self.orderer {
            out.push(Output::After(rebroadcast_ns, Timer::Rebroadcast));
        }
        self.begin_tuning(out);
        for (at, timeout) in &self.armed {
            out.push(Output::After(at.saturating_sub(now), Timer::Consensus(*timeout)));
        }
        for height in self.executed + 1..=self.chain.len() as Height {
            self.seal(now, height, true, draws, out);
        }
        self.execute_next(now, draws, out);
        self.ask_for_blocks(now, out);
        self.fair.iter().for_each(|fair| fair.arm(out));
    }
}
