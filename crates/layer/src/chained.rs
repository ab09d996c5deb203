//! Messages and certificates of chained HotStuff. A node verifies signatures before the machine sees a message: of a
//! certificate, that each of its signers signed; the machine checks that these are a quorum.

use std::sync::Arc;

use crate::units::{Digest, Height, Round};

/// Bytes of a signature, and of the index of who made it.
const SIGNER_BYTES: u32 = 64 + 4;
/// A statement without certificates: numbers, hashes and its signature.
const STATEMENT_BYTES: u32 = 170;
/// The numbers and the hash of a certificate.
const CERTIFICATE_BYTES: u32 = 44;

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
    /// tc: of the round before, where the parent is not of that round.
    pub tc: Option<Arc<TimeoutCertificate>>,
    /// Height up to which the sender has decided (DiemBFT's high_commit_qc, without its votes).
    pub decided: Height,
    /// Index of the leader that proposes it.
    pub validator: u32,
}

/// ⟨id, r, v⟩: a vote, for the next leader only.
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

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainMessage {
    /// A leader's block.
    Proposal(BlockProposal),
    /// A vote for it.
    Vote(BlockVote),
    /// A round is given up.
    Timeout(RoundTimeout),
}

impl ChainMessage {
    /// The validator that says it.
    pub fn validator(&self) -> u32 {
        match self {
            ChainMessage::Proposal(proposal) => proposal.validator,
            ChainMessage::Vote(vote) => vote.validator,
            ChainMessage::Timeout(timeout) => timeout.validator,
        }
    }

    /// The round that it is about.
    pub fn round(&self) -> Round {
        match self {
            ChainMessage::Proposal(proposal) => proposal.round,
            ChainMessage::Vote(vote) => vote.round,
            ChainMessage::Timeout(timeout) => timeout.round,
        }
    }

    /// Height of the block concerned; of a timeout, the one that its sender would extend.
    pub fn height(&self) -> Height {
        match self {
            ChainMessage::Proposal(proposal) => proposal.height,
            ChainMessage::Vote(vote) => vote.height,
            ChainMessage::Timeout(timeout) => timeout.qc.height + 1,
        }
    }

    /// Height up to which its sender has decided; 0 where it does not say.
    pub fn decided(&self) -> Height {
        match self {
            ChainMessage::Proposal(proposal) => proposal.decided,
            ChainMessage::Vote(_) => 0,
            ChainMessage::Timeout(timeout) => timeout.decided,
        }
    }

    /// Size on the wire, in bytes. Certificates are lists of signatures. Of a proposal it is what
    /// the certificates add to the block.
    pub fn size_bytes(&self) -> u32 {
        let (own, qc, tc) = match self {
            ChainMessage::Vote(_) => return STATEMENT_BYTES,
            ChainMessage::Proposal(proposal) => (0, &proposal.qc, &proposal.tc),
            ChainMessage::Timeout(timeout) => (STATEMENT_BYTES, &timeout.qc, &timeout.tc),
        };
        let signed = |signers: usize, each: u32| CERTIFICATE_BYTES + signers as u32 * each;
        let timed_out = tc.as_ref().map_or(0, |tc| signed(tc.timeouts.len(), SIGNER_BYTES + 4));
        own + signed(qc.voters.len(), SIGNER_BYTES) + timed_out
    }
}
