//! How many bytes signed statements and certificates take on the wire. Signatures are Ed25519's, and
//! a certificate is a list of them.

/// Bytes of a signature, and of the index of who made it.
const SIGNER_BYTES: u32 = 64 + 4;
/// A statement without certificates: numbers, hashes and its signature.
pub const STATEMENT_BYTES: u32 = 170;
/// The numbers and the hash of a certificate.
const CERTIFICATE_BYTES: u32 = 44;

/// Size of a certificate with so many signers.
pub fn certificate_bytes(signers: usize) -> u32 {
    CERTIFICATE_BYTES + signers as u32 * SIGNER_BYTES
}
