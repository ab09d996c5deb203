//! The machines of a node, from `[layer]`.

use surgetank_layer::consensus::tendermint;
use surgetank_layer::gossip;
use surgetank_layer::node::{self, Costs, Fair, Opening, Ordering, Places};
use surgetank_layer::sealed::keypers;
use surgetank_layer::units::{Digest, NodeId};
use surgetank_layer::{queue, sequencer};

use super::super::Plugins;
use super::fair::build_fair;
use crate::host::{Distribution, Service};
use crate::network::Graph;
use crate::scenario::{
    self, BlockOrder, Consensus, Discipline, Gossip, Scenario, SeedSource, Unsealing, class_of, ms,
    us,
};
use crate::seed::Seed;

pub(super) fn build_service(scenario: &Scenario) -> Service {
    let (service, sealed) = (&scenario.layer.service, &scenario.layer.queue.sealed);
    let times = |t: &scenario::ClassTimes| {
        [
            us(t.price_update_us),
            us(t.liquidation_order_us),
            us(t.cancel_us),
            us(t.replace_us),
            us(t.order_us),
            0,
            us(t.proposal_us),
            us(t.vote_us),
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
            Unsealing::Threshold => us(sealed.decrypt_us),
            _ => 0,
        },
        share_ns: us(sealed.share_us),
    }
}

/// What happens to a decided block before it is executed.
fn build_opening(scenario: &Scenario, key: [u8; 32]) -> Opening {
    let queue = &scenario.layer.queue;
    let sealed = &queue.sealed;
    let nodes = scenario.network.nodes;
    let threshold = ((f64::from(nodes) * sealed.threshold).ceil() as u32).clamp(1, nodes);
    let keypers = keypers::Config {
        keypers: nodes,
        threshold,
        timeout_ns: ms(sealed.timeout_ms).max(1),
        retries: u32::MAX,
        open_max: usize::MAX,
    };
    let drawn = queue.order == BlockOrder::Drawn;
    let opens = match queue.unsealing {
        Unsealing::None => drawn && queue.seed == SeedSource::Beacon,
        Unsealing::CommitReveal => false,
        Unsealing::Threshold => true,
    };
    let reveals = queue.unsealing == Unsealing::CommitReveal;
    Opening {
        places: if drawn { Places::Drawn } else { Places::AsDecided },
        reveal_ns: if reveals { ms(sealed.reveal_ms) } else { 0 },
        keypers: opens.then_some(keypers),
        key: Digest(key),
        encrypted: queue.unsealing == Unsealing::Threshold,
    }
}

fn build_rule(queue: &scenario::Queue, plugins: &Plugins) -> queue::Rule {
    let quantum_bytes = queue.quantum_bytes;
    let codel = &queue.codel;
    let law = queue::codel::Codel::new(ms(codel.target_ms), ms(codel.interval_ms).max(1));
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
        opening: build_opening(scenario, seed.digest("layer.beacon", 0)),
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
            heartbeat_ms,
            history_length,
            history_gossip,
            flood_publish,
            prune_backoff_ms,
        } => Some(gossip::Config::Mesh(gossip::MeshConfig {
            d,
            d_lo,
            d_hi,
            d_lazy,
            heartbeat_ns: ms(heartbeat_ms),
            history_length,
            history_gossip,
            flood_publish,
            prune_backoff_ns: ms(prune_backoff_ms),
            ..gossip::MeshConfig::default()
        })),
    }
}

fn build_ordering(consensus: &Consensus, id: NodeId, nodes: u32, fair: Option<Fair>) -> Ordering {
    match *consensus {
        Consensus::None {} => Ordering::None,
        Consensus::Single { node, window_ms, block_messages_max, block_bytes_max } => {
            Ordering::Single {
                node,
                sequencer: sequencer::Config {
                    batch_messages_max: block_messages_max,
                    batch_bytes_max: u64::from(block_bytes_max),
                    window_ns: ms(window_ms),
                },
                fair,
            }
        }
        Consensus::Tendermint {
            timeout_commit_ms,
            timeout_propose_ms,
            timeout_propose_delta_ms,
            timeout_vote_ms,
            timeout_vote_delta_ms,
            block_messages_max,
            block_bytes_max,
            rebroadcast_ms,
            ..
        } => Ordering::Tendermint {
            tendermint: tendermint::Config {
                validator: Some(id),
                weights: vec![1; nodes as usize],
                timeouts: tendermint::Timeouts {
                    propose_ns: ms(timeout_propose_ms),
                    propose_delta_ns: ms(timeout_propose_delta_ms),
                    prevote_ns: ms(timeout_vote_ms),
                    prevote_delta_ns: ms(timeout_vote_delta_ms),
                    precommit_ns: ms(timeout_vote_ms),
                    precommit_delta_ns: ms(timeout_vote_delta_ms),
                    commit_ns: ms(timeout_commit_ms),
                },
            },
            block_messages_max,
            block_bytes_max,
            rebroadcast_ns: ms(rebroadcast_ms),
        },
    }
}
