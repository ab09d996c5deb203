//! The outside price steps, blocks take effect in the market, and clients hear of it.

use surgetank_layer::message::{Block, Class, Message};
use surgetank_layer::units::NodeId;

use super::{Event, World};
use crate::actors::{Heard, Published};

impl World {
    /// The outside price steps, and everybody who watches it reacts.
    pub(super) fn price_step(&mut self) {
        let Some(exchange) = &mut self.exchange else { return };
        let next_ns = exchange.step(self.now);
        if next_ns < self.scenario.end_ns() {
            self.agenda.push(next_ns, Event::Price);
        }
        self.tell(Heard::Index { next_ns });
        self.tell_attacker(Heard::Index { next_ns });
    }

    /// A node has executed a block: the market follows if it is the first, and clients there hear.
    pub(super) fn settle(&mut self, node: NodeId, block: &Block) {
        let Some(exchange) = &self.exchange else { return };
        if exchange.is_next(block.height) {
            self.execute_market(block);
        }
        let Some(exchange) = &self.exchange else { return };
        let height = block.height as u32;
        let mark = exchange.mark_at(height);
        self.nodes[node as usize].node.see_mark(self.now, mark);
        if self.leader.is_some_and(|leader| leader != node) {
            return;
        }
        let cut = exchange.cut_in(height);
        let priced = exchange.feeds_in_block()
            || block.entries.iter().any(|e| e.envelope.class == Class::PriceUpdate);
        if !priced && !cut {
            return;
        }
        // One executing node serves every gateway.
        let served =
            if self.leader.is_some() { 0..self.nodes.len() as u32 } else { node..node + 1 };
        for gateway in served {
            self.tell(Heard::Published(Published { gateway, height, mark, priced, cut }));
        }
    }

    fn execute_market(&mut self, block: &Block) {
        let Some(exchange) = &mut self.exchange else { return };
        let messages: Vec<Message> = block
            .entries
            .iter()
            .map(|entry| entry.envelope.id)
            .filter(|id| !self.silent.contains(id))
            .map(|id| self.records[self.carried[id as usize].slot as usize].message)
            .collect();
        let facts = exchange.execute(self.now, block, &messages);
        self.tell(Heard::Executed { messages: &messages, facts: &facts });
    }

    /// Pays out the requests that trades have earned, at the accounts' own gateways.
    ///
    /// A gateway has it at once, as it has the block: the venue counts where it executes.
    pub(super) fn pay_out_quotas(&mut self) {
        let earned = self.exchange.as_mut().map_or_else(Vec::new, |exchange| exchange.earned());
        for (account, requests) in earned {
            let gateway = self.actors.accounts.gateway(account);
            self.nodes[gateway as usize].node.earn(self.now, account, requests);
        }
    }
}
