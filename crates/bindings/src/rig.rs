//! The Python interface of a run of a scenario's actors on a venue.

use std::net::SocketAddr;
use std::time::Duration;

use pyo3::exceptions::{PyConnectionError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use surgetank_lab::adversary::Adversary;
use surgetank_lab::scenario::Scenario;
use surgetank_lab::seed::Seed;
use surgetank_rig::connection::Key;
use surgetank_rig::host::{Files, Rig, Venue};
use surgetank_rig::playing::Playing;
use surgetank_venue::session::auth::Secret;

use crate::{columns, read_positions, read_tape};

/// Time between calls of `progress`.
const SLICE: Duration = Duration::from_millis(100);

/// Plays a scenario with its actors on a running venue that opened with its genesis. `venue` has
/// `address`, `key` (name), `hmac` (64 hexadecimal digits), `opened_ns` (`start_ns` of the genesis)
/// and `start_ns` (time 0 of the run). `ending` is called when the time is up, before the last
/// answers are waited for. The result is that of `run`, with `live`: how the schedule was kept, as a
/// JSON object.
#[pyfunction]
#[pyo3(signature = (
    scenario_json, seed, venue, tape=None, positions=None, progress=None, ending=None
))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
pub fn run_venue<'py>(
    py: Python<'py>,
    scenario_json: &str,
    seed: u64,
    venue: &Bound<'py, PyDict>,
    tape: Option<&Bound<'py, PyDict>>,
    positions: Option<&Bound<'py, PyDict>>,
    progress: Option<Py<PyAny>>,
    ending: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let scenario = Scenario::from_json(scenario_json).map_err(PyValueError::new_err)?;
    let files = Files {
        tape: tape.map(read_tape).transpose()?,
        positions: positions.map(read_positions).transpose()?,
    };
    let venue = venue_of(venue)?;
    let open = || Rig::new(scenario, seed, files, &venue);
    let rig = py.detach(open).map_err(PyConnectionError::new_err)?;
    let (rig, stopped) = played(py, rig, progress.as_ref())?;
    if let Some(ending) = &ending {
        ending.call0(py)?;
    }
    let outcome = py.detach(|| rig.finish()).map_err(PyValueError::new_err)?;
    let result = PyDict::new(py);
    result.set_item("stats", outcome.stats.to_string())?;
    result.set_item("live", outcome.live.to_string())?;
    result.set_item("complete", !stopped)?;
    let tables = PyDict::new(py);
    for table in outcome.tables {
        let name = table.name;
        tables.set_item(name, columns::table(table)?)?;
    }
    result.set_item("tables", tables)?;
    Ok(result)
}

/// Plays a run; returns it when it is over, and whether `progress` has stopped it.
fn played(py: Python<'_>, rig: Rig, progress: Option<&Py<PyAny>>) -> PyResult<(Rig, bool)> {
    let playing = Playing::begin(rig)?;
    let mut goes_on = Ok(true);
    while !playing.is_over() && matches!(goes_on, Ok(true)) {
        py.detach(|| std::thread::sleep(SLICE));
        let (now_ns, messages) = playing.progress();
        goes_on = py.check_signals().and_then(|()| match progress {
            Some(progress) => {
                progress.call1(py, (now_ns as f64 / 1e9, messages, messages))?.is_truthy(py)
            }
            None => Ok(true),
        });
    }
    let rig = py.detach(|| playing.end());
    let rig = rig.ok_or_else(|| PyRuntimeError::new_err("the actors' thread has panicked"))?;
    Ok((rig, !goes_on?))
}

/// What the attack of a scenario needs beyond the power of a client, if anything.
#[pyfunction]
pub fn attack_needs(scenario_json: &str) -> PyResult<Option<&'static str>> {
    let scenario = Scenario::from_json(scenario_json).map_err(PyValueError::new_err)?;
    let attacker = Adversary::of_client(&scenario, &Seed::new(0)).map_err(PyValueError::new_err)?;
    Ok(attacker.needs())
}

fn venue_of(venue: &Bound<'_, PyDict>) -> PyResult<Venue> {
    let item = |name: &str| {
        let item = venue.get_item(name)?;
        item.ok_or_else(|| PyValueError::new_err(format!("venue: {name} is missing")))
    };
    let address: String = item("address")?.extract()?;
    let digits: String = item("hmac")?.extract()?;
    Ok(Venue {
        address: address
            .parse::<SocketAddr>()
            .map_err(|error| PyValueError::new_err(format!("{address}: {error}")))?,
        key: Key { name: item("key")?.extract()?, secret: secret(&digits)? },
        opened_ns: item("opened_ns")?.extract()?,
        start_ns: item("start_ns")?.extract()?,
    })
}

fn secret(digits: &str) -> PyResult<Secret> {
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
    let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.map(Secret::HmacSha256).ok_or_else(|| PyValueError::new_err("hmac: not 64 hex digits"))
}
