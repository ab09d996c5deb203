//! The machines of a node, from `[layer]`.

use surgetank_layer::consensus::tendermint;
use surgetank_layer::node::{self, Fair, Ordering};
use surgetank_layer::units::{Digest, NodeId};
use surgetank_layer::{queue, sequencer};

use super::super::Plugins;
use super::fair::build_fair;
use crate::network::Graph;
use crate::scenario::{Consensus, Scenario};
use crate::seed::Seed;

fn build_rule(rule: Option<&queue::Rule>, plugins: &Plugins) -> queue::Rule {
    let own = || plugins.rule.clone().map_or(queue::Rule::Fifo, queue::Rule::Custom);
    rule.cloned().unwrap_or_else(own)
}

pub(super) fn node_config(
    scenario: &Scenario,
    graph: &Graph,
    id: NodeId,
    seed: &Seed,
    plugins: &Plugins,
) -> Result<node::Config, String> {
    let layer = &scenario.layer;
    let (queue, service) = (&layer.queue, &layer.service);
    let key = Digest(seed.digest("layer.beacon", 0));
    let fair = build_fair(scenario)?;
    Ok(node::Config {
        id,
        nodes: scenario.network.nodes,
        degree: graph.offsets[id as usize + 1] - graph.offsets[id as usize],
        gossip: layer.gossip.clone(),
        unsealing: node::Unsealing { key, ..queue.unsealing.clone() },
        rule: build_rule(queue.discipline.as_ref(), plugins),
        ingress_max: queue.ingress_max,
        mempool_max: queue.mempool_max,
        validations_max: service.servers,
        costs: service.means,
        ordering: build_ordering(&layer.consensus, id, scenario.network.nodes, fair),
    })
}

fn build_ordering(consensus: &Consensus, id: NodeId, nodes: u32, fair: Option<Fair>) -> Ordering {
    match *consensus {
        Consensus::None {} => Ordering::None,
        Consensus::Single { node, window_ns, block_messages_max, block_bytes_max } => {
            Ordering::Single {
                node,
                sequencer: sequencer::Config {
                    batch_messages_max: block_messages_max,
                    batch_bytes_max: u64::from(block_bytes_max),
                    window_ns,
                },
                fair,
            }
        }
        Consensus::Tendermint {
            timeout_commit_ns,
            timeout_propose_ns,
            timeout_propose_delta_ns,
            timeout_vote_ns,
            timeout_vote_delta_ns,
            block_messages_max,
            block_bytes_max,
            rebroadcast_ns,
            ..
        } => Ordering::Tendermint {
            tendermint: tendermint::Config {
                validator: Some(id),
                weights: vec![1; nodes as usize],
                timeouts: tendermint::Timeouts {
                    propose_ns: timeout_propose_ns,
                    propose_delta_ns: timeout_propose_delta_ns,
                    prevote_ns: timeout_vote_ns,
                    prevote_delta_ns: timeout_vote_delta_ns,
                    precommit_ns: timeout_vote_ns,
                    precommit_delta_ns: timeout_vote_delta_ns,
                    commit_ns: timeout_commit_ns,
                },
            },
            block_messages_max,
            block_bytes_max,
            rebroadcast_ns,
        },
    }
}
