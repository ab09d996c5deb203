//! A client with a blocking socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

use surgetank_layer::message::{Body, NewOrderSingle, OrdType, Side, TimeInForce};
use surgetank_venue::answer::Answer;
use surgetank_venue::request::{Action, Level, Request};
use surgetank_venue::session::auth::Secret;
use surgetank_venue::session::initiator::{Heard, Identity, Initiator};
use surgetank_venue::wire::{Down, LoggedOn, Up};

use crate::started::LONG;

pub struct Client {
    pub stream: TcpStream,
    initiator: Initiator,
    pub logged_on: Option<LoggedOn>,
    heard: Vec<Down>,
}

pub fn identity(key_name: &str, secret: Secret) -> Identity {
    Identity {
        key_name: key_name.into(),
        secret,
        session: "main".into(),
        level: Level::Disk,
        cancel_on_disconnect: false,
        sign_requests: false,
    }
}

/// A limit order of an account.
pub fn order(account: u32, cl_ord_id: u64, side: Side) -> Request {
    let body = Body::NewOrderSingle(NewOrderSingle {
        cl_ord_id,
        symbol: 0,
        side,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        post_only: false,
        reduce_only: false,
        price: 1000,
        order_qty: 2,
    });
    Request { number: 0, sender: account, sent_ns: 1, action: Action::Message { body, padding: 0 } }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
}

impl Client {
    /// A connection that is not logged on.
    pub fn connect(address: SocketAddr, identity: Identity) -> Client {
        let stream = TcpStream::connect(address).expect("the venue listens");
        stream.set_read_timeout(Some(LONG)).expect("a timeout");
        let initiator = Initiator::new(identity, [9; 16]);
        Client { stream, initiator, logged_on: None, heard: Vec::new() }
    }

    pub fn log_on(address: SocketAddr, identity: Identity) -> Client {
        let mut client = Client::connect(address, identity);
        while client.logged_on.is_none() {
            assert!(client.receive(), "the logon was refused: {:?}", client.heard);
        }
        client
    }

    /// Receives once; whether the connection is still there.
    fn receive(&mut self) -> bool {
        let mut buffer = vec![0; 1 << 16];
        let Ok(count) = self.stream.read(&mut buffer) else { return false };
        for heard in self.initiator.receive(now(), &buffer[..count]).expect("the venue's frames") {
            match heard {
                Heard::Challenge(logon) => self.stream.write_all(&logon).expect("it takes it"),
                Heard::LoggedOn(logged_on) => self.logged_on = Some(logged_on),
                Heard::Down(down) => self.heard.push(down),
            }
        }
        count > 0
    }

    /// Waits for something.
    pub fn wait<T>(&mut self, wanted: impl Fn(&Down) -> Option<T>) -> T {
        loop {
            if let Some(index) = self.heard.iter().position(|down| wanted(down).is_some())
                && let Some(found) = wanted(&self.heard.remove(index))
            {
                return found;
            }
            assert!(self.receive(), "the connection has ended: {:?}", self.heard);
        }
    }

    pub fn send(&mut self, up: &Up) {
        let frame = self.initiator.send(up).expect("logged on");
        self.stream.write_all(&frame).expect("it takes it");
    }

    pub fn request(&mut self, requests: &mut [Request]) {
        let frame = self.initiator.requests(requests).expect("logged on");
        self.stream.write_all(&frame).expect("it takes it");
    }

    /// Sends requests, and waits for their answers.
    pub fn ask(&mut self, requests: &mut [Request]) -> Vec<Answer> {
        self.request(requests);
        let mut answers = Vec::new();
        while answers.len() < requests.len() {
            answers.extend(self.wait(|down| match down {
                Down::Answers(answers) => Some(answers.answers.clone()),
                _ => None,
            }));
        }
        answers
    }
}
