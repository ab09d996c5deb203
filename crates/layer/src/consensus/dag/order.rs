//! Which anchors are decided, and the blocks that they make.

use std::sync::Arc;

use super::{Dag, DagClause, Output};
use crate::dag::SubDag;
use crate::units::Round;

impl Dag {
    /// Decides what can be decided: each anchor with support, after the earlier ones to which a path
    /// leads.
    pub(super) fn decide(&mut self, outbox: &mut Vec<Output>) {
        let mut round = self.next_anchor;
        while round < self.graph.last_round() {
            if let Some(author) = self.anchor(round).filter(|who| self.is_supported(round, *who)) {
                self.decide_up_to(round, author, outbox);
            }
            round += 2;
        }
    }

    /// An anchor in the graph, to which vertices of more than a third in the next round refer.
    fn is_supported(&self, round: Round, author: u32) -> bool {
        let is_whole = self.graph.get(round, author).is_some_and(|slot| slot.is_whole);
        let support = || self.weight_of(self.graph.supporters(round, author));
        is_whole && self.electorate.is_third(support())
    }

    fn decide_up_to(&mut self, round: Round, author: u32, outbox: &mut Vec<Output>) {
        let mut anchors = vec![(round, author)];
        let (mut from, mut before) = ((round, author), round);
        while before > self.next_anchor {
            before -= 2;
            // Of an anchor whose coin is not revealed no later one has a quorum in its history.
            let anchor = self.anchor(before).map(|author| (before, author));
            if let Some(anchor) = anchor.filter(|anchor| self.graph.has_path(from, *anchor)) {
                anchors.push(anchor);
                from = anchor;
            }
        }
        self.fire(DagClause::DecideDirectly);
        for anchor in anchors.into_iter().rev() {
            if anchor != (round, author) {
                self.fire(DagClause::DecideByPath);
            }
            self.order(anchor, outbox);
        }
    }

    /// The block of a decided anchor.
    fn order(&mut self, anchor: (Round, u32), outbox: &mut Vec<Output>) {
        let (round, author) = anchor;
        let vertices = self.graph.history(anchor, round.saturating_sub(self.depth));
        let mut values = Vec::with_capacity(vertices.len());
        for &(round, author) in &vertices {
            let Some(slot) = self.graph.slot(round, author) else { continue };
            slot.is_ordered = true;
            values.extend(slot.vertex.as_ref().map(|vertex| vertex.value));
        }
        let failed = (round - self.next_anchor) / 2;
        for _ in 0..failed {
            self.fire(DagClause::PassOver);
        }
        let graph = Arc::new(SubDag { round, author, vertices });
        outbox.push(Output::Decide { values, graph, failed });
        self.end(round, outbox);
    }

    /// A block was decided whose anchor is of this round.
    fn end(&mut self, round: Round, outbox: &mut Vec<Output>) {
        self.decided += 1;
        self.next_anchor = round + 2;
        let gone = self.graph.forget(round.saturating_sub(self.depth));
        if !gone.is_empty() {
            outbox.push(Output::Forget(gone));
        }
        let floor = self.graph.floor;
        self.accused.retain(|(round, _)| *round > floor);
        self.votes.retain(|round, _| *round > floor);
    }

    /// The node has taken a decided block from another.
    pub(super) fn catch_up(&mut self, graph: &SubDag, outbox: &mut Vec<Output>) {
        if graph.round < self.next_anchor {
            return;
        }
        for &(round, author) in &graph.vertices {
            self.graph.slot(round, author).into_iter().for_each(|slot| slot.is_ordered = true);
        }
        self.end(graph.round, outbox);
        // Vertices that waited for these, or for what is forgotten now, may be in the graph.
        let waiting = self.graph.iter().filter(|(_, slot)| slot.vertex.is_some() && !slot.is_whole);
        let waiting: Vec<(Round, u32)> = waiting.map(|(at, _)| *at).collect();
        for (round, author) in waiting {
            self.settle(round, author, outbox);
        }
    }
}
