//! The lines of Algorithm 1 as data, so that a test or a trace can count which of them applied.

/// A line of Algorithm 1 in arXiv 1807.04938.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Line {
    /// Line 10: upon start.
    L10,
    /// Line 11: Function StartRound.
    L11,
    /// The valid value is proposed again.
    L16,
    /// Line 18: getValue() is called.
    L18,
    /// A proposal is broadcast.
    L19,
    /// Line 21: timeoutPropose is scheduled.
    L21,
    /// upon a fresh proposal.
    L22,
    /// Line 24: the fresh proposal is prevoted.
    L24,
    /// It is answered by a prevote of nil.
    L26,
    /// upon a proposal with a valid round and that round's quorum of prevotes.
    L28,
    /// Line 30: the proposal of an earlier valid round is prevoted.
    L30,
    /// It is answered by a prevote of nil.
    L32,
    /// upon a quorum of any prevotes: timeoutPrevote is scheduled.
    L34,
    /// upon a proposal and a quorum of prevotes for it.
    L36,
    /// It is locked (38, 39) and precommitted (40).
    L38,
    /// It becomes the valid value (42, 43).
    L42,
    /// upon a quorum of nil prevotes: nil is precommitted.
    L44,
    /// upon a quorum of any precommits: timeoutPrecommit is scheduled.
    L47,
    /// upon a proposal and a quorum of precommits for it.
    L49,
    /// It is decided.
    L51,
    /// upon f+1 messages of a higher round.
    L55,
    /// OnTimeoutPropose takes effect: nil is prevoted.
    L59,
    /// OnTimeoutPrevote takes effect: nil is precommitted.
    L63,
    /// OnTimeoutPrecommit takes effect: the next round starts.
    L67,
}

impl Line {
    /// Number of lines.
    pub const COUNT: usize = 24;

    /// All of them, in the paper's order.
    #[rustfmt::skip]
    pub const ALL: [Line; Line::COUNT] = [
        Line::L10, Line::L11, Line::L16, Line::L18, Line::L19, Line::L21,
        Line::L22, Line::L24, Line::L26, Line::L28, Line::L30, Line::L32,
        Line::L34, Line::L36, Line::L38, Line::L42, Line::L44, Line::L47,
        Line::L49, Line::L51, Line::L55, Line::L59, Line::L63, Line::L67,
    ];

    /// The line's number in the paper.
    pub fn number(self) -> u32 {
        #[rustfmt::skip]
        const NUMBERS: [u32; Line::COUNT] = [
            10, 11, 16, 18, 19, 21, 22, 24, 26, 28, 30, 32,
            34, 36, 38, 42, 44, 47, 49, 51, 55, 59, 63, 67,
        ];
        NUMBERS[self as usize]
    }
}
