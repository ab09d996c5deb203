//! A finished (or interrupted) world, told as tables.

use super::{Column, DecisionRow, GaugeRow, MarketRow, PlaceRow, Record, Resource, Table, WaitRow};
use crate::scenario::FaultKind;
use crate::world::World;

/// Every table of the trace, in a fixed order.
pub fn tables(world: &World) -> Vec<Table> {
    vec![
        messages(world),
        waits(world.waits()),
        wait_places(&world.wait_places()),
        receipts(world),
        blocks(world),
        executions(world),
        gauges(world),
        market(world.market_rows()),
        faults(world),
        decisions(world.decisions()),
    ]
}

fn messages(world: &World) -> Table {
    let records = world.records();
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

fn receipts(world: &World) -> Table {
    let (mut message, mut node, mut time) = (Vec::new(), Vec::new(), Vec::new());
    let every = world.receipts_every() as usize;
    if every > 0 {
        for record in world.records().iter().step_by(every) {
            for (index, at) in world.first_arrivals_of(record.message.id).iter().enumerate() {
                // A copy may still be under way when the run ends.
                if *at <= world.now() {
                    message.push(record.message.id);
                    node.push(index as u32);
                    time.push(*at);
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

fn blocks(world: &World) -> Table {
    let rows = world.blocks();
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

fn executions(world: &World) -> Table {
    let (mut height, mut node) = (Vec::new(), Vec::new());
    let (mut decided, mut executed) = (Vec::new(), Vec::new());
    for (index, rows) in world.executions().iter().enumerate() {
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

fn gauges(world: &World) -> Table {
    let rows = world.gauges();
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

fn faults(world: &World) -> Table {
    let reports = world.fault_reports();
    let faults = &world.scenario().faults;
    let nodes = |what: &FaultKind| match what {
        FaultKind::Partition { groups } => {
            groups.iter().map(|g| join(g)).collect::<Vec<_>>().join("|")
        }
        FaultKind::Crash { nodes }
        | FaultKind::Slow { nodes, .. }
        | FaultKind::Loss { nodes, .. }
        | FaultKind::Delay { nodes, .. }
        | FaultKind::Keypers { nodes, .. }
        | FaultKind::Spam { nodes, .. } => join(nodes),
    };
    let at = |seconds: f64| surgetank_layer::units::ns(seconds);
    let columns = vec![
        ("index", Column::U32((0..faults.len() as u32).collect())),
        ("kind", Column::Text(reports.iter().map(|r| r.kind.to_string()).collect())),
        ("at_ns", Column::U64(faults.iter().map(|f| at(f.at_s)).collect())),
        ("until_ns", Column::U64(faults.iter().map(|f| at(f.at_s + f.duration_s)).collect())),
        ("nodes", Column::Text(faults.iter().map(|f| nodes(&f.what)).collect())),
        ("quantity", Column::Text(reports.iter().map(|r| r.quantity.to_string()).collect())),
        ("asked", Column::F64(reports.iter().map(|r| r.asked).collect())),
        (
            "measured",
            Column::OptionF64(reports.iter().map(|r| r.measured.unwrap_or(f64::NAN)).collect()),
        ),
        ("samples", Column::U64(reports.iter().map(|r| r.samples).collect())),
    ];
    Table { name: "faults", columns }
}

fn decisions(rows: &[DecisionRow]) -> Table {
    let columns = vec![
        ("time_ns", Column::U64(rows.iter().map(|r| r.time_ns).collect())),
        ("node", Column::U32(rows.iter().map(|r| r.node).collect())),
        ("knob", Column::U8(rows.iter().map(|r| r.change.knob).collect())),
        ("from", Column::U64(rows.iter().map(|r| r.change.from).collect())),
        ("to", Column::U64(rows.iter().map(|r| r.change.to).collect())),
        ("why", Column::U8(rows.iter().map(|r| r.change.why).collect())),
        ("on", Column::U64(rows.iter().map(|r| r.change.on).collect())),
        ("clamped", Column::U8(rows.iter().map(|r| u8::from(r.change.clamped)).collect())),
    ];
    Table { name: "decisions", columns }
}

fn join(nodes: &[u32]) -> String {
    nodes.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
