//! The market against the closed forms of safe leverage.
//!
//! A long of leverage L is triggered at S_0, its first liquidatable price; the liquidation order
//! executes a delay T later against a book whose only bids lie at S_T(1 − s), with S lognormal.
//! With maintenance m and K = (1 − m)/(1 − s), bad debt arises iff S_T/S_0 < K, whatever L:
//! * T = τ: P = Φ((ln K − ντ)/(σ√τ)), and the expected debt is a put struck at K;
//! * T ~ Exp(mean D): ln S_T is asymmetric Laplace, P = b₊/(b₊ + b₋)·K^(b₋).
//!
//! Draws are seeded, prices so fine that rounding to ticks is far below the sampling error.

use crate::desk;
use desk::*;
use surgetank_layer::message::{Body, LiquidationOrder, Message, Side};
use surgetank_layer::units::{Money, Price, Qty};
use surgetank_market::{Fact, MarginMode, Market, PPM, SymbolConfig};

const YEAR_S: f64 = 365.0 * 86_400.0;
const START: Price = 1 << 34;
const SIZE: Qty = 1_000;
const SLIPPAGE: f64 = 0.002;
/// Two-sided 99.9 % quantile of the normal.
const Z_999: f64 = 3.2905;

/// Standard normal distribution function (Marsaglia 2004), |x| < 7.
fn phi(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (x, x, 1.0);
    while sum + term != sum {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

/// A venue of maintenance margin `m_ppm` in which account 0 bought at `leverage`, marked at the
/// price at which it has just become liquidatable; and that price.
fn triggered(m_ppm: u32, leverage: f64) -> (Market, Price) {
    let rules = SymbolConfig {
        initial_margin_ppm: (2 * m_ppm).min(PPM),
        maintenance_margin_ppm: m_ppm,
        ..SymbolConfig::default()
    };
    let mut d = Desk::new(rules, RICH, START);
    let cash = (SIZE as f64 * START as f64 / leverage).ceil() as Money;
    d.market.deposit(0, cash, MarginMode::Isolated);
    d.market.deposit(1, RICH, MarginMode::Cross);
    d.market.open(0, 0, SIZE, START);
    d.market.open(1, 0, -SIZE, START);
    let trigger = d.market.liquidation_price(0, 0).expect("a leveraged long has one");
    d.price(trigger);
    (d.market, trigger)
}

/// Liquidates account 0 against bids at S_T(1 − s); returns the bad debt, as a share of notional.
fn debt(market: &Market, trigger: Price, log_return: f64) -> f64 {
    let mut market = market.clone();
    let bid = (trigger as f64 * log_return.exp() * (1.0 - SLIPPAGE)).round() as Price;
    let bodies = [
        (1, Body::NewOrderSingle(limit(1, Side::Buy, bid.max(1), SIZE))),
        (
            2,
            Body::LiquidationOrder(LiquidationOrder {
                symbol: 0,
                target: 0,
                order_qty: 0,
                trigger_price: trigger,
            }),
        ),
    ];
    let mut facts = Vec::with_capacity(8);
    for (account, body) in bodies {
        let message = Message { id: 0, account, sent_ns: 0, body };
        market.execute(0, &message, &mut facts);
    }
    assert_eq!(market.position(0, 0), 0, "{facts:?}");
    let owed: Money = bad_debt(&facts).iter().map(|debt| debt.0).sum();
    owed as f64 / (SIZE as f64 * trigger as f64)
}

/// Volatility and drift of the log price, per √second and second.
#[derive(Clone, Copy)]
struct Diffusion {
    sigma: f64,
    nu: f64,
}

impl Diffusion {
    /// σ per √year, and either no drift of the price (ν = −σ²/2) or none of its logarithm.
    fn new(sigma: f64, martingale: bool) -> Diffusion {
        let sigma = sigma / YEAR_S.sqrt();
        Diffusion { sigma, nu: if martingale { -sigma * sigma / 2.0 } else { 0.0 } }
    }

    fn draw(&self, rng: &mut Rng, t: f64) -> f64 {
        self.nu * t + self.sigma * t.sqrt() * rng.normal()
    }

    fn fixed(&self, k: f64, tau: f64) -> f64 {
        phi((k.ln() - self.nu * tau) / (self.sigma * tau.sqrt()))
    }

    fn exponential(&self, k: f64, mean: f64) -> f64 {
        let Diffusion { sigma, nu } = *self;
        let root = (nu * nu + 2.0 * sigma * sigma / mean).sqrt();
        let (up, down) = ((root - nu) / (sigma * sigma), (root + nu) / (sigma * sigma));
        up / (up + down) * k.powf(down)
    }

    fn put(&self, k: f64, tau: f64) -> f64 {
        let sd = self.sigma * tau.sqrt();
        let d1 = (-k.ln() + sd * sd / 2.0) / sd;
        (1.0 - SLIPPAGE) * (k * phi(sd - d1) - phi(-d1))
    }
}

fn strike(m_ppm: u32) -> f64 {
    (1.0 - f64::from(m_ppm) / f64::from(PPM)) / (1.0 - SLIPPAGE)
}

/// Share of `n` liquidations that end in bad debt, and the mean debt with its standard error.
fn simulate(
    (market, trigger): &(Market, Price),
    n: u32,
    mut log_return: impl FnMut() -> f64,
) -> (f64, f64, f64) {
    let (mut count, mut sum, mut squares) = (0u32, 0.0, 0.0);
    for _ in 0..n {
        let owed = debt(market, *trigger, log_return());
        count += u32::from(owed > 0.0);
        sum += owed;
        squares += owed * owed;
    }
    let n = f64::from(n);
    let mean = sum / n;
    (f64::from(count) / n, mean, ((squares / n - mean * mean) / n).sqrt())
}

fn agrees(p: f64, expected: f64, n: u32, what: &str) {
    let half = Z_999 * (expected * (1.0 - expected) / f64::from(n)).sqrt();
    assert!((p - expected).abs() <= half, "{what}: {p:.5}, expected {expected:.5} ± {half:.5}");
}

const N: u32 = 150_000;
const M_PPM: u32 = 12_500;

#[test]
fn the_closed_forms_have_the_published_values() {
    let d = Diffusion::new(5.0, true);
    let k = strike(M_PPM);
    let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-3, "{a} {b}");
    close(d.fixed(k, 60.0), 0.06299);
    close(d.exponential(k, 60.0), 0.05760);
    close(d.fixed(k, 10.0), 8.66e-5);
    close(d.exponential(k, 10.0), 2.480e-3);
    close(d.put(k, 60.0), 1.858e-4);
    let free = Diffusion::new(5.0, false);
    let laplace = 0.5 * (k.ln() * (2.0f64 / 60.0).sqrt() / free.sigma).exp();
    close(free.exponential(k, 60.0), laplace);
}

#[test]
fn a_fixed_delay_at_any_leverage() {
    let d = Diffusion::new(5.0, true);
    let (p, put) = (d.fixed(strike(M_PPM), 60.0), d.put(strike(M_PPM), 60.0));
    for (leverage, seed) in [(10.0, 1), (20.0, 2), (40.0, 3)] {
        let mut rng = Rng(seed);
        let (share, mean, error) =
            simulate(&triggered(M_PPM, leverage), N, || d.draw(&mut rng, 60.0));
        agrees(share, p, N, &format!("fixed, {leverage}×"));
        assert!((mean - put).abs() <= Z_999 * error, "{leverage}×: {mean:e} ± {error:e}, {put:e}");
    }
}

#[test]
fn the_same_draws_ruin_the_same_accounts_at_any_leverage() {
    let d = Diffusion::new(5.0, true);
    let share = |leverage: f64| {
        let mut rng = Rng(4);
        simulate(&triggered(M_PPM, leverage), 20_000, || d.draw(&mut rng, 60.0)).0
    };
    let shares = [10.0, 20.0, 40.0].map(share);
    assert!(shares[0] > 0.05 && shares.iter().all(|&s| s == shares[0]), "{shares:?}");
}

#[test]
fn an_exponential_delay_at_any_leverage() {
    for (martingale, seed) in [(true, 5), (false, 6)] {
        let d = Diffusion::new(5.0, martingale);
        let p = d.exponential(strike(M_PPM), 60.0);
        for (leverage, more) in [(10.0, 10), (20.0, 20), (40.0, 30)] {
            let mut rng = Rng(seed + more);
            let log_return = || {
                let t = 60.0 * rng.exponential();
                d.draw(&mut rng, t)
            };
            let (share, ..) = simulate(&triggered(M_PPM, leverage), N, log_return);
            agrees(share, p, N, &format!("exponential, {leverage}×, martingale {martingale}"));
        }
    }
}

#[test]
fn short_delays_make_debt_rare() {
    let d = Diffusion::new(5.0, true);
    let at = triggered(M_PPM, 20.0);
    let mut rng = Rng(7);
    let (share, ..) = simulate(&at, N, || d.draw(&mut rng, 10.0));
    agrees(share, d.fixed(strike(M_PPM), 10.0), N, "fixed 10 s");
    let (share, ..) = simulate(&at, N, || {
        let t = 10.0 * rng.exponential();
        d.draw(&mut rng, t)
    });
    agrees(share, d.exponential(strike(M_PPM), 10.0), N, "exponential 10 s");
}

/// Safe leverage κ/m*, m* = 1 − (1 − s)·exp(−σ√(D/2)·ln(1/2ε)): the market that allows exactly
/// this leverage sees bad debt with probability ε. Rare, hence importance sampling: T and the
/// normal are drawn near where the event happens and weighted by their density ratio.
#[test]
fn at_safe_leverage_debt_is_as_rare_as_asked() {
    const EPSILON: f64 = 1e-5;
    const KAPPA: f64 = 0.5;
    let d = Diffusion::new(3.0, false);
    let rows = [(0.2, 131.0), (1.0, 82.0), (10.0, 34.0), (60.0, 15.0), (600.0, 5.0)];
    for ((mean, published), seed) in rows.into_iter().zip(40..) {
        let distance = d.sigma * f64::sqrt(mean / 2.0) * (0.5 / EPSILON).ln();
        let m = 1.0 - (1.0 - SLIPPAGE) * (-distance).exp();
        let m_ppm = (m * f64::from(PPM)).round() as u32;
        let leverage = KAPPA / m;
        assert_eq!(leverage.round(), published);
        let at = triggered(m_ppm, leverage);
        let barrier = -strike(m_ppm).ln();
        // The most likely way there takes this many mean delays.
        let slow = (0.5 / EPSILON).ln() / 2.0;
        let mut rng = Rng(seed);
        let (mut sum, mut squares, n) = (0.0, 0.0, 50_000);
        for _ in 0..n {
            let t = slow * mean * rng.exponential();
            let shift = -barrier / (d.sigma * t.sqrt());
            let z = shift + rng.normal();
            if debt(&at.0, at.1, d.sigma * t.sqrt() * z) > 0.0 {
                let delay = slow * (-t / mean * (1.0 - 1.0 / slow)).exp();
                let weight = delay * (shift * (shift / 2.0 - z)).exp();
                sum += weight;
                squares += weight * weight;
            }
        }
        let p = sum / f64::from(n);
        let half = Z_999 * ((squares / f64::from(n) - p * p) / f64::from(n)).sqrt();
        // Whole ppm of margin move the target a little.
        let expected = d.exponential(strike(m_ppm), mean);
        assert!((expected / EPSILON - 1.0).abs() < 0.01);
        assert!(half < 0.1 * p && (p - expected).abs() <= half, "{mean} s: {p:e} ± {half:e}");
    }
}

/// The initial margin does allow that leverage, and no more: κ·10^6/m ppm of margin admit an order
/// of exactly the cash's worth.
#[test]
fn the_venue_admits_safe_leverage_and_no_more() {
    let m_ppm = 3_822;
    let rules = SymbolConfig {
        initial_margin_ppm: 2 * m_ppm,
        maintenance_margin_ppm: m_ppm,
        ..SymbolConfig::default()
    };
    let need = (SIZE as i128 * START as i128 * i128::from(2 * m_ppm) + 999_999) / 1_000_000;
    for (cash, admitted) in [(need, true), (need - 1, false)] {
        let mut d = Desk::new(rules.clone(), 0, START);
        d.market.deposit(0, cash, MarginMode::Isolated);
        let facts = d.order(0, limit(1, Side::Buy, START, SIZE));
        assert_eq!(matches!(facts[0], Fact::Accepted { .. }), admitted);
    }
    assert_eq!((500_000.0 / f64::from(m_ppm)).round(), 131.0);
}
