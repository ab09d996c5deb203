//! Fields of fixed size, read in sequence.

/// Reads little-endian fields from the front of a slice; every method is total.
#[derive(Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    /// The next `N` bytes, if there are as many.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    /// The next 16-bit number.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next 32-bit number.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next 64-bit number.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// Whether all bytes are zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().all(|chunk| u128::from_ne_bytes(*chunk) == 0) && rest.iter().all(|b| *b == 0)
}

/// Writes the CRC-32C of everything before the last four bytes into these.
pub fn seal(bytes: &mut [u8]) {
    if let Some((rest, crc)) = bytes.split_last_chunk_mut() {
        *crc = crc32c::crc32c(rest).to_le_bytes();
    }
}

/// Whether the last four bytes are the CRC-32C of those before.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk()
        .is_some_and(|(rest, crc)| crc32c::crc32c(rest) == u32::from_le_bytes(*crc))
}
