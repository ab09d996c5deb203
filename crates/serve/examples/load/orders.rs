//! Orders: throughput in a closed loop, or latency in an open one.
//!
//! Connections alternate between buying and selling at one price, so that orders are executed and
//! positions stay small.

use std::collections::VecDeque;
use std::time::Duration;

use surgetank_layer::message::{Body, NewOrderSingle, OrdType, Side, TimeInForce};
use surgetank_venue::answer::Answer;
use surgetank_venue::request::{Action, Request};
use surgetank_venue::wire::Down;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::client::{Client, Key, now_ns};
use crate::{Failure, quantile_ms};

/// Time in which the last answers arrive.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// What is sent.
#[derive(Clone)]
pub struct Load {
    /// Of the venue.
    pub address: String,
    /// Time of sending, s.
    pub seconds: f64,
    /// Orders in a frame.
    pub batch: usize,
    /// Unanswered frames of a connection.
    pub window: usize,
    /// Frames a second of a connection.
    pub frames_per_s: Option<f64>,
    /// Of all orders, in ticks.
    pub price: i64,
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

struct Sender {
    client: Client,
    account: u32,
    buys: bool,
    next_id: u64,
    /// Due times of the unanswered frames, and orders of each that are not answered.
    unanswered: VecDeque<(Instant, usize)>,
    measured: Measured,
}

impl Sender {
    async fn open(load: &Load, key: &Key, place: usize) -> Result<Sender, Failure> {
        Ok(Sender {
            client: Client::log_on(&load.address, key, "load".to_owned()).await?,
            account: key.account,
            buys: place.is_multiple_of(2),
            next_id: now_ns(),
            unanswered: VecDeque::new(),
            measured: Measured::default(),
        })
    }

    /// Receives once.
    async fn receive(&mut self) -> Result<(), Failure> {
        for down in self.client.receive().await? {
            if let Down::Answers(answers) = down {
                self.note(&answers.answers);
            }
        }
        Ok(())
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
        let frame = self.client.initiator.requests(&mut requests).ok_or("numbers are used up")?;
        self.unanswered.push_back((due, requests.len()));
        self.measured.sent += requests.len() as u64;
        self.client.write(&frame).await
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

/// Sends, and returns what was measured, as JSON.
pub async fn measure(load: Load, keys: Vec<Key>) -> Result<String, Failure> {
    let mut clients = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        clients.push(Sender::open(&load, key, place).await?);
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
        "p50_ms": quantile_ms(latencies, 0.5), "p99_ms": quantile_ms(latencies, 0.99),
        "max_ms": quantile_ms(latencies, 1.0),
    })
    .to_string())
}
