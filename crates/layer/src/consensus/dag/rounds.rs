//! Narwhal: vertices, votes, certificates, and the next round.

use std::sync::Arc;

use super::{Anchors, Dag, DagClause, Due, Output, ROUNDS_AHEAD};
use crate::chained::ChainMessage;
use crate::dag::{Vertex, VertexCertificate, VertexVote};
use crate::units::{Digest, Height, Round};

impl Dag {
    pub(super) fn enter(&mut self, round: Round, outbox: &mut Vec<Output>) {
        self.round = round;
        (self.is_due, self.expired, self.asked) = (false, false, None);
        self.electorate.reach(Height::from(round / 2) + 1, 0);
        outbox.push(Output::Schedule { due: Due::Propose, round, after_ns: self.wait_ns });
        if let Anchors::Turns(timeout_ns) = self.anchors {
            let after_ns = self.wait_ns.saturating_add(timeout_ns);
            outbox.push(Output::Schedule { due: Due::Round, round, after_ns });
        }
    }

    /// With a quorum of a round in the graph the next one begins.
    pub(super) fn advance(&mut self, outbox: &mut Vec<Output>) {
        for round in (self.round..=self.graph.last_round()).rev() {
            let whole = self.weight_of(self.graph.whole(round).map(|(who, _)| who));
            if !self.electorate.is_quorum(whole) {
                continue;
            }
            // Who is behind does not wait.
            if round > self.round || self.is_ready() {
                self.fire(DagClause::Advance);
                return self.enter(round + 1, outbox);
            }
            if self.expired {
                self.fire(DagClause::AdvanceByTimer);
                return self.enter(round + 1, outbox);
            }
        }
    }

    /// Bullshark waits for the anchor of the round; in the round after it, for its support, or for so
    /// many without it that it cannot have any.
    fn is_ready(&self) -> bool {
        let (round, Anchors::Turns(_)) = (self.round, self.anchors) else { return true };
        if Dag::has_anchor(round) {
            let anchor = self.anchor(round).and_then(|author| self.graph.get(round, author));
            return anchor.is_some_and(|slot| slot.is_whole);
        }
        let Some(author) = self.anchor(round - 1) else { return true };
        let support = self.weight_of(self.graph.supporters(round - 1, author));
        let whole = self.weight_of(self.graph.whole(round).map(|(who, _)| who));
        self.electorate.is_third(support) || self.electorate.is_quorum(whole - support)
    }

    /// Asks for the block of a vertex on all of the round before.
    pub(super) fn make(&mut self, outbox: &mut Vec<Output>) {
        let round = self.round;
        if !self.is_due || self.made >= round || self.asked.is_some() || !self.has_voice() {
            return;
        }
        let parents = self.graph.whole(round - 1).map(|(who, vertex)| (who, vertex.value));
        let parents: Vec<(u32, Digest)> = parents.collect();
        let base = Vertex::base_of(round, self.me, &parents);
        self.asked = Some(parents);
        let own = self.graph.iter().filter(|((at, author), slot)| {
            // Two rounds later a vertex to which none refers will hardly be ordered: its messages are
            // for another.
            let is_referred_to = || self.graph.supporters(*at, self.me).next().is_some();
            *author == self.me && !slot.is_ordered && (at + 2 >= round || is_referred_to())
        });
        let after = own.filter_map(|(_, slot)| Some(slot.vertex.as_ref()?.value)).collect();
        outbox.push(Output::GetValue { round, base, after });
    }

    /// The vertex is made, and this validator's own vote is for it.
    pub(super) fn answer(&mut self, round: Round, value: Digest, outbox: &mut Vec<Output>) {
        if round != self.round || self.made >= round {
            return;
        }
        let Some(parents) = self.asked.take() else { return };
        self.made = round;
        self.fire(DagClause::Make);
        let has_share = matches!(self.anchors, Anchors::Coin(_)) && Dag::has_anchor(round);
        let (validator, decided) = (self.me, self.decided);
        let vertex = Vertex { round, value, parents, has_share, decided, validator };
        let message = Arc::new(ChainMessage::Vertex(vertex));
        outbox.push(Output::Broadcast(Arc::clone(&message)));
        self.receive(&message, true, outbox);
    }

    /// A message of any validator, this one included.
    pub(super) fn receive(
        &mut self,
        message: &Arc<ChainMessage>,
        valid: bool,
        outbox: &mut Vec<Output>,
    ) {
        if message.validator() as usize >= self.electorate.len() {
            return;
        }
        match &**message {
            ChainMessage::Vertex(vertex) => self.vertex(vertex, valid, outbox),
            ChainMessage::VertexVote(vote) => self.count(*vote, outbox),
            ChainMessage::Certificate(certificate) => self.certificate(certificate, outbox),
            _ => {}
        }
    }

    /// Whether this node keeps what is said of a round.
    pub(super) fn keeps(&self, round: Round) -> bool {
        // Who has taken blocks from others may be in an earlier round than their last anchor's.
        let last_anchor = self.next_anchor.saturating_sub(2);
        let last = self.round.max(last_anchor).saturating_add(ROUNDS_AHEAD);
        round > self.graph.floor && round <= last
    }

    fn is_well_formed(&self, vertex: &Vertex) -> bool {
        let parents = || vertex.parents.iter().map(|(who, _)| *who);
        let has_parents = match vertex.round {
            1 => vertex.parents.is_empty(),
            _ => self.electorate.is_quorum_of(parents()),
        };
        has_parents && self.electorate.weight(vertex.validator) > 0
    }

    fn vertex(&mut self, vertex: &Vertex, valid: bool, outbox: &mut Vec<Output>) {
        let &Vertex { round, value, validator, .. } = vertex;
        if !self.keeps(round) || !self.is_well_formed(vertex) {
            return;
        }
        let Some(slot) = self.graph.slot(round, validator) else { return };
        let first = slot.vertex.as_ref().map(|first| first.value);
        if first.is_some_and(|first| first != value) && self.accused.insert((round, validator)) {
            outbox.push(Output::Equivocation { validator, round });
        }
        // Of an author's vertices the certified one counts, and before there is one, the first.
        let is_other = slot.certificate.as_ref().is_some_and(|it| it.value != value);
        if first == Some(value) {
            return self.vote_again(round, validator, outbox);
        }
        if !valid || first.is_some() || is_other {
            return;
        }
        slot.vertex = Some(Arc::new(vertex.clone()));
        self.settle(round, validator, outbox);
    }

    /// A vote for a vertex of this validator's.
    fn count(&mut self, vote: VertexVote, outbox: &mut Vec<Output>) {
        let VertexVote { round, author, value, validator } = vote;
        let slot = self.graph.get(round, author).filter(|_| author == self.me);
        let Some(slot) = slot else { return };
        let is_it = slot.vertex.as_ref().is_some_and(|vertex| vertex.value == value);
        if !is_it || slot.certificate.is_some() {
            return;
        }
        let votes = self.votes.entry(round).or_default();
        votes.insert(validator);
        let voters: Vec<u32> = votes.iter().copied().collect();
        if self.electorate.is_quorum_of(voters.iter().copied()) {
            self.votes.remove(&round);
            self.fire(DagClause::Certify);
            let certificate = VertexCertificate { round, author, value, voters };
            let message = Arc::new(ChainMessage::Certificate(certificate));
            outbox.push(Output::Broadcast(Arc::clone(&message)));
            self.receive(&message, true, outbox);
        }
    }

    fn certificate(&mut self, certificate: &VertexCertificate, outbox: &mut Vec<Output>) {
        let &VertexCertificate { round, author, .. } = certificate;
        let is_quorum = self.electorate.is_quorum_of(certificate.voters.iter().copied());
        if !self.keeps(round) || !is_quorum {
            return;
        }
        let Some(slot) = self.graph.slot(round, author) else { return };
        if slot.certificate.is_none() {
            slot.certificate = Some(Arc::new(certificate.clone()));
            // Another one of the author's was here first: the certified one is asked for.
            let other = slot.vertex.take_if(|vertex| vertex.value != certificate.value);
            outbox.extend(other.map(|vertex| Output::Forget(vec![vertex.value])));
            self.settle(round, author, outbox);
        }
    }

    /// Something is known of a vertex: it, and what waited for it, may be in the graph now.
    pub(super) fn settle(&mut self, round: Round, author: u32, outbox: &mut Vec<Output>) {
        let mut open = vec![(round, author)];
        let mut grew = false;
        while let Some((round, author)) = open.pop() {
            let Some(slot) = self.graph.get(round, author) else { continue };
            let Some(vertex) = slot.vertex.clone() else { continue };
            if slot.is_whole || !self.graph.has_history(&vertex) {
                continue;
            }
            let is_certified = slot.certified().is_some();
            self.vote(&vertex, outbox);
            if !is_certified {
                continue;
            }
            let Some(slot) = self.graph.slot(round, author) else { continue };
            slot.is_whole = true;
            grew = true;
            let next = self.graph.of_round(round + 1).filter(|(_, slot)| !slot.is_whole);
            open.extend(next.map(|(who, _)| (round + 1, who)));
        }
        // A share alone can reveal a coin.
        let vertex = self.graph.get(round, author).and_then(|slot| slot.vertex.as_ref());
        if grew || vertex.is_some_and(|vertex| vertex.has_share) {
            self.decide(outbox);
        }
    }

    /// A vote for the first vertex of an author in a round, once all of its history is here.
    fn vote(&mut self, vertex: &Vertex, outbox: &mut Vec<Output>) {
        let &Vertex { round, value, validator: author, .. } = vertex;
        if !self.has_voice() {
            return;
        }
        let Some(slot) = self.graph.slot(round, author) else { return };
        if slot.voted.is_some() || slot.certificate.is_some() {
            return;
        }
        slot.voted = Some(value);
        self.fire(DagClause::Vote);
        self.send_vote(VertexVote { round, author, value, validator: self.me }, outbox);
    }

    /// The author has sent its vertex again: the vote for it may be lost.
    fn vote_again(&mut self, round: Round, author: u32, outbox: &mut Vec<Output>) {
        let slot = self.graph.get(round, author).filter(|slot| slot.certificate.is_none());
        if let Some(value) = slot.and_then(|slot| slot.voted).filter(|_| author != self.me) {
            self.send_vote(VertexVote { round, author, value, validator: self.me }, outbox);
        }
    }

    fn send_vote(&mut self, vote: VertexVote, outbox: &mut Vec<Output>) {
        match vote.author {
            to if to == self.me => self.count(vote, outbox),
            to => {
                let message = Arc::new(ChainMessage::VertexVote(vote));
                outbox.push(Output::Send { to, message });
            }
        }
    }
}
