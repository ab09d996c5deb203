//! Orders as JSON over WebSocket: throughput in a closed loop of pipelined calls, one order each.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use surgetank_venue::request::Level;
use surgetank_venue::session::json::params::{Auth, GrantType};
use surgetank_venue::session::json::signed::{ConnectionChallenge, hex};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::{Key, now_ns, secret};
use crate::{Failure, quantile_ms};

type Socket = WebSocketStream<TcpStream>;

/// What is sent.
#[derive(Clone)]
pub struct Calls {
    /// Of the venue's WebSocket.
    pub address: String,
    /// Time of sending, s.
    pub seconds: f64,
    /// Unanswered calls of a connection.
    pub window: usize,
    /// Name of the market.
    pub market: String,
    /// Price of all orders, as text.
    pub price: String,
    /// Quantity of each, as text.
    pub amount: String,
}

/// What a connection has measured: answers, errors, latencies in ns.
#[derive(Default)]
struct Measured {
    results: u64,
    errors: u64,
    latencies: Vec<u64>,
    elapsed: Duration,
}

async fn text(socket: &mut Socket) -> Result<String, Failure> {
    loop {
        match socket.next().await.ok_or("the venue has closed the connection")?? {
            Message::Text(text) => return Ok(text.as_str().to_owned()),
            Message::Close(frame) => return Err(format!("closed: {frame:?}").into()),
            _ => {}
        }
    }
}

fn bytes<const N: usize>(digits: &Value) -> Result<[u8; N], Failure> {
    let digits = digits.as_str().ok_or("no text")?;
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2).ok_or("digits")?, 16)?;
    }
    Ok(bytes)
}

async fn log_on(calls: &Calls, key: &Key, session: String) -> Result<Socket, Failure> {
    let stream = TcpStream::connect(&calls.address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = client_async(format!("ws://{}/", calls.address), stream).await?;
    let said: Value = serde_json::from_str(&text(&mut socket).await?)?;
    let params = &said["params"];
    let challenge = ConnectionChallenge {
        venue: bytes(&params["venue"])?,
        nonce: bytes(&params["challenge"])?,
    };
    let auth = Auth {
        grant_type: GrantType::ClientSignature,
        client_id: key.name.clone(),
        session,
        timestamp: now_ns() / 1_000_000,
        nonce: "load".to_owned(),
        signature: String::new(),
        level: Level::Disk,
        cancel_on_disconnect: false,
    };
    let signature = hex(&secret(&key.hmac)?.sign(challenge.auth_text(&auth).as_bytes()).0);
    let params = serde_json::json!({
        "grant_type": "client_signature", "client_id": auth.client_id, "session": auth.session,
        "timestamp": auth.timestamp, "nonce": auth.nonce, "signature": signature,
    });
    let call = serde_json::json!({
        "jsonrpc": "2.0", "id": 0, "method": "public/auth", "params": params,
    });
    socket.send(Message::text(call.to_string())).await?;
    let answer = text(&mut socket).await?;
    if answer.contains("\"error\"") {
        return Err(answer.into());
    }
    Ok(socket)
}

/// One connection.
async fn run(calls: Calls, key: Key, buys: bool) -> Result<Measured, Failure> {
    let mut socket = log_on(&calls, &key, format!("load-{buys}")).await?;
    let method = if buys { "private/buy" } else { "private/sell" };
    let Calls { window, seconds, market, price, amount, .. } = calls;
    let (mut measured, mut sent) = (Measured::default(), BTreeMap::new());
    let (start, mut next) = (Instant::now(), now_ns());
    let end = start + Duration::from_secs_f64(seconds);
    loop {
        while sent.len() < window && Instant::now() < end {
            next += 1;
            let call = format!(
                r#"{{"jsonrpc":"2.0","id":{next},"method":"{method}","params":{{"instrument_name":"{market}","amount":{amount},"price":{price},"cl_ord_id":"{next}"}}}}"#
            );
            sent.insert(next, Instant::now());
            socket.feed(Message::text(call)).await?;
        }
        socket.flush().await?;
        if sent.is_empty() {
            return Ok(measured);
        }
        let answer = text(&mut socket).await?;
        let digits = answer.split("\"id\":").nth(1).ok_or("no id")?;
        let id: u64 = digits.split([',', '}']).next().ok_or("no id")?.parse()?;
        let at = sent.remove(&id).ok_or("answered twice")?;
        let is_result = answer.contains("\"result\"");
        measured.results += u64::from(is_result);
        measured.errors += u64::from(!is_result);
        measured.latencies.push(u64::try_from(at.elapsed().as_nanos())?);
        measured.elapsed = start.elapsed();
    }
}

/// Runs the load: one JSON object.
pub async fn measure(calls: Calls, keys: Vec<Key>) -> Result<String, Failure> {
    let mut connections = JoinSet::new();
    for (index, key) in keys.into_iter().enumerate() {
        connections.spawn(run(calls.clone(), key, index % 2 == 0));
    }
    let mut all = Measured::default();
    while let Some(one) = connections.join_next().await {
        let one = one??;
        all.results += one.results;
        all.errors += one.errors;
        all.latencies.extend(one.latencies);
        all.elapsed = all.elapsed.max(one.elapsed);
    }
    all.latencies.sort_unstable();
    Ok(serde_json::json!({
        "sealed": all.results, "errors": all.errors, "elapsed_s": all.elapsed.as_secs_f64(),
        "per_s": all.results as f64 / all.elapsed.as_secs_f64(),
        "p50_ms": quantile_ms(&all.latencies, 0.5), "p99_ms": quantile_ms(&all.latencies, 0.99),
    })
    .to_string())
}
