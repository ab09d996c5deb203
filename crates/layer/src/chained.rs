//! Messages and certificates of the chained protocols, HotStuff and Simplex, and of those on a graph
//! ([`crate::dag`]). A node verifies signatures before the machine sees a message: of a certificate,
//! that each of its signers signed; the machine checks that these are a quorum.

use std::sync::Arc;

use crate::dag::{Vertex, VertexCertificate, VertexVote};
use crate::signed::{STATEMENT_BYTES, certificate_bytes};
use crate::units::{Digest, Height, Round};

/// The round beside each signature of a TC.
const ROUND_BYTES: u32 = 4;
/// QC: a quorum voted for this block in this round.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuorumCertificate {
    /// qc.r: round of the block; 0 is the beginning of the chain, which needs no votes.
    pub round: Round,
    /// Height of the block.
    pub height: Height,
    /// Hash of the block.
    pub value: Digest,
    /// Who voted, in ascending order.
    pub voters: Vec<u32>,
}

impl QuorumCertificate {
    /// That of the beginning of the chain.
    pub fn genesis() -> QuorumCertificate {
        QuorumCertificate { round: 0, height: 0, value: Digest::default(), voters: Vec::new() }
    }
}

/// TC: a quorum gave this round up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeoutCertificate {
    /// tc.r: the round.
    pub round: Round,
    /// Who gave it up, in ascending order, and the round of the qc_high of each.
    pub timeouts: Vec<(u32, Round)>,
}

impl TimeoutCertificate {
    /// max{qc_high.r | qc_high ∈ tc}.
    pub fn high_round(&self) -> Round {
        self.timeouts.iter().map(|(_, high)| *high).max().unwrap_or(0)
    }
}

/// Simplex: a quorum voted for the dummy block ⊥_h.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DummyCertificate {
    /// h: the iteration.
    pub round: Round,
    /// Who voted, in ascending order.
    pub voters: Vec<u32>,
}

/// Simplex: a notarized chain, of which there is one block an iteration. Of the last block that is
/// no dummy, the notarization implies those of its ancestors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotarizedChain {
    /// Of the last block that is no dummy.
    pub qc: Arc<QuorumCertificate>,
    /// Of the dummy blocks on it, one for each later iteration.
    pub dummies: Vec<Arc<DummyCertificate>>,
}

impl NotarizedChain {
    /// Its length: the last iteration of which it has a block.
    pub fn round(&self) -> Round {
        self.dummies.last().map_or(self.qc.round, |dummy| dummy.round)
    }

    fn size_bytes(&self) -> u32 {
        let dummies = self.dummies.iter().map(|dummy| certificate_bytes(dummy.voters.len()));
        certificate_bytes(self.qc.voters.len()) + dummies.sum::<u32>()
    }
}

/// B = [id, qc, tc, r, v, txn]: the block's hash here, the block itself beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockProposal {
    /// r: round of the block.
    pub round: Round,
    /// Height of the block: that of its parent and one.
    pub height: Height,
    /// id: hash of the block.
    pub value: Digest,
    /// qc: certificate of the parent.
    pub qc: Arc<QuorumCertificate>,
    /// tc: of the round before, where the parent is not of that round. HotStuff's.
    pub tc: Option<Arc<TimeoutCertificate>>,
    /// The dummy blocks between the parent and this block. Simplex's.
    pub dummies: Vec<Arc<DummyCertificate>>,
    /// Height up to which the sender has decided (DiemBFT's high_commit_qc, without its votes).
    pub decided: Height,
    /// Index of the leader that proposes it.
    pub validator: u32,
}

impl BlockProposal {
    /// Simplex: the notarized chain on which the block is.
    pub fn parent(&self) -> NotarizedChain {
        NotarizedChain { qc: Arc::clone(&self.qc), dummies: self.dummies.clone() }
    }
}

/// ⟨id, r, v⟩: a vote; HotStuff's for the next leader only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockVote {
    /// r: round of the block.
    pub round: Round,
    /// Height of the block.
    pub height: Height,
    /// id: hash of the block.
    pub value: Digest,
    /// Index of the validator that votes.
    pub validator: u32,
}

/// ⟨r, qc_high⟩: its sender votes no more in this round.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundTimeout {
    /// r: the round that is given up.
    pub round: Round,
    /// qc_high: the certificate of the highest round that the sender knows.
    pub qc: Arc<QuorumCertificate>,
    /// DiemBFT's last_round_tc: how the sender came into the round, if not by a QC.
    pub tc: Option<Arc<TimeoutCertificate>>,
    /// Height up to which the sender has decided.
    pub decided: Height,
    /// Index of the sender.
    pub validator: u32,
}

/// ⟨vote, h, ⊥_h⟩ of Simplex: the sender's timer has fired in this iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DummyVote {
    /// h: the iteration.
    pub round: Round,
    /// Height of the block that its sender would extend, and one.
    pub height: Height,
    /// Height up to which the sender has decided.
    pub decided: Height,
    /// Index of the validator that votes.
    pub validator: u32,
}

/// Simplex: the sender enters the next iteration by this chain, which it forwards, and says
/// ⟨finalize, h⟩ if it may. The paper's two messages in one, since they are sent at the same time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainView {
    /// Its view of the notarized chain, of length h.
    pub chain: NotarizedChain,
    /// ⟨finalize, h⟩: it has not voted for ⊥_h, and will not. Only where h has a block.
    pub finalizes: bool,
    /// Height up to which the sender has decided.
    pub decided: Height,
    /// Index of the sender.
    pub validator: u32,
}

/// What a message says of the block that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Its hash.
    pub value: Digest,
    /// Its height; of a vertex, the round.
    pub height: Height,
    /// What it follows.
    pub follows: Digest,
}

/// A message of a chained protocol, or of one on a graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainMessage {
    /// A leader's block.
    Proposal(BlockProposal),
    /// A vote for it.
    Vote(BlockVote),
    /// HotStuff: a round is given up.
    Timeout(RoundTimeout),
    /// Simplex: an iteration's block is to be a dummy.
    DummyVote(DummyVote),
    /// Simplex: an iteration is over.
    View(ChainView),
    /// A vertex of a graph.
    Vertex(Vertex),
    /// A vote for it.
    VertexVote(VertexVote),
    /// It has a quorum of votes.
    Certificate(VertexCertificate),
}

impl ChainMessage {
    /// The validator that says it.
    pub fn validator(&self) -> u32 {
        match self {
            ChainMessage::Proposal(proposal) => proposal.validator,
            ChainMessage::Vote(vote) => vote.validator,
            ChainMessage::Timeout(timeout) => timeout.validator,
            ChainMessage::DummyVote(dummy) => dummy.validator,
            ChainMessage::View(view) => view.validator,
            ChainMessage::Vertex(vertex) => vertex.validator,
            ChainMessage::VertexVote(vote) => vote.validator,
            ChainMessage::Certificate(certificate) => certificate.author,
        }
    }

    /// The round that it is about.
    pub fn round(&self) -> Round {
        match self {
            ChainMessage::Proposal(proposal) => proposal.round,
            ChainMessage::Vote(vote) => vote.round,
            ChainMessage::Timeout(timeout) => timeout.round,
            ChainMessage::DummyVote(dummy) => dummy.round,
            ChainMessage::View(view) => view.chain.round(),
            ChainMessage::Vertex(vertex) => vertex.round,
            ChainMessage::VertexVote(vote) => vote.round,
            ChainMessage::Certificate(certificate) => certificate.round,
        }
    }

    /// Height of the block concerned; where there is none, that of the next one. Of a vertex it is the
    /// round.
    pub fn height(&self) -> Height {
        match self {
            ChainMessage::Proposal(proposal) => proposal.height,
            ChainMessage::Vote(vote) => vote.height,
            ChainMessage::Timeout(timeout) => timeout.qc.height + 1,
            ChainMessage::DummyVote(dummy) => dummy.height,
            ChainMessage::View(view) => view.chain.qc.height + 1,
            ChainMessage::Vertex(vertex) => vertex.round.into(),
            ChainMessage::VertexVote(vote) => vote.round.into(),
            ChainMessage::Certificate(certificate) => certificate.round.into(),
        }
    }

    /// Height up to which its sender has decided; 0 where it does not say.
    pub fn decided(&self) -> Height {
        match self {
            ChainMessage::Proposal(proposal) => proposal.decided,
            ChainMessage::Vote(_) | ChainMessage::VertexVote(_) | ChainMessage::Certificate(_) => 0,
            ChainMessage::Timeout(timeout) => timeout.decided,
            ChainMessage::DummyVote(dummy) => dummy.decided,
            ChainMessage::View(view) => view.decided,
            ChainMessage::Vertex(vertex) => vertex.decided,
        }
    }

    /// The block that goes with it; `None` if there is none.
    pub fn brings(&self) -> Option<Brought> {
        match self {
            ChainMessage::Proposal(BlockProposal { value, height, qc, .. }) => {
                Some(Brought { value: *value, height: *height, follows: qc.value })
            }
            ChainMessage::Vertex(vertex) => {
                let (value, height) = (vertex.value, Height::from(vertex.round));
                Some(Brought { value, height, follows: vertex.base() })
            }
            _ => None,
        }
    }

    /// Whether others may answer a request with it, as its author has signed it for all.
    pub fn is_for_all(&self) -> bool {
        matches!(self, ChainMessage::Vertex(_) | ChainMessage::Certificate(_))
    }

    /// Size on the wire, in bytes. Certificates are lists of signatures. Of a proposal it is what
    /// the certificates add to the block.
    pub fn size_bytes(&self) -> u32 {
        let timed_out = |tc: &Option<Arc<TimeoutCertificate>>| {
            tc.as_ref().map_or(0, |tc| {
                certificate_bytes(tc.timeouts.len()) + ROUND_BYTES * tc.timeouts.len() as u32
            })
        };
        match self {
            ChainMessage::Vote(_) | ChainMessage::DummyVote(_) | ChainMessage::VertexVote(_) => {
                STATEMENT_BYTES
            }
            ChainMessage::Vertex(vertex) => vertex.size_bytes(),
            ChainMessage::Certificate(certificate) => certificate.size_bytes(),
            ChainMessage::Proposal(block) => block.parent().size_bytes() + timed_out(&block.tc),
            ChainMessage::Timeout(RoundTimeout { qc, tc, .. }) => {
                STATEMENT_BYTES + certificate_bytes(qc.voters.len()) + timed_out(tc)
            }
            ChainMessage::View(view) => STATEMENT_BYTES + view.chain.size_bytes(),
        }
    }
}
