//! The Python interface of a venue's process. What crosses is JSON.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::{PyBlockingIOError, PyOSError, PyValueError};
use pyo3::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use surgetank_layer::units::Digest;
use surgetank_serve::check::{self, Checked, NotChecked};
use surgetank_serve::config::Config;
use surgetank_serve::edge::tls::Tls;
use surgetank_serve::host::Status;
use surgetank_serve::progress::{Ended, Recovery, Why};
use surgetank_serve::running::{NotStarted, Running};
use surgetank_venue::genesis::Genesis;
use surgetank_venue::session::keys::Keys;
use surgetank_venue::storage::damage::{Damage, FileReport, Place};
use surgetank_venue::storage::effect::{Errno, FileName, Halt};
use surgetank_venue::venue::{Progress, Stop};

/// A running venue, on threads of its own.
#[pyclass(module = "surgetank._core", frozen)]
pub struct Venue(Running);

fn invalid(message: impl ToString) -> PyErr {
    PyValueError::new_err(message.to_string())
}

fn not_started(error: NotStarted) -> PyErr {
    let of_system = |error: std::io::Error, what: String| match error.raw_os_error() {
        Some(errno) => PyOSError::new_err((errno, error.to_string(), what)),
        None => PyOSError::new_err(format!("{what}: {error}")),
    };
    match error {
        NotStarted::Configuration(message) => invalid(message),
        NotStarted::Locked => PyBlockingIOError::new_err("another venue has the data directory"),
        NotStarted::Address(address, error) => of_system(error, address.to_string()),
        NotStarted::System(error) => of_system(error, "data directory".to_owned()),
    }
}

fn hex(digest: Digest) -> String {
    digest.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn progress(progress: &Progress) -> Value {
    let Progress { record, durable, sequence, waiting } = progress;
    json!({"record": record, "durable": durable, "sequence": sequence, "waiting": waiting})
}

fn file(name: FileName) -> String {
    match name {
        FileName::Segment(number) => format!("journal/{number:020}.segment"),
        FileName::Snapshot(number) => format!("snapshots/{number:020}.snapshot"),
    }
}

fn damage(damage: &Damage) -> Value {
    let place = match damage.place {
        Place::Superblock => "venue".to_owned(),
        Place::File(name) => file(name),
    };
    json!({
        "kind": damage.kind.name(), "refuses": damage.kind.refuses(), "file": place,
        "offset": damage.offset, "first": damage.first, "last": damage.last,
    })
}

fn files(reports: &[FileReport]) -> Value {
    let report = |report: &FileReport| {
        let FileReport { file: name, first, records } = report;
        json!({"file": file(*name), "first": first, "records": records})
    };
    reports.iter().map(report).collect()
}

fn recovery(recovery: &Recovery) -> Value {
    let Recovery { journal, sequence, state_hash } = recovery;
    json!({
        "record": journal.number, "epoch": journal.epoch, "term": journal.term,
        "sequence": sequence, "state_hash": hex(*state_hash), "files": files(&journal.files),
        "damage": journal.damage.iter().map(damage).collect::<Value>(),
    })
}

fn errno(errno: Errno) -> Value {
    match errno {
        Errno::NoSpace => json!("no-space"),
        Errno::Io => json!("io"),
        Errno::ReadOnly => json!("read-only"),
        Errno::Other(number) => json!(number),
    }
}

fn checked(found: &Checked) -> Value {
    json!({
        "record": found.record, "files": files(&found.files),
        "damage": found.damage.iter().map(damage).collect::<Value>(),
    })
}

/// What stands in the data directory of a venue that does not run: JSON. With `repair`, what a
/// start would repair is repaired.
#[pyfunction]
pub fn check_venue(py: Python<'_>, data: PathBuf, repair: bool) -> PyResult<String> {
    let run = if repair { check::repair } else { check::check };
    let result = py.detach(|| run(&data));
    result.map(|found| checked(&found).to_string()).map_err(|error| match error {
        NotChecked::NoVenue => invalid("has no journal of a venue"),
        NotChecked::Locked(process) => PyBlockingIOError::new_err(match process {
            Some(process) => format!("process {process} has it"),
            None => "another process has it".to_owned(),
        }),
        NotChecked::System(error) => match error.raw_os_error() {
            Some(errno) => PyOSError::new_err((errno, error.to_string(), data)),
            None => PyOSError::new_err(error.to_string()),
        },
        NotChecked::Failed(cause) => {
            PyOSError::new_err(format!("{}: {}", data.display(), errno(cause)))
        }
    })
}

/// Name of the reason, and what belongs to it.
fn why(why: &Why) -> (&'static str, Value) {
    match why {
        Why::Drained => ("drained", Value::Null),
        Why::Defect => ("defect", Value::Null),
        Why::Damaged(found, damages) => {
            let damages: Value = damages.iter().map(damage).collect();
            ("damaged", json!({"files": files(found), "damage": damages}))
        }
        Why::Stopped(stop) => match stop {
            Stop::Storage(None) => ("damaged", Value::Null),
            Stop::Storage(Some(Halt::Storage(cause))) => ("storage-failed", errno(*cause)),
            Stop::Storage(Some(Halt::TooLarge)) => ("record-too-large", Value::Null),
            Stop::OtherGenesis => ("other-genesis", Value::Null),
            Stop::UnknownRecord(number) => ("unknown-record", json!(number)),
            Stop::NotConserved(number) => ("not-conserved", json!(number)),
        },
    }
}

fn ended(ended: &Ended) -> Value {
    let (why, detail) = why(&ended.why);
    json!({
        "why": why, "detail": detail, "progress": progress(&ended.progress),
        "state_hash": hex(ended.state_hash),
    })
}

fn status(status: &Status) -> Value {
    json!({
        "stage": status.stage, "progress": progress(&status.progress),
        "connections": status.connections,
    })
}

fn text(value: &impl Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(invalid)
}

#[pymethods]
impl Venue {
    /// Starts a venue on a data directory. It serves once it has read its journal.
    #[new]
    fn new(
        py: Python<'_>,
        config_json: &str,
        genesis_json: &str,
        keys_json: &str,
        data: PathBuf,
    ) -> PyResult<Venue> {
        let config = Config::from_json(config_json).map_err(invalid)?;
        let genesis: Genesis = serde_json::from_str(genesis_json).map_err(invalid)?;
        let keys = Keys::parse(keys_json).map_err(invalid)?;
        let running = py.detach(|| Running::start(&config, genesis, keys, &data));
        running.map(Venue).map_err(not_started)
    }

    /// Where the binary protocol is spoken.
    #[getter]
    fn address(&self) -> String {
        self.0.address().to_string()
    }

    /// Where JSON-RPC over WebSocket is spoken; `None`: nowhere.
    #[getter]
    fn ws_address(&self) -> Option<String> {
        self.0.ws_address().map(|address| address.to_string())
    }

    /// What the start has found; `None` before it is complete.
    fn recovery(&self) -> Option<String> {
        self.0.recovery().map(|found| recovery(&found).to_string())
    }

    /// Waits at most so long for the start to be complete or to fail: whether it is so.
    fn wait_started(&self, py: Python<'_>, timeout_s: f64) -> bool {
        py.detach(|| self.0.wait_started(Duration::from_secs_f64(timeout_s.max(0.0))))
    }

    /// Waits at most so long for the end of the service; `None`: it goes on.
    fn wait(&self, py: Python<'_>, timeout_s: f64) -> Option<String> {
        let timeout = Duration::from_secs_f64(timeout_s.max(0.0));
        py.detach(|| self.0.wait(timeout)).map(|end| ended(&end).to_string())
    }

    /// The state; `None` if the venue has stopped.
    fn status(&self, py: Python<'_>) -> Option<String> {
        py.detach(|| self.0.status()).map(|now| status(&now).to_string())
    }

    /// Hash of the state after the last record; `None` if the venue has stopped.
    fn state_hash(&self, py: Python<'_>) -> Option<String> {
        py.detach(|| self.0.state_hash()).map(hex)
    }

    /// Whether the venue serves; never waits.
    fn health(&self) -> PyResult<String> {
        text(&self.0.health())
    }

    /// What operators see; waits at most so long for the venue's thread.
    fn overview(&self, py: Python<'_>, timeout_s: f64) -> PyResult<String> {
        let timeout = Duration::from_secs_f64(timeout_s.max(0.0));
        text(&py.detach(|| self.0.overview(timeout)))
    }

    /// Sets the keys. Connections whose key was removed or changed end.
    fn reload(&self, keys_json: &str) -> PyResult<()> {
        self.0.reload(Keys::parse(keys_json).map_err(invalid)?);
        Ok(())
    }

    /// Sets the certificate that new connections are shown; both arguments are PEM.
    fn reload_tls(&self, certificate: String, key: String) -> PyResult<()> {
        self.0.reload_tls(&Tls { certificate, key }).map_err(invalid)
    }

    /// Begins the end: what waits is answered and made durable.
    fn drain(&self, py: Python<'_>) {
        py.detach(|| self.0.drain());
    }
}
