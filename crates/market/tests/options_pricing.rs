//! Pricing: a published example, the edges, and what a contract pays.

use surgetank_layer::units::Ns;
use surgetank_market::options::black76::{Terms, normal};
use surgetank_market::options::contract::{Contract, YEAR_NS};

/// Hull, "Options, Futures and Other Derivatives": a European put on a futures price of 20, strike
/// 20, four months, volatility 25 %, rate 9 % is worth 1.12.
#[test]
fn a_published_example() {
    let terms = Terms { forward: 20.0, strike: 20.0, vol: 0.25, years: 4.0 / 12.0, call: false };
    let discounted = terms.price() * (-0.09f64 * 4.0 / 12.0).exp();
    assert!((discounted - 1.12).abs() < 0.005, "{discounted}");
}

/// The bit patterns, which must be the same on every machine.
#[test]
fn the_same_bits_everywhere() {
    let terms = Terms { forward: 57_123.4, strike: 52_000.0, vol: 0.83, years: 0.021, call: false };
    let greeks = terms.greeks();
    let bits = [greeks.price, greeks.delta, greeks.gamma, greeks.vega].map(f64::to_bits);
    let seen =
        [4650366699546044464, 13819747938979292863, 4541139106641161878, 4657315588102913915];
    assert_eq!(bits, seen);
    assert_eq!(normal(0.0), 0.5);
}

#[test]
fn far_out_of_the_money_is_small_and_not_negative() {
    let terms = Terms { forward: 100.0, strike: 2_000.0, vol: 0.2, years: 0.01, call: true };
    assert!((0.0..1e-12).contains(&terms.price()));
    let put = Terms { call: false, ..terms };
    assert_eq!(put.price(), 1_900.0);
}

#[test]
fn a_contract_pays_the_difference_and_no_less_than_nothing() {
    let call = Contract { expiry_ns: YEAR_NS as Ns, strike: 100, call: true };
    let put = Contract { call: false, ..call };
    assert_eq!([99, 100, 103].map(|s| call.payoff(s)), [0, 0, 3]);
    assert_eq!([96, 100, 103].map(|s| put.payoff(s)), [4, 0, 0]);
    assert_eq!(call.years(0), 1.0);
    assert_eq!(call.years(2 * YEAR_NS as Ns), 0.0, "time does not run on after expiry");
    assert_eq!(call.terms(120.0, 0.5, YEAR_NS as Ns).price(), 20.0);
}
