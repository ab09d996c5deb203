//! A connection to the venue: threads that connect, read and write, and the protocol's machine
//! between them.
//!
//! The host never waits for a socket: a thread connects and then reads, and what the host sends is
//! queued for another that writes, which waits while a stopped venue does not read.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use surgetank_layer::units::Ns;
use surgetank_venue::request::{Level, Request};
use surgetank_venue::session::auth::Secret;
use surgetank_venue::session::initiator::{Heard, Identity, Initiator};
use surgetank_venue::wire::{CutReason, Down, Up, VenueId};

use crate::clock::{Clock, Reading};

/// Longest wait for the venue to take a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// What became of a socket.
#[derive(Debug)]
pub enum Arrival {
    /// The venue has taken the connection.
    Open(TcpStream),
    /// These bytes, at this time since 1970.
    Bytes(Ns, Vec<u8>),
    /// The end of the connection, or of the attempt to make one.
    End,
}

/// A connection: the number of its link, and how many the link has had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionName {
    /// Number of the link.
    pub link: u32,
    /// Number of its connections before.
    pub before: u32,
}

/// An arrival, with the name of its connection.
pub type Named = (ConnectionName, Arrival);

/// The key with which the run logs on.
#[derive(Clone, Debug)]
pub struct Key {
    /// Name of the key at the venue.
    pub name: String,
    /// The key.
    pub secret: Secret,
}

/// A connection, or an attempt to make one.
#[derive(Debug)]
pub struct Connection {
    name: ConnectionName,
    stream: Option<TcpStream>,
    initiator: Initiator,
    out: Sender<Vec<u8>>,
    /// What the writing thread will be given.
    queue: Option<Receiver<Vec<u8>>>,
    /// When the logon was sent.
    asked_ns: Ns,
    logged_on: bool,
    /// What the logon says of the venue's clock.
    reading: Option<Reading>,
    /// Place in the journal of the last request that was durable at the logon.
    sequence: u64,
}

impl Connection {
    /// Begins to connect: what becomes of it arrives. The session's name is `session`.
    ///
    /// # Errors
    /// The system has no random numbers, or no thread can be made.
    pub fn open(
        name: ConnectionName,
        address: SocketAddr,
        (key, session): (&Key, &str),
        clock: Clock,
        arrivals: &Sender<Named>,
    ) -> std::io::Result<Connection> {
        let identity = Identity {
            key_name: key.name.clone(),
            secret: key.secret.clone(),
            session: session.to_owned(),
            level: Level::Disk,
            cancel_on_disconnect: false,
            sign_requests: false,
        };
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
        let arrivals = arrivals.clone();
        thread::Builder::new().name(format!("read {session}")).spawn(move || {
            if let Ok((mine, theirs)) = connect(address) {
                _ = arrivals.send((name, Arrival::Open(theirs)));
                read(name, mine, clock, &arrivals);
            }
            _ = arrivals.send((name, Arrival::End));
        })?;
        let (out, queue) = channel();
        Ok(Connection {
            name,
            stream: None,
            initiator: Initiator::new(identity, nonce),
            out,
            queue: Some(queue),
            asked_ns: 0,
            logged_on: false,
            reading: None,
            sequence: 0,
        })
    }

    /// Its name, which no other connection of the run has.
    pub fn name(&self) -> ConnectionName {
        self.name
    }

    /// Whether the logon is accepted.
    pub fn is_logged_on(&self) -> bool {
        self.logged_on
    }

    /// What the logon says of the venue's clock.
    pub fn reading(&self) -> Option<Reading> {
        self.reading
    }

    /// Place in the journal of the last request that was durable at the logon.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The venue that answers; `None` before it has said so.
    pub fn venue(&self) -> Option<VenueId> {
        self.initiator.challenge().map(|challenge| challenge.venue)
    }

    /// The venue has taken the connection: begins to write.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn opened(&mut self, stream: TcpStream) -> std::io::Result<()> {
        let mut writer = stream.try_clone()?;
        self.stream = Some(stream);
        let Some(queue) = self.queue.take() else { return Ok(()) };
        thread::Builder::new().name("write".to_owned()).spawn(move || {
            // The reading thread reports the end.
            while let Ok(bytes) = queue.recv() {
                if writer.write_all(&bytes).is_err() {
                    return;
                }
            }
        })?;
        Ok(())
    }

    /// What the venue says with these bytes; the challenge is answered here.
    ///
    /// # Errors
    /// The bytes are not the venue's.
    pub fn hear(&mut self, unix_ns: Ns, bytes: &[u8]) -> Result<Vec<Down>, CutReason> {
        let mut downs = Vec::new();
        for heard in self.initiator.receive(unix_ns, bytes)? {
            match heard {
                Heard::Challenge(logon) => {
                    self.asked_ns = unix_ns;
                    self.write(logon);
                }
                Heard::LoggedOn(said) => {
                    self.logged_on = true;
                    self.sequence = said.sequence;
                    self.reading = Some(Reading::of(self.asked_ns, said.time_ns, unix_ns));
                }
                Heard::Down(down) => downs.push(down),
            }
        }
        Ok(downs)
    }

    /// Sends a statement; without effect before the logon.
    pub fn say(&mut self, up: &Up) {
        if let Some(frame) = self.initiator.send(up) {
            self.write(frame);
        }
    }

    /// Sends requests, which are given their numbers. False: it is not logged on.
    pub fn send(&mut self, requests: &mut [Request]) -> bool {
        let Some(frame) = self.initiator.requests(requests) else { return false };
        self.write(frame);
        true
    }

    fn write(&self, bytes: Vec<u8>) {
        // A writer that has ended is an end that the reader reports.
        _ = self.out.send(bytes);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn connect(address: SocketAddr) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = TcpStream::connect_timeout(&address, CONNECT)?;
    stream.set_nodelay(true)?;
    Ok((stream.try_clone()?, stream))
}

fn read(name: ConnectionName, mut stream: TcpStream, clock: Clock, arrivals: &Sender<Named>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let arrival = Arrival::Bytes(clock.unix_ns(), buffer[..count].to_vec());
        if arrivals.send((name, arrival)).is_err() {
            return;
        }
    }
}
