//! The venue as a whole: sealed, executed, held, released after the sync; the same after a start.

use std::collections::BTreeMap;

use proptest::prelude::*;
use surgetank_layer::message::{Body, Side};
use surgetank_market::{MarginMode, Reject};
use surgetank_venue::answer::{Answer, Duplicate, JournalPlace, Sealed, Status};
use surgetank_venue::intake::bounds::IntakeBounds;
use surgetank_venue::request::{AccountRequest, Action, Request};
use surgetank_venue::storage::effect::{Errno, FileName, Halt};
use surgetank_venue::venue::{Input, Output, Stop};
use surgetank_venue::wire::OrderStatus;

use crate::examples::{about, cancel, message, order};
use crate::memory_disk::Disk;
use crate::venue_host::{Host, config};

fn host(disk: Disk, start: u64) -> Host {
    let mut host = Host::start(disk, config(IntakeBounds::default()), start);
    assert!(host.said.iter().any(|said| matches!(said, Output::Serving(_))), "{:?}", host.said);
    for account in 0..3 {
        host.log_on(account.into(), account);
    }
    host.said.clear();
    host
}

/// An order of this account at 100, which is matched by one of the other side.
pub fn trade(account: u32, number: u32, id: u64, side: Side) -> Request {
    let mut request = Request { sender: account, ..message(number, order(id)) };
    if let Action::Message { body: Body::NewOrderSingle(new), .. } = &mut request.action {
        (new.side, new.price, new.order_qty) = (side, 100, 1);
    }
    request
}

fn sealed(answers: &[Answer]) -> Vec<(u32, u64, u8)> {
    let of = |answer: &Answer| match answer {
        Answer::Sealed(Sealed { request, sequence, ord_rej_reason, .. }) => {
            Some((*request, *sequence, *ord_rej_reason))
        }
        _ => None,
    };
    answers.iter().filter_map(of).collect()
}

#[test]
fn answers_are_held_until_the_sync() {
    let mut host = host(Disk::default(), 1);
    host.syncs = false;
    host.send(0, &[trade(0, 1, 1, Side::Buy)]);
    host.send(1, &[trade(1, 1, 1, Side::Sell)]);
    assert_eq!(host.answers(), [], "nothing is durable");
    for syncs in 1.. {
        host.sync();
        let answers = host.answers();
        if !answers.is_empty() {
            assert_eq!(sealed(&answers), [(1, 1, 0)], "the second one is in the next batch");
            break;
        }
        assert!(syncs < 10);
    }
    let held = host.venue.execution().market().position(0, 0);
    assert_eq!(held, 51, "the second batch is executed while it waits");
    host.sync();
    let answers = host.answers();
    assert_eq!(sealed(&answers), [(1, 2, 0)]);
    let [Answer::Sealed(one)] = answers[..] else { panic!("{answers:?}") };
    let stamps = [one.received_ns, one.sealed_ns, one.executed_ns, one.synced_ns];
    assert!(stamps.is_sorted() && one.sealed_ns < one.synced_ns, "{stamps:?}");
}

#[test]
fn requests_about_accounts_take_their_place_among_messages() {
    let mut host = host(Disk::default(), 1);
    host.syncs = false;
    host.send(0, &[trade(0, 1, 1, Side::Buy)]);
    let of = |number, id, request| Request { sender: 0, ..about(number, id, request) };
    let mode = MarginMode::Cross;
    host.send(
        0,
        &[
            of(2, 2, AccountRequest::Deposit { account: 7, cash: 5 }),
            of(3, 3, AccountRequest::Open { account: 7, mode }),
            trade(0, 4, 4, Side::Buy),
            of(5, 5, AccountRequest::Deposit { account: 7, cash: 5 }),
            of(6, 6, AccountRequest::CancelAll { account: 0, symbol: None }),
        ],
    );
    (0..6).for_each(|_| host.sync());
    let no_account = Reject::UnknownAccount as u8;
    // By the venue's rule cancels of all orders go first in their batch.
    let places = [(1, 1, 0), (6, 2, 0), (2, 3, no_account), (3, 4, 0), (4, 5, 0), (5, 6, 0)];
    assert_eq!(sealed(&host.answers()), places);
    assert_eq!(host.venue.execution().market().book(0).best(Side::Buy), Some((100, 1)));
}

#[test]
fn after_a_failed_sync_there_is_no_answer() {
    let mut host = host(Disk::default(), 1);
    host.fails = true;
    host.send(0, &[trade(0, 1, 1, Side::Buy)]);
    assert_eq!(host.said, [Output::Stopped(Stop::Storage(Some(Halt::Storage(Errno::Io))))]);
    host.send(0, &[trade(0, 2, 2, Side::Buy)]);
    assert_eq!(host.said.len(), 1, "nothing more happens");
}

#[test]
fn sequence_numbers_go_on_after_a_start() {
    let mut disk = Disk::default();
    for start in 1..=3 {
        let mut host = host(disk, start);
        let number = 2 * start as u32;
        let id = start;
        host.send(0, &[trade(0, number, id, Side::Buy)]);
        assert_eq!(sealed(&host.answers()), [(number, start, 0)]);
        disk = host.synced;
    }
}

#[test]
fn a_journal_of_another_venue_is_refused() {
    let mut first = host(Disk::default(), 1);
    first.send(0, &[trade(0, 1, 1, Side::Buy)]);
    let mut other = config(IntakeBounds::default());
    other.genesis.insurance += 1;
    let host = Host::start(first.synced, other, 2);
    assert!(host.said.contains(&Output::Stopped(Stop::OtherGenesis)), "{:?}", host.said);
}

#[derive(Clone, Debug)]
enum Step {
    Send {
        account: u32,
        requests: Vec<(u64, u8)>,
    },
    Sync,
    Snapshot,
    /// The process ends, and what was written stays; or the power is lost.
    Kill,
    PowerLoss,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let requests = prop::collection::vec((1..40u64, 0..6u8), 1..6);
    let step = prop_oneof![
        6 => (0..3u32, requests).prop_map(|(account, requests)| Step::Send { account, requests }),
        6 => Just(Step::Sync),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerLoss),
    ];
    prop::collection::vec(step, 0..50)
}

fn request(account: u32, number: u32, id: u64, kind: u8) -> Request {
    let of = |action: AccountRequest| Request { sender: account, ..about(number, id, action) };
    match kind {
        0 => Request { sender: account, ..message(number, cancel(id)) },
        1 => of(AccountRequest::CancelAll { account, symbol: None }),
        2 => of(AccountRequest::Deposit { account, cash: 3 }),
        3 => of(AccountRequest::Withdraw { account, cash: 2 }),
        4 => trade(account, number, id, Side::Sell),
        _ => trade(account, number, id, Side::Buy),
    }
}

/// What clients were answered to be durable: places and reasons by account and ClOrdID.
type Answered = BTreeMap<(u32, u64), (u64, u8)>;

struct World {
    host: Host,
    starts: u64,
    numbers: [u32; 3],
    sent: BTreeMap<(u32, u32), u64>,
    answered: Answered,
}

impl World {
    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Send { account, requests } => {
                let requests: Vec<Request> = requests
                    .iter()
                    .map(|&(id, kind)| {
                        self.numbers[*account as usize] += 1;
                        let number = self.numbers[*account as usize];
                        self.sent.insert((*account, number), id);
                        request(*account, number, id, kind)
                    })
                    .collect();
                self.host.send((*account).into(), &requests);
            }
            Step::Sync => self.host.sync(),
            Step::Snapshot => self.host.input(Input::Snapshot),
            Step::Kill => self.restart(self.host.disk.clone()),
            Step::PowerLoss => self.restart(self.host.synced.clone()),
        }
        self.hear()
    }

    fn restart(&mut self, disk: Disk) {
        self.starts += 1;
        self.host = host(disk, self.starts);
        self.host.syncs = false;
        self.numbers = [0; 3];
        self.sent.clear();
    }

    fn hear(&mut self) -> Result<(), TestCaseError> {
        for output in std::mem::take(&mut self.host.said) {
            let Output::Answers(connection, said) = output else { continue };
            let account = connection as u32;
            for answer in said.answers {
                let id = self.sent.remove(&(account, answer.request())).expect("one answer");
                let place = match answer {
                    Answer::Sealed(Sealed { sequence, ord_rej_reason, .. })
                    | Answer::Duplicate(Duplicate { sequence, ord_rej_reason, .. }) => {
                        (sequence, ord_rej_reason)
                    }
                    Answer::Refused(refused) => panic!("{refused:?}"),
                };
                let before = self.answered.insert((account, id), place);
                prop_assert!(before.is_none_or(|before| before == place), "{id} of {account}");
            }
        }
        Ok(())
    }

    /// Everything that was answered is still known.
    fn check(&mut self) -> Result<(), TestCaseError> {
        for ((account, cl_ord_id), (sequence, ord_rej_reason)) in self.answered.clone() {
            self.host.input(Input::OrderStatus(account.into(), cl_ord_id));
            let status = Status::Known(JournalPlace { sequence, ord_rej_reason });
            let expected = Output::OrderStatus(account.into(), OrderStatus { cl_ord_id, status });
            prop_assert_eq!(self.host.said.pop(), Some(expected));
        }
        Ok(())
    }
}

fn without_snapshots(mut disk: Disk) -> Disk {
    disk.files.retain(|name, _| matches!(name, FileName::Segment(_)));
    disk
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_was_answered_stands_whatever_happens(steps in steps()) {
        let first = host(Disk::default(), 1);
        let answered = BTreeMap::new();
        let mut world = World { host: first, starts: 1, numbers: [0; 3], sent: BTreeMap::new(), answered };
        world.host.syncs = false;
        for step in &steps {
            world.step(step)?;
        }
        (0..100).try_for_each(|_| world.step(&Step::Sync))?;
        prop_assert!(world.sent.is_empty(), "all is answered");
        world.check()?;
        let state = world.host.venue.state_hash();
        let disk = world.host.synced.clone();
        world.restart(disk.clone());
        world.check()?;
        prop_assert_eq!(world.host.venue.state_hash(), state, "from the newest snapshot");
        if world.host.disk.archived.is_empty() {
            world.restart(without_snapshots(disk));
            world.check()?;
            prop_assert_eq!(world.host.venue.state_hash(), state, "from the genesis");
        }
    }
}
