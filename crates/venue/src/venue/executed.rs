//! The execution of a batch, observed by the streams.

use surgetank_layer::audit::batch::Header;
use surgetank_layer::audit::journal::End;
use surgetank_layer::message::Message;
use surgetank_layer::units::{Digest, MessageId, Ns};
use surgetank_market::{Fact, Market, Reject};

use super::{Decided, Venue};
use crate::execution::{Batch, Observer, Phase};
use crate::request::{Action, Request};
use crate::streams::{self, Source};

impl Venue {
    /// Executes a batch: the OrdRejReason of each request, or 0. `None` if money was made or lost.
    ///
    /// The streams observe the execution here, new or replayed.
    pub(super) fn execute(
        &mut self,
        record: u64,
        header: &Header,
        hash: Digest,
        requests: &[Request],
    ) -> Option<Vec<u8>> {
        let (mut messages, mut accounts, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (id, request) in (0..).zip(requests) {
            match request.action {
                Action::Message { body, .. } => {
                    let Request { sender: account, sent_ns, .. } = *request;
                    messages.push(Message { id, account, sent_ns, body });
                }
                Action::Account { request, .. } => {
                    accounts.push((u32::try_from(messages.len()).unwrap_or(u32::MAX), request));
                    places.push(id);
                }
            }
        }
        let batch = Batch {
            now: header.sealed_ns.saturating_sub(self.config.genesis.start_ns),
            height: header.height,
            prices: &[],
            messages: &messages,
            accounts: &accounts,
            seed: Digest(header.seed),
        };
        let mut observed = Observed { reasons: vec![0; requests.len()], facts: Vec::new() };
        let closing = self.execution.execute(&batch, &mut observed);
        for (place, outcome) in places.into_iter().zip(closing.accounts) {
            observed.note(place, outcome.err());
        }
        let sequence = (header.first_sequence + u64::from(header.ordered)).saturating_sub(1);
        let end = End { height: header.height, sequence, hash };
        self.decided = Decided { end, sealed_ns: header.sealed_ns };
        let mut changes = Vec::new();
        for symbol in 0..self.execution.market().symbols() {
            let of_market = self.execution.take_book_changes(symbol).into_iter();
            changes.extend(of_market.map(|change| (symbol, change)));
        }
        let source = Source { record, sequence, sealed_ns: header.sealed_ns };
        self.streams.batch(&streams::Outcome {
            source,
            first_sequence: header.first_sequence,
            facts: &observed.facts,
            changes: &changes,
            requests: &accounts,
            market: self.execution.market(),
        });
        self.recent.batch(source, &observed.facts);
        closing.conserved.then_some(observed.reasons)
    }
}

/// Collects the facts of a batch, and why its requests were rejected.
struct Observed {
    reasons: Vec<u8>,
    facts: Vec<(MessageId, Fact)>,
}

impl Observed {
    fn note(&mut self, place: MessageId, reason: Option<Reject>) {
        if let (Some(noted), Some(reason)) = (self.reasons.get_mut(place as usize), reason) {
            *noted = reason as u8;
        }
    }
}

impl Observer for Observed {
    fn facts(&mut self, _: Ns, _: Phase, _: &Market, facts: &[(MessageId, Fact)]) {
        self.facts.extend_from_slice(facts);
        for (message, fact) in facts {
            if let Fact::Rejected { reason, .. } = fact {
                self.note(*message, Some(*reason));
            }
        }
    }
}
