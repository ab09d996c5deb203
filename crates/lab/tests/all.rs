//! All tests of the crate, in one binary: it is linked once.

mod actors;
mod agenda;
mod disk;
mod disk_defects;
mod faults;
mod flow_arrivals;
mod flow_tape;
mod host;
mod network_delay;
mod network_paths;
mod network_topology;
mod numbers;
mod position_book;
mod price;
mod seed;
