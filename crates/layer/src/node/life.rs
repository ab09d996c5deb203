//! Start of a node's process: the first one, or one that recovers from disk.

use super::{Node, Output, Timer, ordering, sync};
use crate::gossip;
use crate::machine::Draws;
use crate::units::{Height, Ns};

impl Node {
    pub(super) fn start(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        self.gossip_step(now, gossip::Input::Start, draws, out);
        self.begin_tuning(out);
        if let Some(rebroadcast_ns) = self.engine.rebroadcast_ns() {
            out.push(Output::After(rebroadcast_ns, Timer::Rebroadcast));
        }
        if self.started {
            for (at, wait) in &self.armed {
                out.push(Output::After(at.saturating_sub(now), Timer::Engine(*wait)));
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

    /// The process has crashed. State in memory is lost: messages that wait for validation,
    /// ordering or verification, reports, shares. On disk are decided blocks, the height executed,
    /// what consensus has signed and its timeouts, which messages were seen, and settings. Step
    /// [`super::Input::Start`] when the next process begins.
    pub fn recover(&mut self) {
        self.ingress.clear();
        self.hearing.clear();
        self.mempool.clear();
        self.mempool_bytes = 0;
        self.validating = 0;
        self.executing = None;
        self.unsealing.recover();
        self.fair.iter_mut().for_each(|fair| fair.crash());
        // What was only in memory may come again.
        self.known = self.included.clone();
        self.sync = sync::State::default();
    }
}
