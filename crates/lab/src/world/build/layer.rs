//! The machines of a node, from `[layer]`.

use surgetank_layer::node;
use surgetank_layer::queue;
use surgetank_layer::units::{Digest, NodeId, Ns};

use super::super::Plugins;
use super::control::tuning;
use super::fair::build_fair;
use crate::host::Service;
use crate::network::Graph;
use crate::scenario::Scenario;
use crate::seed::Seed;

fn build_rule(rule: Option<&queue::Rule>, plugins: &Plugins) -> queue::Rule {
    let own = || plugins.rule.clone().map_or(queue::Rule::Fifo, queue::Rule::Custom);
    rule.cloned().unwrap_or_else(own)
}

/// Service times of a node on its machine.
pub(super) fn service_of(scenario: &Scenario, id: NodeId) -> Service {
    let speed = scenario.network.machine_of(id).map_or(1.0, |machine| machine.speed);
    scenario.layer.service.on_machine(speed)
}

/// Parameters of a node, for a process that starts at `now`.
///
/// # Errors
/// Names the part of the scenario that cannot be built.
pub(super) fn node_config(
    scenario: &Scenario,
    graph: &Graph,
    id: NodeId,
    now: Ns,
    seed: &Seed,
    plugins: &Plugins,
) -> Result<node::Config, String> {
    let layer = &scenario.layer;
    let (queue, service) = (&layer.queue, service_of(scenario, id));
    let key = Digest(seed.digest("layer.beacon", 0));
    Ok(node::Config {
        id,
        weights: scenario.network.weights().into(),
        degree: graph.offsets[id as usize + 1] - graph.offsets[id as usize],
        gossip: layer.gossip.clone(),
        unsealing: node::Unsealing { key, ..queue.unsealing.clone() },
        rule: build_rule(queue.discipline.as_ref(), plugins),
        ingress_max: queue.ingress_max,
        mempool_max: queue.mempool_max,
        validations_max: service.servers,
        costs: service.means,
        ordering: layer.consensus.clone().dealt(seed.key("layer.coin")),
        fair: build_fair(scenario),
        admission: layer.admission.node.clone(),
        tuning: tuning(scenario, seed, plugins, id, now),
    })
}
