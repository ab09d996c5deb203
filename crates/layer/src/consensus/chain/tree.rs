//! The blocks above the last decided one: a tree, of which one branch will be decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chained::{BlockProposal, QuorumCertificate};
use crate::units::{Digest, Height, Round};

/// Different proposals of one round that are kept: of an equivocating leader, the first ones.
const PER_ROUND_MAX: usize = 4;

/// Known blocks that are not decided, and the last decided one.
#[derive(Clone, Debug)]
pub(in crate::consensus) struct Tree {
    /// Height and hash of the last decided block.
    root: (Height, Digest),
    /// Valid proposals above it. The hash of a block does not contain its round, so that the same
    /// block, such as an empty one, may be proposed in several rounds.
    blocks: BTreeMap<(Round, Digest), Arc<BlockProposal>>,
}

impl Tree {
    pub(in crate::consensus) fn new(height: Height, value: Digest) -> Tree {
        Tree { root: (height, value), blocks: BTreeMap::new() }
    }

    /// Height of the last decided block.
    pub(in crate::consensus) fn decided(&self) -> Height {
        self.root.0
    }

    pub(in crate::consensus) fn get(
        &self,
        round: Round,
        value: Digest,
    ) -> Option<&Arc<BlockProposal>> {
        self.blocks.get(&(round, value))
    }

    pub(in crate::consensus) fn of_round(
        &self,
        round: Round,
    ) -> impl Iterator<Item = &Arc<BlockProposal>> {
        let all = (round, Digest([0; 32]))..=(round, Digest([0xff; 32]));
        self.blocks.range(all).map(|(_, block)| block)
    }

    pub(in crate::consensus) fn iter(&self) -> impl Iterator<Item = &Arc<BlockProposal>> {
        self.blocks.values()
    }

    /// Whether a block may be added: it is above the root, and of its round one of the first, or the
    /// certified one: that is one by itself, or as the parent of another.
    pub(in crate::consensus) fn wants(&self, block: &BlockProposal, is_certified: bool) -> bool {
        let is_parent = |child: &Arc<BlockProposal>| {
            (child.qc.round, child.qc.value) == (block.round, block.value)
        };
        block.height > self.root.0
            && (is_certified
                || self.of_round(block.round).count() < PER_ROUND_MAX
                || self.blocks.values().any(is_parent))
    }

    /// Adds a valid block that is wanted.
    pub(in crate::consensus) fn add(&mut self, block: Arc<BlockProposal>, is_certified: bool) {
        if self.wants(&block, is_certified) {
            self.blocks.entry((block.round, block.value)).or_insert(block);
        }
    }

    /// The undecided blocks from the root to the certified one, oldest first; `None` if one is
    /// unknown or the branch does not grow from the root.
    pub(in crate::consensus) fn branch(
        &self,
        qc: &QuorumCertificate,
    ) -> Option<Vec<Arc<BlockProposal>>> {
        let mut branch = Vec::new();
        let mut at = qc;
        while at.height > self.root.0 {
            let block = self.blocks.get(&(at.round, at.value))?;
            at = &block.qc;
            branch.push(Arc::clone(block));
        }
        branch.reverse();
        ((at.height, at.value) == self.root).then_some(branch)
    }

    /// This block is the last decided one now.
    pub(in crate::consensus) fn decide(&mut self, height: Height, value: Digest) {
        self.root = (height, value);
        self.blocks.retain(|_, block| block.height > height);
    }

    pub(in crate::consensus) fn len(&self) -> usize {
        self.blocks.len()
    }
}
