//! Transport: what the connections between nodes do to messages.
//!
//! Files: [`connection`] (one direction of a connection), [`path`] (the way between its ends), [`window`] (congestion control), [`rtt`]
//! (round-trip times and timeouts), [`gaps`] (what was lost), [`outgoing`] (what waits),
//! [`stalls`] (for how long, and why), [`rules`] (constants), [`way`] (its packets on the links),
//! this one (all connections).

mod connection;
mod gaps;
mod outgoing;
mod path;
mod rtt;
mod rules;
mod stalls;
mod way;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use surgetank_layer::units::{NEVER, NodeId, Ns};

use connection::Connection;
pub use outgoing::Channel;
pub use path::{Arrived, Carried};
pub use rules::Rules;
pub use stalls::{Stall, Stalled};
use way::Way;

use super::Links;

/// No connection yet.
const NOT_THERE: u32 = u32::MAX;

/// What became of a message that was handed to a connection.
#[derive(Clone, Copy, Debug)]
pub enum Handed {
    /// It is on its way.
    Sent(super::Flight),
    /// It is to be handed over with a number.
    Waits,
    /// There is no room for it, or no connection.
    Refused,
}

/// What happened on a connection.
#[derive(Debug, Default)]
pub struct News {
    /// Messages whose arrival is known now.
    pub arrived: Vec<Arrived>,
    /// Messages that were lost with their connection.
    pub dropped: Vec<u32>,
    /// When the connection has to be woken.
    pub wake_at: Option<Ns>,
}

/// Both ends of a connection's direction, and its mean delays there and back.
#[derive(Clone, Copy, Debug)]
struct Ends {
    from: NodeId,
    to: NodeId,
    there: Ns,
    back: Ns,
}

/// All connections. They are open from the start, as venues' nodes keep theirs; each direction is
/// made when it is first used.
pub struct ConnectionSet {
    rules: Rules,
    all: Vec<Connection>,
    ends: Vec<Ends>,
    of_link: Vec<u32>,
    between: BTreeMap<(NodeId, NodeId), u32>,
    down: Vec<bool>,
}

impl ConnectionSet {
    /// No traffic.
    pub fn new(rules: Rules, links: &Links) -> ConnectionSet {
        ConnectionSet {
            rules,
            all: Vec::new(),
            ends: Vec::new(),
            of_link: vec![NOT_THERE; links.graph.peers.len()],
            between: BTreeMap::new(),
            down: vec![false; links.graph.nodes()],
        }
    }

    /// The connection over a link.
    #[inline]
    pub fn over(&mut self, from: NodeId, link: u32, links: &Links) -> u32 {
        match self.of_link[link as usize] {
            NOT_THERE => {
                let id = self.between(from, links.graph.peers[link as usize], links);
                self.of_link[link as usize] = id;
                id
            }
            id => id,
        }
    }

    /// The connection between any two nodes.
    pub fn between(&mut self, from: NodeId, to: NodeId, links: &Links) -> u32 {
        if let Some(&id) = self.between.get(&(from, to)) {
            return id;
        }
        let (there, back) = (links.delays.between(from, to), links.delays.between(to, from));
        let mut one = Connection::new(&self.rules, self.rules.burst(&links.bytes_on(from, to)));
        if self.down[from as usize] || self.down[to as usize] {
            one.close_down(&self.rules);
        }
        let id = self.all.len() as u32;
        self.all.push(one);
        self.ends.push(Ends { from, to, there, back });
        self.between.insert((from, to), id);
        id
    }

    /// Hands a message over without a number: most are sent at once.
    #[inline]
    pub fn hand(&mut self, now: Ns, id: u32, bytes: u32, links: &mut Links) -> Handed {
        let one = &mut self.all[id as usize];
        let mut way = Way { links, ends: self.ends[id as usize] };
        if let Some(sent) = one.direct(now, bytes, &self.rules, &mut way) {
            let (leaves, at, extra) = (sent.leaves, sent.at, sent.extra);
            let held = Stalled::default();
            return Handed::Sent(super::Flight { leaves, at, extra, held });
        }
        if one.has_room(&self.rules, bytes) { Handed::Waits } else { Handed::Refused }
    }

    /// Hands a message over under a number.
    pub fn push(
        &mut self,
        now: Ns,
        id: u32,
        channel: Channel,
        number: u32,
        bytes: u32,
        links: &mut Links,
    ) -> News {
        self.all[id as usize].push(now, channel, number, bytes);
        self.wake(now, id, links)
    }

    /// A connection does what is due.
    pub fn wake(&mut self, now: Ns, id: u32, links: &mut Links) -> News {
        let mut arrived = Vec::new();
        let one = &mut self.all[id as usize];
        let mut way = Way { links, ends: self.ends[id as usize] };
        if one.wake_at <= now {
            one.wake_at = NEVER;
        }
        let dropped = one.advance(now, &self.rules, &mut way, &mut arrived);
        News { arrived, dropped, wake_at: self.next_wake(now, id) }
    }

    /// When a connection has to be woken, if that is earlier than its present event.
    pub fn next_wake(&mut self, now: Ns, id: u32) -> Option<Ns> {
        let one = &mut self.all[id as usize];
        let at = one.next_wake(now, &self.rules).max(now);
        (at < one.wake_at).then(|| {
            one.wake_at = at;
            at
        })
    }

    /// Whether a connection that sent at once may have to be woken.
    #[inline]
    pub fn is_sparse(&self, id: u32) -> bool {
        self.all[id as usize].is_sparse()
    }

    /// A node goes down, and its connections with it; returns the messages that are lost.
    pub fn crash(&mut self, node: NodeId) -> Vec<u32> {
        self.down[node as usize] = true;
        let mut lost = Vec::new();
        for (one, ends) in self.all.iter_mut().zip(&self.ends) {
            if ends.from == node || ends.to == node {
                lost.extend(one.close_down(&self.rules));
            }
        }
        lost
    }

    /// A node is up again: connections to nodes that are up are set up. Returns them.
    pub fn restart(&mut self, now: Ns, node: NodeId) -> Vec<u32> {
        self.down[node as usize] = false;
        let mut opening = Vec::new();
        for (id, ends) in (0..).zip(&self.ends) {
            let of_node = ends.from == node || ends.to == node;
            if of_node && !self.down[ends.from as usize] && !self.down[ends.to as usize] {
                self.all[id as usize].open_up(now);
                opening.push(id);
            }
        }
        opening
    }
}
