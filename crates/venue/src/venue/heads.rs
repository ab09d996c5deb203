//! Heads of the journal: each commits to the secrets of its batches.

use std::sync::Arc;

use surgetank_layer::machine::Draws;
use surgetank_layer::pipe::sealer::{BatchRule, Sealer};
use surgetank_layer::units::Digest;

use super::{Output, Venue};
use crate::storage::effect::Append;
use crate::storage::record::RecordKind;

impl Venue {
    /// Begins the journal, or a further head of it, if there is none with secrets left.
    pub(super) fn begin_head(&mut self, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        if self.sealer.as_ref().is_some_and(|sealer| sealer.ledger().batches_left() > 0) {
            return;
        }
        let mut secret = [0; 32];
        for part in secret.as_chunks_mut::<8>().0 {
            *part = draws.next_u64().to_le_bytes();
        }
        let rule = BatchRule {
            ordering: self.config.ordering,
            messages_max: self.config.bounds.batch_requests_max.max(1),
            bytes_max: self.config.bounds.batch_bytes_max,
        };
        let batches = self.config.batches_per_head.max(1);
        let (sealer, head) = if self.record == 0 {
            let genesis = &self.config.genesis;
            let (bytes, hash) = (genesis.to_bytes(), genesis.hash());
            self.append(self.first(RecordKind::Genesis, bytes, hash), draws, out);
            Sealer::new(rule, &secret, batches)
        } else {
            Sealer::after(&self.decided.end, rule, &secret, batches)
        };
        let hash = sealer.ledger().last_hash();
        self.sealer = Some(sealer);
        self.append(self.first(RecordKind::Head, head, hash), draws, out);
    }

    /// A record without requests.
    fn first(&self, kind: RecordKind, payload: Vec<u8>, hash: Digest) -> Append {
        let first_sequence = self.decided.end.sequence + 1;
        let payload: Arc<[u8]> = payload.into();
        Append { kind, payload, hash, first_sequence, ordered: 0, sealed_ns: self.now }
    }
}
