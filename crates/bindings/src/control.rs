//! Controllers written in Python, and decisions of earlier runs.

use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use surgetank_lab::trace::DecisionRow;
use surgetank_lab::world::NewController;
use surgetank_layer::node::Change;
use surgetank_layer::tuning::bounded::Fixed;
use surgetank_layer::tuning::{self, Bounds, Controller, Parameter, Recommendation, Why};

use crate::plugin::Failure;

/// Parameters that controllers tune.
#[pyclass(frozen, get_all)]
#[derive(Clone)]
pub struct Setting {
    pub batch_messages_max: u32,
    pub window_ns: u64,
    pub admission_limit: u32,
    pub lane_weights: Vec<u32>,
}

impl Setting {
    fn of(setting: &tuning::Setting) -> Setting {
        Setting {
            batch_messages_max: setting.batch_messages_max,
            window_ns: setting.window_ns,
            admission_limit: setting.admission_limit,
            lane_weights: setting.lane_weights.iter().map(|&weight| u32::from(weight)).collect(),
        }
    }
}

/// Observation for a controller written in Python.
#[pyclass(frozen, get_all)]
pub struct Observation {
    pub now_ns: u64,
    pub served: u64,
    pub refused: u64,
    pub sojourn_min_ns: u64,
    pub sojourn_mean_ns: u64,
    pub sojourn_p50_ns: u64,
    pub sojourn_p99_ns: u64,
    pub inflight: u32,
    pub backlog_ns: u64,
    pub reducing_served: u64,
    pub reducing_min_ns: u64,
    pub reducing_p99_ns: u64,
    pub ahead_ns: u64,
    pub block_interval_ns: u64,
    pub waiting: Vec<u32>,
    pub refused_by_class: Vec<u64>,
    pub volatility_ppm: u64,
    pub now_set: Setting,
    pub least: Setting,
    pub most: Setting,
}

/// A controller written in Python.
struct PyController {
    controller: Py<PyAny>,
    failure: Failure,
}

impl Controller for PyController {
    fn control(
        &mut self,
        seen: &tuning::Observation,
        set: &tuning::Setting,
        bounds: &Bounds,
    ) -> Recommendation {
        let observation = Observation {
            now_ns: seen.now,
            served: seen.served,
            refused: seen.refused,
            sojourn_min_ns: seen.sojourn_min_ns,
            sojourn_mean_ns: seen.sojourn_mean_ns,
            sojourn_p50_ns: seen.sojourn_p50_ns,
            sojourn_p99_ns: seen.sojourn_p99_ns,
            inflight: seen.inflight,
            backlog_ns: seen.backlog_ns,
            reducing_served: seen.reducing_served,
            reducing_min_ns: seen.reducing_min_ns,
            reducing_p99_ns: seen.reducing_p99_ns,
            ahead_ns: seen.ahead_ns,
            block_interval_ns: seen.block_interval_ns,
            waiting: seen.waiting.to_vec(),
            refused_by_class: seen.refused_by_class.to_vec(),
            volatility_ppm: seen.volatility_ppm,
            now_set: Setting::of(set),
            least: Setting::of(bounds.least()),
            most: Setting::of(bounds.most()),
        };
        let nothing = Recommendation { setting: *set, why: Why::Outside, on: 0 };
        Python::attach(|py| {
            let answer = self.controller.call_method1(py, "control", (observation,));
            let recommendation =
                answer.and_then(|settings| recommendation(settings.bind(py), *set));
            self.failure.keep(recommendation).unwrap_or(nothing)
        })
    }
}

/// The present setting with the controller's changes. `on` is the number on which the controller
/// acted.
fn recommendation(
    settings: &Bound<'_, PyAny>,
    mut setting: tuning::Setting,
) -> PyResult<Recommendation> {
    let mut on = 0;
    let settings = settings.cast::<PyDict>().map_err(|_| {
        PyTypeError::new_err("control() must return a dict of settings, such as {\"window_ns\": 5}")
    })?;
    for (key, value) in settings {
        match key.extract::<String>()?.as_str() {
            "batch_messages_max" => setting.batch_messages_max = value.extract()?,
            "window_ns" => setting.window_ns = value.extract()?,
            "admission_limit" => setting.admission_limit = value.extract()?,
            "lane_weights" => setting.lane_weights = value.extract::<[u8; 8]>()?,
            "on" => on = value.extract()?,
            other => {
                return Err(PyKeyError::new_err(format!(
                    "control() returned the unknown key `{other}`; known are batch_messages_max, window_ns, \
                     admission_limit, lane_weights and on"
                )));
            }
        }
    }
    Ok(Recommendation { setting, why: Why::Outside, on })
}

/// Makes a node's controller by calling `factory(seed)`.
pub fn factory(factory: Py<PyAny>, failure: Failure) -> NewController {
    Box::new(move |seed| {
        Python::attach(|py| match failure.keep(factory.call1(py, (seed,))) {
            Some(controller) => Box::new(PyController { controller, failure: failure.clone() }),
            None => Box::new(Fixed) as Box<dyn Controller + Send + Sync>,
        })
    })
}

/// A row of the table `decisions`, as a mapping from column to number.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Decision {
    time_ns: u64,
    node: u32,
    knob: u8,
    from: u64,
    to: u64,
    why: u8,
    on: u64,
    clamped: u8,
}

/// Rows of the table `decisions`, as mappings from column to number.
///
/// # Errors
/// `ValueError` for a knob or a reason that the core does not know.
pub fn decisions(rows: &Bound<'_, PyAny>) -> PyResult<Vec<DecisionRow>> {
    let row = |row: Decision| {
        let Decision { time_ns, node, knob, from, to, why, on, clamped } = row;
        let (Some(parameter), Some(why)) = (Parameter::of_code(knob), Why::of_code(why)) else {
            let said =
                format!("decisions: no knob {knob} or no reason {why}; take the table of a run");
            return Err(PyValueError::new_err(said));
        };
        let change = Change { parameter, from, to, why, on, clamped: clamped != 0 };
        Ok(DecisionRow { time_ns, node, change })
    };
    rows.extract::<Vec<Decision>>()?.into_iter().map(row).collect()
}
