//! Portfolio margin: the worst of many scenarios, over one perpetual and options on it.
//!
//! Rules: a portfolio's requirement is its greatest loss over a grid of moves of spot and implied
//! volatility, plus what the rule adds to it. It is compared with equity at the marks: perpetual,
//! options and cash together. Doubling a portfolio doubles its requirement.
//!
//! **`deribit-pm`**: spot ±16 % in 9 even steps, each with volatility up, unchanged and down, and
//! an extended table (−66, −33, +50, +100, +200, +300, +400, +500 %, volatility up) of which only a
//! fraction counts. Volatility goes up to max(σ·(1 + 0.5·(30 d/T)^p), 0.5) and down to
//! σ·(1 − 0.25·(30 d/T)^p), not below 0; p = 0.30 below 30 days, else 0.13. Initial margin is the
//! greatest loss, maintenance margin 0.8 of it.
//!
//! **`derive-pmrm`**: 23 scenarios, spot ±20 % (volatility up), and −15 … +15 % in steps of 5 %,
//! each with volatility up, unchanged and down. Volatility is multiplied by 1 + 0.6·m up and by
//! max(0, 1 − 0.3·m) down, m = (30 d/max(T, 1 d))^p, p = 0.30 up to 30 days, else 0.13. Within an
//! expiry, options whose value after the shock is positive in sum count for 0.95·e^(−0.12 T) of it.
//! If the sum over expiries of the loss in the worse of spot ±5 %, times 1 + 1.2 T, is greater than
//! that of every scenario, it replaces it. Maintenance margin adds 3 % of spot for each perpetual
//! and 2 % for each option sold naked (net of calls and puts of one strike and expiry); initial
//! margin is 1.25 of maintenance margin.
//!
//! Theory of operation: the value of an option in a scenario does not depend on its holder, so the
//! grid prices every option once in every scenario; a portfolio's requirement is then a matter of
//! sums.
//!
//! Source: Deribit, "Portfolio Margin" (support.deribit.com) and the example of
//! `private/pme/simulate` (docs.deribit.com: range, volatilities, powers, `mm_factor`); Derive
//! v2-core `PMRMLib.sol` at 7736900d.
//!
//! Departures: Deribit does not publish how its extended table is dampened: here the fraction is
//! 16 % over the move, so that a perpetual is required no more there than at the edge of the range.
//! Its delta and roll shocks, and Derive's confidence and depeg contingencies, are left out.
//! Derive's rate is 0.

use super::black76::Terms;
use serde::{Deserialize, Serialize};

/// Greatest number of scenarios of any rule.
const SCENARIOS_MAX: usize = 35;
const DAYS: f64 = 365.0;
const SHORT_POWER: f64 = 0.30;
const LONG_POWER: f64 = 0.13;
const DERIBIT_RANGE: f64 = 0.16;
const DERIBIT_EXTENDED: [f64; 8] = [-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0];
const DERIBIT_MAINTENANCE: f64 = 0.8;
const DERIVE_PERPETUAL: f64 = 0.03;
const DERIVE_NAKED: f64 = 0.02;
const DERIVE_INITIAL: f64 = 1.25;

/// The venue whose portfolio-margin rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Deribit's portfolio margin.
    DeribitPm,
    /// Derive's (Lyra's) standard portfolio manager.
    DerivePmrm,
}

/// Both requirements, in the currency of spot times quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requirement {
    /// Maintenance requirement: an account with less equity is liquidatable.
    pub maintenance: f64,
    /// Initial requirement: the equity needed for a new order.
    pub initial: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VolMove {
    Up,
    Same,
    Down,
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    /// Spot after over spot before.
    spot: f64,
    vol: VolMove,
    /// Share of the profit or loss that counts.
    weight: f64,
}

/// Options of one expiry.
#[derive(Clone, Copy, Debug)]
struct Expiry {
    /// Share of their value that counts, if the value is positive.
    discount: f64,
    /// Factor on the loss in the worse of spot ±5 % (basis contingency).
    basis: f64,
}

/// Every option of a chain, priced in every scenario.
#[derive(Clone, Debug)]
pub struct Grid {
    rule: Rule,
    spot: f64,
    scenarios: Vec<Scenario>,
    /// Value now, by option.
    values: Vec<f64>,
    /// Value in each scenario, by option, then scenario.
    shocked: Vec<f64>,
    strikes: Vec<f64>,
    /// Index of each option's expiry.
    expiry_of: Vec<usize>,
    expiries: Vec<Expiry>,
}

impl Rule {
    fn scenarios(self) -> Vec<Scenario> {
        let every = [VolMove::Up, VolMove::Same, VolMove::Down];
        let mut found = Vec::new();
        match self {
            Rule::DeribitPm => {
                for step in -4..=4 {
                    let spot = 1.0 + DERIBIT_RANGE * f64::from(step) / 4.0;
                    found.extend(every.map(|vol| Scenario { spot, vol, weight: 1.0 }));
                }
                found.extend(DERIBIT_EXTENDED.map(|shock: f64| Scenario {
                    spot: 1.0 + shock,
                    vol: VolMove::Up,
                    weight: DERIBIT_RANGE / shock.abs(),
                }));
            }
            Rule::DerivePmrm => {
                for percent in [20, 15, 10, 5, 0, -5, -10, -15, -20] {
                    let spot = f64::from(100 + percent) / 100.0;
                    let edge = i32::abs(percent) == 20;
                    let moves = if edge { &every[..1] } else { &every };
                    found.extend(moves.iter().map(|&vol| Scenario { spot, vol, weight: 1.0 }));
                }
            }
        }
        found
    }

    /// Implied volatility after a move.
    fn moved(self, vol: f64, years: f64, way: VolMove) -> f64 {
        let days = years * DAYS;
        let power = |short: bool| if short { SHORT_POWER } else { LONG_POWER };
        match (self, way) {
            (_, VolMove::Same) => vol,
            (Rule::DeribitPm, _) => {
                let factor = libm::pow(30.0 / days, power(days < 30.0));
                match way {
                    VolMove::Up => (vol * (1.0 + 0.5 * factor)).max(0.5),
                    _ => (vol * (1.0 - 0.25 * factor)).max(0.0),
                }
            }
            (Rule::DerivePmrm, _) => {
                let factor = libm::pow(30.0 / days.max(1.0), power(days <= 30.0));
                match way {
                    VolMove::Up => vol * (1.0 + 0.6 * factor),
                    _ => vol * (1.0 - 0.3 * factor).max(0.0),
                }
            }
        }
    }
}

impl Grid {
    /// Prices options, all of which must have `spot` as their forward, in every scenario. Options
    /// of one expiry must stand together, and within it those of one strike.
    pub fn new(rule: Rule, spot: f64, options: &[Terms]) -> Grid {
        let scenarios = rule.scenarios();
        let mut shocked = Vec::with_capacity(options.len() * scenarios.len());
        let (mut expiries, mut expiry_of) = (Vec::new(), Vec::with_capacity(options.len()));
        let mut last: Option<&Terms> = None;
        let (mut vols, mut time_values) = ([0.0; 3], [0.0; SCENARIOS_MAX]);
        for option in options {
            let same_expiry = last.is_some_and(|last| last.years == option.years);
            let same_vol = same_expiry && last.is_some_and(|last| last.vol == option.vol);
            let same_strike = same_vol && last.is_some_and(|last| last.strike == option.strike);
            if !same_expiry {
                let discount = 0.95 * libm::exp(-0.12 * option.years);
                expiries.push(Expiry { discount, basis: 1.0 + 1.2 * option.years });
            }
            if !same_vol {
                let years = option.years.max(f64::MIN_POSITIVE);
                vols = [VolMove::Up, VolMove::Same, VolMove::Down]
                    .map(|way| rule.moved(option.vol, years, way));
            }
            for (scenario, time_value) in scenarios.iter().zip(&mut time_values) {
                let (forward, vol) = (spot * scenario.spot, vols[scenario.vol as usize]);
                let then = Terms { forward, vol, ..*option };
                // A call and a put of one strike differ by no more than what they pay now.
                if !same_strike {
                    *time_value = then.time_value();
                }
                shocked.push(*time_value + then.intrinsic());
            }
            expiry_of.push(expiries.len() - 1);
            last = Some(option);
        }
        Grid {
            rule,
            spot,
            scenarios,
            values: options.iter().map(Terms::price).collect(),
            shocked,
            strikes: options.iter().map(|option| option.strike).collect(),
            expiry_of,
            expiries,
        }
    }

    /// Spot price for which the grid was computed.
    pub fn spot(&self) -> f64 {
        self.spot
    }

    /// Value of an option now.
    pub fn value(&self, option: usize) -> f64 {
        self.values[option]
    }

    /// The requirement of a portfolio: a signed quantity of the perpetual, and of options, whose
    /// indices must rise.
    pub fn requirement(&self, perpetual: f64, options: &[(usize, f64)]) -> Requirement {
        match self.rule {
            Rule::DeribitPm => {
                let initial = -self.worst_by_scenario(perpetual, options);
                Requirement { maintenance: DERIBIT_MAINTENANCE * initial, initial }
            }
            Rule::DerivePmrm => {
                let worst = self.worst_by_scenario(perpetual, options).min(self.basis(options));
                let perpetuals = DERIVE_PERPETUAL * perpetual.abs();
                let fixed = (perpetuals + DERIVE_NAKED * self.naked(options)) * self.spot;
                let maintenance = fixed - worst;
                Requirement { maintenance, initial: DERIVE_INITIAL * maintenance }
            }
        }
    }

    fn row(&self, option: usize) -> &[f64] {
        let n = self.scenarios.len();
        &self.shocked[option * n..(option + 1) * n]
    }

    /// Least profit over all scenarios (the greatest loss, if negative).
    fn worst_by_scenario(&self, perpetual: f64, options: &[(usize, f64)]) -> f64 {
        let n = self.scenarios.len();
        let mut profit = [0.0; SCENARIOS_MAX];
        for group in self.by_expiry(options) {
            let (mut now, mut then) = (0.0, [0.0; SCENARIOS_MAX]);
            for &(option, qty) in group {
                now += qty * self.values[option];
                for (sum, value) in then[..n].iter_mut().zip(self.row(option)) {
                    *sum += qty * value;
                }
            }
            let discount = match self.rule {
                Rule::DeribitPm => 1.0,
                Rule::DerivePmrm => self.expiries[self.expiry_of[group[0].0]].discount,
            };
            for (sum, value) in profit[..n].iter_mut().zip(then) {
                *sum += if value > 0.0 { discount * value } else { value } - now;
            }
        }
        let scenarios = self.scenarios.iter().zip(profit);
        let all = scenarios.map(|(s, p)| s.weight * (p + perpetual * self.spot * (s.spot - 1.0)));
        all.fold(f64::INFINITY, f64::min)
    }

    /// Derive's basis contingency: never positive.
    fn basis(&self, options: &[(usize, f64)]) -> f64 {
        let at = |spot: f64| {
            let same = |s: &Scenario| s.vol == VolMove::Same && s.spot == spot;
            self.scenarios.iter().position(same).expect("the rule has spot ±5 %")
        };
        let edges = [at(1.05), at(0.95)];
        let mut sum = 0.0;
        for group in self.by_expiry(options) {
            let worst = edges.map(|edge| {
                let one = |&(o, qty): &(usize, f64)| qty * (self.row(o)[edge] - self.values[o]);
                group.iter().map(one).sum::<f64>()
            });
            let factor = self.expiries[self.expiry_of[group[0].0]].basis;
            sum += worst[0].min(worst[1]).min(0.0) * factor;
        }
        sum
    }

    /// Options sold and not covered by one bought at the same strike and expiry.
    fn naked(&self, options: &[(usize, f64)]) -> f64 {
        let same = |a: &(usize, f64), b: &(usize, f64)| {
            self.strikes[a.0] == self.strikes[b.0] && self.expiry_of[a.0] == self.expiry_of[b.0]
        };
        let nets = options.chunk_by(same).map(|pair| pair.iter().map(|&(_, qty)| qty).sum::<f64>());
        nets.map(|net| (-net).max(0.0)).sum()
    }

    fn by_expiry<'a>(
        &'a self,
        options: &'a [(usize, f64)],
    ) -> impl Iterator<Item = &'a [(usize, f64)]> {
        options.chunk_by(|a, b| self.expiry_of[a.0] == self.expiry_of[b.0])
    }
}
