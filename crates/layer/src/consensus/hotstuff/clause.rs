//! The clauses of the protocol as data, so that a test or a trace can count which of them applied.

/// A clause of Jolteon's figure, or of DiemBFT's pacemaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Clause {
    /// A block is proposed.
    Propose,
    /// A block is voted for whose parent is of the round before.
    VoteAfterQc,
    /// A block is voted for because of its TC.
    VoteAfterTc,
    /// qc_high rises.
    Lock,
    /// A block and its undecided ancestors are decided.
    Commit,
    /// A leader has a quorum of votes.
    FormQc,
    /// A quorum has given a round up.
    FormTc,
    /// A round is entered by a QC.
    AdvanceByQc,
    /// A round is entered by a TC.
    AdvanceByTc,
    /// A round is given up because its timer expired.
    TimeoutByTimer,
    /// A round is given up because an honest validator gave it up (f+1 timeouts).
    TimeoutByOthers,
}

impl Clause {
    /// Number of clauses.
    pub const COUNT: usize = 11;

    /// All of them.
    pub const ALL: [Clause; Clause::COUNT] = [
        Clause::Propose,
        Clause::VoteAfterQc,
        Clause::VoteAfterTc,
        Clause::Lock,
        Clause::Commit,
        Clause::FormQc,
        Clause::FormTc,
        Clause::AdvanceByQc,
        Clause::AdvanceByTc,
        Clause::TimeoutByTimer,
        Clause::TimeoutByOthers,
    ];
}
