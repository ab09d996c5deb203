//! The outside price steps, blocks take effect in the market, and clients hear of it.

use surgetank_layer::message::{Block, Class, Message};
use surgetank_layer::units::{AccountId, NodeId};
use surgetank_market::Fact;

use super::exchange::{Exchange, clamp};
use super::{Event, World};
use crate::scenario::Feed;
use crate::trace::{MarketKind, MarketRow};

impl World {
    /// The outside price steps, and everybody who watches it reacts.
    pub(super) fn price_step(&mut self) {
        let now = self.now;
        let Some(exchange) = &mut self.exchange else { return };
        exchange.step(now);
        let step_ns = exchange.step_ns;
        if now + step_ns < self.scenario.end_ns() {
            self.agenda.push(now + step_ns, Event::Price);
        }
        self.alert_makers();
        self.alert_keepers();
        self.race();
        self.spread_panic(step_ns);
    }

    /// Before a block is executed for the first time: who keeps silent?
    pub(super) fn find_unrevealed(&mut self, block: &Block) {
        let first = |exchange: &Exchange| block.height == exchange.height + 1;
        if self.exchange.as_ref().is_some_and(first) {
            let mut silent = self.unrevealed(block);
            self.silent.append(&mut silent);
        }
    }

    /// A node has executed a block: the market follows if it is the first, and clients there hear.
    pub(super) fn settle(&mut self, node: NodeId, block: &Block) {
        let Some(exchange) = &self.exchange else { return };
        let in_block = exchange.feed == Feed::Block;
        if block.height == exchange.height + 1 {
            self.execute_market(block);
        }
        if let Some(exchange) = &self.exchange {
            self.nodes[node as usize].see_mark(self.now, exchange.mark_at(block.height as u32));
        }
        let has_price =
            in_block || block.entries.iter().any(|e| e.envelope.class == Class::PriceUpdate);
        if self.leader.is_some_and(|leader| leader != node) {
            return;
        }
        let height = block.height as u32;
        let cut = self.exchange.as_ref().is_some_and(|exchange| exchange.cuts[height as usize]);
        // One executing node serves every gateway.
        let served =
            if self.leader.is_some() { 0..self.nodes.len() as u32 } else { node..node + 1 };
        for gateway in served {
            if has_price {
                self.tell_keepers(gateway, height);
            }
            if cut {
                self.tell_cut_off(gateway, height);
            }
        }
    }

    fn execute_market(&mut self, block: &Block) {
        let now = self.now;
        let Some(exchange) = &mut self.exchange else { return };
        exchange.height = block.height;
        exchange.cuts.push(false);
        exchange.market.begin_block();
        let mut facts = Vec::new();
        let mut futile: Vec<AccountId> = Vec::new();
        if exchange.feed == Feed::Block {
            exchange.take_block_price(now);
        }
        let told: Vec<Message> = block
            .entries
            .iter()
            .map(|entry| entry.envelope.id)
            .filter(|id| !self.silent.contains(id))
            .map(|id| self.records[self.carried[id as usize].slot as usize].message)
            .collect();
        for (message, fact) in exchange.trade(now, &told, block.hash) {
            facts.push(fact);
            if let Fact::NotLiquidatable { account, .. } = fact {
                futile.push(account);
            }
            exchange.note_cut(&fact);
            exchange.fact(now, message, fact);
        }
        let insurance = exchange.market.insurance();
        if insurance != exchange.insurance {
            exchange.insurance = insurance;
            let amount = clamp(insurance);
            exchange.row(MarketRow { amount, ..MarketRow::new(now, MarketKind::Insurance) });
        }
        exchange.note_touch(now);
        exchange.conserved &= exchange.market.total_money() == exchange.money;
        let mark = exchange.market.mark(0);
        exchange.marks.push(mark);
        self.forget_orders(&futile);
        self.tell_makers(&told, &facts);
    }
}
