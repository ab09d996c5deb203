//! The controller of a node, from `[layer.tuning]`.

use std::collections::VecDeque;

use surgetank_layer::node::{self, Change};
use surgetank_layer::tuning::bounded::Fixed;
use surgetank_layer::tuning::{Controller, Parameter, Setting, gradient2, sojourn};
use surgetank_layer::units::{NodeId, Ns};

use super::super::Plugins;
use crate::scenario::{self, Scenario};
use crate::seed::Seed;
use crate::trace::DecisionRow;

/// Price updates, liquidation orders and cancels keep the weights of their lanes.
const ESSENTIAL: u8 = 0b111;

/// Tuning of a node, for a process that starts at `now`; `None` = nothing is tuned.
pub(super) fn tuning(
    scenario: &Scenario,
    seed: &Seed,
    plugins: &Plugins,
    id: NodeId,
    now: Ns,
) -> Option<node::Tuning> {
    let asked = &scenario.layer.tuning;
    let first = asked.start?;
    let (controller, played) = match &plugins.decisions {
        _ if asked.controller == scenario::Controller::None => return None,
        Some(rows) => (None, played(rows, id, now)),
        None => (Some(controller(asked, first, seed, plugins, id)), VecDeque::new()),
    };
    let scenario::Tuning { bounds, interval_ns, .. } = *asked;
    Some(node::Tuning { controller, played, bounds, first, interval_ns })
}

/// Changes of an earlier run that a process which starts at `now` makes again. Only controllers'
/// are: adaptive consensus adapts again.
fn played(rows: &[DecisionRow], id: NodeId, now: Ns) -> VecDeque<(Ns, Change)> {
    let knob = |row: &&DecisionRow| matches!(row.change.parameter, Parameter::Knob(_));
    let own = rows.iter().filter(|row| row.node == id && row.time_ns >= now).filter(knob);
    own.map(|row| (row.time_ns, row.change)).collect()
}

fn controller(
    asked: &scenario::Tuning,
    first: Setting,
    seed: &Seed,
    plugins: &Plugins,
    id: NodeId,
) -> Box<dyn Controller + Send + Sync> {
    let scenario::Tuning { target_ns, interval_ns, .. } = *asked;
    match (asked.controller, &plugins.controller) {
        (scenario::Controller::Sojourn, _) => {
            let config = sojourn::Config { target_ns, interval_ns, essential: ESSENTIAL };
            Box::new(sojourn::Sojourn::new(config, first))
        }
        (scenario::Controller::Gradient2, _) => {
            let config = gradient2::Config::default();
            Box::new(gradient2::Gradient2::new(config, first.admission_limit))
        }
        (scenario::Controller::Custom, Some(make)) => {
            make(seed.key("tuning").wrapping_add(u64::from(id)))
        }
        (scenario::Controller::Custom | scenario::Controller::None, _) => Box::new(Fixed),
    }
}
