//! A world is set up from its scenario.

use surgetank_layer::consensus::tendermint;
use surgetank_layer::gossip;
use surgetank_layer::machine::Draws;
use surgetank_layer::node::{self, Input, Node, Ordering, Service};
use surgetank_layer::units::{Money, NodeId, Ns, Price, Qty};
use surgetank_layer::{queue, sequencer};
use surgetank_market::{
    Backstop, CloseOut, Config, Fillable, HYPERLIQUID_EMA_NS, MarginMode, Mark, Market, Partial,
    PerBlock, SymbolConfig,
};

use super::actors::{Accounts, Actors, Wake};
use super::clients::{Clients, class_of};
use super::exchange::{Exchange, Opening};
use super::incidents::Incidents;
use super::links::{Links, Options};
use super::{Event, Slab, World, portfolios};
use crate::agenda::Agenda;
use crate::flow::Tape;
use crate::network::{Delays, Faults, Graph};
use crate::price::OutsidePrice;
use crate::scenario::{self, Consensus, Delay, FaultKind, Gossip, QueueRule, Scenario, ms, us};
use crate::seed::Seed;

impl World {
    /// Sets a world up; nothing has happened yet.
    ///
    /// # Errors
    /// Says what in the scenario cannot be built.
    pub fn new(scenario: Scenario, seed: u64, tape: Option<Tape>) -> Result<World, String> {
        let seed = Seed::new(seed);
        let links = build_links(&scenario, &seed)?;
        let n = scenario.network.nodes as usize;
        let service = build_service(&scenario.layer.service);
        let nodes = (0..n as NodeId)
            .map(|id| Node::new(node_config(&scenario, &links.graph, service.clone(), id)))
            .collect();
        let copies_matter = links.has_downlink()
            || scenario.faults.iter().any(|f| matches!(f.what, FaultKind::Crash { .. }));
        let exchange = build_exchange(&scenario, tape.as_ref(), &seed)?;
        let replay_from = tape.as_ref().and_then(|tape| tape.messages_ns.first().copied());
        let leader = match scenario.layer.consensus {
            Consensus::Single { node, .. } => Some(node),
            _ => None,
        };
        let mut world = World {
            now: 0,
            done: false,
            events: 0,
            agenda: Agenda::new(),
            parcels: Slab::new(),
            timers: Slab::new(),
            nodes,
            node_draws: (0..n as u64).map(|i| seed.stream("node", i)).collect(),
            up: vec![true; n],
            epoch: vec![0; n],
            every_copy: scenario.network.every_copy || copies_matter,
            links,
            carried: Vec::new(),
            payloads: Vec::new(),
            records: Vec::new(),
            arrivals: Vec::new(),
            outbox: Vec::new(),
            leader,
            executions: vec![Vec::new(); n],
            blocks: Vec::new(),
            gauges: Vec::new(),
            safety: true,
            equivocations: 0,
            duplicates: 0,
            first_arrivals: 0,
            incidents: Incidents::new(service, scenario.faults.len()),
            clients: Clients::new(&scenario.flow, &seed),
            actors: Actors::new(&scenario, tape, &seed),
            exchange,
            scenario,
        };
        world.begin(replay_from);
        Ok(world)
    }

    /// The first events.
    fn begin(&mut self, replay_from: Option<Ns>) {
        self.agenda.push(self.scenario.end_ns(), Event::End);
        for (at, index, begins) in self.links.faults.boundaries() {
            self.agenda.push(at, Event::Fault { index: index as u32, begins });
        }
        if self.exchange.is_some() {
            self.agenda.push(0, Event::Price);
        }
        (0..self.nodes.len() as NodeId).for_each(|node| self.step(node, Input::Start));
        if self.scenario.trace.gauge_ms > 0.0 {
            self.agenda.push(0, Event::Gauge);
        }
        if self.scenario.flow.oracle.count > 0 {
            self.agenda.push(0, Event::Actor(Wake::Oracle));
        }
        match replay_from.filter(|_| self.scenario.flow.replay_messages) {
            Some(at) => self.agenda.push(at, Event::Replay),
            None => self.next_background(),
        }
    }
}

fn build_links(scenario: &Scenario, seed: &Seed) -> Result<Links, String> {
    let network = &scenario.network;
    let regions = match &network.delay {
        Delay::Regions { placement, .. } => Some(placement.as_slice()),
        _ => None,
    };
    let mut draws = seed.stream("network.topology", 0);
    let graph = Graph::build(&network.topology, network.nodes, regions, &mut draws)?;
    let delays = Delays::new(&network.delay, &graph, &mut seed.stream("network.delay", 0))?;
    let faults = Faults::new(&scenario.faults, network.nodes, seed.key("fault.loss"))?;
    let options = Options {
        uplink_mbps: network.uplink_mbps,
        downlink_mbps: network.downlink_mbps,
        loss: network.loss,
        outbound_max: network.outbound_queue_max as usize,
        keys: [seed.key("network.loss"), seed.key("network.jitter")],
    };
    Ok(Links::new(graph, delays, faults, &options))
}

fn build_service(service: &scenario::Service) -> Service {
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
        validation_ns: times(&service.validation),
        execution_ns: times(&service.execution),
        distribution: match service.distribution {
            scenario::Distribution::Fixed {} => node::Distribution::Fixed,
            scenario::Distribution::Exponential {} => node::Distribution::Exponential,
            scenario::Distribution::Lognormal { cv } => node::Distribution::Lognormal { cv },
            scenario::Distribution::Hyperexponential { cv } => {
                node::Distribution::Hyperexponential { cv }
            }
        },
    }
}

fn build_rule(queue: &scenario::Queue) -> queue::Rule {
    let quantum_bytes = queue.quantum_bytes;
    let codel = &queue.codel;
    let law = queue::codel::Codel::new(ms(codel.target_ms), ms(codel.interval_ms).max(1));
    match queue.rule {
        QueueRule::Fifo | QueueRule::Custom => queue::Rule::Fifo,
        QueueRule::Priority => queue::Rule::Priority {
            high: queue.high.iter().fold(0, |mask, &name| mask | 1 << class_of(name) as u8),
        },
        QueueRule::Class => queue::Rule::Class,
        QueueRule::Fee => queue::Rule::Fee,
        QueueRule::Lanes => {
            let w = &queue.weights;
            let weights =
                [w.price_update, w.liquidation_order, w.cancel, w.replace, w.order, 1, 1, 1];
            queue::Rule::Lanes { weights }
        }
        QueueRule::Drr => queue::Rule::Drr { quantum_bytes },
        QueueRule::Codel => queue::Rule::Codel { law },
        QueueRule::FqCodel => queue::Rule::FqCodel { quantum_bytes, law },
    }
}

fn node_config(scenario: &Scenario, graph: &Graph, service: Service, id: NodeId) -> node::Config {
    let layer = &scenario.layer;
    node::Config {
        id,
        nodes: scenario.network.nodes,
        degree: graph.offsets[id as usize + 1] - graph.offsets[id as usize],
        gossip: build_gossip(&layer.gossip),
        rule: build_rule(&layer.queue),
        ingress_max: layer.queue.ingress_max as usize,
        mempool_max: layer.queue.mempool_max as usize,
        service,
        ordering: build_ordering(&layer.consensus, id, scenario.network.nodes),
    }
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

fn build_ordering(consensus: &Consensus, id: NodeId, nodes: u32) -> Ordering {
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

fn build_exchange(
    scenario: &Scenario,
    tape: Option<&Tape>,
    seed: &Seed,
) -> Result<Option<Exchange>, String> {
    let Some(config) = &scenario.market else { return Ok(None) };
    let mut draws = seed.stream("market.price", 0);
    let mut outside = OutsidePrice::new(&config.price, tape)?;
    let start = outside.advance(0, &mut draws);
    let ticks = ((start / config.tick_usd).round() as Price).max(1);
    let accounts = Accounts::new(scenario);
    let market = open_market(config, &accounts, ticks, seed);
    market.check_genesis().map_err(|imbalance| format!("market.positions: {imbalance}"))?;
    let watched = accounts.judged();
    let opening =
        Opening { market, outside, draws, ticks, watched, portfolios_from: accounts.leveraged };
    Ok(Some(Exchange::new(opening, config)))
}

fn open_market(
    config: &scenario::Market,
    accounts: &Accounts,
    ticks: Price,
    seed: &Seed,
) -> Market {
    let margin = &config.margin;
    let ppm = |share: f64| (share * 1e6).round() as u32;
    let quanta = |usd: f64| (usd / (config.tick_usd * config.lot)).round() as Money;
    let symbol = SymbolConfig {
        initial_margin_ppm: ppm(margin.initial),
        maintenance_margin_ppm: ppm(margin.maintenance),
        liquidation_fee_ppm: ppm(margin.liquidation_fee_bp / 1e4),
        taker_fee_ppm: ppm(margin.taker_fee_bp / 1e4),
        liquidation_share_ppm: ppm(margin.liquidation_share),
        mark: match config.mark {
            scenario::Mark::Oracle => Mark::Oracle,
            scenario::Mark::Median => Mark::Median { ema_ns: HYPERLIQUID_EMA_NS },
        },
        close_out: match margin.close_out {
            scenario::CloseOut::Book => CloseOut::Book,
            scenario::CloseOut::Oracle => CloseOut::Oracle {
                worse_ppm: ppm(margin.close_out_bp / 1e4),
                against: accounts.liquidator(),
            },
        },
        fillable: margin.fillable.as_ref().map(|fillable| Fillable {
            bankruptcy_adjustment_ppm: ppm(fillable.bankruptcy_adjustment),
            spread_to_maintenance_ppm: ppm(fillable.spread_to_maintenance),
        }),
        partial: margin.partial.as_ref().map(|partial| Partial {
            above: quanta(partial.above_usd),
            share_ppm: ppm(partial.share),
            cooldown_ns: ms(partial.cooldown_ms),
        }),
        backstop: margin
            .backstop
            .as_ref()
            .map(|backstop| Backstop { below_ppm: ppm(backstop.below), vault: accounts.vault() }),
        ..SymbolConfig::default()
    };
    let rules = Config { symbols: vec![symbol], insurance: quanta(margin.insurance_usd) };
    let mut market = Market::new(rules, &[ticks]);
    if let Some(limits) = &margin.per_block {
        market.limit(PerBlock {
            position_share_ppm: ppm(limits.position_share),
            position_min: quanta(limits.position_min_usd),
            account_notional: quanta(limits.account_usd),
            account_insurance: quanta(limits.account_insurance_usd),
            attempts: limits.attempts,
            deleveraging_attempts: limits.deleveraging_attempts,
        });
    }
    let mode = match margin.mode {
        scenario::MarginMode::Isolated => MarginMode::Isolated,
        scenario::MarginMode::Cross => MarginMode::Cross,
    };
    let mut draws = seed.stream("market.positions", 0);
    let mut buffers = seed.stream("market.buffers", 0);
    let positions = &config.positions;
    let mut net: Qty = 0;
    for account in 0..accounts.leveraged {
        let notional = positions.notional_usd * draws.exponential();
        // Uniform in the initial margin, between the two leverages.
        let share = draws.unit();
        let margin_share = share / positions.leverage_max + (1.0 - share) / positions.leverage_min;
        let long = draws.unit() < positions.long_share;
        let lots = (quanta(notional) / Money::from(ticks)).max(1) as Qty;
        let buffer = positions.buffer_min + (1.0 - positions.buffer_min) * buffers.unit();
        let backing = margin.maintenance + buffer * (margin_share - margin.maintenance);
        let backing = if positions.buffer_min < 1.0 { backing } else { margin_share };
        let cash = (lots as f64 * ticks as f64 * backing).ceil() as Money;
        market.deposit(account, cash, mode);
        market.open(account, 0, if long { lots } else { -lots }, ticks);
        net += if long { lots } else { -lots };
    }
    // The other side, unlevered: what is left over goes to the last.
    let hedgers = Qty::from(accounts.hedgers);
    for hedger in 0..accounts.hedgers {
        let lots = -net / hedgers - if hedger + 1 == accounts.hedgers { net % hedgers } else { 0 };
        let account = accounts.judged() + hedger;
        let cash = 2 * Money::from(lots.abs().max(1)) * Money::from(ticks);
        market.deposit(account, cash, mode);
        if lots != 0 {
            market.open(account, 0, lots, ticks);
        }
    }
    for account in accounts.background_from()..accounts.count() {
        market.deposit(account, quanta(1e9), MarginMode::Cross);
    }
    if let Some(options) = &config.options {
        portfolios::open(&mut market, config, options, accounts, seed);
    }
    if margin.close_out == scenario::CloseOut::Oracle || config.options.is_some() {
        // It hedges outside; this cash only has to be more than it can ever lose here.
        market.deposit(accounts.liquidator(), quanta(1e12), MarginMode::Cross);
    }
    if let Some(backstop) = &margin.backstop {
        market.deposit(accounts.vault(), quanta(backstop.vault_usd), MarginMode::Cross);
    }
    market
}
