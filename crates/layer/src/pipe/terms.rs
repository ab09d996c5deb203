//! The terms of a batch as text: a rule with its parameters, and the batch's limits.
//!
//! ```text
//! fifo | priority high=6 | fee | class | lanes weights=8,8,4,2,1,1,1,1 | drr quantum=1500 | hash
//! ```
//! and then ` messages_max=4096 bytes_max=1048576`. Only rules that are a pure function of the
//! sealed inputs can be checked by others, so only those have a text: none that sheds, and no
//! custom one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use crate::audit::merkle::Hash;
use crate::message::Envelope;
use crate::queue::{Discipline, Place, Rule};
use crate::units::{AccountId, Ns};

/// An ordering rule that others can verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// First come, first served: [`Rule::Fifo`].
    Fifo,
    /// Two strict lanes: [`Rule::Priority`].
    Priority {
        /// Bit mask of the high lane's classes.
        high: u8,
    },
    /// Highest fee first: [`Rule::Fee`].
    Fee,
    /// Hyperliquid's three groups: [`Rule::Class`].
    Class,
    /// Weighted round robin over classes: [`Rule::Lanes`].
    Lanes {
        /// Weight by class number, each at least 1.
        weights: [u8; 8],
    },
    /// Deficit round robin over accounts: [`Rule::Drr`].
    Drr {
        /// Bytes per account and round, at least 1.
        quantum_bytes: u32,
    },
    /// Accounts by BLAKE3(seed ‖ account), first come first served in each.
    Hash,
}

impl Ordering {
    /// Reads a rule's text.
    ///
    /// # Errors
    /// Says what the rules are.
    pub fn parse(text: &str) -> Result<Ordering, String> {
        Ordering::read(text).ok_or_else(|| {
            format!(
                "`{text}` is no rule that can be checked; use fifo, priority high=MASK, fee, class, \
                 lanes weights=W0,…,W7 (1 to 255), drr quantum=BYTES or hash"
            )
        })
    }

    fn read(text: &str) -> Option<Ordering> {
        let (name, parameter) =
            text.split_once(' ').map_or((text, None), |(name, rest)| (name, rest.split_once('=')));
        Some(match (name, parameter) {
            ("fifo", None) => Ordering::Fifo,
            ("fee", None) => Ordering::Fee,
            ("class", None) => Ordering::Class,
            ("hash", None) => Ordering::Hash,
            ("priority", Some(("high", mask))) => Ordering::Priority { high: mask.parse().ok()? },
            ("drr", Some(("quantum", bytes))) => {
                let quantum_bytes = bytes.parse().ok().filter(|bytes| *bytes > 0)?;
                Ordering::Drr { quantum_bytes }
            }
            ("lanes", Some(("weights", list))) => {
                let weight = |word: &str| word.parse().ok().filter(|weight| *weight > 0);
                let weights: Option<Vec<u8>> = list.split(',').map(weight).collect();
                Ordering::Lanes { weights: weights?.try_into().ok()? }
            }
            _ => return None,
        })
        .filter(|rule| rule.to_string() == text)
    }

    /// Of a queue's rule; `None` if it has no text.
    pub fn of(rule: &Rule) -> Option<Ordering> {
        match *rule {
            Rule::Fifo => Some(Ordering::Fifo),
            Rule::Priority { high } => Some(Ordering::Priority { high }),
            Rule::Fee => Some(Ordering::Fee),
            Rule::Class => Some(Ordering::Class),
            Rule::Lanes { weights } => Some(Ordering::Lanes { weights }),
            Rule::Drr { quantum_bytes } => Some(Ordering::Drr { quantum_bytes }),
            Rule::Codel { .. } | Rule::FqCodel { .. } | Rule::Custom(_) => None,
        }
    }

    /// With these limits, as a batch's terms.
    pub fn terms(&self, messages_max: u32, bytes_max: u64) -> String {
        format!("{self} messages_max={messages_max} bytes_max={bytes_max}")
    }

    /// The queue's rule; only [`Ordering::Hash`] uses the seed.
    pub fn rule(&self, seed: &Hash) -> Rule {
        match *self {
            Ordering::Fifo => Rule::Fifo,
            Ordering::Priority { high } => Rule::Priority { high },
            Ordering::Fee => Rule::Fee,
            Ordering::Class => Rule::Class,
            Ordering::Lanes { weights } => Rule::Lanes { weights },
            Ordering::Drr { quantum_bytes } => Rule::Drr { quantum_bytes },
            Ordering::Hash => Rule::Custom(Box::new(ByHash::new(*seed))),
        }
    }
}

impl fmt::Display for Ordering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ordering::Fifo => f.write_str("fifo"),
            Ordering::Priority { high } => write!(f, "priority high={high}"),
            Ordering::Fee => f.write_str("fee"),
            Ordering::Class => f.write_str("class"),
            Ordering::Lanes { weights } => {
                let weights = weights.map(|weight| weight.to_string());
                write!(f, "lanes weights={}", weights.join(","))
            }
            Ordering::Drr { quantum_bytes } => write!(f, "drr quantum={quantum_bytes}"),
            Ordering::Hash => f.write_str("hash"),
        }
    }
}

/// Accounts in an order that the seed draws.
#[derive(Clone, Debug)]
struct ByHash {
    seed: Hash,
    /// What was drawn for each account, and what waits for it.
    accounts: BTreeMap<AccountId, (Hash, VecDeque<Place>)>,
    /// Those of them that have something waiting.
    turns: BTreeSet<(Hash, AccountId)>,
}

impl ByHash {
    fn new(seed: Hash) -> ByHash {
        ByHash { seed, accounts: BTreeMap::new(), turns: BTreeSet::new() }
    }
}

impl Discipline for ByHash {
    fn push(&mut self, _: Ns, place: Place, envelope: &Envelope) {
        let account = envelope.account;
        let (drawn, waiting) = self.accounts.entry(account).or_insert_with(|| {
            let draw = blake3::hash(&[&self.seed[..], &account.to_le_bytes()].concat());
            (*draw.as_bytes(), VecDeque::new())
        });
        if waiting.is_empty() {
            self.turns.insert((*drawn, account));
        }
        waiting.push_back(place);
    }

    fn pop(&mut self, _: Ns, _: &mut Vec<Place>) -> Option<Place> {
        let turn = *self.turns.first()?;
        let (_, waiting) = self.accounts.get_mut(&turn.1)?;
        let place = waiting.pop_front();
        if waiting.is_empty() {
            self.turns.remove(&turn);
        }
        place
    }

    fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        for (account, (drawn, waiting)) in &mut self.accounts {
            waiting.retain(|&place| stays(place));
            if waiting.is_empty() {
                self.turns.remove(&(*drawn, *account));
            }
        }
    }

    fn order(&self) -> Vec<Place> {
        let waiting = self.turns.iter().filter_map(|(_, account)| self.accounts.get(account));
        waiting.flat_map(|(_, places)| places).copied().collect()
    }

    fn fresh(&self) -> Box<dyn Discipline> {
        Box::new(ByHash::new(self.seed))
    }

    fn copy(&self) -> Box<dyn Discipline> {
        Box::new(self.clone())
    }
}
