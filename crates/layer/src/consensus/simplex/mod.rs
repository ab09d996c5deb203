//! Simplex: one block an iteration, decided by one more vote.
//!
//! Rules. Iterations have leaders. The leader of iteration h proposes a block on a notarized chain
//! of length h − 1. Validators vote for the first valid one, to all. Whose timer fires in the
//! iteration votes for a dummy block ⊥_h (also). A quorum's votes for either notarize it; who knows a
//! notarized chain of length h forwards it and enters iteration h + 1, and says ⟨finalize, h⟩ if the
//! chain ends in a block and its timer of h has not fired. A quorum of that decides the block of h,
//! with its ancestors.
//!
//! Theory of operation. Two quorums share an honest validator while less than 1/3 of the weight is
//! faulty. So an iteration has at most one notarized block; and as no honest validator says
//! both ⟨finalize, h⟩ and ⟨vote, h, ⊥_h⟩, an iteration with a quorum of the first never has a notarized
//! dummy: every longer chain contains its block. With delays of δ a block is notarized after 2δ,
//! when the next one is proposed, and decided after 3δ. Votes and chains go to all: 2n² messages a
//! block.
//!
//! Each step of the paper is a method: [`propose`] (Leader proposal), [`dummy`] (Dummy blocks),
//! [`notarize`] (Notarizing block proposals), [`finalize`] (Next iteration and finalize votes,
//! Finalized outputs); [`SimplexClause`] counts what applied.
//!
//! Source: B. Y. Chan, R. Pass, "Simplex Consensus: A Simple and Fast Consensus Protocol", TCC 2023
//! (IACR ePrint 2023/463), section 2.
//!
//! Departures:
//! - Weights in place of counts. Leaders are a round robin by weight, as in Tendermint here, where
//!   the paper draws them by a hash.
//! - A chain is sent as its last notarized block and the dummies after it; the blocks themselves come
//!   with proposals. A validator votes only for blocks all of whose ancestors it has. The node
//!   fetches decided ones; undecided ones come by re-broadcast ([`Chained::known_messages`]).
//! - ⟨finalize, h⟩ is in the message that forwards the chain. It is not said of a dummy.
//! - A validator whose chain is shorter than one that comes enters the iteration after that one at
//!   once, and says of its last block what it says of one that it saw notarized in time.
//! - A leader waits `wait_ns` before it proposes, and each timer is longer by that; 0 is the paper's
//!   protocol. It asks the node for the block.
//! - The paper knows Δ, and its timer is 3Δ. Here the timer of iteration h is `timeout_ns + delta_ns ×
//!   (h − 2 − iteration of the last decided block)`, as HotStuff's.
//! - Bounds: votes for iterations up to [`ROUNDS_AHEAD`] ahead, finalize votes as far back; the first
//!   of a validator's votes in an iteration.
//! - [`ChainLog`] outlives a process, as what it has voted must.

mod clause;
mod dummy;
mod finalize;
mod notarize;
mod propose;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::chain::Tree;
use super::electorate::Electorate;
use crate::chained::{BlockVote, ChainMessage, DummyVote, NotarizedChain, QuorumCertificate};
use crate::machine::{Draws, Machine};
use crate::units::{Digest, Height, Ns, Round};

pub use super::chain::{ChainLog, Chained, Config, Due, Input, Output, ROUNDS_AHEAD, RoundTimes};
pub use clause::SimplexClause;

/// What validators have said in an iteration.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// Votes for blocks: each validator's first.
    votes: BTreeMap<u32, BlockVote>,
    dummies: BTreeMap<u32, DummyVote>,
    finals: BTreeSet<u32>,
}

/// A node's part in Simplex.
#[derive(Clone, Debug)]
pub struct Simplex {
    me: u32,
    electorate: Electorate,
    times: RoundTimes,
    started: bool,
    /// h: the current iteration; 0 before the start.
    round: Round,
    /// The last iteration in which it has voted for a block.
    voted: Round,
    /// The last iteration in which its timer has fired, so that it has voted for the dummy.
    gave_up: Round,
    /// The notarized chain by which the iteration was entered, of length h − 1.
    chain: NotarizedChain,
    /// This validator's message about that chain.
    view: Option<Arc<ChainMessage>>,
    /// Of the last block known to be final: it is decided once it and its ancestors are here.
    last_final: Arc<QuorumCertificate>,
    tree: Tree,
    tallies: BTreeMap<Round, Tally>,
    /// The last iteration in which this validator proposed.
    proposed: Round,
    /// The leader's wait in h is over, and it has not proposed.
    is_due: bool,
    /// The block was asked for.
    asked: bool,
    accused: BTreeMap<Round, BTreeSet<u32>>,
    fired: [(SimplexClause, u64); SimplexClause::COUNT],
}

impl Simplex {
    fn fire(&mut self, clause: SimplexClause) {
        self.fired[clause as usize].1 += 1;
    }

    /// Whether this validator may say something.
    fn has_voice(&self) -> bool {
        self.electorate.weight(self.me) > 0
    }

    fn broadcast(&mut self, message: ChainMessage, outbox: &mut Vec<Output>) {
        let message = Arc::new(message);
        outbox.push(Output::Broadcast(Arc::clone(&message)));
        self.receive(&message, true, outbox);
    }

    /// A message of any validator, this one included.
    fn receive(&mut self, message: &Arc<ChainMessage>, valid: bool, outbox: &mut Vec<Output>) {
        if message.validator() as usize >= self.electorate.len() {
            return;
        }
        match &**message {
            ChainMessage::Proposal(proposal) => self.proposal(proposal, valid, outbox),
            ChainMessage::Vote(vote) => self.count(*vote, outbox),
            ChainMessage::DummyVote(vote) => self.count_dummy(*vote, outbox),
            ChainMessage::View(view) => self.view(view, outbox),
            _ => {}
        }
    }

    /// What is left to do after an input: what waited for a block that is here now.
    fn settle(&mut self, outbox: &mut Vec<Output>) {
        if self.started {
            self.output(outbox);
            self.vote(outbox);
            self.ask(outbox);
        }
    }

    /// Whether votes of this iteration are kept.
    fn counts_in(&self, round: Round) -> bool {
        round >= self.round && round <= self.round.saturating_add(ROUNDS_AHEAD)
    }

    fn accuse(&mut self, validator: u32, height: Height, round: Round, outbox: &mut Vec<Output>) {
        if self.accused.entry(round).or_default().insert(validator) {
            outbox.push(Output::Equivocation { validator, height, round });
        }
    }
}

impl Chained for Simplex {
    fn new(config: Config) -> Simplex {
        let electorate = Electorate::new(config.weights);
        let me = config.validator;
        assert!((me as usize) < electorate.len(), "consensus: validator {me} has no weight");
        let genesis = Arc::new(QuorumCertificate::genesis());
        Simplex {
            me,
            electorate,
            times: config.times,
            started: false,
            round: 0,
            voted: 0,
            gave_up: 0,
            chain: NotarizedChain { qc: Arc::clone(&genesis), dummies: Vec::new() },
            view: None,
            last_final: genesis,
            tree: Tree::new(0, Digest::default()),
            tallies: BTreeMap::new(),
            proposed: 0,
            is_due: false,
            asked: false,
            accused: BTreeMap::new(),
            fired: SimplexClause::ALL.map(|clause| (clause, 0)),
        }
    }

    fn times(&self) -> RoundTimes {
        self.times
    }

    fn set_times(&mut self, times: RoundTimes) {
        self.times = times;
    }

    /// L_h: a round robin by weight.
    fn leader(&self, round: Round) -> u32 {
        self.electorate.proposer(Height::from(round), 0)
    }

    fn round(&self) -> Round {
        self.round
    }

    fn high(&self) -> &Arc<QuorumCertificate> {
        &self.chain.qc
    }

    fn decided(&self) -> Height {
        self.tree.decided()
    }

    /// Its votes in the iteration, the chain by which it came there, and its undecided proposals.
    fn own_messages(&self) -> Vec<Arc<ChainMessage>> {
        self.known().filter(|message| message.validator() == self.me).collect()
    }

    fn known_messages(&self) -> Vec<Arc<ChainMessage>> {
        self.known().collect()
    }

    fn lacks(&self, message: &ChainMessage) -> bool {
        self.is_lacked(message)
    }

    fn counts(&self) -> Vec<(String, u64)> {
        self.fired.iter().map(|(clause, times)| (format!("{clause:?}"), *times)).collect()
    }

    fn forget_counts(&mut self) {
        self.fired = SimplexClause::ALL.map(|clause| (clause, 0));
    }

    fn held(&self) -> usize {
        let said = |tally: &Tally| tally.votes.len() + tally.dummies.len() + tally.finals.len();
        self.tallies.values().map(said).sum::<usize>() + self.tree.len()
    }
}

impl Machine for Simplex {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, _now: Ns, input: Input, _draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Start if !self.started => {
                self.started = true;
                self.enter(self.chain.round() + 1, outbox);
                self.extend_by_dummy(outbox);
            }
            Input::Start => {}
            Input::Value { round, value } => self.answer(round, value, outbox),
            Input::Message { message, valid } => self.receive(&message, valid, outbox),
            Input::Over { due: Due::Round, round } => self.expire(round, outbox),
            Input::Over { due: Due::Propose, round } => {
                self.is_due |= self.started && round == self.round && round > self.proposed;
            }
            Input::CatchUp { height, value } => {
                if height > self.decided() {
                    self.tree.decide(height, value);
                }
            }
        }
        self.settle(outbox);
    }
}
