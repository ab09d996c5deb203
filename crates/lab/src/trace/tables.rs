//! The rows of a run as tables, and the one declaration of their columns.

use surgetank_layer::units::{MessageId, Ns};

use super::reading::Reading;
use super::{
    BlockRow, Column, DecisionRow, FaultRow, GaugeRow, MarketRow, Messages, PlaceRow, Resource,
    Table, WaitRow,
};

/// The rows of a finished (or interrupted) run, as its parts recorded them.
#[derive(Default)]
pub struct Rows<'a> {
    /// Client messages.
    pub messages: Messages,
    /// Attributions of executed messages.
    pub waits: &'a [WaitRow],
    /// Attributions by class, resource and place.
    pub wait_places: Vec<PlaceRow>,
    /// First arrivals of messages at nodes.
    pub receipts: Receipts,
    /// Decided blocks, from height 1.
    pub blocks: &'a [BlockRow],
    /// (decided, executed) per node and height.
    pub executions: &'a [Vec<(Ns, Ns)>],
    /// Gauges of nodes.
    pub gauges: &'a [GaugeRow],
    /// Events of the market.
    pub market: &'a [MarketRow],
    /// Faults as requested and as measured.
    pub faults: Vec<FaultRow>,
    /// Changes by controllers and adaptive consensus.
    pub decisions: &'a [DecisionRow],
}

/// First arrivals of messages at nodes.
#[derive(Default)]
pub struct Receipts {
    /// Of message m at node k, at m·nodes + k.
    pub arrivals: Vec<Ns>,
    /// Number of nodes.
    pub nodes: usize,
    /// Receipts of every n-th client message are kept; 0 = none.
    pub every: u32,
    /// Arrivals after this have not happened.
    pub until: Ns,
}

impl Rows<'_> {
    /// Every table of the trace, in a fixed order.
    pub fn into_tables(self) -> Vec<Table> {
        let receipts = receipts(self.receipts, &self.messages.id);
        vec![
            self.messages.into_table(),
            waits(self.waits),
            wait_places(&self.wait_places),
            receipts,
            deliveries(),
            blocks(self.blocks),
            executions(self.executions),
            gauges(self.gauges),
            market(self.market),
            faults(&self.faults),
            decisions(self.decisions),
        ]
    }
}

/// Every table of a trace without rows: its columns and their types.
pub fn schema() -> Vec<Table> {
    Rows::default().into_tables()
}

fn waits(rows: &[WaitRow]) -> Table {
    let mut waits = Reading::of("waits", rows).column("message", Column::U32, |r| r.message);
    for &resource in Resource::ALL {
        waits = waits.column(resource.column(), Column::U64, move |r| r.charges.get(resource));
    }
    waits.table()
}

fn wait_places(rows: &[PlaceRow]) -> Table {
    Reading::of("wait_places", rows)
        .column("class", Column::U8, |r| r.class)
        .column("resource", Column::U8, |r| r.resource as u8)
        .column("node", Column::OptionU32, |r| r.place.node)
        .column("peer", Column::OptionU32, |r| r.place.peer)
        .column("wait_ns", Column::U64, |r| r.span)
        .table()
}

fn receipts(kept: Receipts, messages: &[MessageId]) -> Table {
    let Receipts { arrivals: mut time, nodes, every, until } = kept;
    let every = every as usize;
    let messages = if every > 0 { messages } else { &[] };
    let most = messages.len().div_ceil(every.max(1)) * nodes;
    let (mut message, mut node) = (Vec::with_capacity(most), Vec::with_capacity(most));
    for &id in messages.iter().step_by(every.max(1)) {
        let from = id as usize * nodes;
        for (index, cell) in (0..).zip(from..from + nodes) {
            // A copy may still be in flight when the run ends.
            let at = time[cell];
            if at <= until {
                // Where it stood it is needed no more: receipts are no more than cells before it.
                time[message.len()] = at;
                message.push(id);
                node.push(index);
            }
        }
    }
    time.truncate(message.len());
    let columns = vec![
        ("message", Column::U32(message)),
        ("node", Column::U32(node)),
        ("time_ns", Column::U64(time)),
    ];
    Table { name: "receipts", columns }
}

/// Every arrival at a subscriber: live runs alone have such rows.
fn deliveries() -> Table {
    let columns = vec![
        ("message", Column::U32(Vec::new())),
        ("node", Column::U32(Vec::new())),
        ("time_ns", Column::U64(Vec::new())),
        ("position", Column::U32(Vec::new())),
        ("copy", Column::U32(Vec::new())),
    ];
    Table { name: "deliveries", columns }
}

fn blocks(rows: &[BlockRow]) -> Table {
    let mut table = Reading::of("blocks", rows)
        .column("round", Column::U32, |r| r.round)
        .column("proposer", Column::U32, |r| r.proposer)
        .column("messages", Column::U32, |r| r.messages)
        .column("size_bytes", Column::U64, |r| r.size_bytes)
        .column("proposed_ns", Column::U64, |r| r.proposed_ns)
        .column("decided_ns", Column::U64, |r| r.decided_ns)
        .column("hash", Column::Text, |r| hex(&r.hash))
        .table();
    table.columns.insert(0, ("height", Column::U32((1..=rows.len() as u32).collect())));
    table
}

fn executions(nodes: &[Vec<(Ns, Ns)>]) -> Table {
    let (mut height, mut node) = (Vec::new(), Vec::new());
    let (mut decided, mut executed) = (Vec::new(), Vec::new());
    for (index, rows) in nodes.iter().enumerate() {
        for (below, &(decided_ns, executed_ns)) in rows.iter().enumerate() {
            height.push(below as u32 + 1);
            node.push(index as u32);
            decided.push(decided_ns);
            executed.push(executed_ns);
        }
    }
    let columns = vec![
        ("height", Column::U32(height)),
        ("node", Column::U32(node)),
        ("decided_ns", Column::U64(decided)),
        ("executed_ns", Column::OptionU64(executed)),
    ];
    Table { name: "executions", columns }
}

fn gauges(rows: &[GaugeRow]) -> Table {
    Reading::of("gauges", rows)
        .column("time_ns", Column::U64, |r| r.time_ns)
        .column("node", Column::U32, |r| r.node)
        .column("ingress_len", Column::U32, |r| r.ingress_len)
        .column("mempool_len", Column::U32, |r| r.mempool_len)
        .column("execution_len", Column::U32, |r| r.execution_len)
        .column("uplink_backlog_ns", Column::U64, |r| r.uplink_backlog_ns)
        .column("height", Column::U32, |r| r.height)
        .column("up", Column::U8, |r| r.up)
        .column("uplink_busy_ns", Column::OptionU64, |r| r.uplink_busy_ns)
        .column("downlink_busy_ns", Column::OptionU64, |r| r.downlink_busy_ns)
        .column("validation_busy_ns", Column::OptionU64, |r| r.validation_busy_ns)
        .column("consensus_busy_ns", Column::OptionU64, |r| r.consensus_busy_ns)
        .column("execution_busy_ns", Column::OptionU64, |r| r.execution_busy_ns)
        .table()
}

fn market(rows: &[MarketRow]) -> Table {
    Reading::of("market", rows)
        .column("time_ns", Column::U64, |r| r.time_ns)
        .column("kind", Column::U8, |r| r.kind as u8)
        .column("code", Column::OptionU8, |r| r.code)
        .column("market", Column::OptionU16, |r| r.market)
        .column("message", Column::OptionU32, |r| r.message)
        .column("account", Column::OptionU32, |r| r.account)
        .column("other", Column::OptionU32, |r| r.other)
        .column("price", Column::I64, |r| r.price)
        .column("qty", Column::I64, |r| r.qty)
        .column("amount", Column::I64, |r| r.amount)
        .column("ref_ns", Column::OptionU64, |r| r.ref_ns)
        .table()
}

fn faults(rows: &[FaultRow]) -> Table {
    let mut table = Reading::of("faults", rows)
        .column("kind", Column::Text, |r| r.kind.to_owned())
        .column("at_ns", Column::U64, |r| r.at_ns)
        .column("until_ns", Column::U64, |r| r.until_ns)
        .column("nodes", Column::Text, |r| r.nodes.clone())
        .column("quantity", Column::Text, |r| r.quantity.name().to_owned())
        .column("asked", Column::F64, |r| r.asked)
        .column("allowed_low", Column::OptionF64, |r| r.allowed.low.unwrap_or(f64::NAN))
        .column("allowed_high", Column::OptionF64, |r| r.allowed.high.unwrap_or(f64::NAN))
        .column("measured", Column::OptionF64, |r| r.measured.unwrap_or(f64::NAN))
        .column("samples", Column::U64, |r| r.samples)
        .table();
    table.columns.insert(0, ("index", Column::U32((0..rows.len() as u32).collect())));
    table
}

fn decisions(rows: &[DecisionRow]) -> Table {
    Reading::of("decisions", rows)
        .column("time_ns", Column::U64, |r| r.time_ns)
        .column("node", Column::U32, |r| r.node)
        .column("knob", Column::U8, |r| r.change.parameter.code())
        .column("from", Column::U64, |r| r.change.from)
        .column("to", Column::U64, |r| r.change.to)
        .column("why", Column::U8, |r| r.change.why as u8)
        .column("on", Column::U64, |r| r.change.on)
        .column("clamped", Column::U8, |r| u8::from(r.change.clamped))
        .table()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
