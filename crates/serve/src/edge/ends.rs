//! Why connections end, and how many have ended so.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use surgetank_venue::session::json::fault;
use surgetank_venue::wire::CutReason;

/// Why a connection ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// The other side has closed it, or the network has failed.
    Lost,
    /// It has not done this in time, or wrongly; no protocol was agreed in which it could hear of it.
    NoHandshake(&'static str),
    /// The client hears this reason.
    Cut(CutReason),
}

impl From<CutReason> for End {
    fn from(reason: CutReason) -> End {
        End::Cut(reason)
    }
}

/// Connections that have ended, by the name of the reason.
#[derive(Debug, Default)]
pub struct Ends(Mutex<BTreeMap<&'static str, u64>>);

impl Ends {
    /// A connection has ended.
    pub fn note(&self, end: End) {
        let name = match end {
            End::Lost => "lost",
            End::NoHandshake(what) => what,
            End::Cut(reason) => fault::cut(reason),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    }

    /// How many have ended, by the name of the reason.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
