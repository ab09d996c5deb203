//! A fair order under a leader, from `[layer.queue.fair]`.

use surgetank_layer::fair::{median, order, themis};
use surgetank_layer::gossip;
use surgetank_layer::node::{Fair, FairRule};

use crate::scenario::{BlockOrder, Scenario};

/// Parameters of the fair order, if there is one.
pub(super) fn build_fair(scenario: &Scenario) -> Option<Fair> {
    let (layer, nodes) = (&scenario.layer, scenario.network.nodes);
    let asked = &layer.queue.fair;
    let rule = match layer.queue.order {
        BlockOrder::Themis => {
            let thresholds = themis::Thresholds::new(nodes, asked.faulty, asked.gamma_permille);
            let extraction = asked.extraction;
            FairRule::Themis(order::Config { extraction, ..order::Config::of(thresholds) })
        }
        BlockOrder::Median => FairRule::Median(median::Config::of(nodes, asked.faulty)),
        _ => return None,
    };
    let spreads = !matches!(layer.gossip, gossip::Config::Direct {});
    assert!(spreads, "layer.queue.order: Python refuses a fair order that not all nodes can see");
    Some(Fair { rule, report_ns: asked.report_ns })
}
