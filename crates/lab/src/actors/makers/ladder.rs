//! The ladder: orders that a maker wants.

use surgetank_layer::message::Side;
use surgetank_layer::units::{Price, Qty};

use crate::scenario;

/// A maker's target orders: price in ticks and quantity in lots by level, buys then sells.
pub type Ladder = Vec<(Price, Qty)>;

/// Parameters of a maker's ladder.
pub struct Shape {
    levels: u32,
    half_spread_bp: f64,
    step_bp: f64,
    level_usd: f64,
    inventory_usd: f64,
    skew_bp: f64,
    widen: f64,
    fear: f64,
}

impl Shape {
    /// The parameters of a scenario.
    pub fn new(config: &scenario::MakersConfig) -> Shape {
        Shape {
            levels: config.levels,
            half_spread_bp: config.half_spread_bp,
            step_bp: config.step_bp,
            level_usd: config.level_usd,
            inventory_usd: config.inventory_usd,
            skew_bp: config.skew_bp,
            widen: config.widen,
            fear: config.fear,
        }
    }

    /// The orders that a maker wants around a price of `seen` ticks, buys then sells, given its
    /// position and the quantity that its orders under cancellation may still buy and sell.
    pub fn ladder(
        &self,
        (seen, quantum_usd): (f64, f64),
        moved_pct: f64,
        (position, (buys, sells)): (Qty, (Qty, Qty)),
    ) -> Ladder {
        let value_usd = position as f64 * seen * quantum_usd;
        let full = (value_usd / self.inventory_usd).clamp(-1.0, 1.0);
        let half_bp = self.half_spread_bp + self.widen * moved_pct * 1e2;
        let level_usd = self.level_usd * (1.0 - self.fear * moved_pct).max(0.0);
        let lots = |usd: f64| (usd / (seen * quantum_usd)).round() as Qty;
        let level_lots = if level_usd < self.level_usd * 0.01 { 0 } else { lots(level_usd).max(1) };
        let mut wanted = Vec::with_capacity(2 * self.levels as usize);
        for side in [Side::Buy, Side::Sell] {
            let sign = side.sign() as f64;
            // Quantity that this side may trade before the position reaches its limit.
            let on_the_way = if side == Side::Buy { buys } else { sells };
            let mut room = lots(self.inventory_usd) - side.sign() * position - on_the_way;
            for level in 0..self.levels {
                // Away from the middle, and against the position.
                let bp = half_bp + self.step_bp * f64::from(level) + sign * full * self.skew_bp;
                let away = (seen * bp / 1e4).ceil().max(1.0);
                let price = ((seen - sign * away) as Price).max(1);
                let qty = level_lots.min(room).max(0);
                room -= qty;
                wanted.push(if qty > 0 { (price, qty) } else { (0, 0) });
            }
        }
        wanted
    }

    /// An empty ladder.
    pub fn nothing(&self) -> Ladder {
        vec![(0, 0); 2 * self.levels as usize]
    }
}
