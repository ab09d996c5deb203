//! The steps of the protocol as data, so that a test or a trace can count which of them applied.

/// What happens in the paper's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SimplexClause {
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

impl SimplexClause {
    /// Number of clauses.
    pub const COUNT: usize = 12;

    /// All of them.
    pub const ALL: [SimplexClause; SimplexClause::COUNT] = [
        SimplexClause::Propose,
        SimplexClause::ProposeOnDummies,
        SimplexClause::VoteDummy,
        SimplexClause::Vote,
        SimplexClause::VoteAfterDummy,
        SimplexClause::Notarize,
        SimplexClause::NotarizeDummy,
        SimplexClause::EnterAndFinalize,
        SimplexClause::EnterByBlock,
        SimplexClause::EnterByDummy,
        SimplexClause::Finalize,
        SimplexClause::Output,
    ];
}
