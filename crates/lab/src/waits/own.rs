//! A message's own path: from its client to the proposer of its block.

use surgetank_layer::message::Class;
use surgetank_layer::units::{Height, MessageId, NEVER, NodeId, Ns};

use super::Waits;
use super::cells::{Cell, NOWHERE};
use super::cycles::Missed;
use super::departure::departure;
use super::places::Places;
use super::segments::{Id, NONE};
use crate::network::Flight;
use crate::trace::{Charges, Executed, Place, Resource, WaitRow};

/// An attempt to enter the venue.
struct Attempt {
    /// Time of arrival at the gateway.
    reached: Ns,
    /// Time at which it was accepted for validation.
    entered: Ns,
    /// Time and reason of its refusal.
    refused: Option<(Ns, Resource)>,
}

/// Path of a message, apart from nodes ([`Cells`](super::cells::Cells)).
#[derive(Default)]
pub struct Way {
    /// Number of nodes that verified it, for a consensus message.
    pub heard: usize,
    attempts: Vec<Attempt>,
}

impl Way {
    /// A client's message has tried to enter before it is sent anywhere.
    fn is_of_consensus(&self) -> bool {
        self.attempts.is_empty()
    }
}

/// Charges a path backwards: each part down to its begin, never below the creation.
struct Backwards<'a> {
    waits: &'a Waits,
    /// Places to which charges are added, if the message counts.
    places: Option<&'a mut Places>,
    class: Class,
    charges: Charges,
    at: Ns,
    created: Ns,
}

impl Backwards<'_> {
    /// Charges this part to a resource, except the time in which blocks were crowded.
    fn to(&mut self, begin: Ns, resource: Resource, place: Place) {
        let begin = begin.clamp(self.created, self.at);
        if begin == self.at {
            return;
        }
        let places = self.places.as_deref_mut();
        let crowd = self.waits.cycles.crowd(begin, self.at, self.class, places);
        let own = self.at - begin - crowd.sum();
        self.charges.add(resource, own);
        self.charges.join(&crowd);
        if let Some(places) = &mut self.places {
            places.add(self.class as u8, resource, place, own as f64);
        }
        self.at = begin;
    }

    /// This part was work of a node, which a fault may have made slower.
    fn work(&mut self, begin: Ns, resource: Resource, node: NodeId) {
        let span = self.at.saturating_sub(begin.max(self.created));
        let slowness = self.waits.fault_spans.slowness(node, begin, self.at, span);
        self.to(self.at - slowness, Resource::Faults, Place::at(node));
        self.to(begin, resource, Place::at(node));
    }
}

impl Waits {
    /// Records a copy that will arrive earlier than any other so far.
    pub fn sends(
        &mut self,
        now: Ns,
        from: NodeId,
        to: NodeId,
        message: MessageId,
        flight: &Flight,
    ) {
        if self.ways[message as usize].is_some() && flight.at < self.cells.get(message, to).at {
            let before = self.sending(now, from, message);
            self.copy_sent(now, from, to, message, flight, before);
        }
    }

    /// Why a node sends a message of consensus now; none for a client's.
    pub fn sending(&mut self, now: Ns, from: NodeId, message: MessageId) -> Id {
        if !self.ways[message as usize].as_ref().is_some_and(Way::is_of_consensus) {
            return NONE;
        }
        let heard = self.cells.get(message, from).heard;
        let before = if self.cause == NONE { heard } else { self.cause };
        let ended = self.segments.end(before);
        if before != NONE && ended < now {
            // It was requested again.
            return self.segment(before, Resource::Loss, Place::at(from), ended, now);
        }
        before
    }

    /// A node's routine for a peer sends what it has had for this reason. Until now it slept, or it sent
    /// other things. Returns the cause of what is sent.
    pub fn polled(&mut self, now: Ns, node: NodeId, before: Id, slept: bool) -> Id {
        let resource = if slept { Resource::Timers } else { Resource::Bandwidth };
        let since = self.segments.end(before);
        let known = before != NONE && since < now;
        self.cause = match known {
            true => self.segment(before, resource, Place::at(node), since, now),
            false => before,
        };
        self.cause
    }

    /// A copy that was sent at a time, for this reason, will arrive; records it if it is the earliest.
    pub fn copy_sent(
        &mut self,
        sent: Ns,
        from: NodeId,
        to: NodeId,
        message: MessageId,
        flight: &Flight,
        before: Id,
    ) {
        let Flight { at, leaves, extra, held } = *flight;
        if self.ways[message as usize].is_some() && at < self.cells.get(message, to).at {
            self.cells.hold(message, to, held);
            let cell = self.cells.get_mut(message, to);
            *cell = Cell { sent, leaves, at, got: at, extra, from, before, ..*cell };
        }
    }

    /// A message is forwarded to the sequencer, possibly more than once.
    pub fn forwards(
        &mut self,
        now: Ns,
        from: NodeId,
        to: NodeId,
        message: MessageId,
        flight: &Flight,
    ) {
        if self.ways[message as usize].is_some() {
            let Flight { at, leaves, extra, held } = *flight;
            self.cells.hold(message, to, held);
            let cell = Cell { sent: now, leaves, at, got: at, extra, from, ..NOWHERE };
            *self.cells.get_mut(message, to) = cell;
        }
    }

    /// A fault drops a copy of a message that would have arrived at a node at that time. (A single
    /// sequencer misses no block of another proposer; of consensus' messages nothing is asked.)
    pub fn strikes(&mut self, at: Ns, to: NodeId, message: MessageId) {
        if let Some(way) = &self.ways[message as usize]
            && !self.single
            && !way.is_of_consensus()
        {
            let cell = self.cells.get_mut(message, to);
            cell.struck = cell.struck.min(at);
        }
    }

    /// How long at most a fault kept a message waiting that was not at a node by that time. If a copy
    /// was dropped, or the node cut off from the gateway, for as long as it waits for another. If
    /// machines were slow or packets late on its way, no longer than they held it up: whether it just
    /// misses a block for that is chance.
    fn kept_away(&self, way: &Way, record: &Executed, node: NodeId, by: Ns) -> Option<Ns> {
        let (gateway, created) = (record.gateway, record.created_ns);
        let cell = self.cells.get(record.id, node);
        if cell.got <= by || node == gateway {
            return None;
        }
        if cell.struck <= by || self.fault_spans.separate(created, by, gateway, node) {
            return Some(NEVER);
        }
        let held = self.held_up(way, record, node);
        (cell.got != NEVER && cell.got.saturating_sub(held) <= by).then_some(held)
    }

    /// Delay of a message's arrival at a node due to slow hosts and late packets.
    fn held_up(&self, way: &Way, record: &Executed, mut node: NodeId) -> Ns {
        let (message, gateway) = (record.id, record.gateway);
        let mut held = 0;
        for _ in 0..self.nodes {
            let cell = self.cells.get(message, node);
            if node == gateway || cell.at == NEVER {
                break;
            }
            let (from, sent) = (cell.from, cell.sent);
            let came = if from == gateway { 0 } else { self.cells.get(message, from).got };
            let since = came.max(entered(way, sent)).min(sent);
            held += cell.extra + 2 * self.fault_spans.slowness(from, since, sent, sent - since);
            node = from;
        }
        held
    }

    /// Records the arrival of a client's message at its gateway.
    pub fn reaches(&mut self, now: Ns, message: MessageId) {
        if let Some(way) = &mut self.ways[message as usize] {
            way.attempts.push(Attempt { reached: now, entered: NEVER, refused: None });
        }
    }

    /// Records that the first copy has passed a node's downlink.
    pub fn gets(&mut self, now: Ns, node: NodeId, message: MessageId) {
        if self.ways[message as usize].is_some() {
            self.cells.get_mut(message, node).got = now;
        }
    }

    /// Records that it is handed to its gateway.
    pub fn enters(&mut self, now: Ns, message: MessageId) {
        self.nothing();
        if let Some(way) = &mut self.ways[message as usize]
            && let Some(attempt) = way.attempts.last_mut()
        {
            attempt.entered = now;
        }
    }

    /// Records a refusal, and the resource to which the time until the next attempt is charged.
    pub fn turned_away(&mut self, now: Ns, message: MessageId, lacking: Resource) {
        if let Some(way) = &mut self.ways[message as usize]
            && let Some(attempt) = way.attempts.last_mut()
        {
            attempt.refused = Some((now, lacking));
        }
    }

    /// Attributes a message of the block that is being reported.
    pub fn done(&mut self, now: Ns, record: &Executed, height: Height, proposer: NodeId) {
        let message = record.id;
        let Some(way) = self.ways[message as usize].take() else { return };
        let created = record.created_ns;
        let (class, proposed) = (record.class, now - self.tail.charges.sum());
        // Of a proposer that did not have it when it made an earlier block.
        let mut places = self.places.take();
        let missed = |at: Ns, node: NodeId| self.kept_away(&way, record, node, at);
        let missed = (!self.single).then_some(&missed as &Missed<'_>);
        let ready = record.queued_ns.clamp(created, proposed);
        let mut counted = places.as_deref_mut().filter(|places| places.counts(record));
        let wait = self.cycles.wait(ready, height, class, missed, counted.as_deref_mut());
        let mut charges = self.tail.charges;
        charges.join(&wait);
        let at = proposed - wait.sum();
        let mut back = Backwards { waits: self, places: counted, class, charges, at, created };
        back.nodes(&way, message, proposer, record.gateway);
        back.attempts(&way, record.gateway);
        back.to(created, Resource::ClientLink, Place::at(record.gateway));
        let charges = back.charges;
        if let Some(places) = back.places {
            places.total(class as u8, &charges);
            self.carried[class as usize] += 1;
        }
        self.places = places;
        self.cells.remove(message);
        self.rows.push(WaitRow { message, charges });
    }
}

impl Backwards<'_> {
    /// Charges the path from the proposer's queue back to the gateway, hop by hop.
    fn nodes(&mut self, way: &Way, message: MessageId, proposer: NodeId, gateway: NodeId) {
        let entered = entered(way, self.at);
        let mut node = proposer;
        let mut held = if self.waits.fair { Resource::Rules } else { Resource::Loss };
        for _ in 0..self.waits.nodes {
            let cell = self.waits.cells.get(message, node);
            let here = Place::at(node);
            if cell.done <= self.at {
                self.to(cell.done, held, here);
            }
            self.work(cell.begun.min(self.at), Resource::ValidationOwn, node);
            if node == gateway {
                break;
            }
            if cell.at == NEVER {
                return self.to(entered, Resource::Other, Place::NOWHERE);
            }
            let way = Place::between(cell.from, node);
            self.work(cell.got, Resource::ValidationOthers, node);
            self.to(cell.at, Resource::Bandwidth, here);
            self.to(cell.at.saturating_sub(cell.extra), Resource::Faults, way);
            self.to(cell.leaves, Resource::Distance, way);
            let holds = self.waits.cells.held(message, node);
            for part in departure(cell.from, way, (cell.sent, cell.leaves), &holds).iter().rev() {
                self.to(part.begin, part.resource, part.place);
            }
            (held, node) = (Resource::Loss, cell.from);
        }
        self.work(entered, Resource::ValidationOthers, gateway);
    }

    /// Charges the attempts, from the admitted one back to the first.
    fn attempts(&mut self, way: &Way, gateway: NodeId) {
        let gate = Place::at(gateway);
        for attempt in way.attempts.iter().rev() {
            if attempt.reached > self.at {
                continue;
            }
            if let Some((refused, lacking)) = attempt.refused.filter(|(at, _)| *at <= self.at) {
                // Before it was validated, or by the sequencer, after all of that.
                self.to(attempt.entered.min(refused), lacking, gate);
            }
            self.to(attempt.reached, Resource::Rules, gate);
        }
    }
}

/// Start of the attempt that was admitted before this time.
fn entered(way: &Way, before: Ns) -> Ns {
    let found = way.attempts.iter().rev().find(|attempt| attempt.entered <= before);
    found.map_or(0, |attempt| attempt.entered)
}
