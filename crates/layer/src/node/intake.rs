//! Intake: messages arrive, wait, are validated, forwarded and enter the mempool.

use super::{Node, Output, Packet, Reason, Task, Timer};
use crate::gossip::{self, Frame};
use crate::machine::{Draws, Machine};
use crate::message::{Envelope, Payload};
use crate::units::{NEVER, Ns, Peer};

/// A client's message that is to be validated, and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Envelope of the message.
    pub envelope: Envelope,
    from: Peer,
}

/// Messages of one validator that may wait for verification: 32 rounds of votes.
pub(super) const HEARING_PER_VALIDATOR: u32 = 64;
/// Origin: a client of this gateway.
const CLIENT: Peer = Peer::MAX;
/// Origin: a gateway that sends directly to the sequencer.
const GATEWAY: Peer = Peer::MAX - 1;

impl Work {
    pub(super) fn client(envelope: Envelope) -> Work {
        Work { envelope, from: CLIENT }
    }

    pub(super) fn gateway(envelope: Envelope) -> Work {
        Work { envelope, from: GATEWAY }
    }
}

impl Node {
    /// Offers a message for validation, which starts at once, after a wait, or is refused.
    ///
    /// A message larger than a block would stop the chain; CometBFT's mempool refuses it, too.
    pub(super) fn offer(&mut self, now: Ns, work: Work, out: &mut Vec<Output>) {
        if self.engine.block_bytes_max().is_some_and(|most| work.envelope.size_bytes > most) {
            return self.refuse_for(work, Reason::TooLarge, NEVER, out);
        }
        if work.from == GATEWAY
            && let Some(retry_after_ns) = self.too_many(&work.envelope)
        {
            return self.refuse_for(work, Reason::Throttled, retry_after_ns, out);
        }
        self.note_arrival(now, work.envelope.id);
        if self.validating < self.validations_max {
            return self.validate(work, out);
        }
        match self.ingress.push(now, &self.readable(&work.envelope), work) {
            Ok(None) => {}
            Ok(Some(displaced)) => self.refuse(displaced, Reason::IngressShed, out),
            Err(work) => self.refuse(work, Reason::IngressFull, out),
        }
    }

    fn validate(&mut self, work: Work, out: &mut Vec<Output>) {
        self.validating += 1;
        out.push(Output::Work(Task::Validate(work)));
    }

    pub(super) fn validated(
        &mut self,
        now: Ns,
        work: Work,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        self.validating -= 1;
        if let Some(next) = self.ingress.pop(now) {
            self.validate(next.item, out);
        }
        for shed in self.ingress.shed() {
            self.refuse(shed, Reason::IngressShed, out);
        }
        self.accept(now, work, draws, out);
    }

    /// Forwards a valid message and queues it for ordering.
    fn accept(&mut self, now: Ns, work: Work, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let envelope = work.envelope;
        if work.from == CLIENT {
            // A gateway that orders must have room; any other only forwards the message.
            if self.orders() && self.is_full() {
                return self.refuse(work, Reason::MempoolFull, out);
            }
            out.push(Output::Admitted(envelope.id));
        }
        let again =
            work.from == CLIENT && self.gossip.as_ref().is_some_and(|g| g.has_seen(envelope.id));
        let leader = self.engine.leader().filter(|&leader| leader != self.id);
        match (&self.gossip, leader) {
            // The vertices of this gateway take it to the others.
            (Some(_), None) if !self.engine.spreads() => {}
            // The single orderer refused it, and all nodes on the path would drop another copy.
            (Some(_), Some(to)) if again => {
                out.push(Output::Packet { to, packet: Packet::Forward(envelope) });
            }
            (Some(_), _) if work.from == CLIENT => {
                self.gossip_step(now, gossip::Input::Publish(envelope), draws, out);
            }
            (Some(_), _) => {
                let input = gossip::Input::Validated { envelope, from: work.from };
                self.gossip_step(now, input, draws, out);
            }
            (None, Some(to)) => {
                out.push(Output::Packet { to, packet: Packet::Forward(envelope) });
            }
            (None, None) => {}
        }
        // The single orderer decides for all nodes. Messages from a client or directly from its
        // gateway were checked before their validation.
        let late = work.from != CLIENT && work.from != GATEWAY && self.is_only() && self.orders();
        if let Some(retry_after_ns) = self.too_many(&envelope).filter(|_| late) {
            return self.refuse_for(work, Reason::Throttled, retry_after_ns, out);
        }
        if self.fair.is_some() {
            self.note(now, work, draws, out);
        } else if self.orders() {
            self.enqueue(now, work, draws, out);
        }
    }

    /// Whether this node has a mempool.
    pub(super) fn orders(&self) -> bool {
        self.engine.proposes()
    }

    /// Whether the next message to be ordered here must be refused.
    pub fn is_full(&self) -> bool {
        self.mempool_len() >= self.mempool.capacity()
    }

    /// Whether one node orders for all.
    fn is_only(&self) -> bool {
        self.engine.leader().is_some()
    }

    fn enqueue(&mut self, now: Ns, work: Work, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let envelope = work.envelope;
        if self.known.contains(envelope.id) {
            return;
        }
        match self.mempool.push(now, &self.readable(&envelope), envelope) {
            Ok(None) => {}
            Ok(Some(displaced)) => self.forget(displaced, Reason::MempoolShed, out),
            Err(_) => return self.refuse(work, Reason::MempoolFull, out),
        }
        self.known.insert(envelope.id);
        self.mempool_bytes += u64::from(envelope.size_bytes);
        self.notify_engine(now, draws, out);
    }

    /// Drops a message that waited for ordering.
    pub(super) fn forget(&mut self, envelope: Envelope, reason: Reason, out: &mut Vec<Output>) {
        self.mempool_bytes -= u64::from(envelope.size_bytes);
        self.known.remove(envelope.id);
        self.note_refusal(&envelope);
        out.push(Output::Refused { message: envelope.id, reason, retry_after_ns: 0 });
    }

    /// Reports a refusal: to the client at its gateway, and from the single sequencer.
    pub(super) fn refuse(&mut self, work: Work, reason: Reason, out: &mut Vec<Output>) {
        self.refuse_for(work, reason, 0, out);
    }

    fn refuse_for(
        &mut self,
        work: Work,
        reason: Reason,
        retry_after_ns: Ns,
        out: &mut Vec<Output>,
    ) {
        self.fair.iter_mut().for_each(|fair| fair.refuse(&work));
        let only_chance = self.is_only() && self.orders();
        self.note_refusal(&work.envelope);
        if work.from == CLIENT || only_chance {
            out.push(Output::Refused { message: work.envelope.id, reason, retry_after_ns });
        }
    }

    /// A neighbour's frame.
    #[inline]
    pub(super) fn receive(
        &mut self,
        now: Ns,
        from: Peer,
        frame: Frame,
        payload: Payload,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let Some(mut gossip) = self.gossip.take() else { return };
        let mut outbox = std::mem::take(&mut self.gossip_out);
        gossip.step(now, gossip::Input::Receive { from, frame }, draws, &mut outbox);
        self.gossip = Some(gossip);
        let mut payload = Some(payload);
        for output in outbox.drain(..) {
            match output {
                gossip::Output::Validate { envelope, from } if envelope.class.is_consensus() => {
                    if let Some(payload) = payload.take() {
                        self.queue_consensus(envelope, payload, Some(from), out);
                    }
                }
                gossip::Output::Validate { envelope, from } => {
                    self.offer(now, Work { envelope, from }, out);
                }
                other => pass_on(other, now, out),
            }
        }
        self.gossip_out = outbox;
    }

    /// Publishes one of this node's own consensus messages, now numbered.
    pub(super) fn publish(
        &mut self,
        now: Ns,
        envelope: Envelope,
        payload: Payload,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        debug_assert!(payload != Payload::Opaque);
        self.gossip_step(now, gossip::Input::Publish(envelope), draws, out);
    }

    pub(super) fn gossip_step(
        &mut self,
        now: Ns,
        input: gossip::Input,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let Some(gossip) = &mut self.gossip else { return };
        gossip.step(now, input, draws, &mut self.gossip_out);
        for output in self.gossip_out.drain(..) {
            pass_on(output, now, out);
        }
    }

    /// Whether there is room for a consensus message to wait for verification.
    pub fn hears(&self, payload: &Payload) -> bool {
        payload.statement().is_none_or(|said| {
            let waiting = self.hearing_by.get(said.validator() as usize);
            waiting.is_some_and(|&waiting| waiting < HEARING_PER_VALIDATOR)
        })
    }

    fn count_hearing(&mut self, payload: &Payload, change: i32) {
        let validator = payload.statement().map(|said| said.validator());
        let waiting = validator.and_then(|of| self.hearing_by.get_mut(of as usize));
        waiting.into_iter().for_each(|waiting| *waiting = waiting.saturating_add_signed(change));
    }

    /// Queues a consensus message for verification; for one too many nothing happens, and it must be
    /// sent again.
    pub(super) fn queue_consensus(
        &mut self,
        envelope: Envelope,
        payload: Payload,
        from: Option<Peer>,
        out: &mut Vec<Output>,
    ) {
        if !self.hears(&payload) {
            return;
        }
        self.count_hearing(&payload, 1);
        self.hearing.push_back((envelope, payload, from));
        if self.hearing.len() == 1 {
            out.push(Output::Work(Task::Verify(envelope.class)));
        }
    }

    pub(super) fn verified(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let Some((envelope, payload, from)) = self.hearing.pop_front() else { return };
        self.count_hearing(&payload, -1);
        if let Some((next, ..)) = self.hearing.front() {
            out.push(Output::Work(Task::Verify(next.class)));
        }
        if let Some(from) = from {
            self.gossip_step(now, gossip::Input::Validated { envelope, from }, draws, out);
        }
        self.consider(now, payload, draws, out);
    }
}

#[inline]
fn pass_on(output: gossip::Output, now: Ns, out: &mut Vec<Output>) {
    out.push(match output {
        gossip::Output::Forward { envelope, except } => Output::Forward { envelope, except },
        gossip::Output::Send { to, frame } => Output::Send { to, frame },
        gossip::Output::HeartbeatAt(at) => Output::After(at.saturating_sub(now), Timer::Heartbeat),
        gossip::Output::Validate { .. } => return,
    });
}
