//! Admission control and tuning of nodes, from `[layer.admission]` and `[layer.tuning]`.

use std::collections::VecDeque;

use surgetank_layer::node::ordering::Pace;
use surgetank_layer::node::{self, Node};
use surgetank_layer::tuning::bounded::Fixed;
use surgetank_layer::tuning::{Controller, Parameter, Setting, gradient2, sojourn};
use surgetank_layer::units::{NodeId, Ns};

use super::super::Plugins;
use crate::scenario::{self, Scenario};
use crate::seed::Seed;
use crate::trace::DecisionRow;

/// Price updates, liquidation orders and cancels keep the weights of their lanes.
const ESSENTIAL: u8 = 0b111;

/// Gives a node its gate, its controller and its adaptive timeouts, for a process that starts at
/// `now`.
pub(super) fn put(
    node: &mut Node,
    id: NodeId,
    scenario: &Scenario,
    seed: &Seed,
    plugins: &Plugins,
    now: Ns,
) {
    if let Some(admission) = scenario.layer.admission.node.clone() {
        node.admit(admission);
    }
    let tuned = scenario.layer.tuning.controller != scenario::Controller::None;
    if let Some(pace) = node.engine().pace().filter(|_| tuned) {
        let mut tuning = tuning(scenario, pace, seed, plugins, id);
        tuning.played.retain(|(at, _)| *at >= now);
        node.tune(tuning);
    }
    if let Some(adaptive) = node.engine().adaptive() {
        node.adapt(adaptive);
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
    let bounds = asked.bounds;
    let first = bounds.clamp(&first(scenario, pace));
    let interval_ns = asked.interval_ns;
    if let Some(rows) = &plugins.decisions {
        // Only controllers' changes are replayed: adaptive consensus adapts again.
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

/// The scenario's settings, before tuning.
fn first(scenario: &Scenario, pace: Pace) -> Setting {
    let layer = &scenario.layer;
    let admission_limit = layer.admission.node.as_ref().map_or(u32::MAX, |node| node.limit);
    Setting {
        batch_messages_max: pace.block_messages_max,
        window_ns: pace.window_ns,
        admission_limit,
        lane_weights: layer.queue.weights,
    }
}
