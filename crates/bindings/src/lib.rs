//! The interface between Python and Rust: a scenario in, tables out, without logic of its own.
// The attribute macros of PyO3 expand to unsafe code of their own.
#![allow(unsafe_code, missing_docs)]

mod columns;
mod control;
mod initiator;
mod options;
mod pipe;
mod plugin;
#[cfg(unix)]
mod rig;
#[cfg(unix)]
mod venue;

use std::collections::BTreeMap;
use std::time::Duration;

use plugin::{Failure, PyRule};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use surgetank_lab::adversary::Adversary;
use surgetank_lab::exchange::{PositionBook, genesis_of};
use surgetank_lab::faults::Faults;
use surgetank_lab::flow::Tape;
use surgetank_lab::scenario::Scenario;
use surgetank_lab::seed::Seed;
use surgetank_lab::trace;
use surgetank_lab::world::{Files, Plugins, World};

/// Number of events between two readings of the clock.
const SLICE: u64 = 1_000;
/// Wall time between two calls of `progress`.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Version and build of the compiled part.
#[pyfunction]
fn build() -> String {
    format!("{}+{}", env!("CARGO_PKG_VERSION"), env!("SURGETANK_SOURCES"))
}

/// Enumerations of the trace's tables: each number is the index of its name.
#[pyfunction]
fn names() -> BTreeMap<&'static str, Vec<String>> {
    trace::names().into_iter().collect()
}

/// Tables of a trace: their columns in order, as (name, Arrow type, whether a cell may be null).
#[pyfunction]
fn schema(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let tables = PyDict::new(py);
    for table in trace::schema() {
        let columns = table.columns.iter();
        let columns: Vec<_> =
            columns.map(|(name, column)| (*name, column.dtype(), column.nullable())).collect();
        tables.set_item(table.name, columns)?;
    }
    Ok(tables)
}

/// Runs a scenario. `tape` and `positions` are columns by name. `progress(simulated_s, messages, events)` is called about ten times a second of
/// wall time; when it returns False the run stops and the tables so far are returned. `plugins`
/// holds a user's factories: `rule`, a queue discipline, and `controller`; and `decisions`, rows of
/// an earlier run's table that are replayed instead of a controller's. With `journal`, the executed
/// blocks come as a journal, too.
#[pyfunction]
#[pyo3(signature = (scenario_json, seed, tape=None, positions=None, progress=None, plugins=None, journal=false))]
#[expect(clippy::too_many_arguments, reason = "Python gives them by name")]
fn run<'py>(
    py: Python<'py>,
    scenario_json: &str,
    seed: u64,
    tape: Option<&Bound<'py, PyDict>>,
    positions: Option<&Bound<'py, PyDict>>,
    progress: Option<Py<PyAny>>,
    plugins: Option<&Bound<'py, PyDict>>,
    journal: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let scenario = Scenario::from_json(scenario_json).map_err(PyValueError::new_err)?;
    let files = Files {
        tape: tape.map(read_tape).transpose()?,
        positions: positions.map(read_positions).transpose()?,
    };
    let failure = Failure::default();
    let plugins = plugins_of(plugins, &failure)?;
    let mut world =
        py.detach(|| World::new(scenario, seed, files, plugins)).map_err(PyValueError::new_err)?;
    let mut stopped = false;
    while !stopped && !world.is_done() {
        py.detach(|| run_slice(&mut world));
        py.check_signals()?;
        if let Some(error) = failure.take() {
            return Err(error);
        }
        if let Some(progress) = &progress {
            let seconds = world.now() as f64 / 1e9;
            let goes_on = progress.call1(py, (seconds, world.messages(), world.events()))?;
            stopped = !goes_on.is_truthy(py)?;
        }
    }
    let result = PyDict::new(py);
    if journal {
        let bytes = py.detach(|| world.journal());
        result.set_item("journal", PyBytes::new(py, &bytes))?;
    }
    result.set_item("stats", world.stats().to_string())?;
    result.set_item("complete", world.is_done())?;
    let out = PyDict::new(py);
    for table in py.detach(|| world.into_tables()) {
        let name = table.name;
        out.set_item(name, columns::table(table)?)?;
    }
    result.set_item("tables", out)?;
    Ok(result)
}

/// What a venue opens with to be that of a scenario with this seed, as a JSON object; `None` if the
/// scenario has no market.
#[pyfunction]
#[pyo3(signature = (scenario_json, seed, tape=None, positions=None))]
fn genesis(
    scenario_json: &str,
    seed: u64,
    tape: Option<&Bound<'_, PyDict>>,
    positions: Option<&Bound<'_, PyDict>>,
) -> PyResult<Option<String>> {
    let scenario = Scenario::from_json(scenario_json).map_err(PyValueError::new_err)?;
    let tape = tape.map(read_tape).transpose()?;
    let positions = positions.map(read_positions).transpose()?;
    let genesis = genesis_of(&scenario, tape.as_ref(), positions.as_ref(), &Seed::new(seed));
    let genesis = genesis.map_err(PyValueError::new_err)?;
    let to_json = |genesis| serde_json::to_string(&genesis);
    genesis.map(to_json).transpose().map_err(|error| PyValueError::new_err(error.to_string()))
}

/// A scenario as the core has parsed it, serialised again.
#[pyfunction]
fn scenario_read(scenario_json: &str) -> PyResult<String> {
    let scenario = Scenario::from_json(scenario_json).map_err(PyValueError::new_err)?;
    // Each kind of fault and of attack reads its own keys.
    Adversary::check(&scenario).map_err(PyValueError::new_err)?;
    Faults::new(&scenario.faults, scenario.network.nodes, &Seed::new(0))
        .map_err(PyValueError::new_err)?;
    Ok(scenario.to_json())
}

fn plugins_of(given: Option<&Bound<'_, PyDict>>, failure: &Failure) -> PyResult<Plugins> {
    let mut plugins = Plugins::default();
    let Some(given) = given else { return Ok(plugins) };
    if let Some(factory) = given.get_item("rule")? {
        plugins.rule = Some(Box::new(PyRule::new(&factory, failure.clone())?));
    }
    if let Some(factory) = given.get_item("controller")? {
        plugins.controller = Some(control::factory(factory.unbind(), failure.clone()));
    }
    if let Some(rows) = given.get_item("decisions")? {
        plugins.decisions = Some(control::decisions(&rows)?);
    }
    Ok(plugins)
}

/// Runs events until progress is due.
#[expect(
    clippy::disallowed_methods,
    reason = "progress is shown by the wall clock; the run does not see it"
)]
fn run_slice(world: &mut World) {
    let began = std::time::Instant::now();
    while world.run(SLICE) && began.elapsed() < PROGRESS_EVERY {}
}

/// A column of a table that Python gives as a dictionary of lists.
fn column<'py, T>(table: &Bound<'py, PyDict>, what: &str, name: &str) -> PyResult<Vec<T>>
where
    Vec<T>: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    match table.get_item(name)? {
        Some(values) => values.extract(),
        None => Err(PyValueError::new_err(format!("{what}: `{name}` is missing"))),
    }
}

fn read_tape(tape: &Bound<'_, PyDict>) -> PyResult<Tape> {
    let tape = Tape {
        prices_ns: column(tape, "tape", "prices_ns")?,
        prices_usd: column(tape, "tape", "prices_usd")?,
        messages_ns: column(tape, "tape", "messages_ns")?,
        messages_class: column(tape, "tape", "messages_class")?,
        messages_side: column(tape, "tape", "messages_side")?,
        messages_usd: column(tape, "tape", "messages_usd")?,
        messages_qty: column(tape, "tape", "messages_qty")?,
        messages_key: column(tape, "tape", "messages_key")?,
    };
    tape.check().map_err(PyValueError::new_err)?;
    Ok(tape)
}

fn read_positions(book: &Bound<'_, PyDict>) -> PyResult<PositionBook> {
    let book = PositionBook {
        equity_usd: column(book, "positions", "equity_usd")?,
        position_account: column(book, "positions", "position_account")?,
        position_market: column(book, "positions", "position_market")?,
        position_size: column(book, "positions", "position_size")?,
        position_entry_usd: column(book, "positions", "position_entry_usd")?,
        asset_account: column(book, "positions", "asset_account")?,
        asset_index: column(book, "positions", "asset_index")?,
        asset_usd: column(book, "positions", "asset_usd")?,
    };
    book.check().map_err(PyValueError::new_err)?;
    Ok(book)
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(build, module)?)?;
    module.add_function(wrap_pyfunction!(names, module)?)?;
    module.add_function(wrap_pyfunction!(schema, module)?)?;
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(genesis, module)?)?;
    module.add_function(wrap_pyfunction!(scenario_read, module)?)?;
    module.add_function(wrap_pyfunction!(options::black76, module)?)?;
    module.add_function(wrap_pyfunction!(options::portfolio_margin, module)?)?;
    #[cfg(unix)]
    module.add_class::<venue::Venue>()?;
    #[cfg(unix)]
    module.add_function(wrap_pyfunction!(rig::attack_needs, module)?)?;
    #[cfg(unix)]
    module.add_function(wrap_pyfunction!(rig::run_venue, module)?)?;
    initiator::register(module)?;
    #[cfg(unix)]
    module.add_function(wrap_pyfunction!(venue::check_venue, module)?)?;
    pipe::register(module)
}
