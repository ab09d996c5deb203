//! What can be found, and by what name.

use std::fmt;

use crate::Hash;

/// All that can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The file ends or goes astray inside its head or a frame; nothing after it is checked.
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
    /// The terms name no rule that is known here.
    UnknownRule,
    /// The terms are not those that were announced.
    ChangedRule,
    /// An input's class is not a class.
    UnknownClass,
    /// Inputs do not stand in order of arrival.
    ArrivalBackwards,
    /// A message or its ticket is not what was sealed.
    AlteredMessage,
    /// Two messages stand in each other's places.
    SwappedPair,
    /// A message that was sealed is not there, or was neither published nor carried.
    DroppedMessage,
    /// A message is there that was not sealed.
    InsertedMessage,
    /// A message is there twice.
    DuplicatedMessage,
    /// The published order is not the one that the rule gives.
    OutOfOrder,
    /// The order is cut before, or goes on beyond, the announced limits.
    WrongCut,
    /// A Merkle root is not that of what stands under it.
    ForgedRoot,
    /// A message that was left over is not among the next batch's first inputs.
    MissingCarried,
    /// A count in the header is wrong.
    WrongCount,
    /// A check is not that of its message, which itself is sound.
    AlteredCheck,
    /// Sealed before an input arrived or before the batch before it was, or later than any clock.
    WrongTime,
}

impl Kind {
    /// Its name, for people and programs.
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

/// Something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What happened.
    pub kind: Kind,
    /// In which batch of the file, from 1; 0 is the head.
    pub batch: u64,
    /// At which position, from 0, of the inputs or of the order, as `what` says.
    pub position: Option<u64>,
    /// Offset in the file: of the batch, or of the byte where a torn file ends.
    pub byte: u64,
    /// In words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: batch {}", self.kind.name(), self.batch)?;
        self.position.map_or(Ok(()), |position| write!(f, ", position {position}"))?;
        write!(f, " (byte {}): {}", self.byte, self.what)
    }
}

/// What was read and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Batches read.
    pub batches: u64,
    /// Messages published.
    pub messages: u64,
    /// Messages that wait for a next batch at the end.
    pub waiting: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Hash of the last batch: compare it with one that you know from elsewhere.
    pub last_hash: Hash,
    /// The first 1,000 findings.
    pub findings: Vec<Finding>,
    /// All findings.
    pub findings_count: u64,
    /// Whether `goes_on` ended it before the file did.
    pub stopped: bool,
}

impl Report {
    /// Whether everything was read and nothing found.
    pub fn whole(&self) -> bool {
        self.findings_count == 0 && !self.stopped
    }
}
