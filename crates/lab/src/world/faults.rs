//! Faults in the world: their effects are applied to hosts, and events are passed to them.

use surgetank_layer::message::Body;
use surgetank_layer::node::{Input, Task};
use surgetank_layer::units::{NodeId, Ns};

use super::{Event, World};
use crate::actors::{ActorEvent, Sending, size_and_price};
use crate::exchange::Public;
use crate::faults::{Impairment, Seen};
use crate::trace::Source;

impl World {
    pub(super) fn fault(&mut self, index: u32, begins: bool) {
        self.waits.iter_mut().for_each(|waits| waits.nothing());
        for (node, [before, after]) in self.wire.links.faults.switch(index, begins) {
            if begins {
                self.wire.links.faults.begun_at(index, node, self.holds_share(node));
            }
            self.impair(node, before, after);
        }
        if begins {
            self.fault_acts(index, true);
        }
    }

    /// Applies a changed impairment to a host.
    fn impair(&mut self, node: NodeId, before: Impairment, after: Impairment) {
        if after.bought != before.bought {
            self.notify_attacker(ActorEvent::Colluding(after.bought - before.bought));
        }
        let host = &mut self.nodes[node as usize];
        host.slow_down(after.slow);
        host.deliver_shares(after.shares());
        if after.down && !before.down {
            self.waits.iter_mut().for_each(|waits| waits.crashes(self.now, node));
            self.wire.crash(self.now, node);
            let next = self.processes.node(&self.scenario, &self.wire.links.graph, node, self.now);
            host.crash(self.now, next.expect("it was built before"));
        } else if before.down && !after.down {
            host.restart();
            self.wire.restart(self.now, node);
            self.waits.iter_mut().for_each(|waits| waits.restarts(self.now, node));
            self.step(node, Input::Start);
        }
    }

    /// Performs the next action of a fault that sends.
    pub(super) fn fault_acts(&mut self, index: u32, begins: bool) {
        let view = Public(self.exchange.as_ref());
        let quote = |usd, side, distance| size_and_price(&view, 0, usd, side, distance);
        let turn = self.wire.links.faults.act(index, begins, self.now, &quote);
        if let Some((gateway, order)) = turn.order {
            self.send(&Sending {
                sent_ns: self.now,
                account: self.actors.accounts.spammer(),
                gateway,
                source: Source::Spam,
                body: Body::NewOrderSingle(order),
                fee_micros: None,
            });
        }
        turn.again.into_iter().for_each(|at| self.agenda.push(at, Event::FaultActs { index }));
    }

    /// Work of a node has begun that will take this long.
    #[inline]
    pub(super) fn observe_work(&mut self, node: NodeId, task: &Task, span_ns: Ns) {
        if self.wire.links.faults.on_machines() {
            let usual_ns = self.nodes[node as usize].usual_ns(task);
            self.wire.links.faults.observe(node, &Seen::Work { task, span_ns, usual_ns });
        }
    }

    /// A node has decided a block.
    pub(super) fn observe_block(&mut self, node: NodeId) {
        if self.wire.links.faults.on_machines() && self.holds_share(node) {
            self.wire.links.faults.observe(node, &Seen::ShareDue);
        }
    }

    fn holds_share(&self, node: NodeId) -> bool {
        self.nodes[node as usize].node.unsealing().keypers.is_some()
    }
}
