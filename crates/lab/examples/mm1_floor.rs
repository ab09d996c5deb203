//! What M/M/1 costs on the agenda with nothing but the events, the draws and two stamps a customer:
//! the floor below a run of the world, which also carries a message with its account, order, fee,
//! gateway, queue, station and row in the trace.
//!
//! `mm1_floor CUSTOMERS events` makes the two draws that M/M/1 needs, `mm1_floor CUSTOMERS draws`
//! also the six of a message's account, side, kind, size, place and fee. benchmarks/pairs.py reads the
//! CPU time of the process; printed is the mean time in the system, in service times.

use std::collections::VecDeque;

use surgetank_lab::agenda::Agenda;
use surgetank_lab::seed::{Seed, Stream};
use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Ns, nearest};

/// Mean service time, and the share of time that the server works.
const SERVICE_NS: f64 = 1e6;
const RHO: f64 = 0.8;

#[derive(Clone, Copy)]
enum Event {
    /// A customer decides to come, is at the door, is served.
    Sent,
    Arrives(u32),
    Served(u32),
}

struct Queue {
    agenda: Agenda<Event>,
    arrivals: Stream,
    service: Stream,
    waiting: VecDeque<u32>,
    busy: bool,
    came: Vec<Ns>,
    left: Vec<Ns>,
}

impl Queue {
    fn serve(&mut self, now: Ns, customer: u32) {
        let span = nearest(self.service.exponential() * SERVICE_NS);
        self.agenda.push(now + span, Event::Served(customer));
    }

    fn happens(&mut self, now: Ns, event: Event, customers: u32) {
        match event {
            Event::Sent => {
                let customer = self.came.len() as u32;
                self.came.push(now);
                self.left.push(Ns::MAX);
                self.agenda.push(now, Event::Arrives(customer));
                if customer + 1 < customers {
                    let gap = nearest(self.arrivals.exponential() * SERVICE_NS / RHO);
                    self.agenda.push(now + gap, Event::Sent);
                }
            }
            Event::Arrives(customer) if self.busy => self.waiting.push_back(customer),
            Event::Arrives(customer) => {
                self.busy = true;
                self.serve(now, customer);
            }
            Event::Served(customer) => {
                self.left[customer as usize] = now;
                match self.waiting.pop_front() {
                    Some(next) => self.serve(now, next),
                    None => self.busy = false,
                }
            }
        }
    }
}

/// Mean time in the queue and in service, in service times. `more` is called for each customer.
fn run(customers: u32, mut more: impl FnMut()) -> f64 {
    let seed = Seed::new(1);
    let mut queue = Queue {
        agenda: Agenda::new(),
        arrivals: seed.stream("arrivals", 0),
        service: seed.stream("service", 0),
        waiting: VecDeque::new(),
        busy: false,
        came: Vec::new(),
        left: Vec::new(),
    };
    queue.agenda.push(0, Event::Sent);
    while let Some((now, event)) = queue.agenda.pop() {
        if matches!(event, Event::Sent) {
            more();
        }
        queue.happens(now, event, customers);
    }
    let stays = queue.came.iter().zip(&queue.left).map(|(came, left)| (left - came) as f64);
    stays.sum::<f64>() / f64::from(customers) / SERVICE_NS
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let customers = arguments.next().map_or(2_000_000, |a| a.parse().expect("a number"));
    let mut draws = Seed::new(1).stream("message", 0);
    let mut sum = 0.0;
    let stay = match arguments.next().as_deref() {
        Some("draws") => run(customers, || {
            sum += (0..5).map(|_| draws.unit()).sum::<f64>() + draws.exponential();
        }),
        _ => run(customers, || ()),
    };
    println!("{{\"customers\": {customers}, \"stay\": {stay:.3}, \"drawn\": {sum:.0}}}");
}
