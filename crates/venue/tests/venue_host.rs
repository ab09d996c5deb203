//! A host of a venue: performs the storage's effects on files in memory, one sync at a time.

use std::collections::VecDeque;

use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::units::{Digest, SECOND};
use surgetank_venue::answer::{Answer, Refusal};
use surgetank_venue::genesis::{Genesis, Matching};
use surgetank_venue::intake::bounds::IntakeBounds;
use surgetank_venue::intake::{ConnectionId, Session};
use surgetank_venue::request::{Level, Request};
use surgetank_venue::storage::effect::{Effect, Errno, Input as StorageInput};
use surgetank_venue::storage::{self, Mode};
use surgetank_venue::streams::StreamBounds;
use surgetank_venue::venue::{Config, Input, Output, Venue};

use crate::memory_disk::{Disk, JOURNAL, SEGMENT_BYTES};
use crate::small_venue;

/// Numbers that differ from each other.
struct Counter(u64);

impl Draws for Counter {
    fn next_u64(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

pub fn genesis() -> Genesis {
    small_venue::genesis(Matching::Continuous)
}

pub fn config(bounds: IntakeBounds) -> Config {
    Config {
        genesis: genesis(),
        bounds,
        stream_bounds: StreamBounds::default(),
        ordering: Ordering::Priority { high: 0b110 },
        batches_per_head: 3,
        build: Digest([1; 32]),
        storage: storage::Config {
            segment_bytes: SEGMENT_BYTES,
            segments_ahead: 1,
            segments_kept: 0,
            replays_for_readers: true,
            new_journal: JOURNAL,
            mode: Mode::Serve,
        },
    }
}

pub struct Host {
    pub venue: Venue,
    /// What the venue's process sees, and what a loss of power leaves.
    pub disk: Disk,
    pub synced: Disk,
    /// Whether syncs are performed, or wait for [`Host::sync`].
    pub syncs: bool,
    waiting: VecDeque<(u64, Effect)>,
    pub fails: bool,
    /// Whether every page of the past is taken at once.
    pub turns_pages: bool,
    pub said: Vec<Output>,
    draws: Counter,
    epoch: u32,
    now: u64,
}

impl Host {
    /// A venue that has started on this disk. Each start draws other secrets.
    pub fn start(disk: Disk, config: Config, start: u64) -> Host {
        let venue = Venue::new(config).expect("it opens");
        let mut host = Host {
            venue,
            synced: disk.clone(),
            disk,
            syncs: true,
            waiting: VecDeque::new(),
            fails: false,
            turns_pages: true,
            said: Vec::new(),
            draws: Counter(start << 32),
            epoch: 0,
            now: start * SECOND,
        };
        host.input(Input::Start);
        host
    }

    pub fn input(&mut self, input: Input) {
        self.now += 1000;
        let (mut out, mut pages) = (Vec::new(), Vec::new());
        self.venue.step(self.now, input, &mut self.draws, &mut out);
        for output in out {
            match output {
                Output::Storage(number, effect) => self.waiting.push_back((number, effect)),
                output => {
                    if let Output::Serving(recovered) = &output {
                        self.epoch = recovered.epoch;
                    }
                    if let Output::PageEnd(connection) = output {
                        pages.push(connection);
                    } else {
                        self.said.push(output);
                    }
                }
            }
        }
        self.perform();
        if self.turns_pages {
            pages.into_iter().for_each(|connection| self.input(Input::PageTaken(connection)));
        }
    }

    /// Performs what waits, up to a sync that must wait.
    fn perform(&mut self) {
        while let Some((number, effect)) = self.waiting.pop_front() {
            let is_sync = matches!(effect, Effect::Sync { .. });
            if is_sync && !self.syncs {
                return self.waiting.push_front((number, effect));
            }
            if is_sync && self.fails {
                self.input(Input::Storage(StorageInput::Failed(number, Errno::Io)));
                continue;
            }
            let done = self.disk.perform(&effect);
            if !matches!(effect, Effect::Write { .. }) {
                self.synced = self.disk.clone();
            }
            self.input(Input::Storage(match done {
                Ok(done) => StorageInput::Done(number, done),
                Err(errno) => StorageInput::Failed(number, errno),
            }));
        }
    }

    /// History of the journal that the venue serves.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Lets one sync pass.
    pub fn sync(&mut self) {
        self.syncs = true;
        if let Some((number, effect)) = self.waiting.pop_front() {
            self.syncs = false;
            let done = self.disk.perform(&effect).expect("a sync");
            self.synced = self.disk.clone();
            self.input(Input::Storage(StorageInput::Done(number, done)));
        }
        self.syncs = false;
    }

    pub fn log_on(&mut self, connection: ConnectionId, account: u32) {
        self.log_on_as(connection, account, "main");
    }

    pub fn log_on_as(&mut self, connection: ConnectionId, account: u32, name: &str) {
        let session = Session {
            key_name: format!("key {account}"),
            name: name.into(),
            account,
            level: Level::Disk,
            cancel_on_disconnect: false,
        };
        self.input(Input::LoggedOn(connection, session));
    }

    pub fn send(&mut self, connection: ConnectionId, requests: &[Request]) {
        let permitted: Vec<(Request, Option<Refusal>)> =
            requests.iter().map(|request| (*request, None)).collect();
        self.input(Input::Requests(connection, permitted));
    }

    /// The answers since the last call.
    pub fn answers(&mut self) -> Vec<Answer> {
        let said = std::mem::take(&mut self.said).into_iter();
        said.filter_map(|output| match output {
            Output::Answers(_, said) => Some(said.answers),
            _ => None,
        })
        .flatten()
        .collect()
    }
}
