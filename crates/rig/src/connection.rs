//! A connection to the venue: two threads that read and write, and the protocol's machine between
//! them.
//!
//! The host never waits for a socket: what it sends is queued for the writing thread, which waits
//! while a stopped venue does not read.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use surgetank_layer::units::{MessageId, Ns};
use surgetank_venue::request::{Level, Request};
use surgetank_venue::session::auth::Secret;
use surgetank_venue::session::initiator::{Heard, Identity, Initiator};
use surgetank_venue::wire::{CutReason, Down, Up};

use crate::clock::Clock;

/// Longest wait for the venue to take a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// What a socket has read.
#[derive(Debug)]
pub enum Arrival {
    /// These bytes, at this time since 1970.
    Bytes(Ns, Vec<u8>),
    /// The end of the connection.
    End,
}

/// An arrival, with the number of its connection.
pub type Numbered = (u32, Arrival);

/// The key with which the run logs on.
#[derive(Clone, Debug)]
pub struct Key {
    /// Name of the key at the venue.
    pub name: String,
    /// The key.
    pub secret: Secret,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    number: u32,
    stream: TcpStream,
    initiator: Initiator,
    out: Sender<Vec<u8>>,
    logged_on: bool,
    /// Messages of the requests sent, by number from 1.
    sent: Vec<MessageId>,
}

impl Connection {
    /// Connects, and begins to read and to write. The session's name is `session`.
    ///
    /// # Errors
    /// Nothing listens, or no thread can be made.
    pub fn open(
        number: u32,
        address: SocketAddr,
        (key, session): (&Key, &str),
        clock: Clock,
        arrivals: &Sender<Numbered>,
    ) -> std::io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, CONNECT)?;
        stream.set_nodelay(true)?;
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
        let (reader, writer, arrivals) =
            (stream.try_clone()?, stream.try_clone()?, arrivals.clone());
        thread::Builder::new().name(format!("read {session}")).spawn(move || {
            read(number, reader, clock, &arrivals);
        })?;
        let (out, queue) = channel::<Vec<u8>>();
        thread::Builder::new().name(format!("write {session}")).spawn(move || {
            let mut writer = writer;
            // The reading thread reports the end.
            while let Ok(bytes) = queue.recv() {
                if writer.write_all(&bytes).is_err() {
                    return;
                }
            }
        })?;
        let initiator = Initiator::new(identity, nonce);
        Ok(Connection { number, stream, initiator, out, logged_on: false, sent: Vec::new() })
    }

    /// Its number, which no other connection of the run has.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether the logon is accepted.
    pub fn is_logged_on(&self) -> bool {
        self.logged_on
    }

    /// What the venue says with these bytes; the challenge is answered here.
    ///
    /// # Errors
    /// The bytes are not the venue's.
    pub fn hear(&mut self, unix_ns: Ns, bytes: &[u8]) -> Result<Vec<Down>, CutReason> {
        let mut downs = Vec::new();
        for heard in self.initiator.receive(unix_ns, bytes)? {
            match heard {
                Heard::Challenge(logon) => self.write(logon),
                Heard::LoggedOn(_) => self.logged_on = true,
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

    /// Sends requests, which are given their numbers, of these messages. False: it is not logged on.
    pub fn send(&mut self, requests: &mut [Request], messages: &[MessageId]) -> bool {
        let Some(frame) = self.initiator.requests(requests) else { return false };
        self.sent.extend_from_slice(messages);
        self.write(frame);
        true
    }

    /// The message of a request that was sent.
    pub fn message(&self, request: u32) -> Option<MessageId> {
        self.sent.get((request as usize).checked_sub(1)?).copied()
    }

    fn write(&self, bytes: Vec<u8>) {
        // A writer that has ended is an end that the reader reports.
        _ = self.out.send(bytes);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn read(number: u32, mut stream: TcpStream, clock: Clock, arrivals: &Sender<Numbered>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let arrival = Arrival::Bytes(clock.unix_ns(), buffer[..count].to_vec());
        if arrivals.send((number, arrival)).is_err() {
            return;
        }
    }
    _ = arrivals.send((number, Arrival::End));
}
