//! Load on a venue through the binary gateway, for `benchmarks/venue.py`: writes one JSON line.
//!
//! `load orders ADDRESS KEYS SECONDS BATCH WINDOW [PER_S]`: `KEYS` is a JSON file with a list of
//! `{"name", "account", "hmac"}`, one connection each. Without `PER_S` each connection has `WINDOW`
//! unanswered frames of `BATCH` orders; with it, frames leave at their times, late or not, and the
//! latency of an order counts from the time at which its frame was due.
//!
//! `load websocket ADDRESS KEYS SECONDS WINDOW MARKET PRICE AMOUNT`: one connection for each key, each
//! with `WINDOW` unanswered calls of one order, as JSON over WebSocket.
//!
//! `load subscribers ADDRESS KEYS SECONDS COUNT`: so many connections, of all keys in turn, follow
//! the book and the trades of market 0; the latency of an event counts from the sealing of its batch.

mod client;
mod orders;
mod subscribers;
mod websocket;

use std::error::Error;

use client::Key;
use orders::Load;
use websocket::Calls;

type Failure = Box<dyn Error + Send + Sync>;

/// A quantile of sorted times in ns, in ms.
fn quantile_ms(sorted: &[u64], share: f64) -> f64 {
    let index = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(index).map_or(f64::NAN, |ns| *ns as f64 / 1e6)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, address, keys, seconds, rest @ ..] = &arguments[..] else {
        return Err("load orders|subscribers ADDRESS KEYS SECONDS …".into());
    };
    let keys: Vec<Key> = serde_json::from_str(&std::fs::read_to_string(keys)?)?;
    let (address, seconds) = (address.clone(), seconds.parse::<f64>()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = match (what.as_str(), rest) {
        ("orders", [batch, window, per_s @ ..]) => {
            let batch: usize = batch.parse()?;
            let per_s = per_s.first().map(|text| text.parse::<f64>()).transpose()?;
            let frames_per_s = per_s.map(|per_s| per_s / batch as f64 / keys.len() as f64);
            let window = window.parse()?;
            let load = Load { address, seconds, batch, window, frames_per_s, price: 1000 };
            runtime.block_on(orders::measure(load, keys))?
        }
        ("websocket", [window, market, price, amount]) => {
            let [market, price, amount] = [market, price, amount].map(String::clone);
            let calls = Calls { address, seconds, window: window.parse()?, market, price, amount };
            runtime.block_on(websocket::measure(calls, keys))?
        }
        ("subscribers", [count]) => {
            runtime.block_on(subscribers::measure(&address, &keys, seconds, count.parse()?))?
        }
        _ => return Err("load orders … BATCH WINDOW [PER_S], load subscribers … COUNT".into()),
    };
    println!("{measured}");
    Ok(())
}
