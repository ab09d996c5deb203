//! What the tests of journals share: inputs, an honest sequencer, and the rules as queues.

use std::collections::{BTreeMap, VecDeque};

use surgetank_layer::audit::batch::{Batch, OpenBatch, Ticket, leaf};
use surgetank_layer::audit::journal::{Ledger, Reader};
use surgetank_layer::audit::merkle::{Blake3, Hash, root};
use surgetank_layer::message::flags::POST_ONLY;
use surgetank_verifier::{Kind, Report, verify};

/// A message with its ticket.
pub type Sealed = (Ticket, Vec<u8>);

/// One of every rule.
pub const RULES: [&str; 7] = [
    "fifo",
    "priority high=6",
    "fee",
    "class",
    "lanes weights=1,3,2,3,1,1,2,5",
    "drr quantum=100",
    "hash",
];

/// Terms of a rule with these limits.
pub fn terms(rule: &str, messages_max: u32, bytes_max: u32) -> String {
    format!("{rule} messages_max={messages_max} bytes_max={bytes_max}")
}

/// `count` inputs of mixed kinds, distinguished by their number.
pub fn inputs(count: u32, first: u32) -> Vec<Sealed> {
    (first..first + count)
        .map(|n| {
            let mixed = n.wrapping_mul(0x9e37_79b9) >> 8;
            let ticket = Ticket {
                account: mixed % 5,
                class: (mixed / 5 % 8) as u8,
                flags: (mixed / 40 % 16) as u8,
                fee: mixed / 640 % 4,
                arrival_ns: u64::from(n) * 10,
            };
            let mut message = n.to_le_bytes().to_vec();
            message.resize(4 + (mixed / 7 % 150) as usize, 0xaa);
            (ticket, message)
        })
        .collect()
}

/// Inputs served under a rule by a queue that is filled first and emptied then, as its own
/// definition says it; no closed form.
pub fn served(rule: &str, inputs: &[Sealed], seed: &Hash) -> Vec<u32> {
    let (name, parameter) = rule.split_once([' ']).unwrap_or((rule, "="));
    let parameter = parameter.split_once('=').unwrap().1;
    let all = 0..inputs.len() as u32;
    let ticket = |index: u32| inputs[index as usize].0;
    let groups = |group: &dyn Fn(Ticket) -> u32, last: u32| {
        (0..=last)
            .flat_map(|g| all.clone().filter(move |index| group(ticket(*index)) == g))
            .collect()
    };
    match name {
        "fifo" => all.collect(),
        "priority" => {
            let high: u8 = parameter.parse().unwrap();
            groups(&|ticket| u32::from(high >> ticket.class & 1 == 0), 1)
        }
        "class" => groups(
            &|ticket| match (ticket.class, ticket.flags & POST_ONLY) {
                (2, _) => 1,
                (3, _) | (4, 0) => 2,
                _ => 0,
            },
            2,
        ),
        "fee" => groups(&|ticket| 3 - ticket.fee, 3),
        "hash" => {
            let draw = |account: u32| {
                *blake3::hash(&[&seed[..], &account.to_le_bytes()].concat()).as_bytes()
            };
            let mut all: Vec<u32> = all.collect();
            all.sort_by_key(|index| draw(ticket(*index).account));
            all
        }
        "lanes" => lanes(parameter, inputs),
        "drr" => drr(parameter.parse().unwrap(), inputs),
        _ => panic!("no rule {name}"),
    }
}

fn lanes(weights: &str, inputs: &[Sealed]) -> Vec<u32> {
    let weights: Vec<u32> = weights.split(',').map(|weight| weight.parse().unwrap()).collect();
    let mut lanes = vec![VecDeque::new(); 8];
    for ((ticket, _), index) in inputs.iter().zip(0..) {
        lanes[usize::from(ticket.class)].push_back(index);
    }
    let mut turns: Vec<usize> = (0..8).collect();
    turns.sort_by_key(|lane| std::cmp::Reverse(weights[*lane]));
    let mut order = Vec::new();
    while order.len() < inputs.len() {
        for round in 1..=*weights.iter().max().unwrap() {
            for lane in turns.iter().filter(|lane| weights[**lane] >= round) {
                order.extend(lanes[*lane].pop_front());
            }
        }
    }
    order
}

/// Shreedhar and Varghese's figure 2.
fn drr(quantum: usize, inputs: &[Sealed]) -> Vec<u32> {
    let mut queues: BTreeMap<u32, VecDeque<u32>> = BTreeMap::new();
    let mut active = VecDeque::new();
    for ((ticket, _), index) in inputs.iter().zip(0..) {
        if !queues.contains_key(&ticket.account) {
            active.push_back((ticket.account, 0));
        }
        queues.entry(ticket.account).or_default().push_back(index);
    }
    let mut order = Vec::new();
    while let Some((account, mut deficit)) = active.pop_front() {
        deficit += quantum;
        let queue = queues.get_mut(&account).unwrap();
        while let Some(head) = queue.front() {
            let size = inputs[*head as usize].1.len();
            if size > deficit {
                active.push_back((account, deficit));
                break;
            }
            deficit -= size;
            order.extend(queue.pop_front());
        }
    }
    order
}

/// Cuts an order at the limits.
pub fn cut(order: &[u32], inputs: &[Sealed], messages_max: u32, bytes_max: u32) -> Vec<u32> {
    let mut cut: Vec<u32> = Vec::new();
    let mut bytes = 0;
    for index in order {
        bytes += inputs[*index as usize].1.len() as u32;
        if !cut.is_empty() && (cut.len() as u32 == messages_max || bytes > bytes_max) {
            break;
        }
        cut.push(*index);
    }
    cut
}

/// A batch is sealed this long after the one before: later than its last input comes.
const SEALED_EVERY_NS: u64 = 1_000_000;

/// The journal of an honest sequencer: `batches` batches of `arriving` new inputs each.
pub fn journal(rule: &str, batches: u32, arriving: u32, limits: (u32, u32)) -> Vec<u8> {
    let terms = terms(rule, limits.0, limits.1);
    let (mut ledger, mut file) = Ledger::new(&[7; 32], batches as usize, &terms);
    let mut open = OpenBatch::default();
    for batch in 0..batches {
        for (ticket, message) in inputs(arriving, batch * arriving) {
            open.push(&ticket, &message);
        }
        let sealed =
            ledger.seal(u64::from(batch + 1) * SEALED_EVERY_NS, &mut open, b"beacon").unwrap();
        let inputs: Vec<Sealed> = (0..open.len() as u32)
            .map(|index| open.input(index))
            .map(|(ticket, message)| (ticket, message.to_vec()))
            .collect();
        let order = served(rule, &inputs, &sealed.seed);
        let order = cut(&order, &inputs, limits.0, limits.1);
        ledger.publish(&mut open, sealed, &order, &terms, &mut file);
    }
    file
}

/// A journal's head and its batches.
pub fn split(file: &[u8]) -> (Vec<u8>, Vec<Batch>) {
    let mut reader = Reader::new(file).unwrap();
    let head = file[..44 + reader.terms.len() + 32].to_vec();
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        batches.push(batch);
    }
    (head, batches)
}

/// Head and batches, as they are.
pub fn join(head: &[u8], batches: &[Batch]) -> Vec<u8> {
    let mut file = head.to_vec();
    batches.iter().for_each(|batch| batch.encode(&mut file));
    file
}

/// Makes every hash, root, count and check fit again, as a sequencer that cheats would.
pub fn reseal(batches: &mut [Batch]) {
    let mut previous = batches[0].header.previous;
    for batch in batches {
        let leaves: Vec<Hash> = batch.inputs.iter().map(|(t, m)| leaf(t, m)).collect();
        batch.checks = leaves.iter().map(|leaf| *leaf.first_chunk().unwrap()).collect();
        let ordered = batch.order.iter().filter_map(|index| leaves.get(*index as usize).copied());
        let header = &mut batch.header;
        header.order_root = root::<Blake3>(&ordered.collect::<Vec<_>>());
        header.inputs_root = root::<Blake3>(&leaves);
        header.inputs = leaves.len() as u32;
        header.ordered = batch.order.len() as u32;
        header.carried_out = batch.carried.len() as u32;
        header.previous = previous;
        header.seed =
            surgetank_layer::audit::seed::seed(&header.reveal, &header.inputs_root, &header.beacon);
        batch.hash = header.hash();
        previous = batch.hash;
    }
}

/// The verifier's report.
pub fn report(file: &[u8]) -> Report {
    verify(file, |_| true).unwrap()
}

/// The kinds of all findings with batch and position.
pub fn found(file: &[u8]) -> Vec<(Kind, u64, Option<u64>)> {
    report(file).findings.iter().map(|f| (f.kind, f.batch, f.position)).collect()
}
