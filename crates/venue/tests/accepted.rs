//! Nothing is executed twice: the intake against a list of all that was ever executed, over copies,
//! reconnections, restarts and forgotten ClOrdIDs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use surgetank_venue::answer::{Answer, JournalPlace, Refusal, Status};
use surgetank_venue::intake::accepted::{Accepted, Known};
use surgetank_venue::intake::bounds::IntakeBounds;
use surgetank_venue::intake::{ConnectionId, Executed, Intake, Session};
use surgetank_venue::request::{Level, Request};

use crate::examples::{cancel, message, order};

/// So few that most are forgotten.
const REMEMBERED_MAX: usize = 6;
const IDS: u64 = 40;
const BOUNDS: IntakeBounds = IntakeBounds {
    waiting_max: 10,
    waiting_bytes_max: 1 << 20,
    account_open_max: 5,
    rate: None,
    remembered_max: REMEMBERED_MAX,
    connections_max: 8,
    batch_requests_max: 4,
    batch_bytes_max: 1 << 20,
};

#[derive(Clone, Debug)]
enum Step {
    /// On the connection of this account's session, which is opened if it is not there.
    Send {
        account: u32,
        session: usize,
        ids: Vec<u64>,
    },
    /// The session connects anew.
    Reconnect {
        account: u32,
        session: usize,
    },
    Seal,
    Sync,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ids = prop::collection::vec(1..=IDS, 1..5);
    let step = prop_oneof![
        6 => (0..2u32, 0..2usize, ids)
            .prop_map(|(account, session, ids)| Step::Send { account, session, ids }),
        1 => (0..2u32, 0..2usize)
            .prop_map(|(account, session)| Step::Reconnect { account, session }),
        4 => Just(Step::Seal),
        4 => Just(Step::Sync),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..80)
}

/// An intake, and what has happened to it.
struct World {
    intake: Intake,
    /// What was executed, and how much of that is durable.
    journal: Vec<(u32, u64)>,
    durable: usize,
    /// State of the intake at the last durable request.
    saved: Vec<u8>,
    /// What a restart makes of it: the positive control loses some.
    stored: fn(Vec<u8>) -> Vec<u8>,
    connections: BTreeMap<(u32, usize), ConnectionId>,
    last_connection: ConnectionId,
    numbers: BTreeMap<ConnectionId, u32>,
    unanswered: BTreeMap<(ConnectionId, u32), (u32, u64)>,
    records: u64,
}

impl World {
    fn new(stored: fn(Vec<u8>) -> Vec<u8>) -> World {
        let intake = Intake::new(BOUNDS);
        World {
            saved: intake.state(),
            intake,
            journal: vec![],
            durable: 0,
            stored,
            connections: BTreeMap::new(),
            last_connection: 0,
            numbers: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            records: 0,
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Send { account, session, ids } => {
                let connection = match self.connections.get(&(*account, *session)) {
                    Some(connection) => *connection,
                    None => self.connect(*account, *session),
                };
                for id in ids {
                    let number = self.numbers.entry(connection).or_default();
                    *number += 1;
                    let body = if id % 3 == 0 { cancel(*id) } else { order(*id) };
                    let request = Request { sender: *account, ..message(*number, body) };
                    self.unanswered.insert((connection, *number), (*account, *id));
                    self.intake.receive(0, connection, &[(request, None)]);
                    self.hear()?;
                }
            }
            Step::Reconnect { account, session } => {
                self.connect(*account, *session);
            }
            Step::Seal if self.durable == self.journal.len() => self.seal()?,
            Step::Sync => self.sync()?,
            Step::Restart => self.restart(),
            Step::Seal => {}
        }
        self.check_statuses()
    }

    fn connect(&mut self, account: u32, session: usize) -> ConnectionId {
        self.last_connection += 1;
        let connection = self.last_connection;
        let level = if session == 0 { Level::Disk } else { Level::Memory };
        let said = Session {
            key_name: format!("key {account}"),
            name: format!("session {session}"),
            account,
            level,
            cancel_on_disconnect: false,
        };
        let earlier = self.connections.insert((account, session), connection);
        assert_eq!(self.intake.connected(0, connection, said), Ok(earlier));
        self.unanswered.retain(|(of, _), _| Some(*of) != earlier);
        connection
    }

    fn seal(&mut self) -> Result<(), String> {
        let batch = self.intake.take_batch();
        let first_sequence = self.journal.len() as u64 + 1;
        for waiting in &batch {
            let id = waiting.request.cl_ord_id().expect("all have one");
            let placed = (waiting.request.sender, id);
            if self.journal.contains(&placed) {
                return Err(format!("{placed:?} is executed twice"));
            }
            self.journal.push(placed);
        }
        self.records += 1;
        let requests = batch.into_iter().map(|waiting| (waiting, 0)).collect();
        let (record, sealed_ns, executed_ns) = (self.records, 1, 1);
        self.intake.executed(Executed { record, first_sequence, sealed_ns, executed_ns, requests });
        self.hear()
    }

    fn sync(&mut self) -> Result<(), String> {
        self.durable = self.journal.len();
        self.saved = self.intake.state();
        let mut replayed = Intake::new(BOUNDS);
        for (sequence, (account, id)) in (1..).zip(&self.journal) {
            let request = Request { sender: *account, ..message(0, order(*id)) };
            replayed.place(&request, JournalPlace { sequence, ord_rej_reason: 0 });
        }
        if replayed.state() != self.saved {
            return Err("the state is not a function of the journal".to_owned());
        }
        self.intake.durable(2, self.records);
        self.hear()
    }

    fn restart(&mut self) {
        self.journal.truncate(self.durable);
        let state = (self.stored)(self.saved.clone());
        self.intake = Intake::restore(BOUNDS, &state).expect("a state");
        self.connections.clear();
        self.unanswered.clear();
    }

    fn is_place(&self, sequence: u64, placed: (u32, u64)) -> bool {
        sequence.checked_sub(1).and_then(|at| self.journal.get(at as usize)) == Some(&placed)
    }

    fn hear(&mut self) -> Result<(), String> {
        for (connection, said) in self.intake.take_answers() {
            let session = self.connections.iter().find(|(_, of)| **of == connection);
            let is_memory = session.is_some_and(|((_, session), _)| *session == 1);
            for answer in said.answers {
                let of = (connection, answer.request());
                let sent = self.unanswered.remove(&of).ok_or(format!("{of:?} twice"))?;
                let is_right = match answer {
                    Answer::Sealed(sealed) => {
                        self.is_place(sealed.sequence, sent)
                            && (is_memory || sealed.sequence <= self.durable as u64)
                    }
                    Answer::Duplicate(copy) if copy.sequence == 0 => true,
                    Answer::Duplicate(copy) => {
                        self.is_place(copy.sequence, sent) && copy.sequence <= self.durable as u64
                    }
                    Answer::Refused(refused) if refused.refusal == Refusal::TooOld => {
                        self.journal.iter().any(|(account, id)| *account == sent.0 && *id >= sent.1)
                    }
                    Answer::Refused(_) => !self.journal.contains(&sent),
                };
                if !is_right {
                    return Err(format!("{answer:?} to {sent:?}"));
                }
            }
            let through = (connection, 0)..=(connection, said.answered_through);
            if let Some((open, _)) = self.unanswered.range(through).next() {
                return Err(format!("{open:?} is not answered"));
            }
        }
        Ok(())
    }

    fn check_statuses(&self) -> Result<(), String> {
        let unanswered: BTreeSet<(u32, u64)> = self.unanswered.values().copied().collect();
        for sent in (0..2).flat_map(|account| (1..=IDS).map(move |id| (account, id))) {
            let place = self.journal.iter().position(|placed| *placed == sent);
            let status = self.intake.status(sent.0, sent.1);
            let is_right = match status {
                Status::Known(known) => {
                    place.is_some_and(|at| at as u64 + 1 == known.sequence && at < self.durable)
                }
                Status::Unknown(()) => place.is_none() && !unanswered.contains(&sent),
                Status::Waiting(()) => place.is_none_or(|at| at >= self.durable),
                Status::TooOld(()) => place.is_none_or(|at| at < self.durable),
            };
            if !is_right {
                return Err(format!("{sent:?} has status {status:?}, place {place:?}"));
            }
        }
        Ok(())
    }
}

fn lives(steps: &[Step], stored: fn(Vec<u8>) -> Vec<u8>) -> Result<(), String> {
    let mut world = World::new(stored);
    for step in steps {
        world.step(step)?;
    }
    while world.intake.waiting() > 0 || world.durable < world.journal.len() {
        world.step(&Step::Sync)?;
        world.step(&Step::Seal)?;
    }
    world.step(&Step::Sync)?;
    match world.unanswered.first_key_value() {
        Some(open) => Err(format!("{open:?} is never answered")),
        None => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_request_is_executed_once_and_answered_once(steps in steps()) {
        lives(&steps, |state| state).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn what_was_placed_is_remembered_or_refused(
        sent in prop::collection::vec((0..3u32, 1..60u64), 0..200),
        remembered_max in 0..20usize,
    ) {
        let mut accepted = Accepted::new(remembered_max);
        let mut placed: BTreeMap<(u32, u64), JournalPlace> = BTreeMap::new();
        for (sequence, (account, id)) in (1..).zip(sent) {
            let highest = placed.keys().filter(|(of, _)| *of == account).map(|(_, id)| *id).max();
            match accepted.known(account, id) {
                Known::Placed(place) => prop_assert_eq!(Some(&place), placed.get(&(account, id))),
                Known::Forgotten => prop_assert!(highest.is_some_and(|highest| id <= highest)),
                Known::Never => {
                    let place = JournalPlace { sequence, ord_rej_reason: 0 };
                    prop_assert_eq!(placed.insert((account, id), place), None, "placed twice");
                    accepted.place(account, id, place);
                }
            }
            let bound = remembered_max..=remembered_max + 3;
            prop_assert!(placed.len() <= remembered_max || bound.contains(&accepted.remembered()));
            let restored = Accepted::restore(remembered_max, &accepted.state()).expect("a state");
            prop_assert_eq!(restored.state(), accepted.state());
            prop_assert_eq!(restored.known(account, id), accepted.known(account, id));
        }
    }

    #[test]
    fn one_high_id_does_not_end_an_account(high in 1_000..=u64::MAX, remembered_max in 1..20usize) {
        let mut accepted = Accepted::new(remembered_max);
        let place = |sequence| JournalPlace { sequence, ord_rej_reason: 0 };
        accepted.place(7, high, place(1));
        for id in 1..100 {
            // Other accounts push it out as well.
            prop_assert_eq!(accepted.known(7, id), Known::Never);
            accepted.place(7, id, place(2 * id));
            accepted.place(8, id, place(2 * id + 1));
        }
        prop_assert!(accepted.known(7, high) != Known::Never);
    }

    #[test]
    fn any_bytes_are_a_state_or_an_error(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(intake) = Intake::restore(BOUNDS, &noise) {
            prop_assert!(Intake::restore(BOUNDS, &intake.state()).is_ok());
        }
    }
}

/// The number of random lives up to the first that shows a defect.
fn lives_until_found(stored: fn(Vec<u8>) -> Vec<u8>) -> Option<usize> {
    let mut runner = TestRunner::deterministic();
    (1..=400).find(|_| {
        let life = steps().new_tree(&mut runner).expect("a life").current();
        lives(&life, stored).is_err()
    })
}

/// A state is the size of the table, the number of floors, and each: account u32, floor u64.
fn without_floors(mut state: Vec<u8>) -> Vec<u8> {
    let floors = u32::from_le_bytes(state[4..8].try_into().expect("four bytes")) as usize;
    for at in 0..floors {
        state[8 + 12 * at + 4..][..8].fill(0);
    }
    state
}

#[test]
fn lost_ids_and_lost_floors_are_found() {
    assert_eq!(lives_until_found(|state| state), None);
    assert!(lives_until_found(|_| Intake::new(BOUNDS).state()).is_some(), "ids not stored");
    assert!(lives_until_found(without_floors).is_some(), "floors not stored");
}
