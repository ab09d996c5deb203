//! The machines of a node, from `[layer]`.

use surgetank_layer::consensus::tendermint;
use surgetank_layer::gossip;
use surgetank_layer::node::{self, Costs, Fair, Ordering, Places};
use surgetank_layer::sealed::keypers;
use surgetank_layer::units::{Digest, NodeId};
use surgetank_layer::{queue, sequencer};

use super::super::Plugins;
use super::fair::build_fair;
use crate::host::{Distribution, Service};
use crate::network::Graph;
use crate::scenario::{
    self, BlockOrder, Consensus, Discipline, Gossip, Scenario, SeedSource, class_of,
};
use crate::seed::Seed;

pub(super) fn build_service(scenario: &Scenario) -> Service {
    let (service, sealed) = (&scenario.layer.service, &scenario.layer.queue.sealed);
    let times = |t: &scenario::ClassTimes| {
        [
            t.price_update_ns,
            t.liquidation_order_ns,
            t.cancel_ns,
            t.replace_ns,
            t.order_ns,
            0,
            t.proposal_ns,
            t.vote_ns,
        ]
    };
    Service {
        servers: service.servers,
        means: Costs {
            validation_ns: times(&service.validation),
            execution_ns: times(&service.execution),
        },
        distribution: match service.distribution {
            scenario::Distribution::Fixed {} => Distribution::Fixed,
            scenario::Distribution::Exponential {} => Distribution::Exponential,
            scenario::Distribution::Lognormal { cv } => Distribution::Lognormal { cv },
            scenario::Distribution::Hyperexponential { cv } => {
                Distribution::Hyperexponential { cv }
            }
        },
        decryption_ns: match scenario.layer.queue.unsealing {
            scenario::Unsealing::Threshold => sealed.decrypt_ns,
            _ => 0,
        },
        share_ns: sealed.share_ns,
    }
}

/// What happens to a decided block before it is executed.
fn build_unsealing(scenario: &Scenario, key: [u8; 32]) -> node::Unsealing {
    let queue = &scenario.layer.queue;
    let sealed = &queue.sealed;
    let nodes = scenario.network.nodes;
    let threshold = (f64::from(nodes) * sealed.threshold).ceil() as u32;
    let keypers = keypers::Config {
        keypers: nodes,
        threshold,
        timeout_ns: sealed.timeout_ns,
        retries: u32::MAX,
        open_max: usize::MAX,
    };
    let drawn = queue.order == BlockOrder::Drawn;
    let opens = match queue.unsealing {
        scenario::Unsealing::None => drawn && queue.seed == SeedSource::Beacon,
        scenario::Unsealing::CommitReveal => false,
        scenario::Unsealing::Threshold => true,
    };
    let reveals = queue.unsealing == scenario::Unsealing::CommitReveal;
    node::Unsealing {
        places: if drawn { Places::Drawn } else { Places::AsDecided },
        reveal_ns: if reveals { sealed.reveal_ns } else { 0 },
        keypers: opens.then_some(keypers),
        key: Digest(key),
        encrypted: queue.unsealing == scenario::Unsealing::Threshold,
    }
}

fn build_rule(queue: &scenario::Queue, plugins: &Plugins) -> queue::Rule {
    let quantum_bytes = queue.quantum_bytes;
    let codel = &queue.codel;
    let law = queue::codel::Codel::new(codel.target_ns, codel.interval_ns);
    match queue.discipline {
        Discipline::Fifo => queue::Rule::Fifo,
        Discipline::Custom => plugins.rule.clone().map_or(queue::Rule::Fifo, queue::Rule::Custom),
        Discipline::Priority => queue::Rule::Priority {
            high: queue.high.iter().fold(0, |mask, &name| mask | 1 << class_of(name) as u8),
        },
        Discipline::Class => queue::Rule::Class,
        Discipline::Fee => queue::Rule::Fee,
        Discipline::Lanes => {
            let w = &queue.weights;
            let weights =
                [w.price_update, w.liquidation_order, w.cancel, w.replace, w.order, 1, 1, 1];
            queue::Rule::Lanes { weights }
        }
        Discipline::Drr => queue::Rule::Drr { quantum_bytes },
        Discipline::Codel => queue::Rule::Codel { law },
        Discipline::FqCodel => queue::Rule::FqCodel { quantum_bytes, law },
    }
}

pub(super) fn node_config(
    scenario: &Scenario,
    graph: &Graph,
    service: &Service,
    id: NodeId,
    seed: &Seed,
    plugins: &Plugins,
) -> Result<node::Config, String> {
    let layer = &scenario.layer;
    let fair = build_fair(scenario)?;
    Ok(node::Config {
        id,
        nodes: scenario.network.nodes,
        degree: graph.offsets[id as usize + 1] - graph.offsets[id as usize],
        gossip: build_gossip(&layer.gossip),
        unsealing: build_unsealing(scenario, seed.digest("layer.beacon", 0)),
        rule: build_rule(&layer.queue, plugins),
        ingress_max: layer.queue.ingress_max as usize,
        mempool_max: layer.queue.mempool_max as usize,
        validations_max: service.servers,
        costs: service.means,
        ordering: build_ordering(&layer.consensus, id, scenario.network.nodes, fair),
    })
}

fn build_gossip(gossip: &Gossip) -> Option<gossip::Config> {
    match *gossip {
        Gossip::Direct {} => None,
        Gossip::Flood {} => Some(gossip::Config::Flood),
        Gossip::Mesh {
            d,
            d_lo,
            d_hi,
            d_lazy,
            heartbeat_ns,
            history_length,
            history_gossip,
            flood_publish,
            prune_backoff_ns,
        } => Some(gossip::Config::Mesh(gossip::MeshConfig {
            d,
            d_lo,
            d_hi,
            d_lazy,
            heartbeat_ns,
            history_length,
            history_gossip,
            flood_publish,
            prune_backoff_ns,
            ..gossip::MeshConfig::default()
        })),
    }
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
