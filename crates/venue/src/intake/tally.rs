//! What the intake has decided since the start of the process, counted; and how it stands now.
//!
//! # Rules
//! 1. Every request of a client is counted once as received, and once as sealed, refused or
//!    duplicate when it is answered: `received` is their sum, and those that are not answered yet.
//! 2. Nothing of this is a part of the state: it follows from no journal.

use std::collections::BTreeMap;

use serde::Serialize;
use surgetank_layer::message::Class;
use surgetank_layer::units::{AccountId, Ns};

use super::Intake;
use crate::answer::Answer;
use crate::buckets::Buckets;
use crate::request::Level;
use crate::wire::ConnectionId;

/// Sessions that a [`Standing`] lists.
pub const SESSIONS_SHOWN: usize = 200;

/// Counts since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Requests of clients.
    pub received: u64,
    /// Those that were answered with a place of their own in the journal.
    pub sealed: u64,
    /// Those that were answered as copies.
    pub duplicates: u64,
    /// Those that were not accepted, by the name of the reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Of the sealed ones, those that the market refused, by OrdRejReason.
    pub rejected: BTreeMap<u8, u64>,
    /// Requests of each batch.
    pub batch_requests: Buckets,
    /// From the receipt of a request to the end of the sync of its batch, in ns.
    pub durable_ns: Buckets,
}

impl Tally {
    /// Counts an answer.
    pub fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::Sealed(sealed) => {
                self.sealed += 1;
                if sealed.ord_rej_reason > 0 {
                    *self.rejected.entry(sealed.ord_rej_reason).or_default() += 1;
                }
                if sealed.synced_ns > 0 {
                    self.durable_ns.note(sealed.synced_ns.saturating_sub(sealed.received_ns));
                }
            }
            Answer::Refused(refused) => {
                *self.refused.entry(refused.refusal.name()).or_default() += 1;
            }
            Answer::Duplicate(_) => self.duplicates += 1,
        }
    }
}

/// A connection that is logged on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionStanding {
    /// The connection.
    pub connection: ConnectionId,
    /// Name of its key.
    pub key: String,
    /// Name of the session.
    pub session: String,
    /// Account of the key.
    pub account: AccountId,
    /// When its requests are answered.
    pub level: Level,
    /// Time of the logon.
    pub since_ns: Ns,
    /// Requests that it has sent.
    pub requests: u32,
    /// Those that are not answered.
    pub unanswered: usize,
}

/// How the intake stands.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Counts since the start.
    pub tally: Tally,
    /// Requests that wait for their place in the journal, by class.
    pub waiting: BTreeMap<Class, usize>,
    /// Their size, in bytes.
    pub waiting_bytes: u64,
    /// Requests that are executed and not durable.
    pub held: usize,
    /// The most unanswered requests of an account, of all its sessions.
    pub account_unanswered_max: usize,
    /// Connections that are logged on.
    pub connections: usize,
    /// The longest-standing of them.
    pub sessions: Vec<SessionStanding>,
}

impl Intake {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        let mut by_account: BTreeMap<AccountId, usize> = BTreeMap::new();
        for known in self.connections.values() {
            *by_account.entry(known.session.account).or_default() += known.open.len();
        }
        let session = |(&connection, known): (&ConnectionId, &super::Connection)| SessionStanding {
            connection,
            key: known.session.key_name.clone(),
            session: known.session.name.clone(),
            account: known.session.account,
            level: known.session.level,
            since_ns: known.since_ns,
            requests: known.last,
            unanswered: known.open.len(),
        };
        Standing {
            tally: self.tally.clone(),
            waiting: self.waiting_by_class.clone(),
            waiting_bytes: self.waiting_bytes,
            held: self.held.iter().map(|batch| batch.requests.len()).sum(),
            account_unanswered_max: by_account.into_values().max().unwrap_or(0),
            connections: self.connections.len(),
            sessions: self.connections.iter().take(SESSIONS_SHOWN).map(session).collect(),
        }
    }
}
