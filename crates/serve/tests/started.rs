//! A small venue on a directory: one market at 1,000, whose accounts 7 and 8 have money.

use std::path::Path;
use std::time::Duration;

use surgetank_market::{MarginMode, SymbolConfig};
use surgetank_serve::config::Config;
use surgetank_serve::progress::{Ended, Recovery};
use surgetank_serve::running::{NotStarted, Running};
use surgetank_venue::genesis::{Genesis, Matching, Perpetual};
use surgetank_venue::session::auth::Secret;
use surgetank_venue::session::keys::Keys;

pub const DESK: Secret = Secret::Ed25519([3; 32]);
pub const OTHER: Secret = Secret::HmacSha256([4; 32]);
/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(60);

pub fn genesis() -> Genesis {
    let rules = SymbolConfig::default();
    let perpetual =
        Perpetual { name: "BTC".to_owned(), tick_usd: 0.1, lot: 0.001, price: 1000, rules };
    let mut genesis = Genesis {
        start_ns: 1_700_000_000_000_000_000,
        matching: Matching::Continuous,
        perpetuals: vec![perpetual],
        options: None,
        insurance: 1_000_000,
        limits: None,
        collateral: Vec::new(),
        liquidator: 0,
        vault: 1,
        entries: Vec::new(),
        entry_prices: Vec::new(),
    };
    for account in [7, 8] {
        genesis.deposit(account, 1 << 40, MarginMode::Cross);
    }
    genesis
}

fn digits(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn keys() -> Keys {
    let json = format!(
        r#"{{"desk": {{"account": 7, "permissions": ["trade", "withdraw"], "ed25519": "{}"}},
            "other": {{"account": 8, "permissions": ["trade"], "hmac": "{}"}}}}"#,
        digits(DESK.shown_to_venue()),
        digits(OTHER.shown_to_venue()),
    );
    Keys::parse(&json).expect("valid")
}

/// Small segments, so that a test fills several; and these bounds of connections.
pub fn config(connections: &str) -> Config {
    Config::from_json(&text(connections)).expect("valid")
}

pub fn text(connections: &str) -> String {
    format!(
        r#"{{"listen": "127.0.0.1:0", "ordering": "priority high=6", "intake": {{}}, "build": "test",
            "journal": {{"segment_bytes": 1048576, "segments_ahead": 1, "segments_kept": 0,
                         "batches_per_head": 64, "snapshot_requests": 200, "snapshot_s": 3600.0}},
            "connections": {connections}}}"#
    )
}

pub const CONNECTIONS: &str = r#"{"unauthenticated_max": 4, "logon_s": 20.0, "silent_s": 60.0,
    "outbound_bytes_max": 1048576, "subscriptions_max": 10, "history_bytes_max": 1048576}"#;

pub fn try_start(directory: &Path) -> Result<Running, NotStarted> {
    Running::start(&config(CONNECTIONS), genesis(), keys(), directory)
}

/// A venue that serves, with these bounds of connections, and large segments.
pub fn start_with(directory: &Path, connections: &str) -> Running {
    let text = text(connections).replace("1048576, \"segments_ahead", "67108864, \"segments_ahead");
    let text = text.replace("\"snapshot_requests\": 200", "\"snapshot_requests\": 1000000000");
    let config = Config::from_json(&text).expect("valid");
    let running = Running::start(&config, genesis(), keys(), directory).expect("it starts");
    assert!(running.wait_started(LONG));
    running
}

/// A venue that serves, and what its start has found.
pub fn start(directory: &Path) -> (Running, Recovery) {
    let running = try_start(directory).expect("it starts");
    assert!(running.wait_started(LONG));
    let recovery = running.recovery().unwrap_or_else(|| panic!("{:?}", running.wait(LONG)));
    (running, recovery)
}

pub fn drain(running: &Running) -> Ended {
    running.drain();
    running.wait(LONG).expect("it drains")
}
