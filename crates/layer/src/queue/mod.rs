//! Bounded queues: what waits, and who is served first.
//!
//! # Rules
//! 1. Nothing is lost: an item is served, or its refusal is said with a reason.
//! 2. No more than `capacity` items wait.
//! 3. The same pushes and pops at the same times give the same service.
//! 4. Under the rules that shed, what reduces risk ([`Envelope::reduces_risk`]) is never shed for
//!    something that does not.
//!
//! # Theory of operation
//! Items lie in numbered places; a [`Discipline`] orders the places and knows nothing of the items.
//! A full queue refuses an arrival, unless its discipline names somebody who makes room.
//!
//! | rule | served | promises | file |
//! |---|---|---|---|
//! | [`Rule::Fifo`] | first come first | order of arrival | [`strict`] |
//! | [`Rule::Priority`] | high lane first (Cobham 1954) | order inside a lane | [`strict`] |
//! | [`Rule::Class`] | post-only, cancels, takers (Hyperliquid) | order inside a group | [`strict`] |
//! | [`Rule::Fee`] | highest fee first | order among equal fees | [`fee`] |
//! | [`Rule::Lanes`] | interleaved weighted round robin (CometBFT ADR-118) | a share per class | [`weighted`] |
//! | [`Rule::Drr`] | deficit round robin by account (Shreedhar & Varghese 1996) | a share per account | [`drr`] |
//! | [`Rule::Codel`] | first come first, late ones shed (RFC 8289) | bounded sojourn | [`fq_codel`] |
//! | [`Rule::FqCodel`] | both (RFC 8290) | both | [`fq_codel`] |
//! | [`Rule::Custom`] | as its author says | what its author says | [`Discipline`] |

pub mod codel;
mod drr;
pub mod express;
mod fee;
mod flows;
mod fq_codel;
mod places;
mod strict;
mod weighted;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::{Draws, Machine};
use crate::message::{Class, Envelope};
use crate::units::Ns;

pub use places::Place;
use places::Places;

/// Who is served first.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// First come, first served.
    Fifo,
    /// Two lanes; classes of the high one are bits `1 << class as u8`.
    Priority {
        /// Bit mask of the high lane's classes.
        #[serde(with = "crate::message::class_mask")]
        high: u8,
    },
    /// Three groups: what takes nothing from the book, then cancels, then the others.
    Class,
    /// Highest fee first.
    Fee,
    /// A lane per class, served in proportion to its weight.
    Lanes {
        /// Weight by class number, each at least 1.
        weights: [u8; 8],
    },
    /// A lane per account, equal shares of bytes.
    Drr {
        /// Bytes that an account may send per round, at least 1.
        quantum_bytes: u32,
    },
    /// First come, first served; what waited too long for too long is shed.
    Codel {
        /// When it sheds.
        law: codel::Law,
    },
    /// A lane per account, each with CoDel.
    FqCodel {
        /// Bytes that an account may send per round, at least 1.
        quantum_bytes: u32,
        /// When it sheds.
        law: codel::Law,
    },
    /// Somebody else's.
    #[serde(skip)]
    Custom(Box<dyn Discipline>),
}

impl Rule {
    /// The discipline of an empty queue under this rule.
    fn discipline(&self) -> Box<dyn Discipline> {
        match self {
            Rule::Fifo => Box::new(strict::Strict::fifo()),
            Rule::Priority { high } => Box::new(strict::Strict::priority(*high)),
            Rule::Class => Box::new(strict::Strict::class()),
            Rule::Fee => Box::new(fee::Fee::default()),
            Rule::Lanes { weights } => Box::new(weighted::Weighted::new(*weights)),
            Rule::Drr { quantum_bytes } => Box::new(drr::Drr::new(*quantum_bytes)),
            Rule::Codel { law } => Box::new(fq_codel::FqCodel::single(*law)),
            Rule::FqCodel { quantum_bytes, law } => {
                Box::new(fq_codel::FqCodel::fair(*quantum_bytes, *law))
            }
            Rule::Custom(discipline) => discipline.fresh(),
        }
    }
}

/// Orders places. Implement this to bring a rule of your own.
pub trait Discipline: fmt::Debug + Send + Sync {
    /// An item is put into a place.
    fn push(&mut self, now: Ns, place: Place, envelope: &Envelope);
    /// The place to be served next; places of items that are thrown away go to `shed`.
    fn pop(&mut self, now: Ns, shed: &mut Vec<Place>) -> Option<Place>;
    /// The queue is full: whose item makes room for this one? `None` refuses the newcomer.
    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        let _ = newcomer;
        None
    }
    /// Forgets the places of which `stays` is false.
    fn retain(&mut self, stays: &dyn Fn(Place) -> bool);
    /// All places, in the order in which they would be served now if nothing more came and nothing
    /// were shed.
    fn order(&self) -> Vec<Place>;
    /// How many of those that wait would be served before this newcomer; `None` if all of them.
    fn ahead(&self, newcomer: &Envelope) -> Option<usize> {
        let _ = newcomer;
        None
    }
    /// From now on classes have these weights; without effect where classes have none.
    fn weigh(&mut self, weights: [u8; 8]) {
        let _ = weights;
    }
    /// The same discipline with nothing in it.
    fn fresh(&self) -> Box<dyn Discipline>;
    /// A copy, with everything in it.
    fn copy(&self) -> Box<dyn Discipline>;
}

impl Clone for Box<dyn Discipline> {
    fn clone(&self) -> Self {
        self.copy()
    }
}

/// What a queue is like.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who is served first.
    pub rule: Rule,
    /// Items that may wait.
    pub capacity: usize,
}

/// An item that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting<T> {
    /// The item.
    pub item: T,
    /// Its class.
    pub class: Class,
    /// Since when it waits.
    pub queued_ns: Ns,
}

/// Why an item was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// As many as may wait do wait.
    QueueFull = 1,
    /// It waited too long, or made room for somebody else.
    Shed = 2,
    /// Its account has used its rate up.
    RateExceeded = 3,
    /// It offers less than the present price.
    FeeTooLow = 4,
    /// Its last height has passed.
    Expired = 5,
    /// Its cancel came first.
    CancelledBefore = 6,
    /// Non-essential flow waits while the venue is congested.
    Throttled = 7,
}

/// What can happen to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<T> {
    /// An item arrives.
    Push {
        /// What the rule may know of it.
        envelope: Envelope,
        /// What arrives.
        item: T,
    },
    /// The server is free.
    Pop,
}

/// What a queue answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<T> {
    /// This one is next.
    Served(Waiting<T>),
    /// There is no room for it, or it was shed.
    Refused {
        /// For this one.
        item: T,
        /// Which bound or rule refused it.
        reason: Reason,
    },
    /// Nothing waits.
    Empty,
}

/// A bounded queue under a rule.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    capacity: usize,
    places: Places<Waiting<T>>,
    discipline: Box<dyn Discipline>,
    /// Looked at and not yet taken: it stays next.
    next: Option<Place>,
    shed: Vec<Place>,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(config: &Config) -> Queue<T> {
        Queue {
            capacity: config.capacity,
            places: Places::default(),
            discipline: config.rule.discipline(),
            next: None,
            shed: Vec::new(),
        }
    }

    /// Adds an item. Gives back whoever made room for it, if somebody had to.
    ///
    /// # Errors
    /// Hands the item back if the queue is full.
    #[inline]
    pub fn push(
        &mut self,
        now: Ns,
        envelope: &Envelope,
        item: T,
    ) -> Result<Option<T>, (T, Reason)> {
        let mut displaced = None;
        if self.is_full() {
            match self.discipline.make_room(envelope).filter(|_| self.capacity > 0) {
                Some(place) => displaced = self.places.take(place).map(|waiting| waiting.item),
                None => return Err((item, Reason::QueueFull)),
            }
        }
        let place = self.places.put(Waiting { item, class: envelope.class, queued_ns: now });
        self.discipline.push(now, place, envelope);
        Ok(displaced)
    }

    /// Takes the next item under the rule. Look into [`Queue::shed`] afterwards.
    #[inline]
    pub fn pop(&mut self, now: Ns) -> Option<Waiting<T>> {
        let place = match self.next.take() {
            Some(place) => place,
            None => self.discipline.pop(now, &mut self.shed)?,
        };
        self.places.take(place)
    }

    /// The item that the next pop gives. Whoever arrives in between comes after it.
    pub fn peek(&mut self, now: Ns) -> Option<&Waiting<T>> {
        if self.next.is_none() {
            self.next = self.discipline.pop(now, &mut self.shed);
        }
        self.places.get(self.next?)
    }

    /// What the rule has thrown away since this was last asked.
    #[inline]
    pub fn shed(&mut self) -> Vec<T> {
        if self.shed.is_empty() {
            return Vec::new();
        }
        let places = std::mem::take(&mut self.shed);
        places.into_iter().filter_map(|p| self.places.take(p)).map(|w| w.item).collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.places.len() - self.shed.len()
    }

    /// How many wait, by class number; what is shed and not yet told counts.
    pub fn by_class(&self) -> [u32; 8] {
        let mut waiting = [0; 8];
        self.places.iter().for_each(|waits| waiting[waits.class as usize] += 1);
        waiting
    }

    /// How many would be served before this newcomer, if nothing more came: under rules that cannot
    /// say, all that wait.
    pub fn ahead(&self, newcomer: &Envelope) -> usize {
        let next = usize::from(self.next.is_some());
        self.discipline.ahead(newcomer).map_or(self.len(), |ahead| ahead + next)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the next arrival would be refused, unless somebody makes room.
    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Changes the weights of classes, where they have any.
    pub fn weigh(&mut self, weights: [u8; 8]) {
        self.discipline.weigh(weights);
    }

    /// How many may wait.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// What waits, in the order in which it would be served if nothing more came.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting<T>> {
        let rest = self.discipline.order();
        self.next.into_iter().chain(rest).filter_map(|place| self.places.get(place))
    }

    /// What waits, in no order.
    pub fn unordered(&self) -> impl Iterator<Item = &Waiting<T>> {
        self.places.iter()
    }

    /// Keeps only what `stays` says.
    pub fn retain(&mut self, mut stays: impl FnMut(&Waiting<T>) -> bool) {
        let gone = self.places.remove_if(|waiting| !stays(waiting));
        if gone.is_empty() {
            return;
        }
        self.next = self.next.filter(|place| gone.binary_search(place).is_err());
        self.discipline.retain(&|place| gone.binary_search(&place).is_err());
    }

    /// Empties the queue.
    pub fn clear(&mut self) {
        self.discipline = self.discipline.fresh();
        self.places = Places::default();
        self.next = None;
        self.shed.clear();
    }
}

impl<T> Machine for Queue<T> {
    type Input = Input<T>;
    type Output = Output<T>;

    fn step(&mut self, now: Ns, input: Input<T>, _: &mut dyn Draws, outbox: &mut Vec<Output<T>>) {
        match input {
            Input::Push { envelope, item } => match self.push(now, &envelope, item) {
                Ok(None) => {}
                Ok(Some(item)) => outbox.push(Output::Refused { item, reason: Reason::Shed }),
                Err((item, reason)) => outbox.push(Output::Refused { item, reason }),
            },
            Input::Pop => {
                let served = self.pop(now);
                let shed = self.shed().into_iter();
                outbox.extend(shed.map(|item| Output::Refused { item, reason: Reason::Shed }));
                outbox.push(served.map_or(Output::Empty, Output::Served));
            }
        }
    }
}
