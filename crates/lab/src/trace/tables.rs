//! The rows of a run as tables, and the one declaration of their columns.

use surgetank_layer::units::Ns;

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
    fn u8s(records: &[Record], of: impl Fn(&Record) -> u8) -> Column {
        Column::U8(records.iter().map(of).collect())
    }
    fn u32s(records: &[Record], of: impl Fn(&Record) -> u32) -> Column {
        Column::U32(records.iter().map(of).collect())
    }
    fn stamps(records: &[Record], of: impl Fn(&Record) -> u64) -> Column {
        Column::OptionU64(records.iter().map(of).collect())
    }
    let height = |r: &Record| if r.height == 0 { u32::MAX } else { r.height as u32 };
    let columns = vec![
        ("message", u32s(records, |r| r.message.id)),
        ("class", u8s(records, |r| r.message.body.class() as u8)),
        ("account", u32s(records, |r| r.message.account)),
        ("gateway", u32s(records, |r| r.gateway)),
        ("size_bytes", u32s(records, |r| r.size_bytes)),
        ("outcome", u8s(records, |r| r.outcome as u8)),
        ("reason", u8s(records, |r| r.reason as u8)),
        ("tries", u8s(records, |r| r.tries)),
        ("source", u8s(records, |r| r.source as u8)),
        ("height", Column::OptionU32(records.iter().map(height).collect())),
        ("position", Column::OptionU32(records.iter().map(|r| r.position).collect())),
        ("fee_micros", u32s(records, |r| r.fee_micros)),
        ("paid_micros", u32s(records, Record::paid_micros)),
        ("created_ns", Column::U64(records.iter().map(|r| r.message.sent_ns).collect())),
        ("gateway_ns", stamps(records, |r| r.gateway_ns)),
        ("admitted_ns", stamps(records, |r| r.admitted_ns)),
        ("queued_ns", stamps(records, |r| r.queued_ns)),
        ("proposed_ns", stamps(records, |r| r.proposed_ns)),
        ("decided_ns", stamps(records, |r| r.decided_ns)),
        ("executed_ns", stamps(records, |r| r.executed_ns)),
        ("confirmed_ns", stamps(records, |r| r.confirmed_ns)),
    ];
    Table { name: "messages", columns }
}

fn waits(rows: &[WaitRow]) -> Table {
    let mut columns = vec![("message", Column::U32(rows.iter().map(|r| r.message).collect()))];
    columns.extend(Resource::ALL.iter().map(|&resource| {
        let spans = rows.iter().map(|row| row.charges.get(resource)).collect();
        (resource.column(), Column::U64(spans))
    }));
    Table { name: "waits", columns }
}

fn wait_places(rows: &[PlaceRow]) -> Table {
    let named = rows.iter().map(|row| row.resource.name().to_owned()).collect();
    let nodes = |of: fn(&PlaceRow) -> u32| Column::OptionU32(rows.iter().map(of).collect());
    let columns = vec![
        ("class", Column::U8(rows.iter().map(|row| row.class).collect())),
        ("resource", Column::Text(named)),
        ("node", nodes(|row| row.place.node)),
        ("peer", nodes(|row| row.place.peer)),
        ("wait_ns", Column::U64(rows.iter().map(|row| row.span).collect())),
    ];
    Table { name: "wait_places", columns }
}

fn receipts(kept: &Receipts<'_>, records: &[Record]) -> Table {
    let (mut message, mut node, mut time) = (Vec::new(), Vec::new(), Vec::new());
    if kept.every > 0 {
        for record in records.iter().step_by(kept.every as usize) {
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
    let columns = vec![
        ("height", Column::U32((1..=rows.len() as u32).collect())),
        ("round", Column::U32(rows.iter().map(|r| r.round).collect())),
        ("proposer", Column::U32(rows.iter().map(|r| r.proposer).collect())),
        ("messages", Column::U32(rows.iter().map(|r| r.messages).collect())),
        ("size_bytes", Column::U64(rows.iter().map(|r| r.size_bytes).collect())),
        ("proposed_ns", Column::U64(rows.iter().map(|r| r.proposed_ns).collect())),
        ("decided_ns", Column::U64(rows.iter().map(|r| r.decided_ns).collect())),
        ("hash", Column::Text(rows.iter().map(|r| hex(&r.hash)).collect())),
    ];
    Table { name: "blocks", columns }
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
    fn busy(rows: &[GaugeRow], of: impl Fn(&GaugeRow) -> u64) -> Column {
        Column::OptionU64(rows.iter().map(of).collect())
    }
    let columns = vec![
        ("time_ns", Column::U64(rows.iter().map(|r| r.time_ns).collect())),
        ("node", Column::U32(rows.iter().map(|r| r.node).collect())),
        ("ingress_len", Column::U32(rows.iter().map(|r| r.ingress_len).collect())),
        ("mempool_len", Column::U32(rows.iter().map(|r| r.mempool_len).collect())),
        ("execution_len", Column::U32(rows.iter().map(|r| r.execution_len).collect())),
        ("uplink_backlog_ns", Column::U64(rows.iter().map(|r| r.uplink_backlog_ns).collect())),
        ("height", Column::U32(rows.iter().map(|r| r.height).collect())),
        ("up", Column::U8(rows.iter().map(|r| r.up).collect())),
        ("uplink_busy_ns", busy(rows, |r| r.uplink_busy_ns)),
        ("downlink_busy_ns", busy(rows, |r| r.downlink_busy_ns)),
        ("validation_busy_ns", busy(rows, |r| r.validation_busy_ns)),
        ("consensus_busy_ns", busy(rows, |r| r.consensus_busy_ns)),
        ("execution_busy_ns", busy(rows, |r| r.execution_busy_ns)),
    ];
    Table { name: "gauges", columns }
}

fn market(rows: &[MarketRow]) -> Table {
    let columns = vec![
        ("time_ns", Column::U64(rows.iter().map(|r| r.time_ns).collect())),
        ("kind", Column::U8(rows.iter().map(|r| r.kind as u8).collect())),
        ("code", Column::OptionU8(rows.iter().map(|r| r.code).collect())),
        ("message", Column::OptionU32(rows.iter().map(|r| r.message).collect())),
        ("account", Column::OptionU32(rows.iter().map(|r| r.account).collect())),
        ("other", Column::OptionU32(rows.iter().map(|r| r.other).collect())),
        ("price", Column::I64(rows.iter().map(|r| r.price).collect())),
        ("qty", Column::I64(rows.iter().map(|r| r.qty).collect())),
        ("amount", Column::I64(rows.iter().map(|r| r.amount).collect())),
        ("ref_ns", Column::OptionU64(rows.iter().map(|r| r.ref_ns).collect())),
    ];
    Table { name: "market", columns }
}

fn faults(rows: &[FaultRow]) -> Table {
    let optional = |of: fn(&FaultRow) -> Option<f64>| {
        Column::OptionF64(rows.iter().map(|row| of(row).unwrap_or(f64::NAN)).collect())
    };
    let columns = vec![
        ("index", Column::U32((0..rows.len() as u32).collect())),
        ("kind", Column::Text(rows.iter().map(|r| r.kind.to_string()).collect())),
        ("at_ns", Column::U64(rows.iter().map(|r| r.at_ns).collect())),
        ("until_ns", Column::U64(rows.iter().map(|r| r.until_ns).collect())),
        ("nodes", Column::Text(rows.iter().map(|r| r.nodes.clone()).collect())),
        ("quantity", Column::Text(rows.iter().map(|r| r.quantity.name().to_string()).collect())),
        ("asked", Column::F64(rows.iter().map(|r| r.asked).collect())),
        ("allowed_low", optional(|r| r.allowed.low)),
        ("allowed_high", optional(|r| r.allowed.high)),
        ("measured", optional(|r| r.measured)),
        ("samples", Column::U64(rows.iter().map(|r| r.samples).collect())),
    ];
    Table { name: "faults", columns }
}

fn decisions(rows: &[DecisionRow]) -> Table {
    let columns = vec![
        ("time_ns", Column::U64(rows.iter().map(|r| r.time_ns).collect())),
        ("node", Column::U32(rows.iter().map(|r| r.node).collect())),
        ("knob", Column::U8(rows.iter().map(|r| r.change.parameter.code()).collect())),
        ("from", Column::U64(rows.iter().map(|r| r.change.from).collect())),
        ("to", Column::U64(rows.iter().map(|r| r.change.to).collect())),
        ("why", Column::U8(rows.iter().map(|r| r.change.why as u8).collect())),
        ("on", Column::U64(rows.iter().map(|r| r.change.on).collect())),
        ("clamped", Column::U8(rows.iter().map(|r| u8::from(r.change.clamped)).collect())),
    ];
    Table { name: "decisions", columns }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
