//! Connections that are not there.

use std::net::TcpListener;
use std::sync::mpsc::channel;

use surgetank_rig::clock::Clock;
use surgetank_rig::connection::{Arrival, Connection, Key};
use surgetank_venue::session::auth::Secret;

fn key() -> Key {
    Key { name: "rig".to_owned(), secret: Secret::HmacSha256([1; 32]) }
}

#[test]
fn an_address_at_which_nothing_listens_is_an_error() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|found| found.local_addr());
    let address = free.expect("a free port");
    let (sender, _arrivals) = channel();
    let opened = Connection::open(0, address, (&key(), "test"), Clock::new(0), &sender);
    assert!(opened.is_err());
}

#[test]
fn the_end_of_a_connection_arrives_after_its_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let (sender, arrivals) = channel();
    let _open = Connection::open(3, address, (&key(), "test"), Clock::new(0), &sender);
    let (mut stream, _) = listener.accept().expect("a connection");
    std::io::Write::write_all(&mut stream, b"bytes").expect("it takes them");
    drop(stream);
    let mut received = Vec::new();
    loop {
        let (number, arrival) = arrivals.recv().expect("an arrival");
        assert_eq!(number, 3);
        match arrival {
            Arrival::Bytes(_, bytes) => received.extend(bytes),
            Arrival::End => break,
        }
    }
    assert_eq!(received, b"bytes");
}
