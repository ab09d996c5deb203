//! Options, in batches: lists in, lists out.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use surgetank_market::options::black76::{Greeks, Terms};

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
    let columns: [(&str, fn(&Greeks) -> f64); 6] = [
        ("price", |g| g.price),
        ("delta", |g| g.delta),
        ("gamma", |g| g.gamma),
        ("vega", |g| g.vega),
        ("theta", |g| g.theta),
        ("rho", |g| g.rho),
    ];
    for (name, of) in columns {
        out.set_item(name, found.iter().map(of).collect::<Vec<f64>>())?;
    }
    Ok(out)
}
