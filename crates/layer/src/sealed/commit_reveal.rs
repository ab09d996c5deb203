//! Bonded commit–reveal: one round of one market.
//!
//! # Rules
//! 1. Commit. Until `commit_ns` after the opening, an account hands in a [`commitment`] and a bond.
//! 2. Sealed. What was handed in is fixed, and [`Output::Sealed`] names it by one digest. Only then
//!    is the seed drawn, by somebody who is not among the senders and could not choose: a threshold
//!    signature on that digest, or a beacon. A seed that comes before, or for another digest, is
//!    refused. Without one for `seed_ns` the round is abandoned and every bond goes back.
//! 3. Reveal. For `reveal_ns` after the seed, senders show salt and message. What does not match a
//!    commitment of that account, market and round is refused.
//! 4. Ordered. Places go by H(seed ‖ account ‖ commitment). Who did not reveal loses the bond and
//!    keeps an empty place, so no reveal and no silence moves anybody else.
//!
//! # Theory of operation
//! The account is inside the commitment, so a copied commitment cannot be revealed. The place
//! depends on nothing that is chosen after the seed is known, and the seed on nothing that a sender
//! chooses before. What is left to a sender is the number of its commitments: k of them, of which
//! the best is revealed, cost k − 1 bonds.
//!
//! [`Order::Naive`] and [`Order::LastMover`] are two orders that can be ground. They are here so
//! that the lab can show by how much, and for nothing else. A hash chain that the sequencer
//! publishes beforehand ([`seed_follows`]) can take the place of the beacon; it is weaker, as the
//! sequencer knows every seed in advance and can be among the senders.
//!
//! Source: Blum, "Coin flipping by telephone" (CRYPTO 1981), for the commitment; bonds and the empty
//! place as in this project's research notes, from published attacks on commit–reveal venues.
//!
//! Departures: none known. Who revealed what is the caller's to execute; nothing is decoded here.

use std::collections::BTreeMap;

use crate::machine::{Draws, Machine};
use crate::units::{AccountId, Digest, Money, Ns};

/// Sets the uses of BLAKE3 here apart from every other, and from each other.
const COMMIT_TAG: &[u8] = b"surgetank commit 1";
const SEALED_TAG: &[u8] = b"surgetank sealed 1";
const PLACE_TAG: &[u8] = b"surgetank place 1";
const CHAIN_TAG: &[u8] = b"surgetank seed chain 1";

/// By what the places of a round go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By hash with a seed that is drawn after the sealing.
    Seeded,
    /// By the commitment itself: whoever tries a few salts is first.
    Naive,
    /// By hash with a digest of all commitments: whoever commits last tries a few salts.
    LastMover,
}

/// What a round is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// By what the places go.
    pub order: Order,
    /// How long commitments are taken.
    pub commit_ns: Ns,
    /// How long the seed may take.
    pub seed_ns: Ns,
    /// How long reveals are taken.
    pub reveal_ns: Ns,
    /// What a commitment without reveal costs.
    pub bond: Money,
    /// Most commitments in a round.
    pub commits_max: usize,
    /// Longest message.
    pub message_bytes_max: usize,
}

/// What can happen to a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// An account commits.
    Commit {
        /// Who commits.
        account: AccountId,
        /// To what.
        commitment: Digest,
        /// With how much.
        bond: Money,
    },
    /// The seed is drawn.
    Seed {
        /// For what was sealed.
        sealed: Digest,
        /// What is drawn, 32 bytes.
        seed: Digest,
    },
    /// An account shows what it committed to.
    Reveal {
        /// Who committed.
        account: AccountId,
        /// The salt.
        salt: [u8; 32],
        /// The message's bytes.
        message: Vec<u8>,
    },
    /// A time that was armed has come; to be handed in at the opening too.
    Timer,
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// Its phase has not begun.
    TooEarly = 1,
    /// Its phase is over.
    TooLate = 2,
    /// The bond is too small.
    BondTooSmall = 3,
    /// It is there already.
    Duplicate = 4,
    /// As many commitments as a round takes are there.
    RoundFull = 5,
    /// The seed is not for what was sealed here.
    WrongSeal = 6,
    /// The account committed to nothing of the kind.
    NoSuchCommitment = 7,
    /// The message is too long.
    TooLong = 8,
}

/// One place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who committed to it.
    pub account: AccountId,
    /// What was committed to.
    pub commitment: Digest,
    /// What was revealed; `None`: nothing, and the place is empty.
    pub message: Option<Vec<u8>>,
}

/// What a round answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand [`Input::Timer`] in at this time. A time armed earlier may still be handed in.
    Arm {
        /// When it goes off, ns.
        at_ns: Ns,
    },
    /// A commitment is taken.
    Committed {
        /// Who committed.
        account: AccountId,
        /// The digest of what is committed to.
        commitment: Digest,
    },
    /// An account's commitment or reveal, or (without account) a seed, is refused.
    Refused {
        /// Who was refused; none for a seed.
        account: Option<AccountId>,
        /// Why it was refused.
        reason: Refusal,
    },
    /// No more commitments; the seed may be drawn.
    Sealed {
        /// The digest of all of them.
        sealed: Digest,
        /// How many there are.
        commits: usize,
    },
    /// The seed is known; reveals are taken.
    Opened {
        /// Until when.
        until_ns: Ns,
    },
    /// A reveal is taken.
    Revealed {
        /// Who revealed.
        account: AccountId,
        /// Of what.
        commitment: Digest,
    },
    /// The round is over: its messages in order.
    Ordered {
        /// Every commitment's place.
        places: Vec<Place>,
    },
    /// A bond goes back.
    Returned {
        /// To whom.
        account: AccountId,
        /// How much.
        bond: Money,
    },
    /// A bond is lost.
    Forfeited {
        /// By whom.
        account: AccountId,
        /// For what.
        commitment: Digest,
        /// How much.
        bond: Money,
    },
    /// The seed did not come: nothing is ordered, and every bond goes back.
    Abandoned,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Commit,
    Sealed { sealed: Digest },
    Reveal { seed: Digest },
    Over,
}

/// What is held of a commitment.
#[derive(Clone, Debug)]
struct Held {
    bond: Money,
    message: Option<Vec<u8>>,
}

/// One round of one market.
#[derive(Clone, Debug)]
pub struct CommitReveal {
    config: Config,
    market: u16,
    round: u64,
    phase: Phase,
    /// When the phase ends.
    ends_ns: Ns,
    armed_ns: Option<Ns>,
    commits: BTreeMap<(AccountId, Digest), Held>,
}

impl CommitReveal {
    /// A round that opens at this time.
    pub fn new(config: Config, market: u16, round: u64, opens_ns: Ns) -> CommitReveal {
        CommitReveal {
            config,
            market,
            round,
            phase: Phase::Commit,
            ends_ns: opens_ns.saturating_add(config.commit_ns),
            armed_ns: None,
            commits: BTreeMap::new(),
        }
    }

    /// Whether the round is over.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn commit(
        &mut self,
        account: AccountId,
        commitment: Digest,
        bond: Money,
    ) -> Result<Output, Refusal> {
        if self.phase != Phase::Commit {
            return Err(Refusal::TooLate);
        }
        if bond < self.config.bond {
            return Err(Refusal::BondTooSmall);
        }
        if self.commits.contains_key(&(account, commitment)) {
            return Err(Refusal::Duplicate);
        }
        if self.commits.len() >= self.config.commits_max {
            return Err(Refusal::RoundFull);
        }
        self.commits.insert((account, commitment), Held { bond, message: None });
        Ok(Output::Committed { account, commitment })
    }

    fn seed(&mut self, now: Ns, named: Digest, seed: Digest) -> Result<Output, Refusal> {
        match self.phase {
            Phase::Commit => Err(Refusal::TooEarly),
            Phase::Sealed { sealed } if sealed != named => Err(Refusal::WrongSeal),
            Phase::Sealed { .. } => Ok(self.open(now, seed)),
            Phase::Reveal { .. } | Phase::Over => Err(Refusal::TooLate),
        }
    }

    fn open(&mut self, now: Ns, seed: Digest) -> Output {
        self.phase = Phase::Reveal { seed };
        self.ends_ns = now.saturating_add(self.config.reveal_ns);
        Output::Opened { until_ns: self.ends_ns }
    }

    fn reveal(
        &mut self,
        account: AccountId,
        salt: &[u8; 32],
        message: Vec<u8>,
    ) -> Result<Output, Refusal> {
        match self.phase {
            Phase::Commit | Phase::Sealed { .. } => return Err(Refusal::TooEarly),
            Phase::Over => return Err(Refusal::TooLate),
            Phase::Reveal { .. } => {}
        }
        if message.len() > self.config.message_bytes_max {
            return Err(Refusal::TooLong);
        }
        let commitment = commitment(account, self.market, self.round, salt, &message);
        let held = self.commits.get_mut(&(account, commitment)).ok_or(Refusal::NoSuchCommitment)?;
        if held.message.is_some() {
            return Err(Refusal::Duplicate);
        }
        held.message = Some(message);
        Ok(Output::Revealed { account, commitment })
    }

    /// Ends the phases whose time is over.
    fn catch_up(&mut self, now: Ns, outbox: &mut Vec<Output>) {
        while self.phase != Phase::Over && self.ends_ns <= now {
            match self.phase {
                Phase::Commit => self.seal(outbox),
                Phase::Sealed { .. } => {
                    self.phase = Phase::Over;
                    outbox.push(Output::Abandoned);
                    let commits = std::mem::take(&mut self.commits).into_iter();
                    outbox.extend(
                        commits.map(|((account, _), held)| Output::Returned {
                            account,
                            bond: held.bond,
                        }),
                    );
                }
                Phase::Reveal { seed } => self.order(&seed, outbox),
                Phase::Over => {}
            }
        }
    }

    fn seal(&mut self, outbox: &mut Vec<Output>) {
        let sealed = self.sealed();
        outbox.push(Output::Sealed { sealed, commits: self.commits.len() });
        match self.config.order {
            Order::Seeded => {
                self.phase = Phase::Sealed { sealed };
                self.ends_ns = self.ends_ns.saturating_add(self.config.seed_ns);
            }
            Order::Naive | Order::LastMover => outbox.push(self.open(self.ends_ns, sealed)),
        }
    }

    /// The digest of everything that was committed to.
    fn sealed(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(SEALED_TAG);
        hasher.update(&self.market.to_le_bytes());
        hasher.update(&self.round.to_le_bytes());
        hasher.update(&(self.commits.len() as u64).to_le_bytes());
        for (account, commitment) in self.commits.keys() {
            hasher.update(&account.to_le_bytes());
            hasher.update(&commitment.0);
        }
        Digest(*hasher.finalize().as_bytes())
    }

    fn order(&mut self, seed: &Digest, outbox: &mut Vec<Output>) {
        self.phase = Phase::Over;
        let mut places = Vec::with_capacity(self.commits.len());
        let mut bonds = Vec::with_capacity(self.commits.len());
        for ((account, commitment), held) in std::mem::take(&mut self.commits) {
            let Held { bond, message } = held;
            let key = match self.config.order {
                Order::Seeded | Order::LastMover => place(seed, account, &commitment),
                Order::Naive => commitment,
            };
            bonds.push(match message {
                Some(_) => Output::Returned { account, bond },
                None => Output::Forfeited { account, commitment, bond },
            });
            places.push((key, Place { account, commitment, message }));
        }
        places.sort_by_key(|(key, place)| (*key, place.account));
        let places = places.into_iter().map(|(_, place)| place).collect();
        outbox.push(Output::Ordered { places });
        outbox.append(&mut bonds);
    }

    fn arm(&mut self, outbox: &mut Vec<Output>) {
        if self.phase != Phase::Over && self.armed_ns != Some(self.ends_ns) {
            self.armed_ns = Some(self.ends_ns);
            outbox.push(Output::Arm { at_ns: self.ends_ns });
        }
    }
}

impl Machine for CommitReveal {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, _: &mut dyn Draws, outbox: &mut Vec<Output>) {
        self.catch_up(now, outbox);
        let (account, answer) = match input {
            Input::Commit { account, commitment, bond } => {
                (Some(account), self.commit(account, commitment, bond))
            }
            Input::Seed { sealed, seed } => (None, self.seed(now, sealed, seed)),
            Input::Reveal { account, salt, message } => {
                (Some(account), self.reveal(account, &salt, message))
            }
            Input::Timer => return self.arm(outbox),
        };
        outbox.push(answer.unwrap_or_else(|reason| Output::Refused { account, reason }));
        self.arm(outbox);
    }
}

/// What to commit to: H(tag ‖ account ‖ market ‖ round ‖ salt ‖ message). The salt must be drawn
/// afresh and kept secret, or a short message can be guessed.
pub fn commitment(
    account: AccountId,
    market: u16,
    round: u64,
    salt: &[u8; 32],
    message: &[u8],
) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(COMMIT_TAG);
    hasher.update(&account.to_le_bytes());
    hasher.update(&market.to_le_bytes());
    hasher.update(&round.to_le_bytes());
    hasher.update(salt);
    hasher.update(message);
    Digest(*hasher.finalize().as_bytes())
}

/// The key by which a commitment is placed: the lowest is first.
pub fn place(seed: &Digest, account: AccountId, commitment: &Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(PLACE_TAG);
    hasher.update(&seed.0);
    hasher.update(&account.to_le_bytes());
    hasher.update(&commitment.0);
    Digest(*hasher.finalize().as_bytes())
}

/// The link before `seed` in a hash chain of seeds.
pub fn seed_link(seed: &Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(CHAIN_TAG);
    hasher.update(&seed.0);
    Digest(*hasher.finalize().as_bytes())
}

/// Whether a seed is the one that was fixed by the link published before it. Proves that it was not
/// chosen late; not that its owner, who knows them all, did not use it early.
pub fn seed_follows(link: &Digest, seed: &Digest) -> bool {
    seed_link(seed) == *link
}
