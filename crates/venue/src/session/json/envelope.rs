//! Envelopes of JSON-RPC 2.0: requests and batches in, responses and notifications out.
//!
//! Departure: every request has an `id`, since every request is answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fault::Fault;

/// Greatest nesting of what a client sends.
pub const DEPTH_MAX: usize = 16;
/// Requests of a batch.
pub const BATCH_MAX: usize = 256;
/// Greatest length of an `id`, in bytes.
pub const ID_BYTES_MAX: usize = 256;

/// A request of a client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call<'a> {
    /// Version of JSON-RPC, always `2.0`.
    #[serde(borrow)]
    pub jsonrpc: Option<&'a RawValue>,
    /// Sent back as it is.
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    /// Name of the method.
    pub method: String,
    /// Parameters of the method.
    #[serde(borrow)]
    pub params: Option<&'a RawValue>,
    /// Signature of method and parameters.
    #[serde(default)]
    pub signature: Option<String>,
}

/// What a text contains: its requests, and whether they are a batch.
pub struct Calls<'a> {
    /// Each request, as text.
    pub calls: Vec<&'a str>,
    /// Whether they are answered together.
    pub is_batch: bool,
}

impl<'a> Calls<'a> {
    /// Splits a text into requests.
    ///
    /// # Errors
    /// It is no JSON, is nested too deeply, or is an empty or too long batch.
    pub fn split(text: &'a str) -> Result<Calls<'a>, Fault> {
        if depth(text) > DEPTH_MAX {
            return Err(Fault::parse("nested too deeply"));
        }
        let wrong = |error: serde_json::Error| Fault::parse(error.to_string());
        if !text.trim_start().starts_with('[') {
            let call: &RawValue = serde_json::from_str(text).map_err(wrong)?;
            return Ok(Calls { calls: vec![call.get()], is_batch: false });
        }
        let calls: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
        match calls.len() {
            0 => Err(Fault::request("an empty batch")),
            1..=BATCH_MAX => {
                let calls = calls.into_iter().map(RawValue::get).collect();
                Ok(Calls { calls, is_batch: true })
            }
            _ => Err(Fault::request("too many requests in a batch")),
        }
    }
}

/// Greatest nesting of arrays and objects, texts left out.
fn depth(text: &str) -> usize {
    let (mut depth, mut most, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Reads a request: its id, and the rest or what is wrong with it.
pub fn read(text: &str) -> (Box<RawValue>, Result<Call<'_>, Fault>) {
    let null = || RawValue::NULL.to_owned();
    let call: Call<'_> = match serde_json::from_str(text) {
        Ok(call) => call,
        Err(error) => return (null(), Err(Fault::request(error.to_string()))),
    };
    let Some(id) = call.id else {
        return (null(), Err(Fault::request("it has no `id`")));
    };
    if id.get().len() > ID_BYTES_MAX {
        return (null(), Err(Fault::request("its `id` is too long")));
    }
    if call.jsonrpc.is_none_or(|version| version.get() != "\"2.0\"") {
        return (id.to_owned(), Err(Fault::request("`jsonrpc` is not \"2.0\"")));
    }
    (id.to_owned(), Ok(call))
}

#[derive(Serialize)]
struct Response<'a, T> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    result: T,
}

#[derive(Serialize)]
struct ErrorResponse<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    error: &'a Fault,
}

#[derive(Serialize)]
struct Notification<'a, T> {
    jsonrpc: &'static str,
    method: &'a str,
    params: T,
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps have texts as keys")
}

/// A notification.
pub fn notification(method: &str, params: impl Serialize) -> String {
    text(&Notification { jsonrpc: "2.0", method, params })
}

/// Where an answer goes.
#[derive(Clone, Debug)]
pub struct Reply {
    id: Box<RawValue>,
    batch: Option<u64>,
}

/// Answers, of which those of a batch are gathered.
#[derive(Debug, Default)]
pub struct Replies {
    last_batch: u64,
    /// Requests that are not answered, and the answers, of each batch.
    batches: BTreeMap<u64, (usize, Vec<String>)>,
}

impl Replies {
    /// Begins a batch of so many requests.
    pub fn begin(&mut self, requests: usize) -> u64 {
        self.last_batch += 1;
        self.batches.insert(self.last_batch, (requests, Vec::new()));
        self.last_batch
    }

    /// Where the answer to a request goes.
    pub fn to(id: Box<RawValue>, batch: Option<u64>) -> Reply {
        Reply { id, batch }
    }

    /// Answers a request: the text to send, if it is complete.
    pub fn answer(&mut self, to: &Reply, answer: Result<impl Serialize, Fault>) -> Option<String> {
        let (jsonrpc, id) = ("2.0", &*to.id);
        let said = match answer {
            Ok(result) => text(&Response { jsonrpc, id, result }),
            Err(fault) => text(&ErrorResponse { jsonrpc, id, error: &fault }),
        };
        let Some(batch) = to.batch else { return Some(said) };
        let (left, answers) = self.batches.get_mut(&batch)?;
        answers.push(said);
        *left = left.saturating_sub(1);
        if *left > 0 {
            return None;
        }
        let (_, answers) = self.batches.remove(&batch)?;
        Some(format!("[{}]", answers.join(",")))
    }
}
