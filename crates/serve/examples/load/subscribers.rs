//! Subscribers of market data: events a second that reach them, and how late.

use std::time::Duration;

use surgetank_venue::event::{Stamped, StreamKey};
use surgetank_venue::wire::{Down, Subscription, Up};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::client::{Client, Key, now_ns};
use crate::{Failure, quantile_ms};

/// Of one connection, or of all.
#[derive(Default)]
struct Measured {
    events: u64,
    /// Events that were announced as missing, or that were left out in favour of later ones.
    missing: u64,
    /// From the sealing of the batch to the arrival of its event, in ns.
    latencies: Vec<u64>,
}

impl Measured {
    fn note(&mut self, events: &[Stamped]) {
        let now = now_ns();
        for event in events {
            self.events += 1;
            self.missing += event.number - event.previous - 1;
            self.latencies.push(now.saturating_sub(event.time_ns));
        }
    }
}

async fn follow(mut client: Client, until: Instant) -> Result<Measured, Failure> {
    let keys = [StreamKey::Book(0), StreamKey::Trades(0)];
    let wanted = keys.map(|key| Subscription { key, after: None, conflate: false }).to_vec();
    let frame = client.initiator.send(&Up::Subscribe(wanted)).ok_or("numbers are used up")?;
    client.write(&frame).await?;
    let mut measured = Measured::default();
    while let Ok(said) = timeout_at(until, client.receive()).await {
        for down in said? {
            match down {
                Down::Events(events) => measured.note(&events),
                Down::Gap(gap) => measured.missing += gap.to + 1 - gap.from,
                _ => {}
            }
        }
    }
    Ok(measured)
}

/// Follows, and returns what was measured, as JSON.
pub async fn measure(
    address: &str,
    keys: &[Key],
    seconds: f64,
    count: usize,
) -> Result<String, Failure> {
    let mut clients = Vec::new();
    for (number, key) in keys.iter().cycle().take(count).enumerate() {
        clients.push(Client::log_on(address, key, format!("subscriber {number}")).await?);
    }
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(follow(client, until));
    }
    let mut total = Measured::default();
    while let Some(done) = running.join_next().await {
        let Measured { events, missing, latencies } = done??;
        total.events += events;
        total.missing += missing;
        total.latencies.extend(latencies);
    }
    total.latencies.sort_unstable();
    let Measured { events, missing, latencies } = &total;
    Ok(serde_json::json!({
        "subscribers": count, "events": events, "missing": missing,
        "per_s": *events as f64 / seconds,
        "p50_ms": quantile_ms(latencies, 0.5), "p99_ms": quantile_ms(latencies, 0.99),
    })
    .to_string())
}
