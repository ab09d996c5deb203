//! The steps of the protocol as data, so that a test or a trace can count which of them applied.

/// What happens in the paper's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Clause {
    /// Leader proposal: on a block of the iteration before.
    Propose,
    /// Leader proposal: on a chain that ends in dummy blocks.
    ProposeOnDummies,
    /// Dummy blocks: the timer fires.
    VoteDummy,
    /// Notarizing block proposals: a vote for one.
    Vote,
    /// The same, after the timer has fired.
    VoteAfterDummy,
    /// A quorum of votes for a block.
    Notarize,
    /// A quorum of votes for the dummy block.
    NotarizeDummy,
    /// The next iteration begins by a block, and a finalize vote.
    EnterAndFinalize,
    /// The next iteration begins by a block, after the timer has fired: without that vote.
    EnterByBlock,
    /// The next iteration begins by a dummy block.
    EnterByDummy,
    /// A quorum of finalize votes.
    Finalize,
    /// Finalized outputs: a block and its undecided ancestors are decided.
    Output,
}

impl Clause {
    /// Number of clauses.
    pub const COUNT: usize = 12;

    /// All of them.
    pub const ALL: [Clause; Clause::COUNT] = [
        Clause::Propose,
        Clause::ProposeOnDummies,
        Clause::VoteDummy,
        Clause::Vote,
        Clause::VoteAfterDummy,
        Clause::Notarize,
        Clause::NotarizeDummy,
        Clause::EnterAndFinalize,
        Clause::EnterByBlock,
        Clause::EnterByDummy,
        Clause::Finalize,
        Clause::Output,
    ];
}
