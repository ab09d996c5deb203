//! What is signed, and by what: logons and requests by an account's key, frames by a session's.
//!
//! # Layout of what is signed, little-endian
//! ```text
//! logon    "surgetank logon 1" | venue (16 bytes) | challenge's nonce (32) | logon without signature
//! request  "surgetank request 1" | venue (16 bytes) | challenge's nonce (32) | request
//! ```
//!
//! # Rules
//! 1. A signature names the venue and the connection's nonce, which is drawn for one connection: it
//!    is worth nothing at another venue or on another connection. A request's number makes it worth
//!    nothing a second time on the same one.
//! 2. Frames of a logged-on connection have MACs under a key that is drawn for it; see
//!    [`crate::wire`].
//!
//! # Source
//! RFC 8032 (Ed25519, verified strictly: no key or signature of small order); RFC 2104 and FIPS
//! 180-4 (HMAC-SHA256); the BLAKE3 paper, section 2.3 (keyed hashing).

use ed25519_dalek::{Signature as Ed25519Signature, Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::keys::Verifier;
use crate::encoding::Encoded;
use crate::request::Request;
use crate::wire::{
    Challenge, CutReason, Frame, Logon, MAC_BYTES, SessionKey, Signature, decode, encode_body,
};

const LOGON_TAG: &[u8] = b"surgetank logon 1";
const REQUEST_TAG: &[u8] = b"surgetank request 1";

/// What a logon's signature covers.
pub fn logon_bytes(challenge: &Challenge, logon: &Logon) -> Vec<u8> {
    let unsigned = Logon { signature: Signature::default(), ..logon.clone() };
    signed(LOGON_TAG, challenge, &unsigned)
}

/// What a request's signature covers.
pub fn request_bytes(challenge: &Challenge, request: &Request) -> Vec<u8> {
    signed(REQUEST_TAG, challenge, request)
}

fn signed(tag: &[u8], challenge: &Challenge, content: &impl Encoded) -> Vec<u8> {
    let mut bytes = [tag, &challenge.venue, &challenge.nonce].concat();
    content.write(&mut bytes);
    bytes
}

impl Verifier {
    /// Whether it is the key's signature of `bytes`.
    pub fn accepts(&self, bytes: &[u8], signature: &Signature) -> bool {
        match self {
            Verifier::Ed25519(key) => Ed25519Signature::from_slice(&signature.0)
                .is_ok_and(|signature| key.verify_strict(bytes, &signature).is_ok()),
            Verifier::HmacSha256(secret) => hmac(secret, bytes).verify_slice(&signature.0).is_ok(),
        }
    }
}

fn hmac(secret: &[u8; 32], bytes: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(bytes);
    mac
}

/// The client's side of a key.
#[derive(Clone)]
pub enum Secret {
    /// Seed of an Ed25519 key.
    Ed25519([u8; 32]),
    /// Secret shared with the venue.
    HmacSha256([u8; 32]),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Signs `bytes`.
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        Signature(match self {
            Secret::Ed25519(seed) => SigningKey::from_bytes(seed).sign(bytes).to_bytes().to_vec(),
            Secret::HmacSha256(secret) => hmac(secret, bytes).finalize().into_bytes().to_vec(),
        })
    }

    /// The bytes that the venue's file of keys has: the public key, or the shared secret.
    pub fn shown_to_venue(&self) -> [u8; 32] {
        match self {
            Secret::Ed25519(seed) => SigningKey::from_bytes(seed).verifying_key().to_bytes(),
            Secret::HmacSha256(secret) => *secret,
        }
    }
}

/// Numbers and MACs of the frames of one direction.
#[derive(Clone)]
pub struct Channel {
    key: SessionKey,
    /// Number of the last frame.
    last: u32,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Channel {
    /// Before the first frame.
    pub fn new(key: SessionKey) -> Channel {
        Channel { key, last: 0 }
    }

    /// The next frame to send; `None` after 2³² − 1 frames, when the connection must end.
    pub fn seal<T: Encoded>(&mut self, body: &T) -> Option<Vec<u8>> {
        self.seal_body(&body.to_bytes())
    }

    /// The same of a body that is encoded already.
    pub fn seal_body(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        self.last = self.last.checked_add(1)?;
        let mut frame = encode_body(body, self.last, MAC_BYTES);
        let mac = self.mac(&frame);
        frame.extend_from_slice(&mac);
        Some(frame)
    }

    /// Checks a frame that was received, and decodes it.
    ///
    /// # Errors
    /// [`CutReason::WrongMac`], [`CutReason::FrameNumber`], [`CutReason::Malformed`].
    pub fn open<T: Encoded>(&mut self, frame: &Frame<'_>) -> Result<T, CutReason> {
        let (covered, mac) = frame.parts().map_err(|_| CutReason::Malformed)?;
        if !bool::from(self.mac(covered).ct_eq(mac)) {
            return Err(CutReason::WrongMac);
        }
        if Some(frame.number()) != self.last.checked_add(1) {
            return Err(CutReason::FrameNumber);
        }
        self.last += 1;
        decode(covered).map_err(|_| CutReason::Malformed)
    }

    fn mac(&self, covered: &[u8]) -> [u8; MAC_BYTES] {
        let hash = blake3::keyed_hash(&self.key, covered);
        *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
    }
}
