//! A fair order and what it has said so far.

use surgetank_layer::fair::order::{Census, Config, FairOrder, Input, Ordered, Output};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::units::MessageId;

/// Nothing is drawn.
pub struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        unreachable!("fair order draws nothing")
    }
}

/// The machine and its outputs by kind.
pub struct Rig {
    pub order: FairOrder,
    pub censuses: Vec<Census>,
    pub ordered: Vec<Ordered>,
    /// Deferred at the last close.
    pub deferred: Vec<MessageId>,
    pub dropped: Vec<MessageId>,
    pub refused: Vec<(u32, Vec<MessageId>)>,
}

impl Rig {
    pub fn new(config: Config) -> Rig {
        Rig {
            order: FairOrder::new(config),
            censuses: Vec::new(),
            ordered: Vec::new(),
            deferred: Vec::new(),
            dropped: Vec::new(),
            refused: Vec::new(),
        }
    }

    pub fn report(&mut self, from: u32, messages: &[MessageId]) {
        self.step(Input::Report { from, messages: messages.to_vec() });
    }

    /// Reports of replicas 0, 1, … and the end of the round.
    pub fn round(&mut self, lists: &[&[MessageId]]) {
        lists.iter().zip(0..).for_each(|(list, from)| self.report(from, list));
        self.close();
    }

    pub fn close(&mut self) {
        self.deferred.clear();
        self.step(Input::Close);
    }

    pub fn census(&self) -> Census {
        *self.censuses.last().expect("a round was closed")
    }

    /// All batches so far, in order.
    pub fn batches(&self) -> Vec<Vec<MessageId>> {
        self.ordered.iter().flat_map(|o| o.batches.clone()).collect()
    }

    fn step(&mut self, input: Input) {
        let mut outbox = Vec::new();
        self.order.step(0, input, &mut NoDraws, &mut outbox);
        for output in outbox {
            match output {
                Output::Closed(census) => self.censuses.push(census),
                Output::Ordered(ordered) => self.ordered.push(ordered),
                Output::Deferred { messages } => self.deferred = messages,
                Output::Dropped { messages } => self.dropped.extend(messages),
                Output::Refused { from, messages } => self.refused.push((from, messages)),
            }
        }
    }
}
