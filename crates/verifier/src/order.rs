//! The rules, as pure functions of the sealed inputs in order of arrival.
//!
//! Every rule is a sort: each input gets two numbers, lower is served first, and order of arrival
//! breaks ties. For the two round-robin rules the numbers are a closed form of a queue that is
//! filled first and then drained: an input's *round*, and its lane's turn in the round.

use std::collections::BTreeMap;

use crate::Hash;
use crate::read::Input;

const CANCEL: u8 = 2;
const REPLACE: u8 = 3;
const ORDER: u8 = 4;
const POST_ONLY: u8 = 1;

/// A rule, its parameters and the batch's limits.
pub struct Terms {
    rule: Rule,
    messages_max: u64,
    bytes_max: u64,
}

enum Rule {
    /// First come, first served.
    Fifo,
    /// Classes in the mask before all others.
    Priority { high: u8 },
    /// The higher fee first.
    Fee,
    /// Group 0: all but cancels and takers; 1: cancels; 2: orders that may take, and replaces.
    Class,
    /// Interleaved weighted round robin, a lane for each class.
    Lanes { weights: [u64; 8] },
    /// Deficit round robin over accounts, in bytes.
    Drr { quantum: u64 },
    /// Accounts by a hash of the seed and the account.
    Hash,
}

impl Terms {
    /// `name [key=value] messages_max=N bytes_max=N`, for example
    /// `drr quantum=1500 messages_max=4096 bytes_max=1048576`.
    pub fn parse(text: &[u8]) -> Option<Terms> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        let name = words.next()?;
        let mut next = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
        let rule = match name {
            "fifo" => Rule::Fifo,
            "priority" => Rule::Priority { high: next("high")?.parse().ok()? },
            "fee" => Rule::Fee,
            "class" => Rule::Class,
            "lanes" => {
                let weights = next("weights")?.split(',').map(|weight| weight.parse().ok());
                let weights: Vec<u64> = weights.collect::<Option<_>>()?;
                Rule::Lanes { weights: weights.try_into().ok()? }
            }
            "drr" => Rule::Drr { quantum: next("quantum")?.parse().ok()? },
            "hash" => Rule::Hash,
            _ => return None,
        };
        match rule {
            Rule::Drr { quantum: 0 } => return None,
            Rule::Lanes { weights } if !weights.iter().all(|w| (1..256).contains(w)) => {
                return None;
            }
            _ => {}
        }
        let messages_max = next("messages_max")?.parse().ok()?;
        let bytes_max = next("bytes_max")?.parse().ok()?;
        words.next().is_none().then_some(Terms { rule, messages_max, bytes_max })
    }

    /// The indices of the inputs that are published, in the order due.
    pub fn order(&self, inputs: &[Input<'_>], seed: &Hash) -> Vec<u32> {
        let mut due: Vec<u32> = (0..inputs.len() as u32).collect();
        if !matches!(self.rule, Rule::Fifo) {
            let ranks = self.ranks(inputs, seed);
            due.sort_by_key(|index| ranks[*index as usize]);
        }
        // The first message always fits; the first that does not ends the batch.
        let mut bytes = 0;
        let fits = due.iter().enumerate().take_while(|(position, index)| {
            bytes += inputs[**index as usize].message.len() as u64;
            *position == 0 || (*position as u64) < self.messages_max && bytes <= self.bytes_max
        });
        let published = fits.count();
        due.truncate(published);
        due
    }

    fn ranks(&self, inputs: &[Input<'_>], seed: &Hash) -> Vec<(u64, u64)> {
        match &self.rule {
            Rule::Fifo => vec![(0, 0); inputs.len()],
            Rule::Priority { high } => each(inputs, |input| {
                (u64::from(*high & 1u8.checked_shl(input.class.into()).unwrap_or(0) == 0), 0)
            }),
            Rule::Fee => each(inputs, |input| (u64::from(u32::MAX - input.fee), 0)),
            Rule::Class => each(inputs, |input| (group(input), 0)),
            Rule::Lanes { weights } => lanes(weights, inputs),
            Rule::Drr { quantum } => drr(*quantum, inputs),
            Rule::Hash => hash(seed, inputs),
        }
    }
}

fn each(inputs: &[Input<'_>], rank: impl FnMut(&Input<'_>) -> (u64, u64)) -> Vec<(u64, u64)> {
    inputs.iter().map(rank).collect()
}

fn group(input: &Input<'_>) -> u64 {
    match input.class {
        CANCEL => 1,
        ORDER if input.flags & POST_ONLY == 0 => 2,
        REPLACE => 2,
        _ => 0,
    }
}

/// A cycle has as many rounds as the highest weight; in round r every lane of weight ≥ r serves one,
/// heavier lanes first, then lower classes. So the j-th of a lane of weight w leaves in cycle j / w,
/// round j mod w.
fn lanes(weights: &[u64; 8], inputs: &[Input<'_>]) -> Vec<(u64, u64)> {
    let mut served = [0; 8];
    each(inputs, |input| {
        let lane = usize::from(input.class & 7);
        let (j, weight) = (served[lane], weights[lane]);
        served[lane] += 1;
        (j / weight, (j % weight) << 16 | (255 - weight) << 8 | lane as u64)
    })
}

/// Each round lends every waiting account `quantum` bytes; what it does not use it keeps. So a
/// message leaves in the round in which the loans cover its account's bytes up to its end, and in
/// a round accounts take turns in the order in which they first arrived.
fn drr(quantum: u64, inputs: &[Input<'_>]) -> Vec<(u64, u64)> {
    let mut accounts = BTreeMap::new();
    each(inputs, |input| {
        let newcomer = (accounts.len() as u64, 0u64);
        let (turn, bytes) = accounts.entry(input.account).or_insert(newcomer);
        *bytes += input.message.len() as u64;
        (bytes.div_ceil(quantum).max(1), *turn)
    })
}

fn hash(seed: &Hash, inputs: &[Input<'_>]) -> Vec<(u64, u64)> {
    let mut turns = BTreeMap::new();
    inputs.iter().for_each(|input| {
        turns.entry(input.account).or_insert(0);
    });
    let digest =
        |account: &u32| *blake3::hash(&[&seed[..], &account.to_le_bytes()].concat()).as_bytes();
    let mut drawn: Vec<(Hash, u32)> =
        turns.keys().map(|account| (digest(account), *account)).collect();
    drawn.sort_unstable();
    for ((_, account), turn) in drawn.iter().zip(0..) {
        turns.insert(*account, turn);
    }
    each(inputs, |input| (turns[&input.account], 0))
}
