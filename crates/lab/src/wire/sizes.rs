//! How many bytes things take on the wire.

use surgetank_layer::gossip::Frame;
use surgetank_layer::message::Block;
use surgetank_layer::node::Packet;

/// A vote with its signature.
pub const VOTE_BYTES: u32 = 170;
/// A share of a key with its proof: two points of BLS12-381 and a header.
const SHARE_BYTES: u32 = 200;
/// A block without its messages.
const BLOCK_BYTES: u32 = 400;
/// A message's number in a gossip frame (gossipsub's default message id).
const ID_BYTES: u32 = 40;

/// Round and author of a vertex.
const VERTEX_ID_BYTES: u32 = 8;

/// Size of a gossip frame that is not a message.
pub fn frame_bytes(frame: &Frame) -> u32 {
    match frame {
        Frame::Message(envelope) => envelope.size_bytes,
        Frame::IHave(ids) | Frame::IWant(ids) | Frame::IDontWant(ids) => {
            40 + ID_BYTES * ids.len() as u32
        }
        Frame::Graft | Frame::Prune => 40,
    }
}

/// Size of a block.
pub fn block_bytes(block: &Block) -> u32 {
    let evidence = block.evidence.iter().map(|ground| ground.size_bytes()).sum::<u32>();
    BLOCK_BYTES
        + evidence
        + block.entries.iter().map(|entry| entry.envelope.size_bytes).sum::<u32>()
}

/// Size of a packet between any two nodes.
pub fn packet_bytes(packet: &Packet) -> u32 {
    match packet {
        Packet::Forward(envelope) => envelope.size_bytes,
        Packet::Batch(_, block) => block_bytes(block),
        Packet::BlocksWanted(_) | Packet::ShareWanted(_) => 60,
        Packet::Chained(message, block) => {
            message.size_bytes() + block.as_ref().map_or(0, |block| block_bytes(block))
        }
        Packet::VerticesWanted(asked) => 60 + VERTEX_ID_BYTES * asked.len() as u32,
        Packet::Share(_) => SHARE_BYTES,
        Packet::OrderReport(report) => report.size_bytes(),
        Packet::OrderConfirmed { .. } => ID_BYTES,
        Packet::Blocks(blocks) => blocks.iter().map(|block| block_bytes(block)).sum(),
    }
}
