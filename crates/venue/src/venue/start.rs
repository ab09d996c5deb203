//! The start of a venue: its state out of a snapshot and the journal after it.

use surgetank_layer::audit::journal::{End, read_batch};
use surgetank_layer::units::{Digest, Ns};

use super::{Decided, Output, Stage, Stop, Venue};
use crate::answer::JournalPlace;
use crate::encoding::{Encoded, fields};
use crate::execution::{Execution, state_hash};
use crate::intake::Intake;
use crate::request::Request;
use crate::storage::effect::{Recovered, Replayed};
use crate::storage::record::RecordKind;
use crate::storage::snapshots::Snapshot;
use crate::streams::Streams;

impl Venue {
    pub(super) fn recovered(&mut self, recovered: Recovered, out: &mut Vec<Output>) {
        if self.stage == Stage::Recovering {
            self.stage = Stage::Serving;
            (self.journal, self.epoch) = (recovered.journal, recovered.epoch);
            (self.record, self.record_hash) = (recovered.number, recovered.hash);
            self.durable = recovered.number;
            self.streams.set_epoch(recovered.epoch);
            self.durable_sequence = self.decided.end.sequence;
            self.now = self.now.max(self.decided.sealed_ns);
            out.push(Output::Serving(recovered));
        }
    }

    /// Executes a record of the journal. It is durable by the time at which a client can ask for its
    /// events.
    pub(super) fn replay(&mut self, replayed: &Replayed) -> Result<(), Stop> {
        self.execute_replayed(replayed)?;
        // No connection follows a stream before the start is complete.
        self.streams.durable(replayed.number);
        Ok(())
    }

    fn execute_replayed(&mut self, replayed: &Replayed) -> Result<(), Stop> {
        let Replayed { number, append } = replayed;
        self.streams.record(*number, append);
        match append.kind {
            RecordKind::Genesis if *append.payload != *self.config.genesis.to_bytes() => {
                return Err(Stop::OtherGenesis);
            }
            RecordKind::Genesis | RecordKind::Head | RecordKind::Operator => return Ok(()),
            RecordKind::Batch => {}
        }
        let unknown = Stop::UnknownRecord(*number);
        let Ok(batch) = read_batch(&append.payload) else { return Err(unknown) };
        let request = |index: &u32| {
            let (_, bytes) = batch.inputs.get(*index as usize)?;
            Request::from_bytes(bytes).ok()
        };
        let requests: Option<Vec<Request>> = batch.order.iter().map(request).collect();
        let Some(requests) = requests else { return Err(unknown) };
        let reasons = self.execute(*number, &batch.header, batch.hash, &requests);
        let reasons = reasons.ok_or(Stop::NotConserved(*number))?;
        let sequences = batch.header.first_sequence..;
        for ((request, ord_rej_reason), sequence) in requests.iter().zip(reasons).zip(sequences) {
            self.intake.place(request, JournalPlace { sequence, ord_rej_reason });
        }
        Ok(())
    }

    /// Whether the snapshot is one of this venue; its state is the state from now on.
    pub(super) fn restore(&mut self, snapshot: &Snapshot) -> bool {
        let genesis = self.config.genesis.hash();
        let Ok(state) = State::from_bytes(&snapshot.state) else { return false };
        if snapshot.genesis != genesis
            || snapshot.state_hash != state_hash(&genesis, &state.execution)
        {
            return false;
        }
        let execution = Execution::restore(&self.config.genesis, &state.execution);
        let intake = Intake::restore(self.config.bounds, &state.intake);
        let (Ok(execution), Ok(intake)) = (execution, intake) else { return false };
        let bounds = self.config.stream_bounds;
        let Ok(streams) = Streams::restore(bounds, &state.streams, execution.market()) else {
            return false;
        };
        (self.execution, self.intake, self.streams) = (execution, intake, streams);
        self.execution.record_book_changes(true);
        let State { height, sequence, hash, sealed_ns, .. } = state;
        self.decided = Decided { end: End { height, sequence, hash: Digest(hash) }, sealed_ns };
        true
    }

    /// A snapshot of the state after the last record, which must be durable.
    pub(super) fn snapshot(&self) -> Snapshot {
        let Decided { end: End { height, sequence, hash }, sealed_ns } = self.decided;
        let (execution, intake) = (self.execution.state(), self.intake.state());
        let (hash, state_hash, streams) = (hash.0, self.state_hash(), self.streams.state());
        let state = State { height, sequence, hash, sealed_ns, execution, intake, streams };
        Snapshot {
            journal: self.journal,
            epoch: self.epoch,
            number: self.record,
            sequence,
            hash: self.record_hash,
            genesis: self.config.genesis.hash(),
            build: self.config.build,
            state_hash,
            state: state.to_bytes().into(),
        }
    }
}

struct State {
    height: u64,
    sequence: u64,
    hash: [u8; 32],
    sealed_ns: Ns,
    execution: Vec<u8>,
    intake: Vec<u8>,
    streams: Vec<u8>,
}

fields!(State { height, sequence, hash, sealed_ns, execution, intake, streams });
