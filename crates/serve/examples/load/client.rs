//! A connection that is logged on: what both kinds of load share.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use surgetank_venue::request::Level;
use surgetank_venue::session::auth::Secret;
use surgetank_venue::session::initiator::{Heard, Identity, Initiator};
use surgetank_venue::wire::Down;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Failure;

/// An entry of the file of keys.
#[derive(Clone, Deserialize)]
pub struct Key {
    pub name: String,
    pub account: u32,
    pub hmac: String,
}

/// A connection to the venue.
pub struct Client {
    pub initiator: Initiator,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The system's time since 1970, in ns.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The secret of a key.
pub fn secret(digits: &str) -> Result<Secret, Failure> {
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2).ok_or("64 digits")?, 16)?;
    }
    Ok(Secret::HmacSha256(bytes))
}

impl Client {
    /// Connects, and returns once the logon is accepted.
    pub async fn log_on(address: &str, key: &Key, session: String) -> Result<Client, Failure> {
        let identity = Identity {
            key_name: key.name.clone(),
            secret: secret(&key.hmac)?,
            session,
            level: Level::Disk,
            cancel_on_disconnect: false,
            sign_requests: false,
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        let initiator = Initiator::new(identity, nonce);
        let mut client = Client { initiator, stream, buffer: vec![0; 1 << 18] };
        loop {
            for heard in client.hear().await? {
                match heard {
                    Heard::Challenge(logon) => client.write(&logon).await?,
                    Heard::LoggedOn(_) => return Ok(client),
                    Heard::Down(_) => {}
                }
            }
        }
    }

    async fn hear(&mut self) -> Result<Vec<Heard>, Failure> {
        let count = self.stream.read(&mut self.buffer).await?;
        if count == 0 {
            return Err("the venue has ended the connection".into());
        }
        let heard = self.initiator.receive(now_ns(), &self.buffer[..count]);
        Ok(heard.map_err(|reason| format!("{reason:?}"))?)
    }

    /// What the venue says next. Nothing is lost if the future is dropped before it is ready.
    pub async fn receive(&mut self) -> Result<Vec<Down>, Failure> {
        let mut said = Vec::new();
        for heard in self.hear().await? {
            match heard {
                Heard::Down(Down::Cut(cut)) => return Err(format!("cut: {cut:?}").into()),
                Heard::Down(down) => said.push(down),
                Heard::Challenge(_) | Heard::LoggedOn(_) => {}
            }
        }
        Ok(said)
    }

    /// Writes a frame.
    pub async fn write(&mut self, frame: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(frame).await?)
    }
}
