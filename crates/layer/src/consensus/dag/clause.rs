//! The clauses of the protocol as data, so that a test or a trace can count which of them applied.

/// What happened in the graph or to its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DagClause {
    /// A vertex is made.
    Make,
    /// A vertex is voted for.
    Vote,
    /// This validator's vertex has a quorum of votes.
    Certify,
    /// A round is entered with a quorum of the round before.
    Advance,
    /// A round is left because its timer went off, without its anchor or the anchor's support.
    AdvanceByTimer,
    /// An anchor is decided by its support.
    DecideDirectly,
    /// An anchor is decided by a path from a later one.
    DecideByPath,
    /// An anchor is passed over: it is decided by neither.
    PassOver,
}

impl DagClause {
    /// Number of clauses.
    pub const COUNT: usize = 8;

    /// All of them.
    pub const ALL: [DagClause; DagClause::COUNT] = [
        DagClause::Make,
        DagClause::Vote,
        DagClause::Certify,
        DagClause::Advance,
        DagClause::AdvanceByTimer,
        DagClause::DecideDirectly,
        DagClause::DecideByPath,
        DagClause::PassOver,
    ];
}
