//! Load on a venue through the binary gateway, for `benchmarks/venue.py`: writes one JSON line.
//!
//! `load ADDRESS KEYS SECONDS BATCH WINDOW [PER_S]`: `KEYS` is a JSON file with a list of
//! `{"name", "account", "hmac"}`, one connection each. Without `PER_S` each connection has `WINDOW`
//! unanswered frames of `BATCH` orders; with it, frames leave at their times, late or not, and the
//! latency of an order counts from the time at which its frame was due.
//!
//! Connections alternate between buying and selling at one price, so that orders are executed and
//! positions stay small.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use surgetank_layer::message::{Body, NewOrderSingle, OrdType, Side, TimeInForce};
use surgetank_venue::answer::Answer;
use surgetank_venue::request::{Action, Level, Request};
use surgetank_venue::session::auth::Secret;
use surgetank_venue::session::initiator::{Heard, Identity, Initiator};
use surgetank_venue::wire::Down;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Time in which the last answers arrive.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Clone, Deserialize)]
struct Key {
    name: String,
    account: u32,
    hmac: String,
}

#[derive(Clone)]
struct Load {
    address: String,
    seconds: f64,
    batch: usize,
    window: usize,
    /// Frames a second of a connection.
    frames_per_s: Option<f64>,
    price: i64,
}

/// What a connection has measured.
#[derive(Default)]
struct Measured {
    sent: u64,
    sealed: u64,
    rejected: u64,
    refused: u64,
    /// Of frames, from the time at which they were due, in ns.
    latencies: Vec<u64>,
    /// Time between the first frame and the last answer within the time of sending.
    elapsed: Duration,
}

struct Client {
    stream: TcpStream,
    initiator: Initiator,
    buffer: Vec<u8>,
    account: u32,
    buys: bool,
    next_id: u64,
    /// Due times of the unanswered frames, and orders of each that are not answered.
    unanswered: std::collections::VecDeque<(Instant, usize)>,
    measured: Measured,
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn secret(digits: &str) -> Result<Secret, Failure> {
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2).ok_or("64 digits")?, 16)?;
    }
    Ok(Secret::HmacSha256(bytes))
}

impl Client {
    async fn log_on(load: &Load, key: &Key, place: usize) -> Result<Client, Failure> {
        let identity = Identity {
            key_name: key.name.clone(),
            secret: secret(&key.hmac)?,
            session: "load".to_owned(),
            level: Level::Disk,
            cancel_on_disconnect: false,
            sign_requests: false,
        };
        let stream = TcpStream::connect(&load.address).await?;
        stream.set_nodelay(true)?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        let mut client = Client {
            stream,
            initiator: Initiator::new(identity, nonce),
            buffer: vec![0; 1 << 18],
            account: key.account,
            buys: place.is_multiple_of(2),
            next_id: now_ns(),
            unanswered: std::collections::VecDeque::new(),
            measured: Measured::default(),
        };
        while !client.receive().await? {}
        Ok(client)
    }

    /// Receives once: whether the logon was accepted by it.
    async fn receive(&mut self) -> Result<bool, Failure> {
        let count = self.stream.read(&mut self.buffer).await?;
        if count == 0 {
            return Err("the venue has ended the connection".into());
        }
        let heard = self.initiator.receive(now_ns(), &self.buffer[..count]);
        let mut is_logged_on = false;
        for heard in heard.map_err(|reason| format!("{reason:?}"))? {
            match heard {
                Heard::Challenge(logon) => self.stream.write_all(&logon).await?,
                Heard::LoggedOn(_) => is_logged_on = true,
                Heard::Down(Down::Answers(answers)) => self.note(&answers.answers),
                Heard::Down(Down::Cut(cut)) => return Err(format!("cut: {cut:?}").into()),
                Heard::Down(_) => {}
            }
        }
        Ok(is_logged_on)
    }

    fn note(&mut self, answers: &[Answer]) {
        let now = Instant::now();
        for answer in answers {
            match answer {
                Answer::Sealed(sealed) if sealed.ord_rej_reason == 0 => self.measured.sealed += 1,
                Answer::Sealed(_) => self.measured.rejected += 1,
                _ => self.measured.refused += 1,
            }
            if let Some((due, open)) = self.unanswered.front_mut() {
                *open -= 1;
                if *open == 0 {
                    let latency = now.saturating_duration_since(*due).as_nanos();
                    self.measured.latencies.push(u64::try_from(latency).unwrap_or(u64::MAX));
                    self.unanswered.pop_front();
                }
            }
        }
    }

    async fn send(&mut self, load: &Load, due: Instant) -> Result<(), Failure> {
        let side = if self.buys { Side::Buy } else { Side::Sell };
        self.buys = !self.buys;
        let order = |cl_ord_id| {
            let body = Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol: 0,
                side,
                ord_type: OrdType::Limit,
                time_in_force: TimeInForce::GoodTillCancel,
                post_only: false,
                reduce_only: false,
                price: load.price,
                order_qty: 1,
            });
            let action = Action::Message { body, padding: 0 };
            Request { number: 0, sender: self.account, sent_ns: now_ns(), action }
        };
        let first = self.next_id;
        self.next_id += load.batch as u64;
        let mut requests: Vec<Request> = (first..self.next_id).map(order).collect();
        let frame = self.initiator.requests(&mut requests).ok_or("numbers are used up")?;
        self.unanswered.push_back((due, requests.len()));
        self.measured.sent += requests.len() as u64;
        Ok(self.stream.write_all(&frame).await?)
    }

    /// Sends at the times that `due` gives, or without it whenever the window has room.
    async fn run(
        mut self,
        load: Load,
        began: Instant,
        due: Option<Due>,
    ) -> Result<Measured, Failure> {
        let end = began + Duration::from_secs_f64(load.seconds);
        let mut answered_at = began;
        if let Some(mut due) = due {
            loop {
                tokio::select! {
                    at = due.recv() => match at {
                        Some(at) => self.send(&load, at).await?,
                        None => break,
                    },
                    received = self.receive() => {
                        received?;
                        answered_at = Instant::now();
                    }
                }
            }
        } else {
            while Instant::now() < end {
                while self.unanswered.len() < load.window {
                    self.send(&load, Instant::now()).await?;
                }
                self.receive().await?;
                answered_at = Instant::now();
            }
        }
        self.measured.elapsed = answered_at - began;
        let last = Instant::now() + LAST_ANSWERS;
        while !self.unanswered.is_empty() {
            timeout_at(last, self.receive()).await.map_err(|_| "orders stay unanswered")??;
        }
        Ok(self.measured)
    }
}

/// The due times of a connection, each given when it is reached.
type Due = UnboundedReceiver<Instant>;

/// Gives each connection the times at which its frames are due, from a thread that sleeps until
/// then: the runtime's own timers have a resolution of a millisecond.
fn schedule(
    connections: usize,
    per_s: f64,
    began: Instant,
    seconds: f64,
) -> Result<Vec<Due>, Failure> {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..connections).map(|_| unbounded_channel()).unzip();
    let frames = (per_s * connections as f64 * seconds) as u64;
    let apart = Duration::from_secs_f64(1.0 / (per_s * connections as f64));
    std::thread::Builder::new().name("schedule".to_owned()).spawn(move || {
        // Frames of different connections are not due at the same instant.
        for (number, sender) in (0..frames).zip(senders.iter().cycle()) {
            let due = began + apart.mul_f64(number as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    })?;
    Ok(receivers)
}

fn quantile(sorted: &[u64], share: f64) -> f64 {
    let index = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(index).map_or(f64::NAN, |ns| *ns as f64 / 1e6)
}

async fn measure(load: Load, keys: Vec<Key>) -> Result<String, Failure> {
    let mut clients = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        clients.push(Client::log_on(&load, key, place).await?);
    }
    let began = Instant::now() + Duration::from_millis(50);
    let mut due = match load.frames_per_s {
        Some(per_s) => schedule(clients.len(), per_s, began, load.seconds)?.into_iter(),
        None => Vec::new().into_iter(),
    };
    sleep_until(began).await;
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(client.run(load.clone(), began, due.next()));
    }
    let mut total = Measured::default();
    while let Some(done) = running.join_next().await {
        let Measured { sent, sealed, rejected, refused, latencies, elapsed } = done??;
        total.sent += sent;
        total.sealed += sealed;
        total.rejected += rejected;
        total.refused += refused;
        total.latencies.extend(latencies);
        total.elapsed = total.elapsed.max(elapsed);
    }
    total.latencies.sort_unstable();
    let Measured { sent, sealed, rejected, refused, latencies, elapsed } = &total;
    Ok(serde_json::json!({
        "sent": sent, "sealed": sealed, "rejected": rejected, "refused": refused,
        "elapsed_s": elapsed.as_secs_f64(), "per_s": *sealed as f64 / elapsed.as_secs_f64(),
        "p50_ms": quantile(latencies, 0.5), "p99_ms": quantile(latencies, 0.99),
        "max_ms": quantile(latencies, 1.0),
    })
    .to_string())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, keys, seconds, batch, window, per_s @ ..] = &arguments[..] else {
        return Err("load ADDRESS KEYS SECONDS BATCH WINDOW [PER_S]".into());
    };
    let keys: Vec<Key> = serde_json::from_str(&std::fs::read_to_string(keys)?)?;
    let batch: usize = batch.parse()?;
    let per_s = per_s.first().map(|text| text.parse::<f64>()).transpose()?;
    let load = Load {
        address: address.clone(),
        seconds: seconds.parse()?,
        batch,
        window: window.parse()?,
        frames_per_s: per_s.map(|per_s| per_s / batch as f64 / keys.len() as f64),
        price: 1000,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(measure(load, keys))?);
    Ok(())
}
