//! What a client of the WebSocket signs, as text.
//!
//! # Layout: lines that end with a line feed, but for the last
//! ```text
//! logon    surgetank/auth/1 | venue | challenge | client_id | session | timestamp | nonce | level |
//!          cancel_on_disconnect
//! request  surgetank/call/1 | venue | challenge | method | params, as they are sent
//! ```
//! `venue` and `challenge` are hexadecimal digits of the notification with which a connection
//! begins. The rules are those of [`crate::session::auth`]: a signature names the venue and a
//! challenge that was drawn for one connection.

use surgetank_layer::units::Ns;

use super::fault::Fault;
use super::params::Auth;
use crate::request::Level;
use crate::session::keys::{Entry, Keys};
use crate::session::logon::{CLOCK_SKEW_MAX_NS, NAME_BYTES_MAX};
use crate::wire::{CutReason, Nonce, Signature, VenueId};

/// Nanoseconds of a millisecond.
const MILLISECOND: Ns = 1_000_000;

/// What signatures of a connection name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionChallenge {
    /// The venue.
    pub venue: VenueId,
    /// Drawn for the connection.
    pub nonce: Nonce,
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal digits as a signature; an empty one, which no key accepts, if they are none.
fn signature(digits: &str) -> Signature {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect();
    Signature(bytes.filter(|bytes| rest.is_empty() && bytes.len() <= 64).unwrap_or_default())
}

impl ConnectionChallenge {
    fn lines(&self, first: &str, rest: &[&str]) -> String {
        let mut text = format!("{first}\n{}\n{}", hex(&self.venue), hex(&self.nonce));
        for line in rest {
            text.push('\n');
            text.push_str(line);
        }
        text
    }

    /// What a logon signs.
    pub fn auth_text(&self, auth: &Auth) -> String {
        let level = if auth.level == Level::Memory { "memory" } else { "disk" };
        let cancel = if auth.cancel_on_disconnect { "true" } else { "false" };
        let timestamp = auth.timestamp.to_string();
        let Auth { client_id, session, nonce, .. } = auth;
        self.lines("surgetank/auth/1", &[client_id, session, &timestamp, nonce, level, cancel])
    }

    /// What a request signs.
    pub fn call_text(&self, method: &str, params: &str) -> String {
        self.lines("surgetank/call/1", &[method, params])
    }

    /// Whether a call is signed by the key.
    pub fn signs_call(&self, entry: &Entry, method: &str, params: &str, digits: &str) -> bool {
        let text = self.call_text(method, params);
        entry.verifier.accepts(text.as_bytes(), &signature(digits))
    }

    /// The key with which a client logs on.
    ///
    /// # Errors
    /// What the client hears, and why the connection ends.
    pub fn logon<'k>(
        &self,
        now: Ns,
        keys: &'k Keys,
        auth: &Auth,
    ) -> Result<&'k Entry, (Fault, CutReason)> {
        let refused = || (Fault::cut(CutReason::LogonRefused), CutReason::LogonRefused);
        let is_name = |name: &str| {
            name.len() <= NAME_BYTES_MAX && name.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        };
        if ![&auth.client_id, &auth.session, &auth.nonce].iter().all(|name| is_name(name)) {
            return Err(refused());
        }
        let entry = keys.get(&auth.client_id).ok_or_else(refused)?;
        let text = self.auth_text(auth);
        if !entry.verifier.accepts(text.as_bytes(), &signature(&auth.signature)) {
            return Err(refused());
        }
        if now.abs_diff(auth.timestamp.saturating_mul(MILLISECOND)) > CLOCK_SKEW_MAX_NS {
            return Err((Fault::cut(CutReason::ClockSkew), CutReason::ClockSkew));
        }
        Ok(entry)
    }
}
