//! Messages a second through the pipe, on one core: MAC check, admission, queue, sequence numbers,
//! Merkle batch, hash chain. `pipe_speed MESSAGES [PART]` prints one JSON object; beside it the parts,
//! and a bare binary heap, which orders messages and does nothing else. PART: only names with it.

use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Instant;

use surgetank_layer::admission::limit::Limit;
use surgetank_layer::audit::batch::{Ticket, leaf};
use surgetank_layer::audit::many;
use surgetank_layer::audit::merkle::{Blake3, Sha256, TreeHash, root};
use surgetank_layer::pipe::record::{RECORD_BYTES, Record, account_key, write};
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::pipe::{Config, Pipe};

const KEY: [u8; 32] = [42; 32];
const BATCH: u32 = 4096;
const ACCOUNTS: u32 = 1000;
const RULES: [&str; 6] =
    ["fifo", "class", "fee", "lanes weights=8,8,4,2,1,1,1,1", "drr quantum=1500", "hash"];
const REPEATS: u32 = 25;

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn per_second(messages: usize, mut run: impl FnMut()) -> f64 {
    let times = (0..REPEATS).map(|_| {
        let began = Instant::now();
        run();
        began.elapsed().as_secs_f64()
    });
    messages as f64 / times.fold(f64::INFINITY, f64::min)
}

fn records(messages: u32) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(messages as usize * RECORD_BYTES);
    let keys: Vec<[u8; 32]> = (0..ACCOUNTS).map(|account| account_key(&KEY, account)).collect();
    for n in 0..messages {
        let mixed = n.wrapping_mul(0x9e37_79b9) >> 7;
        let (account, class) =
            (mixed % ACCOUNTS, [4, 4, 2, 2, 2, 3, 1, 0][(mixed / 1000 % 8) as usize]);
        let ticket = Ticket { account, class, flags: 0, fee: mixed % 97, arrival_ns: 0 };
        buffer.extend(write(&keys[account as usize], &ticket, n + 1, &[n as u8; 96]));
    }
    buffer
}

/// Pushes a buffer through, a batch a call; keeps up to `keep_bytes` of the journal.
fn pipe(rule: &str, buffer: &[u8], keep_bytes: usize) -> Vec<u8> {
    let limit = Limit::per_second(1_000_000, 1_000_000);
    let config = Config {
        ordering: Ordering::parse(rule).expect("a rule"),
        batch_messages_max: BATCH,
        batch_bytes_max: 1 << 30,
        seal_messages: BATCH,
        capacity: 2 * BATCH,
        accounts_max: ACCOUNTS,
        limits: Some([limit; 3]),
        key: KEY,
        batches_max: buffer.len() / RECORD_BYTES / BATCH as usize + 1,
    };
    let (mut pipe, mut file) = Pipe::new(config, &[1; 32]);
    let (mut refused, mut out) = (Vec::new(), Vec::new());
    for part in buffer.chunks(BATCH as usize * RECORD_BYTES) {
        out.clear();
        pipe.push(1, part, &mut refused, &mut out);
        black_box(&out);
        if file.len() < keep_bytes {
            file.extend_from_slice(&out);
        }
    }
    pipe.flush(1, &mut file);
    assert!(refused.is_empty(), "{:?}", refused[0]);
    file
}

/// Fills and empties a heap by the batch.
fn heap(buffer: &[u8]) {
    for part in buffer.chunks(BATCH as usize * RECORD_BYTES) {
        let mut heap = BinaryHeap::with_capacity(BATCH as usize);
        for (record, index) in Record::split(part).0.zip(0u32..) {
            heap.push((record.ticket(0).fee, u32::MAX - index));
        }
        while let Some(next) = heap.pop() {
            black_box(next);
        }
    }
}

fn main() {
    let messages = std::env::args().nth(1).map_or(1_000_000, |n| n.parse().expect("a number"));
    let buffer = records(messages);
    let count = messages as usize;
    let mut rows = Vec::new();
    let part = std::env::args().nth(2).unwrap_or_default();
    let mut row = |name: &str, run: &mut dyn FnMut()| {
        if name.contains(&part) {
            rows.push(format!("  \"{name}\": {:.0}", per_second(count, run)));
        }
    };

    for rule in RULES {
        let name = rule.split(' ').next().unwrap_or(rule);
        row(&format!("pipe {name}"), &mut || _ = black_box(pipe(rule, &buffer, 0)));
        if !format!("verifier {name}").contains(&part) {
            continue;
        }
        let file = pipe(rule, &buffer, usize::MAX);
        let report = surgetank_verifier::verify(&file[..], |_| true).expect("memory can be read");
        assert!(report.whole() && report.messages == count as u64, "{:?}", report.findings);
        row(&format!("verifier {name}"), &mut || {
            _ = black_box(surgetank_verifier::verify(&file[..], |_| true));
        });
    }
    let keys: Vec<[u8; 32]> = (0..ACCOUNTS).map(|account| account_key(&KEY, account)).collect();
    row("mac", &mut || {
        let sound = Record::split(&buffer).0.filter(|r| r.is_from(&keys[r.account() as usize]));
        assert_eq!(sound.count(), count);
    });
    let leaves: Vec<[u8; 32]> =
        Record::split(&buffer).0.map(|r| leaf(&r.ticket(0), r.bytes())).collect();
    let each = |leaf: &dyn Fn(&[u8])| Record::split(&buffer).0.for_each(|r| leaf(r.bytes()));
    row("leaf blake3", &mut || each(&|b| _ = black_box(Blake3::leaf(b))));
    row("leaf sha256", &mut || each(&|b| _ = black_box(Sha256::leaf(b))));
    row("tree blake3", &mut || _ = black_box(root::<Blake3>(&leaves)));
    row("tree blake3 many", &mut || _ = black_box(many::root(&mut leaves.clone())));
    row("tree sha256", &mut || _ = black_box(root::<Sha256>(&leaves)));
    row("binary heap", &mut || heap(&buffer));
    println!("{{\n{}\n}}", rows.join(",\n"));
}
