//! Bounded queues and their disciplines.
//!
//! # Rules
//! 1. No item is lost: it is served, or refused with a reason.
//! 2. No more than `capacity` items wait.
//! 3. The same pushes and pops at the same times give the same service.
//! 4. Disciplines that shed never shed a risk-reducing message ([`Envelope::reduces_risk`]) for one
//!    that is not.
//!
//! # Theory of operation
//! Items are kept in numbered places; a [`Discipline`] orders the places and does not see the
//! items. A full queue refuses an arrival, unless its discipline names an item to drop instead.
//!
//! | rule | served | guarantees | file |
//! |---|---|---|---|
//! | [`Rule::Fifo`] | first come first | order of arrival | [`strict`] |
//! | [`Rule::Priority`] | high lane first (Cobham 1954) | order inside a lane | [`strict`] |
//! | [`Rule::Class`] | post-only, cancels, takers (Hyperliquid) | order inside a group | [`strict`] |
//! | [`Rule::Fee`] | highest fee first | order among equal fees | [`fee`] |
//! | [`Rule::Lanes`] | interleaved weighted round robin (CometBFT ADR-118) | a share per class | [`weighted`] |
//! | [`Rule::Drr`] | deficit round robin by account (Shreedhar & Varghese 1996) | a share per account | [`drr`] |
//! | [`Rule::Codel`] | first come first, with shedding (RFC 8289) | bounded sojourn | [`fq_codel`] |
//! | [`Rule::FqCodel`] | both (RFC 8290) | both | [`fq_codel`] |
//! | [`Rule::Custom`] | as implemented | as implemented | [`Discipline`] |

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

use crate::message::{Class, Envelope};
use crate::units::Ns;

pub use places::Place;
use places::Places;

/// Discipline: which item is served next.
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
    /// Three groups: orders that take no liquidity, then cancels, then all others.
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
    /// First come, first served; items are shed while the sojourn stays above target (CoDel).
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
    /// A discipline implemented outside this crate, such as a plug-in.
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

/// Orders the places of a queue. Implement it to add a discipline.
pub trait Discipline: fmt::Debug + Send + Sync {
    /// An item was put into a place.
    fn push(&mut self, now: Ns, place: Place, envelope: &Envelope);
    /// The place to be served next; places of shed items are appended to `shed`.
    fn pop(&mut self, now: Ns, shed: &mut Vec<Place>) -> Option<Place>;
    /// The queue is full: the place of the item to drop for this one; `None` refuses the arriving
    /// item.
    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        let _ = newcomer;
        None
    }
    /// Removes the places for which `stays` is false.
    fn retain(&mut self, stays: &dyn Fn(Place) -> bool);
    /// All places, in the order in which they would be served now without further arrivals and
    /// without shedding.
    fn order(&self) -> Vec<Place>;
    /// Number of waiting items that would be served before this arrival; `None` for all of them.
    fn ahead(&self, newcomer: &Envelope) -> Option<usize> {
        let _ = newcomer;
        None
    }
    /// Sets the weights of the classes; without effect for disciplines without weights.
    fn weigh(&mut self, weights: [u8; 8]) {
        let _ = weights;
    }
    /// A new, empty discipline with the same parameters.
    fn fresh(&self) -> Box<dyn Discipline>;
    /// A copy, with its content.
    fn copy(&self) -> Box<dyn Discipline>;
}

impl Clone for Box<dyn Discipline> {
    fn clone(&self) -> Self {
        self.copy()
    }
}

/// Parameters of a queue.
#[derive(Clone, Debug)]
pub struct Config {
    /// Discipline: which item is served next.
    pub rule: Rule,
    /// Greatest number of waiting items.
    pub capacity: usize,
}

/// A waiting item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting<T> {
    /// The queued item itself.
    pub item: T,
    /// Time at which it entered the queue.
    pub queued_ns: Ns,
}

/// A bounded queue under a rule.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    capacity: usize,
    places: Places<Waiting<T>>,
    discipline: Box<dyn Discipline>,
    /// Place that was peeked and not yet popped: it remains the next one.
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

    /// Adds an item. Returns the item that was dropped for it, if any.
    ///
    /// # Errors
    /// Returns the item if the queue is full.
    #[inline]
    pub fn push(&mut self, now: Ns, envelope: &Envelope, item: T) -> Result<Option<T>, T> {
        let mut displaced = None;
        if self.is_full() {
            match self.discipline.make_room(envelope).filter(|_| self.capacity > 0) {
                Some(place) => displaced = self.places.take(place).map(|waiting| waiting.item),
                None => return Err(item),
            }
        }
        let place = self.places.put(Waiting { item, queued_ns: now });
        self.discipline.push(now, place, envelope);
        Ok(displaced)
    }

    /// Removes and returns the next item. Read [`Queue::shed`] afterwards.
    #[inline]
    pub fn pop(&mut self, now: Ns) -> Option<Waiting<T>> {
        let place = match self.next.take() {
            Some(place) => place,
            None => self.discipline.pop(now, &mut self.shed)?,
        };
        self.places.take(place)
    }

    /// The item that the next pop returns. Items that arrive in between come after it.
    pub fn peek(&mut self, now: Ns) -> Option<&Waiting<T>> {
        if self.next.is_none() {
            self.next = self.discipline.pop(now, &mut self.shed);
        }
        self.places.get(self.next?)
    }

    /// Items shed since the last call.
    #[inline]
    pub fn shed(&mut self) -> Vec<T> {
        if self.shed.is_empty() {
            return Vec::new();
        }
        let places = std::mem::take(&mut self.shed);
        places.into_iter().filter_map(|p| self.places.take(p)).map(|w| w.item).collect()
    }

    /// Number of waiting items.
    pub fn len(&self) -> usize {
        self.places.len() - self.shed.len()
    }

    /// Number of waiting items by number of their class, including those shed since
    /// [`Queue::shed`] was read.
    pub fn by_class(&self, class: impl Fn(&T) -> Class) -> [u32; 8] {
        let mut waiting = [0; 8];
        self.places.iter().for_each(|waits| waiting[class(&waits.item) as usize] += 1);
        waiting
    }

    /// Number of items that would be served before this arrival, without further arrivals; all of
    /// them if the discipline does not know.
    pub fn ahead(&self, newcomer: &Envelope) -> usize {
        let next = usize::from(self.next.is_some());
        self.discipline.ahead(newcomer).map_or(self.len(), |ahead| ahead + next)
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the next arrival would be refused, unless the discipline drops an item for it.
    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Changes the weights of classes, where they have any.
    pub fn weigh(&mut self, weights: [u8; 8]) {
        self.discipline.weigh(weights);
    }

    /// Greatest number of waiting items.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Waiting items in the order in which they would be served without further arrivals.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting<T>> {
        let rest = self.discipline.order();
        self.next.into_iter().chain(rest).filter_map(|place| self.places.get(place))
    }

    /// Keeps only the items for which `stays` is true.
    pub fn retain(&mut self, mut stays: impl FnMut(&Waiting<T>) -> bool) {
        if self.places.remove_if(|waiting| !stays(waiting)) {
            self.next = self.next.filter(|&place| self.places.get(place).is_some());
            self.discipline.retain(&|place| self.places.get(place).is_some());
        }
    }
}
