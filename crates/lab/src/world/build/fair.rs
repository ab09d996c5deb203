//! A fair order under a leader, from `[layer.queue.fair]`.

use surgetank_layer::fair::{median, order, themis};
use surgetank_layer::gossip;
use surgetank_layer::node::{Fair, FairRule};

use crate::scenario::{BlockOrder, Extraction, Scenario};

/// Parameters of the fair order, if there is one.
///
/// # Errors
/// If too many may be faulty.
pub(super) fn build_fair(scenario: &Scenario) -> Result<Option<Fair>, String> {
    let (layer, nodes) = (&scenario.layer, scenario.network.nodes);
    let asked = &layer.queue.fair;
    let rule = match layer.queue.order {
        BlockOrder::Themis => {
            let gamma_permille = (asked.gamma * 1e3).round() as u32;
            let room = u64::from(nodes) * u64::from((2 * gamma_permille).saturating_sub(1000));
            let most = (room.saturating_sub(1) / 4000) as u32;
            let faulty = asked.faulty.unwrap_or(most);
            let rule = themis::Rule::new(nodes, faulty, gamma_permille)?;
            let extraction = match asked.extraction {
                Extraction::Safe => themis::Extraction::Safe,
                Extraction::Paper => themis::Extraction::Paper,
            };
            FairRule::Themis(order::Config { extraction, ..order::Config::of(rule) })
        }
        BlockOrder::Median => {
            let most = median::Config::of(nodes);
            let faulty = asked.faulty.unwrap_or(most.faulty);
            let within = median::Within::MedianTime;
            let config = median::Config { faulty, within, ..most };
            median::MedianOrder::new(config)?;
            FairRule::Median(config)
        }
        _ => return Ok(None),
    };
    let spreads = !matches!(layer.gossip, gossip::Config::Direct {});
    assert!(spreads, "layer.queue.order: Python refuses a fair order that not all nodes can see");
    Ok(Some(Fair { rule, report_ns: asked.report_ns }))
}
