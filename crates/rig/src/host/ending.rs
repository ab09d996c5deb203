//! The end of a run: the last answers, and what it leaves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use surgetank_lab::exchange::{self, Exchange};
use surgetank_lab::trace::Outcome as Became;
use surgetank_layer::units::{Digest, MessageId};
use surgetank_venue::execution::state_hash;
use surgetank_venue::wire::Up;

use super::{Outcome, Rig, open};
use crate::link::Link;
use crate::rows;

/// Time in which the last answers arrive.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// Time without an arrival after which nothing more is expected.
const QUIET: Duration = Duration::from_millis(100);

impl Rig {
    /// Ends the run and makes its trace.
    ///
    /// # Errors
    /// The scenario cannot be opened again.
    pub fn finish(mut self) -> Result<Outcome, String> {
        let end_ns = self.now().min(self.scenario.end_ns()).max(1);
        self.settle();
        self.links.iter_mut().for_each(|link| link.say(&Up::Logout(())));
        let before_ns = self.site.clock.start_ns - self.opened_ns;
        let mut exchange = open(&self.scenario, &self.files, &self.seed, before_ns)?;
        rows::execute_again(&mut self.record, &mut exchange);
        let live = self.live(&exchange)?;
        self.record.conclude();
        let background = &self.actors.background;
        let until = end_ns.min(self.scenario.flow_end_ns());
        let replays = self.scenario.flow.replay_messages;
        let expected = (!replays).then(|| background.expected(until));
        let counts = (background.sent(), expected, end_ns);
        let found = self.attacker.found();
        let stats = rows::stats(&self.record, &exchange, &self.scenario, counts, found);
        let tables = rows::tables(self.record, &exchange, end_ns);
        Ok(Outcome { tables, stats, live })
    }

    /// Waits for the last answers and batches.
    fn settle(&mut self) {
        self.is_over = true;
        self.agenda.end();
        let patience = Instant::now() + LAST_ANSWERS;
        while self.failed.is_none() && Instant::now() < patience {
            if !self.turn(QUIET) && self.is_settled() {
                return;
            }
        }
    }

    /// Whether nothing more is to come.
    fn is_settled(&self) -> bool {
        let rests = |link: &Link| link.is_logged_on() && link.unanswered.is_empty();
        self.links.iter().all(rests) && self.record.promises.is_complete()
    }

    /// Hash of what the venue must have opened with.
    ///
    /// # Errors
    /// The scenario cannot be opened.
    pub(super) fn genesis_hash(&self) -> Result<Digest, String> {
        let (tape, positions) = (self.files.tape.as_ref(), self.files.positions.as_ref());
        let genesis = exchange::genesis_of(&self.scenario, tape, positions, &self.seed)?;
        let mut genesis = genesis.ok_or("it has no [market]")?;
        genesis.start_ns = self.opened_ns;
        Ok(genesis.hash())
    }

    /// Hash of the state of a venue that has executed what the record has.
    fn state_hash(&self, exchange: &Exchange) -> Result<String, String> {
        let hash = state_hash(&self.genesis_hash()?, &exchange.execution().state());
        Ok(hash.0.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn live(&self, exchange: &Exchange) -> Result<Value, String> {
        let mut late = self.record.lateness_ns.clone();
        late.sort_unstable();
        let quantile = |share: f64| {
            let at = (late.len().saturating_sub(1) as f64 * share).round() as usize;
            late.get(at).copied().unwrap_or(0)
        };
        let refused =
            |id: MessageId| self.record.messages.outcome.get(id as usize) == Some(&Became::Refused);
        let breaches = self.record.promises.breaches(refused);
        let unanswered: usize = self.links.iter().map(|link| link.unanswered.len()).sum();
        let again: u64 = self.links.iter().map(|link| link.unanswered.sent_again()).sum();
        let ended: u32 = self.links.iter().map(Link::ended).sum();
        Ok(json!({
            "scheduled": self.record.messages.len(),
            "sent": self.record.handed_over,
            "lateness_p50_ns": quantile(0.5),
            "lateness_p99_ns": quantile(0.99),
            "lateness_max_ns": quantile(1.0),
            "refusals": self.record.refusals,
            "unanswered": unanswered,
            "sent_again": again,
            "connections_ended": ended,
            "breaches": {
                "lost": breaches.lost,
                "refused": breaches.refused,
                "twice": breaches.twice,
                "unchained": breaches.unchained,
                "first": breaches.first,
            },
            "clock_ahead_ns": self.reading.map(|reading| reading.ahead_ns),
            "clock_error_ns": self.reading.map(|reading| reading.error_ns),
            "foreign": self.record.foreign,
            "failed": self.failed,
            "state_hash": self.state_hash(exchange)?,
        }))
    }
}
