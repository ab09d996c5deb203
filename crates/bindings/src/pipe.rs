//! The Python interface of the pipe and of the verifier of journals.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::{Duration, Instant};

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use surgetank_layer::admission::limit::Limit;
use surgetank_layer::audit::batch::{Batch, Ticket, header_hash};
use surgetank_layer::audit::journal::Reader;
use surgetank_layer::audit::merkle::{self, Blake3, Hash, TreeHash};
use surgetank_layer::pipe::record::{self, RECORD_BYTES};
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::pipe::{Config, Refused};

/// Wall time between two calls of `progress`.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

fn bytes32(name: &str, bytes: &[u8]) -> PyResult<[u8; 32]> {
    bytes.try_into().map_err(|_| {
        PyValueError::new_err(format!("{name}: {} bytes, but must be 32", bytes.len()))
    })
}

fn at_least_1(name: &str, value: u64) -> PyResult<()> {
    if value == 0 {
        return Err(PyValueError::new_err(format!("{name}: must be at least 1")));
    }
    Ok(())
}

fn limit(name: &str, (burst, per_second): (u64, u64)) -> PyResult<Limit> {
    let fits = burst.checked_mul(1_000_000_000).is_some();
    if burst == 0 || per_second == 0 || !fits {
        let what = format!("{name}: burst and rate must be at least 1, the burst under 2^34");
        return Err(PyValueError::new_err(what));
    }
    Ok(Limit::per_second(burst, per_second))
}

/// Records in, batches of a journal out.
#[pyclass(module = "surgetank._core")]
pub struct Pipe {
    pipe: surgetank_layer::pipe::Pipe,
    head: Vec<u8>,
    refused: Vec<Refused>,
    out: Vec<u8>,
}

type Refusals = Vec<(u32, &'static str, u64)>;

#[pymethods]
impl Pipe {
    #[new]
    #[pyo3(signature = (rule, batch_messages_max, key, secret, *, batch_bytes_max=1 << 30,
        seal_messages=None, capacity=None, accounts_max=65_536, batches_max=1_000_000, limits=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        rule: &str,
        batch_messages_max: u32,
        key: &[u8],
        secret: &[u8],
        batch_bytes_max: u64,
        seal_messages: Option<u32>,
        capacity: Option<u32>,
        accounts_max: u32,
        batches_max: usize,
        limits: Option<[(u64, u64); 3]>,
    ) -> PyResult<Pipe> {
        let seal_messages = seal_messages.unwrap_or(batch_messages_max);
        at_least_1("batch_messages_max", batch_messages_max.into())?;
        at_least_1("seal_messages", seal_messages.into())?;
        let limits = limits.map(|[orders, cancels, reducing]| {
            let cancels = limit("limits, cancels", cancels);
            let reducing = limit("limits, risk-reducing", reducing);
            Ok::<_, PyErr>([limit("limits, orders", orders)?, cancels?, reducing?])
        });
        let config = Config {
            ordering: Ordering::parse(rule).map_err(PyValueError::new_err)?,
            batch_messages_max,
            batch_bytes_max,
            seal_messages,
            capacity: capacity.unwrap_or(seal_messages.saturating_mul(4)),
            accounts_max,
            limits: limits.transpose()?,
            key: bytes32("key", key)?,
            batches_max,
        };
        let (pipe, head) = surgetank_layer::pipe::Pipe::new(config, &bytes32("secret", secret)?);
        Ok(Pipe { pipe, head, refused: Vec::new(), out: Vec::new() })
    }

    /// Head of the journal.
    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.head)
    }

    /// Inputs that are not published yet.
    #[getter]
    fn waiting(&self) -> usize {
        self.pipe.waiting()
    }

    /// Number of the last batch.
    #[getter]
    fn height(&self) -> u64 {
        self.pipe.height()
    }

    /// Hash of the last batch.
    #[getter]
    fn last_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.pipe.last_hash().0)
    }

    /// Processes a buffer of whole records; returns the completed frames, and (index, reason,
    /// retry_after_ns) of each refused record.
    fn push<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        records: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyBytes>, Refusals)> {
        let copied;
        let buffer: &[u8] = match records.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes(),
            Err(_) => {
                copied = PyBuffer::<u8>::get(records)?.to_vec(py)?;
                &copied
            }
        };
        if !buffer.len().is_multiple_of(RECORD_BYTES) {
            let what = format!("records: {} bytes are no whole records of 128", buffer.len());
            return Err(PyValueError::new_err(what));
        }
        let Pipe { pipe, refused, out, .. } = self;
        refused.clear();
        out.clear();
        py.detach(|| pipe.push(now_ns, buffer, refused, out));
        let refusals = refused.iter().map(|r| (r.index, r.reason.name(), r.retry_after_ns));
        Ok((PyBytes::new(py, out), refusals.collect()))
    }

    /// Seals and publishes the open inputs; returns one frame, or nothing.
    fn flush<'py>(&mut self, py: Python<'py>, now_ns: u64) -> Bound<'py, PyBytes> {
        self.out.clear();
        self.pipe.flush(now_ns, &mut self.out);
        PyBytes::new(py, &self.out)
    }
}

/// The key of an account's session.
#[pyfunction]
pub fn account_key<'py>(
    py: Python<'py>,
    key: &[u8],
    account: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &record::account_key(&bytes32("key", key)?, account)))
}

/// A client's record; `key` is the account's.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the fields of a record")]
pub fn write_record<'py>(
    py: Python<'py>,
    key: &[u8],
    account: u32,
    class_number: u8,
    flags: u8,
    fee: u32,
    number: u32,
    body: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let mut filled = [0; 96];
    let room = filled.get_mut(..body.len()).ok_or_else(|| {
        PyValueError::new_err(format!("body: {} bytes, but at most 96 fit", body.len()))
    })?;
    room.copy_from_slice(body);
    let ticket = Ticket { account, class: class_number, flags, fee, arrival_ns: 0 };
    Ok(PyBytes::new(py, &record::write(&bytes32("key", key)?, &ticket, number, &filled)))
}

fn open(path: &str) -> PyResult<BufReader<File>> {
    let file = File::open(path);
    let file = file.map_err(|error| PyOSError::new_err(format!("{path}: {error}")))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// Verifies a journal. `progress(bytes)` is called about ten times a second; false stops.
#[pyfunction]
#[pyo3(signature = (path, progress=None))]
#[expect(clippy::disallowed_methods, reason = "progress is shown by the wall clock")]
pub fn verify<'py>(
    py: Python<'py>,
    path: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let directory = Path::new(path);
    let is_directory = surgetank_verifier::is_directory(directory);
    let source = if is_directory { None } else { Some(open(path)?) };
    let (mut last, mut raised) = (Instant::now(), None);
    let mut goes_on = |bytes: u64| {
        if last.elapsed() < PROGRESS_EVERY {
            return true;
        }
        last = Instant::now();
        let answer = Python::attach(|py| {
            py.check_signals()?;
            progress.as_ref().map_or(Ok(true), |call| call.call1(py, (bytes,))?.is_truthy(py))
        });
        answer.unwrap_or_else(|error| {
            raised = Some(error);
            false
        })
    };
    let report = py.detach(|| match source {
        Some(source) => surgetank_verifier::verify(source, &mut goes_on),
        None => {
            surgetank_verifier::verify_directory(directory, is_written(directory), &mut goes_on)
        }
    });
    let report = report.map_err(|error| PyOSError::new_err(format!("{path}: {error}")))?;
    if let Some(error) = raised {
        return Err(error);
    }
    let result = PyDict::new(py);
    result.set_item("batches", report.batches)?;
    result.set_item("messages", report.messages)?;
    result.set_item("waiting", report.waiting)?;
    result.set_item("bytes_read", report.bytes)?;
    result.set_item("last_hash", PyBytes::new(py, &report.last_hash))?;
    result.set_item("stopped", report.stopped)?;
    result.set_item("findings_count", report.findings_count)?;
    let findings = report.findings.into_iter();
    let findings: Vec<_> =
        findings.map(|f| (f.kind.name(), f.batch, f.position, f.byte, f.what)).collect();
    result.set_item("findings", findings)?;
    Ok(result)
}

/// Whether a venue writes into this data directory.
#[cfg(unix)]
fn is_written(directory: &Path) -> bool {
    surgetank_serve::files::Lock::look(directory).is_err()
}

/// Venues run on Unix only.
#[cfg(not(unix))]
fn is_written(_: &Path) -> bool {
    false
}

/// Calls `each` with every batch of a journal until it returns something.
fn seek<T>(path: &str, mut each: impl FnMut(&Batch) -> Option<T>) -> PyResult<Option<T>> {
    let broken = |error| PyValueError::new_err(format!("{path}: {error}"));
    let mut reader = Reader::new(open(path)?).map_err(broken)?;
    while let Some(batch) = reader.next_batch().map_err(broken)? {
        if let Some(found) = each(&batch) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The headers of a journal's batches, as bytes.
#[pyfunction]
pub fn headers<'py>(py: Python<'py>, path: &str) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let mut headers = Vec::new();
    py.detach(|| {
        seek(path, |batch| {
            headers.push(batch.header.to_bytes());
            None::<()>
        })
    })?;
    Ok(headers.iter().map(|header| PyBytes::new(py, header)).collect())
}

/// Header, position, ticket, audit path.
type Proof<'py> = (Bound<'py, PyBytes>, u64, Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>);

/// The header of the batch, the position in the order, the ticket and the audit path of the first
/// published message with these bytes; `None` if there is none.
#[pyfunction]
pub fn prove<'py>(py: Python<'py>, path: &str, message: &[u8]) -> PyResult<Option<Proof<'py>>> {
    let found = py.detach(|| {
        seek(path, |batch| {
            let input = |index: &u32| &batch.inputs[*index as usize];
            let position = batch.order.iter().position(|index| input(index).1 == message)?;
            let leaves: Vec<Hash> =
                batch.order.iter().map(|index| batch.leaf(*index as usize)).collect();
            let path = merkle::inclusion::<Blake3>(&leaves, position)?;
            let ticket = input(&batch.order[position]).0.to_bytes();
            Some((batch.header.to_bytes(), position as u64, ticket, path))
        })
    })?;
    Ok(found.map(|(header, position, ticket, path)| {
        let path = path.iter().map(|hash| PyBytes::new(py, hash)).collect();
        (PyBytes::new(py, &header), position, PyBytes::new(py, &ticket), path)
    }))
}

/// Height, sequence number, account, class, flags, fee, arrival, message.
type Published<'py> = (u64, u64, u32, u8, u8, u32, u64, Bound<'py, PyBytes>);

/// Every published message of a journal, in order.
#[pyfunction]
pub fn published<'py>(py: Python<'py>, path: &str) -> PyResult<Vec<Published<'py>>> {
    let mut found = Vec::new();
    seek(path, |batch| {
        for (&index, sequence) in batch.order.iter().zip(batch.header.first_sequence..) {
            let (ticket, message) = &batch.inputs[index as usize];
            let Ticket { account, class, flags, fee, arrival_ns } = *ticket;
            let message = PyBytes::new(py, message);
            let height = batch.header.height;
            found.push((height, sequence, account, class, flags, fee, arrival_ns, message));
        }
        None::<()>
    })?;
    Ok(found)
}

fn batch_leaves(headers: &[Vec<u8>]) -> Vec<Hash> {
    headers.iter().map(|header| Blake3::leaf(&header_hash(header).0)).collect()
}

/// Root of the tree over the hashes of batches with these headers.
#[pyfunction]
pub fn log_root<'py>(py: Python<'py>, headers: Vec<Vec<u8>>) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &merkle::root::<Blake3>(&batch_leaves(&headers)))
}

/// The proof that the tree over the first `old` batches is a prefix of the tree over all.
#[pyfunction]
pub fn log_consistency<'py>(
    py: Python<'py>,
    headers: Vec<Vec<u8>>,
    old: usize,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let proof = merkle::consistency::<Blake3>(&batch_leaves(&headers), old);
    let wrong = || PyValueError::new_err(format!("old: {old}, but must be 1 to {}", headers.len()));
    Ok(proof.ok_or_else(wrong)?.iter().map(|hash| PyBytes::new(py, hash)).collect())
}

/// Adds all of this to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Pipe>()?;
    module.add_function(wrap_pyfunction!(account_key, module)?)?;
    module.add_function(wrap_pyfunction!(write_record, module)?)?;
    module.add_function(wrap_pyfunction!(verify, module)?)?;
    module.add_function(wrap_pyfunction!(headers, module)?)?;
    module.add_function(wrap_pyfunction!(published, module)?)?;
    module.add_function(wrap_pyfunction!(prove, module)?)?;
    module.add_function(wrap_pyfunction!(log_root, module)?)?;
    module.add_function(wrap_pyfunction!(log_consistency, module)?)
}
