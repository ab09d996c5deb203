//! Who is let in at a node and who tunes it, from `[layer.admission]` and `[layer.tuning]`.

use std::collections::VecDeque;

use surgetank_layer::admission::budgets::{self, Cancels, Policy, Reducing};
use surgetank_layer::admission::limit::Limit;
use surgetank_layer::admission::price::{self, Price, Relief, backlog, eip1559};
use surgetank_layer::admission::{cancel_memory, gate};
use surgetank_layer::node::ordering::Pace;
use surgetank_layer::node::{self, AdaptiveTimeouts, Node, Span, Unit};
use surgetank_layer::queue::Rule;
use surgetank_layer::tuning::bounded::Fixed;
use surgetank_layer::tuning::{Bounds, Controller, Parameter, Setting, gradient2, sojourn};
use surgetank_layer::units::{NEVER, NodeId, Ns, SECOND};

use super::super::Plugins;
use crate::scenario::{self, Consensus, Scenario, WorkUnit, micros};
use crate::seed::Seed;
use crate::trace::DecisionRow;

/// Rates are kept over this span, so that a thousandth of a message per second is a rate.
const RATE_SPAN_NS: Ns = 1_000 * SECOND;
/// Price updates, liquidation orders and cancels keep the weights of their lanes.
const ESSENTIAL: u8 = 0b111;

/// Gives every node its gate, its controller and its adaptive timeouts.
pub(super) fn put(nodes: &mut [Node], scenario: &Scenario, seed: &Seed, plugins: &Plugins) {
    let tuned = scenario.layer.tuning.controller != scenario::Controller::None;
    let admission = admission(scenario);
    for (id, node) in (0 as NodeId..).zip(nodes) {
        if let Some(admission) = admission.clone().or_else(|| tuned.then(open)) {
            node.admit(admission);
        }
        if let Some(pace) = node.engine().pace().filter(|_| tuned) {
            node.tune(tuning(scenario, pace, seed, plugins, id));
        }
        if let Consensus::Tendermint { adaptive: true, adaptive_timeouts, .. } =
            &scenario.layer.consensus
        {
            node.adapt(adaptive(adaptive_timeouts));
        }
    }
}

/// Everybody is let in.
fn open() -> node::Admission {
    let gate = gate::Config {
        budgets: None,
        price: Price::Fixed(0),
        relief: Relief::None,
        cancel_memory: None,
        admission_limit: u32::MAX,
    };
    node::Admission { gate, unit: Unit::Messages, limit: u32::MAX, expires: false }
}

fn admission(scenario: &Scenario) -> Option<node::Admission> {
    let asked = &scenario.layer.admission;
    let priced = !matches!(asked.price, scenario::FeeRule::None {});
    let limited = asked.policy != scenario::Policy::None;
    let expires = asked.expires_blocks > 0;
    if !(priced || limited || expires || asked.remember_cancels || asked.limit > 0) {
        return None;
    }
    let horizon = if expires { asked.expires_blocks } else { asked.remember_blocks };
    let remembered = cancel_memory::Config {
        capacity: asked.remember_max as usize,
        horizon: u64::from(horizon),
    };
    let (price, unit) = price(&asked.price);
    let relief = match asked.relief {
        scenario::Relief::None => Relief::None,
        scenario::Relief::Exempt => Relief::Exempt,
        scenario::Relief::Capped => Relief::Capped(u64::from(micros(asked.relief_cap_usd))),
    };
    let gate = gate::Config {
        budgets: budgets(asked),
        price,
        relief,
        cancel_memory: asked.remember_cancels.then_some(remembered),
        admission_limit: u32::MAX,
    };
    let limit = if asked.limit > 0 { asked.limit } else { u32::MAX };
    Some(node::Admission { gate, unit, limit, expires })
}

fn rate(rate: &scenario::Rate) -> Limit {
    let tokens = (rate.per_s * (RATE_SPAN_NS / SECOND) as f64).round() as u64;
    Limit::new(u64::from(rate.burst), tokens, RATE_SPAN_NS)
}

fn budgets(asked: &scenario::Admission) -> Option<budgets::Config> {
    let policy = match asked.policy {
        scenario::Policy::None => return None,
        scenario::Policy::Rates => Policy::Rates {
            orders: rate(&asked.orders),
            cancels: if asked.cancels_shared {
                Cancels::Shared
            } else {
                Cancels::Own(rate(&asked.cancels))
            },
        },
        scenario::Policy::Quota => Policy::Quota {
            initial: u64::from(asked.quota.initial),
            cancels_extra: u64::from(asked.quota.cancels_extra),
            trickle: Limit::new(1, 1, asked.quota.trickle_ns),
        },
    };
    let reducing = match asked.reducing {
        scenario::Reducing::Exempt => Reducing::Exempt,
        scenario::Reducing::Own => Reducing::Own(rate(&asked.reducing_rate)),
        scenario::Reducing::Reserved => Reducing::Reserved(rate(&asked.reducing_rate)),
    };
    Some(budgets::Config { policy, reducing, accounts_max: asked.accounts_max as usize })
}

fn price(price: &scenario::FeeRule) -> (Price, Unit) {
    let unit_of = |unit: WorkUnit| match unit {
        WorkUnit::Messages => Unit::Messages,
        WorkUnit::ServiceUs => Unit::ServiceUs,
    };
    match price {
        scenario::FeeRule::None {} => (Price::Fixed(0), Unit::Messages),
        scenario::FeeRule::Eip1559 { fee_min_usd, block_work, block_ns, unit } => {
            let block_ns = if *block_ns > 0 { *block_ns } else { NEVER };
            let fee_min = u64::from(micros(*fee_min_usd));
            let fee = eip1559::BaseFee::new(fee_min, u64::from(*block_work), block_ns);
            (Price::BaseFee(fee), unit_of(*unit))
        }
        scenario::FeeRule::Backlog { fee_min_usd, windows, degree, unit } => {
            let window = |w: &scenario::PriceWindow| backlog::Window {
                target_per_s: u64::from(w.target_per_s),
                window_ns: w.window_ns,
            };
            let config = backlog::Config {
                fee_min: u64::from(micros(*fee_min_usd)),
                windows: windows.iter().map(window).collect(),
                degree: u64::from(*degree),
                exponent_max_bips: price::backlog::EXPONENT_MAX_BIPS,
            };
            (Price::Backlog(backlog::Backlog::new(config)), unit_of(*unit))
        }
    }
}

fn tuning(
    scenario: &Scenario,
    pace: Pace,
    seed: &Seed,
    plugins: &Plugins,
    id: NodeId,
) -> node::Tuning {
    let asked = &scenario.layer.tuning;
    let first = first(scenario, pace);
    let bounds = bounds(scenario, &first);
    let first = bounds.clamp(&first);
    let interval_ns = asked.interval_ns;
    if let Some(rows) = &plugins.decisions {
        // What consensus adapts by itself it adapts by itself again.
        let set = |row: &&DecisionRow| matches!(row.change.parameter, Parameter::Knob(_));
        let own = rows.iter().filter(|row| row.node == id).filter(set);
        let played: VecDeque<_> = own.map(|row| (row.time_ns, row.change)).collect();
        return node::Tuning { controller: None, played, bounds, first, interval_ns };
    }
    let config = sojourn::Config { target_ns: asked.target_ns, interval_ns, essential: ESSENTIAL };
    let controller: Box<dyn Controller + Send + Sync> = match asked.controller {
        scenario::Controller::None => Box::new(Fixed),
        scenario::Controller::Sojourn => Box::new(sojourn::Sojourn::new(config, first)),
        scenario::Controller::Gradient2 => {
            let config = gradient2::Config::default();
            Box::new(gradient2::Gradient2::new(config, first.admission_limit))
        }
        scenario::Controller::Custom => match &plugins.controller {
            Some(make) => make(seed.key("tuning").wrapping_add(u64::from(id))),
            None => Box::new(Fixed),
        },
    };
    let played = VecDeque::new();
    node::Tuning { controller: Some(controller), played, bounds, first, interval_ns }
}

/// What the scenario sets without tuning.
fn first(scenario: &Scenario, pace: Pace) -> Setting {
    let layer = &scenario.layer;
    let admission_limit = if layer.admission.limit > 0 { layer.admission.limit } else { u32::MAX };
    Setting {
        batch_messages_max: pace.block_messages_max,
        window_ns: pace.window_ns,
        admission_limit,
        lane_weights: layer.queue.weights,
    }
}

/// What does not apply has no room to move.
fn bounds(scenario: &Scenario, first: &Setting) -> Bounds {
    let asked = &scenario.layer.tuning.bounds;
    let lanes = matches!(scenario.layer.queue.discipline, Some(Rule::Lanes { .. }));
    let setting = |batch: u32, window_ns: Ns, limit: u32, weight: u8| Setting {
        batch_messages_max: batch,
        window_ns,
        admission_limit: limit,
        lane_weights: if lanes { [weight; 8] } else { first.lane_weights },
    };
    Bounds::new(
        setting(asked.batch_least, asked.window_least_ns, asked.limit_least, asked.weight_least),
        setting(asked.batch_most, asked.window_most_ns, asked.limit_most, asked.weight_most),
    )
}

fn adaptive(asked: &scenario::AdaptiveTimeouts) -> AdaptiveTimeouts {
    let span = |least: Ns, most: Ns| Span { least, most };
    AdaptiveTimeouts {
        commit: span(asked.commit_least_ns, asked.commit_most_ns),
        propose: span(asked.propose_least_ns, asked.propose_most_ns),
        throttle_ns: asked.throttle_ns,
    }
}
