//! Frames of requests that are encoded already.

use surgetank_layer::codec::{FieldReader, Read};
use surgetank_venue::encoding::Encoded;
use surgetank_venue::request::{REQUEST_BYTES_MAX, Request};
use surgetank_venue::session::initiator::Initiator;

/// Most requests of a frame, and most bytes after which another request begins the next one: with a
/// signature each they stay below the greatest size of a frame, 64 KiB.
const REQUESTS_MAX: usize = 256;
const BYTES_MAX: usize = (64 << 10) - 2 * REQUEST_BYTES_MAX - REQUESTS_MAX * 66;

/// The number of the first request and the frames; `None` if the connection is not logged on.
///
/// # Errors
/// The bytes are not requests, one after the other.
pub fn frames(machine: &mut Initiator, bytes: &[u8]) -> Read<Option<(u32, Vec<u8>)>> {
    let mut reader = FieldReader::new(bytes);
    let (mut frames, mut first) = (Vec::new(), None);
    while reader.at() < bytes.len() {
        let (start, mut requests) = (reader.at(), Vec::new());
        while reader.at() < bytes.len()
            && reader.at() - start < BYTES_MAX
            && requests.len() < REQUESTS_MAX
        {
            requests.push(Request::read(&mut reader, "request")?);
        }
        let Some(frame) = machine.requests(&mut requests) else { return Ok(None) };
        first = first.or_else(|| requests.first().map(|request| request.number));
        frames.extend(frame);
    }
    Ok(first.map(|first| (first, frames)))
}
