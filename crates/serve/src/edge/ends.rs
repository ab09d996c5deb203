//! Why connections end.

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

impl End {
    /// Name of the reason for which the venue has ended it; `None`: it was lost.
    pub fn cut(self) -> Option<&'static str> {
        match self {
            End::Lost => None,
            End::NoHandshake(what) => Some(what),
            End::Cut(reason) => Some(fault::cut(reason)),
        }
    }
}

impl From<CutReason> for End {
    fn from(reason: CutReason) -> End {
        End::Cut(reason)
    }
}
