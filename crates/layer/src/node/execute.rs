//! Execution of decided blocks, one after the other.

use super::{Node, Output, Task, Timer, Wait, WaitKind};
use crate::machine::Draws;
use crate::message::Block;
use crate::units::{Digest, Ns, Round};
use std::sync::Arc;

impl Node {
    /// Records the next decided block, removes its messages from the mempool, and executes it in
    /// turn.
    pub(super) fn decide(
        &mut self,
        now: Ns,
        block: Arc<Block>,
        round: Round,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        for entry in &block.entries {
            self.included.insert(entry.envelope.id);
            self.known.insert(entry.envelope.id);
        }
        if !block.entries.is_empty() && !self.mempool.is_empty() {
            let included = &self.included;
            let mut gone = 0;
            self.mempool.retain(|waiting| {
                let stays = !included.contains(waiting.item.id);
                gone += if stays { 0 } else { u64::from(waiting.item.size_bytes) };
                stays
            });
            self.mempool_bytes -= gone;
        }
        self.fair.iter_mut().for_each(|fair| fair.decided(&block));
        if !self.engine.forgets() {
            self.proposed.retain(|_, kept| kept.height > block.height);
        }
        self.chain.push(Arc::clone(&block));
        let height = block.height;
        self.account_for(now, &block, out);
        self.observe(now, &block);
        self.adapt_to(round, out);
        out.push(Output::Decided(block, round));
        self.seal(now, height, self.sync.behind(height), draws, out);
        self.execute_next(out);
    }

    pub(super) fn execute_next(&mut self, out: &mut Vec<Output>) {
        if self.executing.is_some() {
            return;
        }
        let Some(decided) = self.chain.get(self.executed as usize) else { return };
        if !self.unsealing.is_open(decided.height) {
            return;
        }
        let prev = self.block(decided.height - 1).map_or(Digest::default(), |block| block.hash);
        let block = self.unsealing.in_order(decided, &prev);
        self.executing = Some(Arc::clone(&block));
        out.push(Output::Work(Task::Execute(block)));
    }

    pub(super) fn executed(&mut self, now: Ns, out: &mut Vec<Output>) {
        let Some(block) = self.executing.take() else { return };
        self.executed += 1;
        out.push(Output::Executed(block));
        self.execute_next(out);
        self.end_height(now, out);
    }

    /// `timeout_commit` starts when everything decided is executed.
    fn end_height(&mut self, now: Ns, out: &mut Vec<Output>) {
        if self.executed < self.chain.len() as u64 {
            return;
        }
        if let Some((after_ns, wait)) = self.sync.held_commit.take() {
            self.arm(now, wait, after_ns, out);
        }
        if self.sync.behind(self.chain.len() as u64) {
            self.ask_for_blocks(now, out);
        }
    }

    fn arm(&mut self, now: Ns, wait: Wait, after_ns: Ns, out: &mut Vec<Output>) {
        self.armed.retain(|(at, _, armed)| *at > now && armed.height >= wait.height);
        self.armed.push((now + after_ns, after_ns, wait));
        out.push(Output::After(after_ns, Timer::Engine(wait)));
    }

    /// Sets an engine's timer; that of the next height starts after execution.
    pub(super) fn schedule(&mut self, now: Ns, wait: Wait, after_ns: Ns, out: &mut Vec<Output>) {
        let unfinished = self.executed < self.chain.len() as u64;
        match wait.what {
            WaitKind::NextHeight if unfinished => self.sync.held_commit = Some((after_ns, wait)),
            // After a restart no message waits for a batch to be closed.
            WaitKind::Batch => out.push(Output::After(after_ns, Timer::Engine(wait))),
            _ => self.arm(now, wait, after_ns, out),
        }
    }
}
