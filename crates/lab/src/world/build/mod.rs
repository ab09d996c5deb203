//! Set-up of a world from its scenario.
//!
//! Files: [`fair`] (one order out of many), [`layer`] (nodes and their machines), [`control`] (what
//! tunes them).

mod control;
mod fair;
mod layer;

use surgetank_layer::node::{Input, Node};
use surgetank_layer::units::{NodeId, Ns};

use super::{Event, Plugins, World};
use crate::actors::Actors;
use crate::adversary::Adversary;
use crate::agenda::Agenda;
use crate::chain::Chain;
use crate::clients::Clients;
use crate::exchange::{self, PositionBook};
use crate::faults::{Faults, Hindrance};
use crate::flow::Tape;
use crate::gauges::Gauges;
use crate::host::Host;
use crate::lane::Lane;
use crate::network::{Delays, Graph, LinkConfig, Links, Paths, Rules};
use crate::scenario::{Machine, Scenario, Transport};
use crate::seed::Seed;
use crate::slab::Slab;
use crate::waits::{Places, Waits};
use crate::wire::Wire;
use layer::{node_config, service_of};

/// What a user brings beside a scenario.
#[derive(Debug, Default)]
pub struct Files {
    /// A recording.
    pub tape: Option<Tape>,
    /// The accounts with which the market opens.
    pub positions: Option<PositionBook>,
}

impl World {
    /// A world at time 0.
    ///
    /// # Errors
    /// Names the part of the scenario that cannot be built.
    pub fn new(
        scenario: Scenario,
        seed: u64,
        files: Files,
        plugins: Plugins,
    ) -> Result<World, String> {
        let Files { tape, positions } = files;
        let seed = Seed::new(seed);
        let links = build_links(&scenario, &seed)?;
        let processes = Processes { seed, plugins };
        let nodes = build_hosts(&scenario, &links.graph, &processes)?;
        let hindrances = links.faults.hindrances();
        let crashes = hindrances.iter().any(|hindrance| hindrance.stops);
        let hears_copies = nodes.iter().any(|host| host.node.hears_copies());
        let waits = build_waits(&scenario, &nodes, hindrances);
        let exchange = exchange::open(&scenario, tape.as_ref(), positions.as_ref(), &seed)?;
        let adversary = Adversary::new(&scenario, &nodes[0].node, &seed)?;
        let chain = Chain::new(&scenario, nodes[0].node.engine(), &seed);
        let clients = Clients::new(&scenario, &nodes, adversary.link_ns(), &seed);
        let mut world = World {
            now: 0,
            end_ns: scenario.end_ns(),
            done: false,
            events: 0,
            agenda: Agenda::new(),
            wakes: Slab::default(),
            nodes,
            processes,
            wire: Wire::new(
                links,
                Rules::new(&scenario.network),
                &scenario.layer.reactor,
                seed.key("layer.reactor"),
                scenario.network.every_copy || crashes || hears_copies,
            ),
            chain,
            clients,
            lane: Lane::new(&scenario, &seed),
            exchange,
            actors: Actors::new(&scenario, tape, &seed),
            adversary,
            gauges: Gauges::new(&scenario),
            waits,
            outbox: Vec::new(),
            actions: Vec::new(),
            scenario,
        };
        world.begin();
        Ok(world)
    }

    /// Schedules the first events.
    fn begin(&mut self) {
        self.agenda.push(self.end_ns, Event::End);
        for (at, index, begins) in self.wire.links.faults.boundaries() {
            self.agenda.push(at, Event::Fault { index, begins });
        }
        if self.exchange.is_some() {
            self.agenda.push(0, Event::Price);
        }
        (0..self.nodes.len() as NodeId).for_each(|node| self.step(node, Input::Start));
        if self.gauges.is_on() {
            self.agenda.push(0, Event::Gauge);
        }
        self.with_actors(|actors, out| actors.start(0, out));
        self.lane_timer();
        self.with_attacker(|adversary, out| adversary.start(out));
        self.with_actors(|actors, out| actors.background.start(0, out));
    }
}

/// Makes a node's process: the first one, and one after each crash.
pub(super) struct Processes {
    seed: Seed,
    plugins: Plugins,
}

impl Processes {
    /// A node as configured, for a process that starts at `now`.
    ///
    /// # Errors
    /// Names the part of the scenario that cannot be built.
    pub(super) fn node(
        &self,
        scenario: &Scenario,
        graph: &Graph,
        id: NodeId,
        now: Ns,
    ) -> Result<Node, String> {
        let config = node_config(scenario, graph, id, now, &self.seed, &self.plugins)?;
        Ok(Node::new(config))
    }
}

fn build_hosts(
    scenario: &Scenario,
    graph: &Graph,
    processes: &Processes,
) -> Result<Vec<Host>, String> {
    let host = |id: NodeId| {
        let seed = &processes.seed;
        let (draws, service_draws) =
            (seed.stream("node", u64::from(id)), seed.stream("service", u64::from(id)));
        let node = processes.node(scenario, graph, id, 0)?;
        Ok(Host::new(node, service_of(scenario, id), draws, service_draws))
    };
    (0..scenario.network.nodes).map(host).collect()
}

fn build_waits(scenario: &Scenario, nodes: &[Host], faults: Vec<Hindrance>) -> Option<Box<Waits>> {
    if !nodes.iter().any(|host| host.node.engine().proposes()) {
        return None;
    }
    let single = nodes[0].node.engine().leader().is_some();
    let fair = scenario.layer.queue.is_fair();
    let window = scenario.measured_from_ns()..scenario.flow_end_ns() + 1;
    let places = Places::new(scenario.network.nodes as usize, window);
    Some(Box::new(Waits::new(places, single, fair, faults)))
}

fn build_links(scenario: &Scenario, seed: &Seed) -> Result<Links, String> {
    let network = &scenario.network;
    let regions = network.region_indices();
    let mut draws = seed.stream("network.topology", 0);
    let graph = Graph::build(&network.topology, network.nodes, regions.as_deref(), &mut draws)?;
    let delays = Delays::new(&network.delay, &graph, &mut seed.stream("network.delay", 0));
    let faults = Faults::new(&scenario.faults, network.nodes, seed)?;
    let rate = |of: fn(&Machine) -> Option<f64>, usual: f64| {
        let machine = |node| network.machine_of(node);
        (0..network.nodes).map(|node| machine(node).and_then(of).unwrap_or(usual)).collect()
    };
    let options = LinkConfig {
        uplink_mbps: rate(|machine| machine.uplink_mbps, network.uplink_mbps),
        downlink_mbps: rate(|machine| machine.downlink_mbps, network.downlink_mbps),
        paths: Paths::new(&network.delay),
        loss: network.loss,
        outbound_max: network.outbound_queue_max as usize,
        buffer_bytes: match network.transport {
            Transport::Datagram => 0,
            _ => u64::from(network.connections.buffer_kb) * 1_000,
        },
        keys: [seed.key("network.loss"), seed.key("network.jitter")],
    };
    Ok(Links::new(graph, delays, faults, options))
}
