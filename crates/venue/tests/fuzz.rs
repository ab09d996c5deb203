//! What comes from outside, mutated: files of a journal and of a venue, and frames of clients.
//!
//! Valid bytes are changed in their structure (fields, lengths, pieces of other samples), sealed
//! again with checksums or MACs where those would hide what lies behind, and given to the machine
//! that reads them. No panic, no endless work, and no output larger than what was read.
//! `SURGETANK_FUZZ=n` makes so many executions (`make soak`); `SURGETANK_SEED=n` begins elsewhere.

use surgetank_layer::units::SECOND;
use surgetank_venue::event::{Event, Position, StreamKey};
use surgetank_venue::execution::Execution;
use surgetank_venue::genesis::Genesis;
use surgetank_venue::intake::Intake;
use surgetank_venue::intake::bounds::IntakeBounds;
use surgetank_venue::request::Level;
use surgetank_venue::session::auth::{Channel, Secret};
use surgetank_venue::session::initiator::{Heard, Identity, Initiator};
use surgetank_venue::session::json::JsonStep;
use surgetank_venue::session::keys::Keys;
use surgetank_venue::session::{Acceptor, FRAME_BYTES_MAX, Step};
use surgetank_venue::storage::Mode;
use surgetank_venue::storage::effect::{FileName, Input, Output};
use surgetank_venue::storage::record::{BLOCK, HEADER_BYTES};
use surgetank_venue::storage::segment::SLOTS_START;
use surgetank_venue::storage::slot::SLOT_BYTES;
use surgetank_venue::storage::snapshots::{self, Snapshot};
use surgetank_venue::streams::{StreamBounds, Streams};
use surgetank_venue::wire::{Gap, GapReason, LoggedOn, StreamState};

use crate::examples::ups;
use crate::genesis::large;
use crate::memory_disk::{Disk, Running, Start};
use crate::session::{digits, keys};
use crate::session_json::{DESK, acceptor, logged_on};

const EXECUTIONS: u64 = 6_000;
/// Calls of docs/websocket.md.
const CALLS: [&str; 12] = [
    r#"{"jsonrpc": "2.0", "id": 1, "method": "private/buy", "params": {"instrument_name": "BTC", "amount": 0.001, "type": "limit", "price": 100.0, "cl_ord_id": "7", "time_in_force": "good_til_cancelled", "post_only": true}}"#,
    r#"{"jsonrpc": "2.0", "id": "x", "method": "private/sell", "params": {"instrument_name": "BTC", "amount": "1e-3", "type": "market", "reduce_only": true}}"#,
    r#"{"jsonrpc": "2.0", "id": 2, "method": "private/edit", "params": {"instrument_name": "BTC", "orig_cl_ord_id": "7", "cl_ord_id": "8", "amount": 1, "price": 99.9}}"#,
    r#"{"jsonrpc": "2.0", "id": 3, "method": "private/cancel", "params": {"instrument_name": "BTC", "orig_cl_ord_id": "8", "cl_ord_id": "9"}}"#,
    r#"{"jsonrpc": "2.0", "id": 4, "method": "private/cancel_all", "params": {"instrument_name": "BTC"}}"#,
    r#"{"jsonrpc": "2.0", "id": 5, "method": "public/subscribe", "params": {"channels": ["book.BTC.raw", "trades.BTC", "ticker.BTC"], "after": {"book.BTC.raw": {"epoch": "1", "change_id": 5}}}}"#,
    r#"{"jsonrpc": "2.0", "id": 6, "method": "private/subscribe", "params": {"channels": ["user.orders", "user.portfolio", "user.risk"]}}"#,
    r#"{"jsonrpc": "2.0", "id": 7, "method": "public/get_order_book", "params": {"instrument_name": "BTC", "depth": 10}}"#,
    r#"{"jsonrpc": "2.0", "id": 8, "method": "private/withdraw", "params": {"amount": 10.5, "cl_ord_id": "77", "signature": "00ff"}}"#,
    r#"{"jsonrpc": "2.0", "id": 9, "method": "public/set_heartbeat", "params": {"interval": 10}}"#,
    r#"{"jsonrpc": "2.0", "id": null, "method": "public/unsubscribe", "params": {"channels": ["book.BTC.raw"]}}"#,
    r#"{"jsonrpc": "2.0", "id": 10, "method": "private/get_order_state", "params": {"cl_ord_id": "7"}}"#,
];
const NOW: u64 = 1_000 * SECOND;

/// SplitMix64 (Steele et al., OOPSLA 2014).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn number(&mut self) -> u64 {
        let any = self.next();
        [0, 1, 255, 4096, u64::from(u32::MAX), 1 << 62, u64::MAX, any][self.below(8)]
    }

    /// Changes some bytes, up to a few times.
    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let length = self.below(32).min(bytes.len() - at);
            match self.below(7) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = self.number() as u8,
                2 => {
                    let number = self.number().to_le_bytes();
                    let width = [1, 2, 4, 8][self.below(4)].min(bytes.len() - at);
                    bytes[at..at + width].copy_from_slice(&number[..width]);
                }
                3 => drop(bytes.drain(at..at + length)),
                4 => {
                    let piece = bytes[at..at + length].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                5 => {
                    let from = self.below(other.len());
                    let piece = &other[from..(from + length).min(other.len())];
                    bytes.splice(at..at + length, piece.iter().copied());
                }
                _ => bytes.truncate(bytes.len() - length.min(self.below(8))),
            }
        }
    }
}

fn sealed(bytes: &mut [u8]) {
    if let Some((rest, crc)) = bytes.split_last_chunk_mut() {
        *crc = crc32c::crc32c(rest).to_le_bytes();
    }
}

/// Files, of which one is changed, and a start on them.
fn journal(draws: &mut Draws, whole: &Disk) {
    let mut disk = whole.clone();
    let names: Vec<FileName> = disk.files.keys().copied().collect();
    let name = names[draws.below(names.len())];
    if draws.below(12) == 0 {
        let (other, copy) = (disk.superblock.clone(), draws.below(4) * BLOCK as usize);
        let mut bytes = disk.superblock[copy..copy + 64].to_vec();
        draws.mutate(&mut bytes, &other);
        bytes.resize(64, 0);
        for copy in disk.superblock.chunks_mut(BLOCK as usize).take(1 + draws.below(4)) {
            copy[..64].copy_from_slice(&bytes);
            sealed(copy);
        }
    }
    let bytes = disk.files.get_mut(&name).expect("it is there");
    let (sectors, is_segment) = (bytes.len() / SLOT_BYTES, matches!(name, FileName::Segment(_)));
    for _ in 0..=draws.below(3) {
        let at = draws.below(sectors.max(1)) * SLOT_BYTES;
        let other = bytes[draws.below(sectors.max(1)) * SLOT_BYTES..].to_vec();
        let mut sector = bytes[at..].iter().copied().take(SLOT_BYTES).collect::<Vec<u8>>();
        let length = sector.len();
        if draws.below(4) == 0 {
            sector = other.iter().copied().take(SLOT_BYTES).collect();
        }
        draws.mutate(&mut sector, &other);
        sector.resize(length, 0);
        if is_segment && draws.below(4) > 0 {
            let of_slot =
                (SLOTS_START as usize..SLOTS_START as usize + 12 * SLOT_BYTES).contains(&at);
            let of_header = at < SLOTS_START as usize;
            sealed(&mut sector[..if of_header { 128 } else { HEADER_BYTES }]);
            if of_slot {
                sealed(&mut sector);
            }
        }
        bytes[at..at + length].copy_from_slice(&sector);
    }
    if draws.below(10) == 0 {
        bytes.truncate(draws.below(bytes.len()));
    }
    let mode = [Mode::Serve, Mode::Check, Mode::Repair][draws.below(3)];
    let mut running = Running::new(disk, mode);
    running.input(Input::Start);
    let records: usize = whole.files.values().map(|bytes| bytes.len() / BLOCK as usize).sum();
    assert!(running.said.len() < 2 * records, "{} outputs", running.said.len());
    let ends = |output: &&Output| {
        matches!(output, Output::Recovered(_) | Output::Refused { .. } | Output::Halted(_))
    };
    assert_eq!(running.said.iter().filter(ends).count(), 1, "a start ends");
    running.append();
}

/// A snapshot whose checksums hold, and the states in it.
fn snapshot(draws: &mut Draws, whole: &[u8], states: &[Vec<u8>; 3], genesis: &Genesis) {
    let mut bytes = whole.to_vec();
    draws.mutate(&mut bytes, whole);
    if let Some(header) = bytes.get_mut(..snapshots::HEADER_BYTES) {
        sealed(header);
    }
    if let Some(found) = Snapshot::from_bytes(&bytes) {
        assert!(found.state.len() <= bytes.len());
    }
    let which = draws.below(3);
    let mut state = states[which].clone();
    let other = draws.below(3);
    draws.mutate(&mut state, &states[other]);
    match which {
        0 => drop(Execution::restore(genesis, &state)),
        1 => drop(Intake::restore(IntakeBounds::default(), &state)),
        _ => drop(Streams::restore(bounds(), &state, large().market().as_ref().expect("valid"))),
    }
}

fn bounds() -> StreamBounds {
    StreamBounds { history_bytes_max: 1 << 20, subscriptions_max: 8, ..StreamBounds::default() }
}

/// Keys and genesis, as JSON and as bytes.
fn files(draws: &mut Draws, texts: &[Vec<u8>; 3]) {
    let which = draws.below(3);
    let mut bytes = texts[which].clone();
    let other = draws.below(3);
    draws.mutate(&mut bytes, &texts[other]);
    let text = String::from_utf8_lossy(&bytes);
    match which {
        0 => drop(Keys::parse(&text)),
        1 => {
            if let Ok(genesis) = serde_json::from_str::<Genesis>(&text) {
                drop(genesis.market());
            }
        }
        _ => drop(Genesis::from_bytes(&bytes)),
    }
}

/// A connection from its first byte: a logon, and frames whose MACs hold.
fn session(draws: &mut Draws, bodies: &[Vec<u8>], keys: &Keys) {
    let (mut acceptor, challenge) = Acceptor::open([1; 16], [2; 32], NOW);
    let identity = Identity {
        key_name: "shared".into(),
        secret: Secret::HmacSha256([4; 32]),
        session: "main".into(),
        level: Level::Disk,
        cancel_on_disconnect: draws.below(2) == 0,
        sign_requests: draws.below(2) == 0,
    };
    let mut initiator = Initiator::new(identity, [9; 16]);
    let heard = initiator.receive(NOW, &challenge).expect("a challenge");
    let [Heard::Challenge(logon)] = &heard[..] else { panic!("{heard:?}") };
    let mut logon = logon.clone();
    if draws.below(4) == 0 {
        draws.mutate(&mut logon, &bodies[0]);
    }
    let Ok(_) = acceptor.receive(NOW, keys, &logon) else { return };
    let (session_key, streams) = ([7; 32], vec![]);
    let logged_on = LoggedOn { account: 7, session_key, time_ns: NOW, sequence: 0, streams };
    if acceptor.accept(&logged_on).is_none() {
        return;
    }
    let mut channel = Channel::new([7; 32]);
    let mut bytes = Vec::new();
    for _ in 0..=draws.below(3) {
        let mut body = bodies[draws.below(bodies.len())].clone();
        let other = draws.below(bodies.len());
        draws.mutate(&mut body, &bodies[other]);
        bytes.extend(channel.seal_body(&body).expect("few frames"));
    }
    if draws.below(4) == 0 {
        let other = bytes.clone();
        draws.mutate(&mut bytes, &other);
    }
    let mut requests = 0;
    let pieces = 1 + draws.below(bytes.len());
    for piece in bytes.chunks(pieces) {
        let Ok(steps) = acceptor.receive(NOW, keys, piece) else {
            assert!(acceptor.receive(NOW, keys, &bytes).is_err(), "what is cut stays cut");
            return;
        };
        for step in steps {
            if let Step::Requests(found) = step {
                requests += found.len();
            }
        }
    }
    assert!(requests <= bytes.len() && bytes.len() <= 4 * FRAME_BYTES_MAX);
}

/// Texts of a WebSocket, before and after the logon, with what the venue says in between.
fn websocket(draws: &mut Draws, keys: &Keys) {
    let mut acceptor = if draws.below(5) == 0 { acceptor() } else { logged_on("desk", &DESK) };
    let mut texts = Vec::new();
    for _ in 0..=draws.below(4) {
        let mut text = CALLS[draws.below(CALLS.len())].as_bytes().to_vec();
        if draws.below(4) > 0 {
            let other = CALLS[draws.below(CALLS.len())];
            draws.mutate(&mut text, other.as_bytes());
        }
        if draws.below(6) == 0 {
            let others = texts.join(&b","[..]);
            text = [b"[", &others[..], b",", &text[..], b"]"].concat();
        }
        texts.push(text);
    }
    for text in &texts {
        let text = String::from_utf8_lossy(text);
        let steps = acceptor.receive(NOW, keys, &text);
        assert!(steps.len() <= 2 + text.len(), "{} steps of {text}", steps.len());
        let said = steps.iter().map(|step| match step {
            JsonStep::Say(said) => said.len(),
            _ => 0,
        });
        assert!(said.sum::<usize>() <= 4_096 + 512 * text.len());
        let number = draws.number();
        let from = Position { epoch: number as u32, number: draws.number() };
        let (key, reason) = (StreamKey::Book(number as u16), GapReason::NotKept);
        let gap = Gap { key, epoch: from.epoch, from: from.number, to: number, reason };
        acceptor.gap(&gap);
        let events = vec![Event::Levels(Vec::new())];
        acceptor.snapshot(&StreamState { key, last: from, sequence: number, events });
        acceptor.wake(NOW.saturating_add(draws.number()));
    }
}

fn disk() -> Disk {
    let mut running = Running::new(Disk::default(), Mode::Serve);
    assert!(matches!(running.start(), Start::Served(_)));
    (0..9).for_each(|_| running.append());
    running.snapshot(4);
    (0..9).for_each(|_| running.append());
    running.disk
}

/// Whether an environment variable says another number.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

#[test]
fn no_mutated_input_panics_hangs_or_grows() {
    let (disk, genesis, keys) = (disk(), large(), keys());
    let execution = Execution::open(&genesis).expect("valid");
    let intake = Intake::new(IntakeBounds::default());
    let states =
        [execution.state(), intake.state(), Streams::new(bounds(), execution.market()).state()];
    let snapshot_bytes = disk.files[&FileName::Snapshot(4)].clone();
    let hmac = digits([4; 32]);
    let keys_json = format!(
        r#"{{"a": {{"account": 7, "permissions": ["trade", "withdraw", "keeper"], "hmac": "{hmac}"}}}}"#
    );
    let genesis_json = serde_json::to_vec(&genesis).expect("it has a form as JSON");
    let texts = [keys_json.into_bytes(), genesis_json, genesis.to_bytes()];
    let bodies: Vec<Vec<u8>> =
        ups().iter().map(surgetank_venue::encoding::Encoded::to_bytes).collect();

    let first = number("SURGETANK_SEED").unwrap_or(0);
    let executions = number("SURGETANK_FUZZ").unwrap_or(EXECUTIONS);
    for seed in first..first + executions {
        let _named = Named(seed);
        let draws = &mut Draws(seed);
        match seed % 10 {
            0 => journal(draws, &disk),
            1 | 2 => snapshot(draws, &snapshot_bytes, &states, &genesis),
            3 | 4 => files(draws, &texts),
            8 | 9 => websocket(draws, &keys),
            _ => session(draws, &bodies, &keys),
        }
    }
    println!("{executions} executions from seed {first}");
}

/// Names the seed when a machine panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay it with SURGETANK_SEED={} SURGETANK_FUZZ=1", self.0);
        }
    }
}
