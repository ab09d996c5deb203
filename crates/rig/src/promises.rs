//! What the venue's answers have promised, against its journal.
//!
//! # Rules
//! 1. A request that was answered with a place stands at that place of the journal.
//! 2. One that was refused for good stands nowhere in it.
//! 3. None stands in it twice, and no ClOrdID of an account does.
//! 4. Every batch continues the chain of hashes of those before it, also after a restart.

use std::collections::BTreeSet;

use surgetank_layer::audit::journal::MAGIC;
use surgetank_layer::units::{AccountId, Digest, MessageId};

/// Number of breaches by kind, and the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaches {
    /// Requests that were answered with a place at which the journal has another, or none.
    pub lost: u64,
    /// Requests that were refused, and are in the journal.
    pub refused: u64,
    /// Requests that are in the journal more than once.
    pub twice: u64,
    /// Batches that do not continue the chain.
    pub unchained: u64,
    /// The first breach, in words.
    pub first: Option<String>,
}

impl Breaches {
    fn note(&mut self, say: impl FnOnce() -> String) {
        self.first.get_or_insert_with(say);
    }
}

/// Places of requests: those promised, and those that the journal has.
#[derive(Debug, Default)]
pub struct Promises {
    /// Place that the answer named, by message; 0: none.
    promised: Vec<u64>,
    /// Place in the journal, by message; 0: none.
    placed: Vec<u64>,
    cl_ord_ids: BTreeSet<(AccountId, u64)>,
    /// Sequence number of the last request of the journal.
    last: u64,
    /// Greatest sequence number that the venue has named.
    named: u64,
    /// Hash of the last head or batch, and of the last batch.
    chain: Option<Digest>,
    batch: Option<Digest>,
    breaches: Breaches,
}

fn set(places: &mut Vec<u64>, id: MessageId, place: u64) {
    let at = id as usize;
    if places.len() <= at {
        places.resize(at + 1, 0);
    }
    places[at] = place;
}

impl Promises {
    /// An answer names the place of a message.
    pub fn promise(&mut self, id: MessageId, sequence: u64) {
        set(&mut self.promised, id, sequence);
        self.named = self.named.max(sequence);
    }

    /// The venue says that its journal reaches to this place.
    pub fn reaches(&mut self, sequence: u64) {
        self.named = self.named.max(sequence);
    }

    /// Whether the journal was received to every place that the venue has named.
    pub fn is_complete(&self) -> bool {
        self.last >= self.named
    }

    /// Place of a message in the journal, if it has one.
    pub fn place(&self, id: MessageId) -> Option<u64> {
        self.placed.get(id as usize).copied().filter(|place| *place > 0)
    }

    /// A head of the journal.
    pub fn head(&mut self, frame: &[u8]) {
        let hash_at = |from_end: usize| {
            let bytes = frame.get(frame.len().checked_sub(from_end)?..)?.first_chunk::<32>()?;
            Some(Digest(*bytes))
        };
        // A head that continues a journal ends with the hash before it, and its own.
        if frame.starts_with(MAGIC) && self.batch.is_some() && self.batch != hash_at(64) {
            self.breaches.unchained += 1;
            self.breaches.note(|| "a head does not continue the batch before it".to_owned());
        }
        self.chain = hash_at(32);
    }

    /// A batch of the journal, with the hash of what comes before it and its own.
    pub fn batch(&mut self, height: u64, previous: Digest, hash: Digest) {
        if self.chain.is_some_and(|chain| chain != previous) {
            self.breaches.unchained += 1;
            self.breaches.note(|| format!("batch {height} does not continue the one before"));
        }
        (self.chain, self.batch) = (Some(hash), Some(hash));
    }

    /// The journal has a request at this place: of this message, if it is the run's own.
    pub fn place_of(
        &mut self,
        sequence: u64,
        message: Option<MessageId>,
        cl_ord_id: Option<(AccountId, u64)>,
    ) {
        self.last = self.last.max(sequence);
        let again = message.is_some_and(|id| self.place(id).is_some());
        let known = cl_ord_id.is_some_and(|one| one.1 != 0 && !self.cl_ord_ids.insert(one));
        if again || known {
            self.breaches.twice += 1;
            self.breaches.note(|| format!("request {sequence} is a second copy"));
        }
        if let Some(id) = message {
            set(&mut self.placed, id, sequence);
        }
    }

    /// What is broken at the end, when the whole journal was received. `is_refused`: whether the
    /// last answer to a message was a refusal.
    pub fn breaches(&self, is_refused: impl Fn(MessageId) -> bool) -> Breaches {
        let mut breaches = self.breaches.clone();
        for (id, promised) in (0..).zip(&self.promised) {
            if *promised > 0 && self.place(id) != Some(*promised) {
                breaches.lost += 1;
                breaches.note(|| {
                    format!("message {id} was answered with place {promised}, where it is not")
                });
            }
        }
        for (id, placed) in (0..).zip(&self.placed) {
            if *placed > 0 && is_refused(id) {
                breaches.refused += 1;
                breaches.note(|| format!("message {id} was refused, and is at place {placed}"));
            }
        }
        breaches
    }
}
