//! Bytes that were sent and did not arrive.

use surgetank_layer::units::Ns;

/// Acknowledged bytes of later packets, in segments, after which a packet is lost (RFC 5681's three
/// duplicates, RFC 9002's kPacketThreshold).
const LATER_SEGMENTS: u64 = 3;

/// Why a packet does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// By chance.
    Chance,
    /// By a fault.
    Fault,
    /// A buffer on its way was full.
    Full,
}

/// A range of bytes that is missing at the receiver.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// First byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
    /// Number of the transmission that was lost.
    pub order: u64,
    /// When that was sent.
    pub sent: Ns,
    /// Bytes of the same transmission that came after it.
    pub inside: u64,
    /// Bytes sent later that were acknowledged.
    pub later: u64,
    /// Whether the sender knows.
    pub known: bool,
    /// Why it was lost.
    pub why: Lost,
}

impl Gap {
    /// Number of bytes.
    pub fn bytes(&self) -> u64 {
        self.end - self.start
    }
}

/// All gaps of a stream of bytes, in its order.
#[derive(Clone, Debug, Default)]
pub struct Gaps(Vec<Gap>);

impl Gaps {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Gap> {
        self.0.iter()
    }

    /// The first missing byte.
    pub fn first(&self) -> Option<u64> {
        self.0.first().map(|gap| gap.start)
    }

    /// Adds a gap, which overlaps no other.
    pub fn add(&mut self, gap: Gap) {
        let at = self.0.partition_point(|other| other.start < gap.start);
        self.0.insert(at, gap);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the first bytes that are known to be missing, at most so many, to send them again.
    pub fn take(&mut self, most: u64) -> Option<(u64, u64)> {
        let at = self.0.iter().position(|gap| gap.known)?;
        let gap = &mut self.0[at];
        let (start, end) = (gap.start, gap.end.min(gap.start + most));
        gap.start = end;
        if gap.start == gap.end {
            self.0.remove(at);
        }
        Some((start, end))
    }

    /// Bytes of the first gap that is known.
    pub fn to_send(&self) -> u64 {
        self.0.iter().find(|gap| gap.known).map_or(0, Gap::bytes)
    }

    /// Whether bytes of a range are missing.
    pub fn touch(&self, start: u64, end: u64) -> bool {
        self.0.iter().any(|gap| gap.start < end && start < gap.end)
    }

    /// A transmission is acknowledged with so many bytes.
    pub fn acknowledge(&mut self, order: u64, bytes: u64) {
        for gap in &mut self.0 {
            match gap.order.cmp(&order) {
                std::cmp::Ordering::Less => gap.later += bytes,
                std::cmp::Ordering::Equal => gap.later += gap.inside,
                std::cmp::Ordering::Greater => {}
            }
        }
    }

    /// The gaps that a sender now knows: enough of what it sent later is acknowledged, or something
    /// and a time has passed. Returns their bytes, and the number of their latest transmission.
    pub fn detect(&mut self, now: Ns, loss_delay: Ns, segment: u32) -> (u64, u64) {
        let (mut bytes, mut latest) = (0, 0);
        for gap in self.0.iter_mut().filter(|gap| !gap.known && gap.later > 0) {
            let many = gap.later >= LATER_SEGMENTS * u64::from(segment);
            if many || gap.sent + loss_delay <= now {
                gap.known = true;
                bytes += gap.bytes();
                latest = latest.max(gap.order);
            }
        }
        (bytes, latest)
    }

    /// When the next is known by the time that has passed, if nothing else happens.
    pub fn detected_at(&self, loss_delay: Ns) -> Option<Ns> {
        let waiting = self.0.iter().filter(|gap| !gap.known && gap.later > 0);
        waiting.map(|gap| gap.sent + loss_delay).min()
    }

    /// All gaps are known, as the timer has expired: returns the bytes that were not.
    pub fn suspect_all(&mut self) -> u64 {
        let unknown = self.0.iter_mut().filter(|gap| !gap.known);
        unknown
            .map(|gap| {
                gap.known = true;
                gap.bytes()
            })
            .sum()
    }
}
