//! A session with the venue, over one connection after another.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Sender;

use surgetank_layer::units::{MessageId, Ns};
use surgetank_venue::request::Request;
use surgetank_venue::wire::{CutReason, Down, Up, VenueId};

use crate::clock::{Clock, Reading};
use crate::connection::{Connection, ConnectionName, Key, Named};
use crate::unanswered::Unanswered;

/// Most requests in a frame.
const FRAME_REQUESTS: usize = 256;
/// Wait before a further attempt to connect, the first time; it doubles each time.
const BACKOFF_NS: Ns = 20_000_000;
/// The longest such wait.
const BACKOFF_MAX_NS: Ns = 500_000_000;

/// What connections are made with.
pub struct Site {
    /// Where the venue is.
    pub address: SocketAddr,
    /// Key of all sessions.
    pub key: Key,
    /// The run's clock.
    pub clock: Clock,
    /// Where arrivals go.
    pub arrivals: Sender<Named>,
}

/// A session.
pub struct Link {
    number: u32,
    session: &'static str,
    connection: Option<Connection>,
    /// Number of connections and attempts so far.
    begun: u32,
    /// Number of connections that ended after their logon.
    ended: u32,
    backoff_ns: Ns,
    /// What has no answer.
    pub unanswered: Unanswered,
}

impl Link {
    /// A link that is not connected.
    pub fn new(number: u32, session: &'static str) -> Link {
        Link {
            number,
            session,
            connection: None,
            begun: 0,
            ended: 0,
            backoff_ns: BACKOFF_NS,
            unanswered: Unanswered::default(),
        }
    }

    /// Begins to connect, if it has no connection.
    ///
    /// # Errors
    /// The system lacks threads or random numbers.
    pub fn connect(&mut self, site: &Site) -> Result<(), String> {
        if self.connection.is_some() {
            return Ok(());
        }
        let name = ConnectionName { link: self.number, before: self.begun };
        self.begun += 1;
        let key = (&site.key, self.session);
        let connection = Connection::open(name, site.address, key, site.clock, &site.arrivals);
        let connection = connection.map_err(|error| format!("{}: {error}", self.session))?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Whether this is its present connection, and not one that has ended.
    pub fn is_present(&self, name: ConnectionName) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.name() == name)
    }

    /// Whether its logon is accepted.
    pub fn is_logged_on(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_logged_on)
    }

    /// Number of connections that ended after their logon.
    pub fn ended(&self) -> u32 {
        self.ended
    }

    /// What its logon says of the venue's clock.
    pub fn reading(&self) -> Option<Reading> {
        self.connection.as_ref()?.reading()
    }

    /// Place in the journal of the last request that was durable at its logon.
    pub fn sequence(&self) -> u64 {
        self.connection.as_ref().map_or(0, Connection::sequence)
    }

    /// The venue that answers.
    pub fn venue(&self) -> Option<VenueId> {
        self.connection.as_ref()?.venue()
    }

    /// The venue has taken the connection.
    ///
    /// # Errors
    /// The system lacks threads.
    pub fn opened(&mut self, stream: TcpStream) -> Result<(), String> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        connection.opened(stream).map_err(|error| format!("{}: {error}", self.session))
    }

    /// The connection has ended: what has no answer is kept, and after the time that is returned,
    /// in ns, another attempt is due.
    pub fn lost(&mut self) -> Ns {
        self.ended += u32::from(self.is_logged_on());
        self.connection = None;
        self.unanswered.severed();
        let backoff_ns = self.backoff_ns;
        self.backoff_ns = (2 * backoff_ns).min(BACKOFF_MAX_NS);
        backoff_ns
    }

    /// What the venue says with these bytes.
    ///
    /// # Errors
    /// The bytes are not the venue's.
    pub fn hear(&mut self, unix_ns: Ns, bytes: &[u8]) -> Result<Vec<Down>, CutReason> {
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        let downs = connection.hear(unix_ns, bytes)?;
        if connection.is_logged_on() {
            self.backoff_ns = BACKOFF_NS;
        }
        Ok(downs)
    }

    /// Sends a statement; without effect if it is not logged on.
    pub fn say(&mut self, up: &Up) {
        if let Some(connection) = &mut self.connection {
            connection.say(up);
        }
    }

    /// Sends a frame of what waits, and returns its requests; `None` if there is nothing, or no
    /// logon yet.
    pub fn flush(&mut self) -> Option<(Vec<MessageId>, Vec<Request>)> {
        if self.unanswered.waiting() == 0 {
            return None;
        }
        let connection = self.connection.as_mut().filter(|one| one.is_logged_on())?;
        let (ids, mut requests) = self.unanswered.take(FRAME_REQUESTS);
        if !connection.send(&mut requests) {
            // The numbers of the connection are used up: nothing more is sent on it.
            ids.iter().zip(&requests).for_each(|(id, request)| self.unanswered.push(*id, *request));
            return None;
        }
        self.unanswered.sent(&ids, &requests);
        Some((ids, requests))
    }
}

/// Whether a further connection may be accepted after this reason.
pub fn may_return(reason: CutReason) -> bool {
    matches!(
        reason,
        CutReason::LogonTimeout
            | CutReason::Silent
            | CutReason::SlowReader
            | CutReason::TooManyConnections
            | CutReason::Stopping
            | CutReason::LoggedOut
    )
}
