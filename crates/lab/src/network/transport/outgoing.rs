//! What a connection has still to send: messages in channels that share it.
//!
//! As in CometBFT's `MConnection`, the next bytes come from the channel that has sent least in
//! proportion to its priority; counts begin anew when nothing waits.

use std::collections::VecDeque;

use surgetank_layer::units::Ns;

use super::stalls::Stalled;

/// Channels of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Votes, and other small messages of consensus.
    Votes,
    /// Proposals, blocks and their parts.
    Blocks,
    /// Clients' messages, and all else.
    Messages,
}

/// Number of channels.
pub const CHANNELS: usize = 3;

/// A message on a connection, and what had happened on it when the message came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cargo {
    /// Its number.
    pub number: u32,
    /// When it was handed to the connection.
    pub since: Ns,
    /// For how long the connection had been held until then.
    pub held: Stalled,
}

/// A message of which bytes are still to be sent.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    cargo: Cargo,
    left: u32,
}

/// Bytes of one message that are sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The message.
    pub cargo: Cargo,
    /// Number of bytes.
    pub bytes: u32,
    /// Whether these are its last.
    pub last: bool,
}

/// Messages that wait, or of which part is sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    priorities: [f64; CHANNELS],
    waiting: [VecDeque<Waiting>; CHANNELS],
    sent: [f64; CHANNELS],
    bytes: u64,
    count: usize,
}

impl Outgoing {
    /// Nothing to send. `priorities` are above 0.
    pub fn new(priorities: [f64; CHANNELS]) -> Outgoing {
        Outgoing {
            priorities,
            waiting: Default::default(),
            sent: [0.0; CHANNELS],
            bytes: 0,
            count: 0,
        }
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Messages that wait.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds a message.
    pub fn push(&mut self, channel: Channel, cargo: Cargo, bytes: u32) {
        self.waiting[channel as usize].push_back(Waiting { cargo, left: bytes });
        self.bytes += u64::from(bytes);
        self.count += 1;
    }

    /// Takes the next bytes of one message, at most so many.
    pub fn take(&mut self, most: u32) -> Option<Piece> {
        let at = |channel: &usize| self.sent[*channel] / self.priorities[*channel];
        let filled = (0..CHANNELS).filter(|&channel| !self.waiting[channel].is_empty());
        let channel = filled.min_by(|a, b| at(a).total_cmp(&at(b)))?;
        let first = self.waiting[channel].front_mut()?;
        let bytes = first.left.min(most);
        first.left -= bytes;
        let piece = Piece { cargo: first.cargo, bytes, last: first.left == 0 };
        self.sent[channel] += f64::from(bytes);
        self.bytes -= u64::from(bytes);
        if piece.last {
            self.waiting[channel].pop_front();
            self.count -= 1;
        }
        if self.count == 0 {
            self.sent = [0.0; CHANNELS];
        }
        Some(piece)
    }

    /// Removes all messages; returns them.
    pub fn clear(&mut self) -> Vec<u32> {
        (self.bytes, self.count, self.sent) = (0, 0, [0.0; CHANNELS]);
        let all = self.waiting.iter_mut().flat_map(|all| all.drain(..));
        all.map(|one| one.cargo.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cargo(number: u32) -> Cargo {
        Cargo { number, ..Cargo::default() }
    }

    #[test]
    fn channels_share_in_proportion_to_their_priorities() {
        let mut outgoing = Outgoing::new([7.0, 10.0, 5.0]);
        let channels = [Channel::Votes, Channel::Blocks, Channel::Messages];
        for (number, channel) in (0..).zip(channels) {
            outgoing.push(channel, cargo(number), 1_000_000);
        }
        let mut sent = [0u32; CHANNELS];
        for _ in 0..220 {
            let piece = outgoing.take(1_000).unwrap();
            sent[piece.cargo.number as usize] += piece.bytes / 1_000;
        }
        assert_eq!(sent, [70, 100, 50]);
    }

    #[test]
    fn a_vote_does_not_wait_for_the_block_before_it() {
        let mut outgoing = Outgoing::new([7.0, 10.0, 5.0]);
        outgoing.push(Channel::Blocks, cargo(0), 1_000_000);
        assert_eq!(
            outgoing.take(1_000),
            Some(Piece { cargo: cargo(0), bytes: 1_000, last: false })
        );
        outgoing.push(Channel::Votes, cargo(1), 170);
        assert_eq!(outgoing.take(1_000), Some(Piece { cargo: cargo(1), bytes: 170, last: true }));
        assert_eq!((outgoing.bytes(), outgoing.count()), (999_000, 1));
        assert_eq!(outgoing.clear(), [0]);
        assert_eq!(outgoing.take(1_000), None);
    }
}
