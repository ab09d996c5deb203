//! Faults begin and end, gauges are read, and what was injected is measured back.

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Body, Class, NewOrderSingle, OrdType, Side, TimeInForce};
use surgetank_layer::node::{Done, Input};
use surgetank_layer::units::{NodeId, Ns};

use super::{Event, World};
use crate::actors::{Sending, Timer as ActorTimer, size_and_price};
use crate::exchange::Public;
use crate::host::{Service, Shares};
use crate::scenario::{Conduct, FaultKind, Scenario, ms};
use crate::seed::{Seed, Stream};
use crate::trace::Source;

/// What was seen of the faults that act on nodes and clients; links measure theirs themselves.
pub struct Incidents {
    service: Service,
    /// Slow faults under way: (fault, node, factor).
    slow: Vec<(u32, NodeId, f64)>,
    /// Crashed: (fault, node).
    down: Vec<(u32, NodeId)>,
    /// Keypers who do not do as they should.
    keypers: Vec<Corrupt>,
    /// Per fault: sum of what was measured, and how many samples.
    pub(super) seen: Vec<(f64, u64)>,
    spam_draws: Stream,
}

/// A keyper who does not do as it should.
#[derive(Clone, Copy)]
struct Corrupt {
    fault: u32,
    node: NodeId,
    conduct: Conduct,
    /// How much later, if late.
    extra: Ns,
}

impl Incidents {
    pub(super) fn new(service: Service, scenario: &Scenario, seed: &Seed) -> Incidents {
        Incidents {
            service,
            slow: Vec::new(),
            down: Vec::new(),
            keypers: Vec::new(),
            seen: vec![(0.0, 0); scenario.faults.len()],
            spam_draws: seed.stream("flow.spam", 0),
        }
    }

    /// A node has begun some work: how much longer than usual does it take?
    #[inline]
    pub(super) fn observe_work(&mut self, node: NodeId, span: Ns, done: &Done) {
        if let (Done::ShareMade { .. }, false) = (done, self.keypers.is_empty()) {
            let added = span.saturating_sub(self.service.share_ns) as f64 / 1e6;
            self.observe_keyper(node, Conduct::Late, added, 1);
            self.observe_keyper(node, Conduct::Silent, 1.0, 0);
        }
        if self.slow.is_empty() {
            return;
        }
        let Done::Validated(work) = done else { return };
        let mean = self.service.means.validation_ns[work.envelope.class as usize];
        // Faults on one node multiply: each is measured against what the others leave.
        let product: f64 = self.slow.iter().filter(|s| s.1 == node).map(|s| s.2).product();
        for &(fault, slowed, factor) in &self.slow {
            if slowed == node && mean > 0 {
                let (sum, samples) = &mut self.seen[fault as usize];
                *sum += span as f64 / mean as f64 / (product / factor);
                *samples += 1;
            }
        }
    }

    /// What a misbehaving keyper did; of several late ones, what the others leave.
    fn observe_keyper(&mut self, node: NodeId, conduct: Conduct, measured: f64, count: u64) {
        let same = |known: &&Corrupt| (known.node, known.conduct) == (node, conduct);
        let all: Ns = self.keypers.iter().filter(same).map(|known| known.extra).sum();
        for known in self.keypers.iter().filter(same) {
            let others =
                if conduct == Conduct::Late { (all - known.extra) as f64 / 1e6 } else { 0.0 };
            let (sum, samples) = &mut self.seen[known.fault as usize];
            (*sum, *samples) = (*sum + measured - others, *samples + count);
        }
    }

    /// Something came to a node that is down.
    pub(super) fn missed(&mut self, node: NodeId) {
        for &(fault, down) in &self.down {
            if down == node {
                self.seen[fault as usize].1 += 1;
            }
        }
    }
}

impl World {
    pub(super) fn fault(&mut self, index: u32, begins: bool) {
        let what = self.scenario.faults[index as usize].what.clone();
        self.waits.iter_mut().for_each(|waits| waits.nothing());
        self.wire.links.faults.set_active(index as usize, begins);
        match what {
            FaultKind::Slow { nodes, factor: own } => {
                for node in nodes {
                    let factor = self.wire.links.faults.service_factor(node);
                    self.nodes[node as usize].slow_down(factor);
                    self.incidents.slow.retain(|&(fault, at, _)| (fault, at) != (index, node));
                    if begins {
                        self.incidents.slow.push((index, node, own));
                    }
                }
            }
            FaultKind::Crash { nodes } => {
                nodes.iter().for_each(|&node| self.crash(index, node, begins))
            }
            FaultKind::Keypers { nodes, conduct, extra_ms } => {
                for node in nodes {
                    self.corrupt(index, node, conduct, ms(extra_ms), begins);
                }
            }
            FaultKind::Spam { .. } if begins => self.next_spam(index),
            _ => {}
        }
    }

    /// A keyper begins or ends to do as it should not. Faults on one keyper add up: silent, or late
    /// by the sum.
    fn corrupt(&mut self, fault: u32, node: NodeId, conduct: Conduct, extra: Ns, begins: bool) {
        let keypers = &mut self.incidents.keypers;
        keypers.retain(|known| (known.fault, known.node) != (fault, node));
        if begins {
            keypers.push(Corrupt { fault, node, conduct, extra });
        }
        if conduct == Conduct::Colluding {
            if begins && self.nodes[node as usize].node.opening().keypers.is_some() {
                let (sum, samples) = &mut self.incidents.seen[fault as usize];
                (*sum, *samples) = (*sum + 1.0, *samples + 1);
            }
            let change = if begins { 1 } else { -1 };
            self.adversary.pay_keypers(change);
            return;
        }
        let here = self.incidents.keypers.iter().filter(|known| known.node == node);
        let silent = here.clone().any(|known| known.conduct == Conduct::Silent);
        let late = here.filter(|known| known.conduct == Conduct::Late).map(|known| known.extra);
        let shares = match late.sum() {
            _ if silent => Shares::Never,
            0 => Shares::Prompt,
            extra => Shares::Late(extra),
        };
        self.nodes[node as usize].deliver_shares(shares);
    }

    /// A node with a share to send has decided a block.
    pub(super) fn observe_block(&mut self, node: NodeId) {
        if self.nodes[node as usize].node.opening().keypers.is_some() {
            self.incidents.observe_keyper(node, Conduct::Silent, 0.0, 1);
        }
    }

    fn crash(&mut self, fault: u32, node: NodeId, begins: bool) {
        let was = self.nodes[node as usize].is_up();
        self.incidents.down.retain(|&down| down != (fault, node));
        if begins {
            self.incidents.down.push((fault, node));
        }
        let up = !self.wire.links.faults.is_down(node);
        if was && !up {
            self.waits.iter_mut().for_each(|waits| waits.crashes(self.now, node));
            self.nodes[node as usize].crash(self.now);
        } else if !was && up {
            self.waits.iter_mut().for_each(|waits| waits.restarts(self.now, node));
            self.nodes[node as usize].restart();
            self.step(node, Input::Start);
        }
    }

    /// The spammer's next order, while its fault lasts.
    fn next_spam(&mut self, fault: u32) {
        let entry = &self.scenario.faults[fault as usize];
        let FaultKind::Spam { rate_per_s, .. } = entry.what else { return };
        let gap = self.incidents.spam_draws.exponential() / rate_per_s;
        let at = self.now + ms(gap * 1e3);
        if at < ms((entry.at_s + entry.duration_s) * 1e3) {
            self.agenda.push(at, Event::Outside(ActorTimer::Spam { fault }));
        }
    }

    pub(super) fn spam(&mut self, fault: u32) {
        let FaultKind::Spam { nodes, .. } = &self.scenario.faults[fault as usize].what else {
            return;
        };
        let draws = &mut self.incidents.spam_draws;
        let gateway = if nodes.is_empty() {
            draws.below(self.nodes.len() as u64) as NodeId
        } else {
            nodes[draws.below(nodes.len() as u64) as usize]
        };
        // Far from the market: it costs the venue work and the spammer nothing.
        let view = Public(self.exchange.as_ref());
        let (order_qty, price) = size_and_price(&view, 10.0, Side::Buy, 0.5);
        let cl_ord_id = self.incidents.seen[fault as usize].1 + 1 + (u64::from(fault) << 32);
        let order = NewOrderSingle {
            cl_ord_id,
            symbol: 0,
            side: Side::Buy,
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::GoodTillCancel,
            post_only: false,
            reduce_only: false,
            price,
            order_qty,
        };
        debug_assert_eq!(Body::NewOrderSingle(order).class(), Class::NewOrderSingle);
        let account = self.actors.accounts.spammer();
        self.send(&Sending {
            sent_ns: self.now,
            account,
            gateway,
            source: Source::Spam,
            body: Body::NewOrderSingle(order),
            fee_micros: None,
        });
        self.incidents.seen[fault as usize].1 += 1;
        self.next_spam(fault);
    }
}
