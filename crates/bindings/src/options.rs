//! Options, in batches: lists in, lists out.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use surgetank_market::options::black76::{Greeks, Terms};
use surgetank_market::options::grid::{Grid, Rule};

/// Price and Greeks of as many options as there are forwards; all lists equally long.
#[pyfunction]
pub fn black76<'py>(
    py: Python<'py>,
    forward: Vec<f64>,
    strike: Vec<f64>,
    vol: Vec<f64>,
    years: Vec<f64>,
    call: Vec<bool>,
) -> PyResult<Bound<'py, PyDict>> {
    let n = forward.len();
    if [strike.len(), vol.len(), years.len(), call.len()].iter().any(|&len| len != n) {
        return Err(PyValueError::new_err("black76: the lists are not equally long"));
    }
    let found: Vec<Greeks> = (0..n)
        .map(|i| Terms {
            forward: forward[i],
            strike: strike[i],
            vol: vol[i],
            years: years[i],
            call: call[i],
        })
        .map(|terms| terms.greeks())
        .collect();
    let out = PyDict::new(py);
    let column = |of: fn(&Greeks) -> f64| found.iter().map(of).collect::<Vec<f64>>();
    out.set_item("price", column(|g| g.price))?;
    out.set_item("delta", column(|g| g.delta))?;
    out.set_item("gamma", column(|g| g.gamma))?;
    out.set_item("vega", column(|g| g.vega))?;
    out.set_item("theta", column(|g| g.theta))?;
    out.set_item("rho", column(|g| g.rho))?;
    Ok(out)
}

/// (maintenance, initial) requirement of one portfolio; all lists equally long.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "a flat door: one list per column")]
pub fn portfolio_margin(
    rule: &str,
    spot: f64,
    perpetual: f64,
    strike: Vec<f64>,
    vol: Vec<f64>,
    years: Vec<f64>,
    call: Vec<bool>,
    qty: Vec<f64>,
) -> PyResult<(f64, f64)> {
    let rule = match rule {
        "deribit-pm" => Rule::DeribitPm,
        "derive-pmrm" => Rule::DerivePmrm,
        _ => return Err(PyValueError::new_err(format!("portfolio_margin: no rule `{rule}`"))),
    };
    let n = strike.len();
    if [vol.len(), years.len(), call.len(), qty.len()].iter().any(|&len| len != n) {
        return Err(PyValueError::new_err("portfolio_margin: the lists are not equally long"));
    }
    let terms = |i: usize| Terms {
        forward: spot,
        strike: strike[i],
        vol: vol[i],
        years: years[i],
        call: call[i],
    };
    let mut legs: Vec<(Terms, f64)> = (0..n).map(|i| (terms(i), qty[i])).collect();
    legs.sort_by(|(a, _), (b, _)| {
        a.years.total_cmp(&b.years).then(a.strike.total_cmp(&b.strike)).then(a.call.cmp(&b.call))
    });
    let (options, held): (Vec<Terms>, Vec<f64>) = legs.into_iter().unzip();
    let held: Vec<(usize, f64)> = held.into_iter().enumerate().collect();
    let found = Grid::new(rule, spot, &options).requirement(perpetual, &held);
    Ok((found.maintenance, found.initial))
}
