//! Verification of the sealed inputs, and location of differences.

use std::collections::{BTreeMap, BTreeSet};

use crate::read::{Batch, padded};
use crate::{Hash, Kind, Verifier};

/// Root of a Merkle tree over leaves (RFC 6962, section 2.1).
pub fn root(leaves: impl Iterator<Item = Hash>) -> Hash {
    // One full tree for each bit of the number of leaves, the largest first.
    let mut full: Vec<(u32, Hash)> = Vec::with_capacity(32);
    for leaf in leaves {
        let (mut height, mut part) = (0, leaf);
        while let Some((_, left)) = full.pop_if(|(other, _)| *other == height) {
            (height, part) = (height + 1, node(&left, &part));
        }
        full.push((height, part));
    }
    let right_to_left = full.into_iter().rev().map(|(_, part)| part);
    right_to_left
        .reduce(|right, left| node(&left, &right))
        .unwrap_or_else(|| *blake3::hash(&[]).as_bytes())
}

fn node(left: &Hash, right: &Hash) -> Hash {
    padded(1, [*left, *right].as_flattened())
}

impl Verifier {
    /// Whether the inputs are those that were sealed.
    pub fn inputs(&mut self, batch: &Batch<'_>, leaves: &[Hash]) -> bool {
        let checks: Vec<[u8; 8]> =
            batch.checks.chunks_exact(8).map(|check| *check.first_chunk().unwrap()).collect();
        let found: Vec<[u8; 8]> = leaves.iter().map(|leaf| *leaf.first_chunk().unwrap()).collect();
        if root(leaves.iter().copied()) != batch.header.inputs_root {
            self.differs(&found, &checks, batch.header.inputs as usize);
            return false;
        }
        if found != checks {
            let at = found.iter().zip(&checks).position(|(found, check)| found != check);
            self.found(Kind::AlteredCheck, at, "the message is sound, its check is not");
        }
        if leaves.len() != batch.header.inputs as usize {
            self.found(Kind::WrongCount, None, "`inputs` is not how many stand here");
        }
        self.arrivals(batch, leaves);
        true
    }

    /// Checks of single inputs: class, arrival order, and inputs carried over.
    fn arrivals(&mut self, batch: &Batch<'_>, leaves: &[Hash]) {
        let mut last_ns = 0;
        for (position, input) in batch.inputs.iter().enumerate() {
            if input.class > 7 {
                self.found(Kind::UnknownClass, Some(position), "position in the inputs");
            }
            if input.arrival_ns < last_ns {
                let what = "position in the inputs: arrived before the one that stands before it";
                self.found(Kind::ArrivalBackwards, Some(position), what);
            }
            last_ns = input.arrival_ns;
        }
        let carried = std::mem::take(&mut self.carried);
        let claimed = batch.header.carried_in as usize;
        for (position, leaf) in carried.iter().enumerate() {
            if position >= claimed || leaves.get(position) != Some(leaf) {
                let what = "position among what the batch before left over";
                self.found(Kind::MissingCarried, Some(position), what);
            }
        }
        if claimed > carried.len() {
            let what = "position in the inputs: said to be carried, but was not left over";
            self.found(Kind::InsertedMessage, Some(carried.len()), what);
        }
    }

    /// Reports the differences between these inputs and the checks of those that were sealed.
    fn differs(&mut self, found: &[[u8; 8]], checks: &[[u8; 8]], sealed: usize) {
        let what = "position in the inputs";
        let same = found.iter().zip(checks).take_while(|(found, check)| found == check).count();
        let mut times = BTreeMap::new();
        found.iter().for_each(|found| *times.entry(found).or_insert(0) += 1);
        let twice = |at: usize| times[&found[at]] > 1;
        if found.len() > checks.len() {
            let kind = if twice(same) { Kind::DuplicatedMessage } else { Kind::InsertedMessage };
            return self.found(kind, Some(same), what);
        }
        if found.len() < checks.len() {
            return self.found(Kind::DroppedMessage, Some(same), what);
        }
        let wrong: Vec<usize> =
            (same..found.len()).filter(|at| found[*at] != checks[*at]).collect();
        match wrong[..] {
            [] if found.len() < sealed => {
                self.found(Kind::DroppedMessage, None, "fewer inputs than were sealed");
            }
            [] if found.len() > sealed => {
                self.found(Kind::InsertedMessage, None, "more inputs than were sealed");
            }
            [] => self.found(Kind::ForgedRoot, None, "`inputs_root` is not that of the inputs"),
            [a, b] if found[a] == checks[b] && found[b] == checks[a] => {
                let what = format!("positions in the inputs: {a} and {b}");
                self.found(Kind::SwappedPair, Some(a), &what);
            }
            _ => {
                let checks: BTreeSet<_> = checks.iter().collect();
                wrong.iter().for_each(|at| {
                    let kind = if twice(*at) {
                        Kind::DuplicatedMessage
                    } else if checks.contains(&found[*at]) {
                        Kind::SwappedPair
                    } else {
                        Kind::AlteredMessage
                    };
                    self.found(kind, Some(*at), what);
                });
            }
        }
    }
}
