//! The heartbeat: penalties, upkeep of the mesh, opportunistic grafting, gossip.

use super::Gossipsub;
use crate::gossip::{Frame, Output, sample};
use crate::machine::Draws;
use crate::units::{Ns, Peer};

impl Gossipsub {
    pub(super) fn heartbeat(&mut self, now: Ns, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        self.beats += 1;
        for peer in self.promises.broken(now) {
            self.misbehaves(peer, 1.0);
        }
        self.scores.iter_mut().for_each(|scores| scores.refresh(now));
        // The specification asks for some slack.
        let slack = self.config.heartbeat_ns;
        self.backoff.retain(|_, until| until.saturating_add(slack) > now);
        let beats = self.beats;
        self.unwanted.retain(|_, until| *until > beats);
        self.heard.clear();
        self.keep_mesh(now, draws, outbox);
        self.graft_opportunistically(now, draws, outbox);
        self.gossip(now, draws, outbox);
        self.cache.shift(self.config.history_length);
        outbox.push(Output::HeartbeatAt(now + self.config.heartbeat_ns));
    }

    fn keep_mesh(&mut self, now: Ns, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        let poor: Vec<Peer> =
            self.mesh.iter().copied().filter(|&peer| self.score(now, peer) < 0.0).collect();
        poor.into_iter().for_each(|peer| self.prune(now, peer, outbox));
        if self.mesh.len() < self.config.d_lo as usize {
            let missing = (self.config.d as usize).saturating_sub(self.mesh.len());
            let free = |peer| self.is_free(peer) && self.score(now, peer) >= 0.0;
            let chosen = sample(self.degree, missing, draws, free);
            self.graft(now, chosen, outbox);
        } else if self.mesh.len() > self.config.d_hi as usize {
            for peer in self.excess(now, draws) {
                self.prune(now, peer, outbox);
            }
        }
    }

    /// Mesh peers beyond D: all but the D_score best, and random others up to D.
    fn excess(&self, now: Ns, draws: &mut dyn Draws) -> Vec<Peer> {
        // Shuffled first, so that peers of one score are chosen evenly.
        let mut peers = sample(self.degree, usize::MAX, draws, |peer| self.mesh.contains(&peer));
        peers.sort_by(|&a, &b| self.score(now, b).total_cmp(&self.score(now, a)));
        let best = (self.config.d_score as usize).min(peers.len());
        let mut others = peers.split_off(best);
        for i in (1..others.len()).rev() {
            others.swap(i, draws.below(i as u64 + 1) as usize);
        }
        others.split_off((self.config.d as usize).saturating_sub(best).min(others.len()))
    }

    fn graft_opportunistically(
        &mut self,
        now: Ns,
        draws: &mut dyn Draws,
        outbox: &mut Vec<Output>,
    ) {
        let ticks = u64::from(self.config.opportunistic_graft_ticks);
        let Some(scores) = &self.scores else { return };
        if ticks == 0 || !self.beats.is_multiple_of(ticks) || self.mesh.len() < 2 {
            return;
        }
        let mut known: Vec<f64> = self.mesh.iter().map(|&peer| scores.of(now, peer)).collect();
        known.sort_by(f64::total_cmp);
        let median = known[known.len() / 2];
        if median >= scores.config().opportunistic_graft_threshold {
            return;
        }
        let better = |peer| self.is_free(peer) && self.score(now, peer) > median;
        let count = self.config.opportunistic_graft_peers as usize;
        let chosen = sample(self.degree, count, draws, better);
        self.graft(now, chosen, outbox);
    }

    fn gossip(&mut self, now: Ns, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        let mut ids = self.cache.announced(self.config.history_gossip);
        if ids.is_empty() {
            return;
        }
        let hears = |peer| {
            !self.mesh.contains(&peer) && !self.is_below(now, peer, |score| score.gossip_threshold)
        };
        let eligible = (0..self.degree).filter(|&peer| hears(peer)).count();
        let share = (self.config.gossip_factor * eligible as f64) as usize;
        let chosen = sample(self.degree, share.max(self.config.d_lazy as usize), draws, hears);
        ids.truncate(self.config.max_ihave_length as usize);
        for to in chosen {
            outbox.push(Output::Send { to, frame: Frame::IHave(ids.clone()) });
        }
    }

    /// Whether a peer could be grafted.
    fn is_free(&self, peer: Peer) -> bool {
        !self.mesh.contains(&peer) && !self.backoff.contains_key(&peer)
    }

    fn graft(&mut self, now: Ns, peers: Vec<Peer>, outbox: &mut Vec<Output>) {
        for to in peers {
            self.add(now, to);
            outbox.push(Output::Send { to, frame: Frame::Graft });
        }
    }
}
