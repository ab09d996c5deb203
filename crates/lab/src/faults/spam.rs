//! One attacker floods gateways with orders far from the market.
//!
//! | measured | allowed |
//! |---|---|
//! | `spam_per_s` | asked ± (5 σ + 1/length), Poisson |

use serde::Deserialize;
use surgetank_layer::machine::Draws;
use surgetank_layer::message::{NewOrderSingle, OrdType, Side, TimeInForce};
use surgetank_layer::units::NodeId;

use super::{
    Allowed, Ended, Fault, FaultRequest, Quantity, Reach, Report, SIGMAS, Stage, Turn, Whom,
};
use crate::scenario::ms;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Rate of the Poisson process of orders, per second.
    rate_per_s: f64,
    nodes: Vec<NodeId>,
}

struct Spam {
    whom: Whom,
    /// Number of nodes.
    nodes: u32,
    /// Rate of the Poisson process of orders, per second.
    rate_per_s: f64,
    at_s: f64,
    duration_s: f64,
    sent: u64,
}

pub(super) fn build(asked: &FaultRequest<'_>) -> Result<Box<dyn Fault>, String> {
    let Keys { rate_per_s, nodes } = asked.keys()?;
    let (at_s, duration_s) = (asked.entry.at_s, asked.entry.duration_s);
    let (whom, nodes) = (Whom::Nodes(nodes), asked.nodes);
    Ok(Box::new(Spam { whom, nodes, rate_per_s, at_s, duration_s, sent: 0 }))
}

impl Fault for Spam {
    fn reach(&self) -> Reach {
        Reach::Gateways
    }

    fn whom(&self) -> &Whom {
        &self.whom
    }

    fn begin(&mut self, stage: &mut Stage<'_>) -> Turn {
        let gap_s = stage.draws.exponential() / self.rate_per_s;
        let at = stage.now + ms(gap_s * 1e3);
        Turn { order: None, again: (at < stage.until_ns).then_some(at) }
    }

    fn act(&mut self, stage: &mut Stage<'_>) -> Turn {
        let named = self.whom.named();
        let gateway = if named.is_empty() {
            stage.draws.below(u64::from(self.nodes)) as NodeId
        } else {
            named[stage.draws.below(named.len() as u64) as usize]
        };
        self.sent += 1;
        // Far from the market: it costs the venue work and never trades.
        let (order_qty, price) = (stage.quote)(10.0, Side::Buy, 0.5);
        let order = NewOrderSingle {
            cl_ord_id: self.sent + (u64::from(stage.index) << 32),
            symbol: 0,
            side: Side::Buy,
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::GoodTillCancel,
            post_only: false,
            reduce_only: false,
            price,
            order_qty,
        };
        Turn { order: Some((gateway, order)), ..self.begin(stage) }
    }

    fn report(&self, run: &Ended<'_>) -> Report {
        // The run may end before the fault does.
        let lasted = self.duration_s.min(run.end_ns as f64 / 1e9 - self.at_s);
        let (asked, samples) = (self.rate_per_s, self.sent);
        // The number of orders in that time has a Poisson distribution.
        let tolerance = (SIGMAS * (asked * lasted).max(0.0).sqrt() + 1.0) / lasted;
        let allowed =
            if lasted > 0.0 { Allowed::within(asked, tolerance) } else { Allowed::exactly(asked) };
        let measured = (lasted > 0.0).then(|| samples as f64 / lasted);
        Report { quantity: Quantity::SpamPerS, asked, allowed, measured, samples }
    }
}
