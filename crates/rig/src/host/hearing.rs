//! What arrives: answers, the journal, and the ends of connections.

use surgetank_lab::actors::{ActorEvent, Published};
use surgetank_layer::audit::batch::Batch;
use surgetank_layer::audit::journal::{MAGIC, read_batch};
use surgetank_layer::message::{Class, Message};
use surgetank_layer::units::{Digest, MessageId, Ns};
use surgetank_venue::encoding::Encoded;
use surgetank_venue::event::{Event, Position, Stamped, StreamKey};
use surgetank_venue::request::{Action as Asked, Request};
use surgetank_venue::wire::{Down, Subscription, Up};

use super::Rig;
use crate::agenda::Due;
use crate::connection::{Arrival, Named};
use crate::link::may_return;

impl Rig {
    pub(super) fn arrive(&mut self, (name, arrival): Named) {
        let at = name.link as usize;
        if !self.links[at].is_present(name) {
            return;
        }
        match arrival {
            Arrival::Open(stream) => {
                if let Err(error) = self.links[at].opened(stream) {
                    self.failed = Some(error);
                }
            }
            Arrival::End => self.lost(name.link),
            Arrival::Bytes(unix_ns, bytes) => {
                let before = self.links[at].is_logged_on();
                match self.links[at].hear(unix_ns, &bytes) {
                    Ok(downs) => {
                        if self.links[at].is_logged_on() && !before {
                            self.logged_on(at);
                        }
                        downs.into_iter().for_each(|down| self.hear(at, unix_ns, down));
                    }
                    Err(reason) => self.failed = Some(format!("the venue's bytes: {reason:?}")),
                }
            }
        }
    }

    /// The connection of a link has ended: it connects again after a while.
    fn lost(&mut self, link: u32) {
        let backoff_ns = self.links[link as usize].lost();
        self.agenda.push(self.now() + backoff_ns, Due::Connect(link));
    }

    fn logged_on(&mut self, at: usize) {
        let link = &mut self.links[at];
        if let Some(reading) = link.reading() {
            let best = self.reading.get_or_insert(reading);
            if reading.error_ns < best.error_ns {
                *best = reading;
            }
        }
        self.record.promises.reaches(link.sequence());
        if at == 0 {
            let after = Some(Position { epoch: 1, number: self.journal });
            let journal = Subscription { key: StreamKey::Journal(()), after, conflate: false };
            link.say(&Up::Subscribe(vec![journal]));
        }
    }

    fn hear(&mut self, at: usize, unix_ns: Ns, down: Down) {
        let start_ns = self.site.clock.start_ns;
        let now = unix_ns.saturating_sub(start_ns);
        match down {
            Down::Answers(answers) => {
                for answer in &answers.answers {
                    let message = self.links[at].unanswered.answered(answer.request());
                    if let Some(id) = message {
                        let again = self.record.answered(now, start_ns, id, answer);
                        self.answered(now, id, again);
                    }
                }
            }
            Down::Events(events) => events.into_iter().for_each(|event| self.event(now, event)),
            Down::Gap(gap) => {
                self.failed = Some(format!("the journal has a gap: {:?}", gap.reason));
            }
            Down::Cut(cut) if may_return(cut.reason) => self.lost(at as u32),
            Down::Cut(cut) => self.failed = Some(format!("the venue has cut us: {:?}", cut.reason)),
            _ => {}
        }
    }

    /// A message has its answer, or may be sent again after this time.
    fn answered(&mut self, now: Ns, id: MessageId, again: Option<Ns>) {
        let tries = u32::from(self.record.messages.tries[id as usize]);
        let retry = &self.scenario.flow.retry;
        match again {
            Some(after_ns) if tries <= retry.tries_max && !self.is_over => {
                let backoff_ns = retry.backoff_ns << tries.saturating_sub(1).min(16);
                self.record.again(id);
                self.agenda.push(now + backoff_ns.max(after_ns), Due::Send(id));
            }
            _ if self.attacker.follows(id) => self.provoke(now, ActorEvent::Confirmed(id)),
            _ => {}
        }
    }

    /// An event of the journal. Those that were received before a connection ended are not
    /// received again.
    fn event(&mut self, now: Ns, event: Stamped) {
        if event.number != self.journal + 1 {
            let known = self.journal;
            self.failed = Some(format!("journal: event {} follows {known}", event.number));
            return;
        }
        self.journal = event.number;
        let Event::Batch(frame) = event.event else { return };
        if frame.starts_with(MAGIC) {
            return self.record.promises.head(&frame);
        }
        match read_batch(&frame) {
            Ok(batch) => self.batch(now, frame.len() as u64, &batch),
            Err(_) => self.failed = Some("a batch of the journal cannot be read".into()),
        }
    }

    /// The messages of a batch that are the run's own.
    fn messages_of(&mut self, batch: &Batch) -> Vec<Message> {
        let mut messages = Vec::with_capacity(batch.order.len());
        for (sequence, index) in (batch.header.first_sequence..).zip(&batch.order) {
            let bytes = batch.inputs.get(*index as usize).map_or(&[][..], |(_, bytes)| bytes);
            match Request::from_bytes(bytes) {
                Ok(request) if matches!(request.action, Asked::Message { .. }) => {
                    messages.extend(self.record.placed(sequence, &request));
                }
                _ => self.record.foreign += 1,
            }
        }
        messages
    }

    /// A batch of the journal: the shadow executes it, and the actors hear of it.
    fn batch(&mut self, now: Ns, bytes: u64, batch: &Batch) {
        let messages = self.messages_of(batch);
        let (height, seed) = (batch.header.height, Digest(batch.header.seed));
        let start_ns = self.site.clock.start_ns;
        let sealed_ns = batch.header.sealed_ns.saturating_sub(start_ns);
        let facts = self.shadow.execute(sealed_ns, (height, seed), &messages);
        self.notify(now, ActorEvent::Executed { messages: &messages, facts: &facts });
        let marks = self.shadow.marks_at(height as u32).to_vec();
        let cut = self.shadow.deferred_in(height);
        let priced = messages.iter().any(|one| one.body.class() == Class::PriceUpdate);
        self.record.batch(now, start_ns, batch, bytes, messages);
        if !priced && !cut {
            return;
        }
        for gateway in 0..self.scenario.network.nodes {
            let height = height as u32;
            let published = Published { gateway, height, marks: &marks, priced, cut };
            self.notify(now, ActorEvent::Published(published));
        }
    }
}
