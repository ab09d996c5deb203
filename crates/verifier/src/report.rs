//! Kinds of findings, and their names.

use std::fmt;

use crate::Hash;

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The file ends or is malformed inside its head or a frame; nothing after it is checked.
    TornFile,
    /// The head's hash is not that of its bytes.
    AlteredHead,
    /// A batch's hash is not that of its header.
    ForgedHash,
    /// A batch does not continue the one before: hash, height or sequence number.
    BrokenChain,
    /// The secret is not the one committed to.
    WrongReveal,
    /// The seed does not follow from secret, inputs and beacon.
    WrongSeed,
    /// The terms name an unknown rule.
    UnknownRule,
    /// The terms are not those that were announced.
    ChangedRule,
    /// An input's class is unknown.
    UnknownClass,
    /// Inputs are not in order of arrival.
    ArrivalBackwards,
    /// A message or its ticket is not what was sealed.
    AlteredMessage,
    /// Two messages are exchanged.
    SwappedPair,
    /// A sealed message is missing, or was neither published nor carried.
    DroppedMessage,
    /// A message is present that was not sealed.
    InsertedMessage,
    /// A message is present twice.
    DuplicatedMessage,
    /// The published order is not the one that the rule gives.
    OutOfOrder,
    /// The order is cut before, or extends beyond, the announced limits.
    WrongCut,
    /// A Merkle root does not match its leaves.
    ForgedRoot,
    /// A carried message is not among the next batch's first inputs.
    MissingCarried,
    /// A count in the header is wrong.
    WrongCount,
    /// A check does not match its message, which itself is valid.
    AlteredCheck,
    /// Sealed before an input arrived or before the batch before it was, or later than any clock.
    WrongTime,
}

impl Kind {
    /// Name of the kind, stable across versions.
    pub fn name(self) -> &'static str {
        match self {
            Kind::TornFile => "torn-file",
            Kind::AlteredHead => "altered-head",
            Kind::ForgedHash => "forged-hash",
            Kind::BrokenChain => "broken-chain",
            Kind::WrongReveal => "wrong-reveal",
            Kind::WrongSeed => "wrong-seed",
            Kind::UnknownRule => "unknown-rule",
            Kind::ChangedRule => "changed-rule",
            Kind::UnknownClass => "unknown-class",
            Kind::ArrivalBackwards => "arrival-backwards",
            Kind::AlteredMessage => "altered-message",
            Kind::SwappedPair => "swapped-pair",
            Kind::DroppedMessage => "dropped-message",
            Kind::InsertedMessage => "inserted-message",
            Kind::DuplicatedMessage => "duplicated-message",
            Kind::OutOfOrder => "out-of-order",
            Kind::WrongCut => "wrong-cut",
            Kind::ForgedRoot => "forged-root",
            Kind::MissingCarried => "missing-carried",
            Kind::WrongCount => "wrong-count",
            Kind::AlteredCheck => "altered-check",
            Kind::WrongTime => "wrong-time",
        }
    }
}

/// An error found in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind of the error.
    pub kind: Kind,
    /// Number of the batch in the file, from 1; 0 is the head.
    pub batch: u64,
    /// Position, from 0, among the inputs or in the order, depending on `what`.
    pub position: Option<u64>,
    /// Offset in the file: of the batch, or of the byte where a torn file ends.
    pub byte: u64,
    /// Description of the error, for people.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: batch {}", self.kind.name(), self.batch)?;
        self.position.map_or(Ok(()), |position| write!(f, ", position {position}"))?;
        write!(f, " (byte {}): {}", self.byte, self.what)
    }
}

/// Result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of batches read.
    pub batches: u64,
    /// Number of published messages.
    pub messages: u64,
    /// Messages carried over at the end of the journal.
    pub waiting: u64,
    /// Number of bytes read.
    pub bytes: u64,
    /// Hash of the last batch: compare it with one from a trusted source.
    pub last_hash: Hash,
    /// The first 1,000 findings.
    pub findings: Vec<Finding>,
    /// Number of all findings.
    pub findings_count: u64,
    /// Whether `goes_on` stopped it before the end of the file.
    pub stopped: bool,
}

impl Report {
    /// Whether everything was read and no error found.
    pub fn whole(&self) -> bool {
        self.findings_count == 0 && !self.stopped
    }
}
