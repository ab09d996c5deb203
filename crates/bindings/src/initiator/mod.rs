//! The client's side of a venue's binary protocol: bytes in and plain values out, requests in and
//! bytes out. Tuples have the fields of docs/venue-protocol.md in its order; enumerations cross by
//! their numbers there, which `protocol_names` names.

mod encoded;
mod heard;
mod names;
mod requests;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use surgetank_venue::encoding::Encoded;
use surgetank_venue::event::{Position, StreamKey};
use surgetank_venue::request::Level;
use surgetank_venue::session::auth::Secret;
use surgetank_venue::session::initiator::{Heard, Identity, Initiator as Machine};
use surgetank_venue::wire::{Subscription, Up};

/// A stream: its number and the account or market, 0 where there is neither.
type Stream = (u8, u32);
/// A stream, the position after which it is wanted (epoch and number), whether to conflate.
type Wanted = (Stream, Option<(u32, u64)>, bool);

/// One connection to a venue, without a socket.
#[pyclass(module = "surgetank._core")]
pub struct Initiator(Machine);

fn secret(algorithm: &str, bytes: [u8; 32]) -> PyResult<Secret> {
    match algorithm {
        "hmac" => Ok(Secret::HmacSha256(bytes)),
        "ed25519" => Ok(Secret::Ed25519(bytes)),
        _ => Err(PyValueError::new_err(format!("algorithm: {algorithm}"))),
    }
}

/// As the wire has it, so that a number that is no stream's is refused in one place.
fn stream((kind, of): Stream) -> PyResult<StreamKey> {
    let mut bytes = vec![kind];
    match kind {
        1..=3 => of.write(&mut bytes),
        4..=8 => u16::try_from(of)?.write(&mut bytes),
        _ => (),
    }
    StreamKey::from_bytes(&bytes).map_err(|error| PyValueError::new_err(error.to_string()))
}

impl Initiator {
    fn frame<'py>(&mut self, py: Python<'py>, up: &Up) -> Option<Bound<'py, PyBytes>> {
        self.0.send(up).map(|frame| PyBytes::new(py, &frame))
    }
}

#[pymethods]
impl Initiator {
    /// A new connection; `secret` is the key's (an HMAC secret or the seed of an Ed25519 key),
    /// `nonce` must be drawn for it.
    #[new]
    #[pyo3(signature = (key_name, algorithm, secret, nonce, *, session="", level=1,
        cancel_on_disconnect=false, sign_requests=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        key_name: String,
        algorithm: &str,
        secret: [u8; 32],
        nonce: [u8; 16],
        session: &str,
        level: u8,
        cancel_on_disconnect: bool,
        sign_requests: bool,
    ) -> PyResult<Initiator> {
        let level = Level::from_bytes(&[level]);
        let identity = Identity {
            key_name,
            secret: self::secret(algorithm, secret)?,
            session: session.to_owned(),
            level: level.map_err(|error| PyValueError::new_err(error.to_string()))?,
            cancel_on_disconnect,
            sign_requests,
        };
        Ok(Initiator(Machine::new(identity, nonce)))
    }

    /// What the venue says with these bytes, which may end inside a frame: tuples that begin with
    /// the frame's type. That of a challenge (129) has the frame to send.
    ///
    /// Raises `ValueError` with the number of the cut's reason: the bytes are not the venue's.
    fn receive<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        bytes: &[u8],
    ) -> PyResult<Bound<'py, PyList>> {
        let machine = &mut self.0;
        let heard = py.detach(|| machine.receive(now_ns, bytes));
        let heard = heard.map_err(|reason| PyValueError::new_err(reason as u8))?;
        let list = PyList::empty(py);
        for one in heard {
            list.append(match one {
                Heard::Challenge(frame) => {
                    (129, PyBytes::new(py, &frame)).into_pyobject(py)?.into_any()
                }
                Heard::LoggedOn(logged_on) => heard::logged_on(py, &logged_on)?,
                Heard::Down(down) => heard::down(py, &down)?,
            })?;
        }
        Ok(list)
    }

    /// The number of the first of these requests, and one frame for all of them; `None` if the
    /// connection is not logged on. A request is a tuple of its name, sender, sent_ns and the
    /// fields of its body; `padding` zeros go with each message.
    #[pyo3(signature = (requests, padding=0))]
    fn requests<'py>(
        &mut self,
        py: Python<'py>,
        requests: &Bound<'py, PyList>,
        padding: u16,
    ) -> PyResult<Option<(u32, Bound<'py, PyBytes>)>> {
        let read = |request| requests::read(&request, padding);
        let mut read: Vec<_> = requests.iter().map(read).collect::<PyResult<_>>()?;
        let machine = &mut self.0;
        let frame = py.detach(|| machine.requests(&mut read));
        let first = read.first().map_or(0, |request| request.number);
        Ok(frame.map(|frame| (first, PyBytes::new(py, &frame))))
    }

    /// The number of the first of these requests, and the frames for all of them, one behind the
    /// other; `None` if the connection is not logged on. The bytes are those of the requests one
    /// after the other, as docs/venue-protocol.md has them; their numbers are replaced.
    fn encoded_requests<'py>(
        &mut self,
        py: Python<'py>,
        bytes: &[u8],
    ) -> PyResult<Option<(u32, Bound<'py, PyBytes>)>> {
        let machine = &mut self.0;
        let framed = py.detach(|| encoded::frames(machine, bytes));
        let framed = framed.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(framed.map(|(first, frames)| (first, PyBytes::new(py, &frames))))
    }

    /// Asks what became of a request. `None`, here and below: the connection is not logged on.
    fn order_status<'py>(
        &mut self,
        py: Python<'py>,
        cl_ord_id: u64,
    ) -> Option<Bound<'py, PyBytes>> {
        self.frame(py, &Up::OrderStatus(cl_ord_id))
    }

    /// Asks for the events of streams.
    fn subscribe<'py>(
        &mut self,
        py: Python<'py>,
        wanted: Vec<Wanted>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let subscription = |(key, after, conflate): Wanted| {
            let after = after.map(|(epoch, number)| Position { epoch, number });
            Ok(Subscription { key: stream(key)?, after, conflate })
        };
        let wanted: PyResult<Vec<_>> = wanted.into_iter().map(subscription).collect();
        Ok(self.frame(py, &Up::Subscribe(wanted?)))
    }

    /// Ends the events of streams.
    fn unsubscribe<'py>(
        &mut self,
        py: Python<'py>,
        streams: Vec<Stream>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let keys: PyResult<Vec<_>> = streams.into_iter().map(stream).collect();
        Ok(self.frame(py, &Up::Unsubscribe(keys?)))
    }

    /// Asks for the state of a stream.
    fn snapshot<'py>(
        &mut self,
        py: Python<'py>,
        key: Stream,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.frame(py, &Up::Snapshot(stream(key)?)))
    }

    /// Asks for these eight bytes again.
    fn ping<'py>(&mut self, py: Python<'py>, content: u64) -> Option<Bound<'py, PyBytes>> {
        self.frame(py, &Up::Ping(content))
    }

    /// Leaves; orders stay.
    fn logout<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.frame(py, &Up::Logout(()))
    }
}

/// The public key of the seed of an Ed25519 key, as the venue's file of keys has it.
#[pyfunction]
fn ed25519_public<'py>(py: Python<'py>, seed: [u8; 32]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &Secret::Ed25519(seed).shown_to_venue())
}

/// Adds all of this to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Initiator>()?;
    module.add_function(wrap_pyfunction!(names::protocol_names, module)?)?;
    module.add_function(wrap_pyfunction!(ed25519_public, module)?)
}
