//! A published event, which all that follow its stream share: it is made once, when it is published,
//! and encoded at most once. Readers that come later have copies of their own.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::encoding::Encoded;
use crate::event::{Event, Stamped, StreamKey};
use crate::wire::{Down, Gap};

/// What a reader is sent that has missed events: at the beginning of a subscription, and when it is no
/// longer congested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// Events that it will not be sent.
    pub gaps: Vec<Gap>,
    /// The others; merged where they were left out.
    pub events: Vec<Arc<Published>>,
}

/// An event with its encoding, which is made when it is first asked for.
#[derive(Debug)]
pub struct Published {
    stamped: Stamped,
    encoded: OnceLock<Box<[u8]>>,
}

impl Published {
    /// An event that is not encoded yet.
    pub fn new(stamped: Stamped) -> Published {
        Published { stamped, encoded: OnceLock::new() }
    }

    /// The event's encoding.
    pub fn encoded(&self) -> &[u8] {
        self.encoded.get_or_init(|| self.stamped.to_bytes().into())
    }

    /// Memory that the event takes once it is encoded, roughly.
    pub fn bytes(&self) -> usize {
        bytes(&self.stamped.event)
    }
}

/// Memory that an event takes once it is published and encoded, roughly.
pub fn bytes(event: &Event) -> usize {
    // What it has beside its fields is there twice, as values and as encoding.
    size_of::<Published>() + 2 * size_of::<StreamKey>() + 100 + 2 * event.bytes()
}

impl Deref for Published {
    type Target = Stamped;

    fn deref(&self) -> &Stamped {
        &self.stamped
    }
}

impl PartialEq for Published {
    fn eq(&self, other: &Published) -> bool {
        self.stamped == other.stamped
    }
}

impl Eq for Published {}

impl From<Stamped> for Published {
    fn from(stamped: Stamped) -> Published {
        Published::new(stamped)
    }
}

/// The encoding of [`Down::Events`] of these events.
pub fn events_body(events: &[Arc<Published>]) -> Vec<u8> {
    let mut body = Down::Events(Vec::new()).to_bytes();
    body.truncate(1);
    u32::try_from(events.len()).expect("a list under 4 Gi").write(&mut body);
    events.iter().for_each(|event| body.extend_from_slice(event.encoded()));
    body
}
