//! The rows of a run as tables, and the one declaration of their columns.

use surgetank_layer::units::Ns;

use super::reading::Reading;
use super::{
    BlockRow, Column, DecisionRow, FaultRow, GaugeRow, MarketRow, PlaceRow, Record, Resource,
    Table, WaitRow,
};

/// The rows of a finished (or interrupted) run, as its parts have noted them.
#[derive(Default)]
pub struct Rows<'a> {
    /// Client messages.
    pub records: &'a [Record],
    /// What executed messages waited for.
    pub waits: &'a [WaitRow],
    /// Where messages of each class waited for what.
    pub wait_places: Vec<PlaceRow>,
    /// First arrivals of messages at nodes.
    pub receipts: Receipts<'a>,
    /// Decided blocks, from height 1.
    pub blocks: &'a [BlockRow],
    /// (decided, executed) per node and height.
    pub executions: &'a [Vec<(Ns, Ns)>],
    /// Queue lengths and work of nodes.
    pub gauges: &'a [GaugeRow],
    /// What happened in the market.
    pub market: &'a [MarketRow],
    /// Faults as asked and as measured.
    pub faults: Vec<FaultRow>,
    /// What controllers and consensus changed.
    pub decisions: &'a [DecisionRow],
}

/// First arrivals of messages at nodes.
#[derive(Default)]
pub struct Receipts<'a> {
    /// Of message m at node k, at m·nodes + k.
    pub arrivals: &'a [Ns],
    /// How many nodes there are.
    pub nodes: usize,
    /// Those of every n-th client message are kept; 0 = of none.
    pub every: u32,
    /// Arrivals after this have not happened.
    pub until: Ns,
}

impl Rows<'_> {
    /// Every table of the trace, in a fixed order.
    pub fn tables(&self) -> Vec<Table> {
        vec![
            messages(self.records),
            waits(self.waits),
            wait_places(&self.wait_places),
            receipts(&self.receipts, self.records),
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
    Rows::default().tables()
}

fn messages(records: &[Record]) -> Table {
    Reading::of("messages", records)
        .column("message", Column::U32, |r| r.message.id)
        .column("class", Column::U8, |r| r.message.body.class() as u8)
        .column("account", Column::U32, |r| r.message.account)
        .column("gateway", Column::U32, |r| r.gateway)
        .column("size_bytes", Column::U32, |r| r.size_bytes)
        .column("outcome", Column::U8, |r| r.outcome as u8)
        .column("reason", Column::U8, |r| r.reason as u8)
        .column("tries", Column::U8, |r| r.tries)
        .column("source", Column::U8, |r| r.source as u8)
        .column(
            "height",
            Column::OptionU32,
            |r| if r.height == 0 { u32::MAX } else { r.height as u32 },
        )
        .column("position", Column::OptionU32, |r| r.position)
        .column("fee_micros", Column::U32, |r| r.fee_micros)
        .column("paid_micros", Column::U32, Record::paid_micros)
        .column("created_ns", Column::U64, |r| r.message.sent_ns)
        .column("gateway_ns", Column::OptionU64, |r| r.gateway_ns)
        .column("admitted_ns", Column::OptionU64, |r| r.admitted_ns)
        .column("queued_ns", Column::OptionU64, |r| r.queued_ns)
        .column("proposed_ns", Column::OptionU64, |r| r.proposed_ns)
        .column("decided_ns", Column::OptionU64, |r| r.decided_ns)
        .column("executed_ns", Column::OptionU64, |r| r.executed_ns)
        .column("confirmed_ns", Column::OptionU64, |r| r.confirmed_ns)
        .table()
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

fn receipts(kept: &Receipts<'_>, records: &[Record]) -> Table {
    let every = kept.every as usize;
    let records = if every > 0 { records } else { &[] };
    let most = records.len().div_ceil(every.max(1)) * kept.nodes;
    let (mut message, mut node) = (Vec::with_capacity(most), Vec::with_capacity(most));
    let mut time = Vec::with_capacity(most);
    for record in records.iter().step_by(every.max(1)) {
        let id = record.message.id;
        let from = id as usize * kept.nodes;
        for (index, &at) in (0..).zip(&kept.arrivals[from..from + kept.nodes]) {
            // A copy may still be under way when the run ends.
            if at <= kept.until {
                message.push(id);
                node.push(index);
                time.push(at);
            }
        }
    }
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
