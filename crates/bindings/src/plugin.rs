//! Queue disciplines written in Python, called once per decision; the core keeps no state of
//! theirs.
//!
//! An exception in a rule stops the run: it is kept here and raised when the core returns. So does
//! an answer that would lose messages or serve them twice.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use surgetank_layer::message::Envelope;
use surgetank_layer::queue::{Discipline, Place};
use surgetank_layer::units::Ns;

/// A plug-in's first exception, kept until the end of a slice.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<Mutex<Option<PyErr>>>);

impl Failure {
    /// The exception, if there was one.
    pub fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub fn keep<T>(&self, result: PyResult<T>) -> Option<T> {
        result
            .map_err(|error| {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            })
            .ok()
    }
}

/// Attributes of a message for a discipline written in Python.
#[pyclass(frozen, get_all)]
pub struct Ticket {
    pub message: u32,
    pub class_number: u8,
    pub flags: u8,
    pub size_bytes: u32,
    pub account: u32,
    pub fee_micros: u32,
    pub reduces_risk: bool,
}

impl Ticket {
    fn of(envelope: &Envelope) -> Ticket {
        Ticket {
            message: envelope.id,
            class_number: envelope.class as u8,
            flags: envelope.flags,
            size_bytes: envelope.size_bytes,
            account: envelope.account,
            fee_micros: envelope.fee_micros,
            reduces_risk: envelope.reduces_risk(),
        }
    }
}

/// A queue discipline written in Python.
#[derive(Debug)]
pub struct PyRule {
    factory: Py<PyAny>,
    rule: Py<PyAny>,
    /// Places that it holds.
    waiting: BTreeSet<Place>,
    failure: Failure,
}

impl PyRule {
    pub fn new(factory: &Bound<'_, PyAny>, failure: Failure) -> PyResult<PyRule> {
        let rule = factory.call0()?.unbind();
        let factory = factory.clone().unbind();
        Ok(PyRule { rule, factory, waiting: BTreeSet::new(), failure })
    }

    fn with(
        &self,
        rule: Py<PyAny>,
        waiting: BTreeSet<Place>,
        py: Python<'_>,
    ) -> Box<dyn Discipline> {
        let factory = self.factory.clone_ref(py);
        Box::new(PyRule { factory, rule, waiting, failure: self.failure.clone() })
    }

    /// Records an invalid answer.
    fn wrong<T>(&self, what: String) -> Option<T> {
        self.failure.keep(Err(PyValueError::new_err(format!("queue rule: {what}"))))
    }

    /// The place that a method returns, if it is waiting.
    fn given_up(&mut self, method: &str, answer: PyResult<Option<Place>>) -> Option<Place> {
        let place = self.failure.keep(answer)??;
        if self.waiting.remove(&place) {
            return Some(place);
        }
        self.wrong(format!("`{method}` gave place {place}, in which nothing waits"))
    }
}

impl Discipline for PyRule {
    fn push(&mut self, now: Ns, place: Place, envelope: &Envelope) {
        self.waiting.insert(place);
        Python::attach(|py| {
            let args = (now, place, Ticket::of(envelope));
            self.failure.keep(self.rule.call_method1(py, "push", args));
        });
    }

    fn pop(&mut self, now: Ns, _: &mut Vec<Place>) -> Option<Place> {
        if self.waiting.is_empty() {
            return None;
        }
        let answer = Python::attach(|py| {
            self.rule.call_method1(py, "pop", (now,)).and_then(|place| place.extract(py))
        });
        if let Ok(None) = answer {
            let waiting = self.waiting.len();
            return self.wrong(format!("`pop` gave None while {waiting} messages wait"));
        }
        self.given_up("pop", answer)
    }

    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        let answer = Python::attach(|py| {
            let ticket = Ticket::of(newcomer);
            let place = self.rule.call_method1(py, "make_room", (ticket,));
            place.and_then(|place| place.extract(py))
        });
        self.given_up("make_room", answer)
    }

    fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        let gone: Vec<Place> = self.waiting.iter().copied().filter(|&p| !stays(p)).collect();
        self.waiting.retain(|&place| stays(place));
        Python::attach(|py| {
            self.failure.keep(self.rule.call_method1(py, "remove", (gone,)));
        });
    }

    fn order(&self) -> Vec<Place> {
        let answer: PyResult<Vec<Place>> = Python::attach(|py| {
            self.rule.call_method0(py, "order").and_then(|order| order.extract(py))
        });
        let Some(order) = self.failure.keep(answer) else { return Vec::new() };
        let places: BTreeSet<Place> = order.iter().copied().collect();
        if order.len() != places.len() || places != self.waiting {
            let what = "`order` did not give every place that waits once, and no other".to_owned();
            return self.wrong(what).unwrap_or_default();
        }
        order
    }

    fn fresh(&self) -> Box<dyn Discipline> {
        Python::attach(|py| {
            let made = self.failure.keep(self.factory.call0(py));
            self.with(made.unwrap_or_else(|| self.rule.clone_ref(py)), BTreeSet::new(), py)
        })
    }

    fn copy(&self) -> Box<dyn Discipline> {
        Python::attach(|py| {
            let copied = py
                .import("copy")
                .and_then(|module| module.call_method1("deepcopy", (self.rule.bind(py),)));
            let rule = self.failure.keep(copied).map(Bound::unbind);
            self.with(rule.unwrap_or_else(|| self.rule.clone_ref(py)), self.waiting.clone(), py)
        })
    }
}
