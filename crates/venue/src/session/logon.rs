//! The logon: is it the key's, over this connection's challenge, at about this time?

use surgetank_layer::units::{Ns, SECOND};

use super::auth::logon_bytes;
use super::keys::{Entry, Keys};
use crate::wire::{Challenge, CutReason, Logon};

/// Greatest difference between the clocks of client and venue.
pub const CLOCK_SKEW_MAX_NS: Ns = 30 * SECOND;
/// Greatest length of the name of a key or a session, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// The key with which the client has logged on.
///
/// # Errors
/// [`CutReason::LogonRefused`], which does not tell an unknown key from a wrong signature;
/// [`CutReason::ClockSkew`], only for who holds the key.
pub fn check<'k>(
    keys: &'k Keys,
    challenge: &Challenge,
    now: Ns,
    logon: &Logon,
) -> Result<&'k Entry, CutReason> {
    if logon.key_name.len() > NAME_BYTES_MAX || logon.session.len() > NAME_BYTES_MAX {
        return Err(CutReason::LogonRefused);
    }
    let entry = keys.get(&logon.key_name).ok_or(CutReason::LogonRefused)?;
    if !entry.verifier.accepts(&logon_bytes(challenge, logon), &logon.signature) {
        return Err(CutReason::LogonRefused);
    }
    if now.abs_diff(logon.time_ns) > CLOCK_SKEW_MAX_NS {
        return Err(CutReason::ClockSkew);
    }
    Ok(entry)
}
