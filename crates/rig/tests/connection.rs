//! Connections, and what is kept of them when they end.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use surgetank_rig::clock::{Clock, Reading};
use surgetank_rig::connection::{Arrival, Connection, ConnectionName, Key, Named};
use surgetank_venue::session::auth::Secret;

const NAME: ConnectionName = ConnectionName { link: 3, before: 0 };

fn opened(address: SocketAddr) -> (Connection, Receiver<Named>) {
    let key = Key { name: "rig".to_owned(), secret: Secret::HmacSha256([1; 32]) };
    let (sender, arrivals) = channel();
    let opened = Connection::open(NAME, address, (&key, "test"), Clock::new(0), &sender);
    (opened.expect("a thread"), arrivals)
}

#[test]
fn an_attempt_at_an_address_at_which_nothing_listens_ends() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|found| found.local_addr());
    let (_connection, arrivals) = opened(free.expect("a free port"));
    let (name, arrival) = arrivals.recv().expect("an arrival");
    assert_eq!(name, NAME);
    assert!(matches!(arrival, Arrival::End), "{arrival:?}");
}

#[test]
fn the_end_of_a_connection_arrives_after_its_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (_open, arrivals) = opened(listener.local_addr().expect("its address"));
    let (mut stream, _): (TcpStream, _) = listener.accept().expect("a connection");
    std::io::Write::write_all(&mut stream, b"bytes").expect("it takes them");
    drop(stream);
    let mut received = Vec::new();
    let mut opens = 0;
    loop {
        let (name, arrival) = arrivals.recv().expect("an arrival");
        assert_eq!(name, NAME);
        match arrival {
            Arrival::Open(_) => opens += 1,
            Arrival::Bytes(_, bytes) => received.extend(bytes),
            Arrival::End => break,
        }
    }
    assert_eq!((opens, received), (1, b"bytes".to_vec()));
}

#[test]
fn the_error_of_a_clock_reading_is_half_of_the_time_that_it_took() {
    let reading = Reading::of(1000, 2100, 1200);
    assert_eq!(reading, Reading { ahead_ns: 1000, error_ns: 100 });
    assert_eq!(Reading::of(1000, 600, 1200).ahead_ns, -500);
}
