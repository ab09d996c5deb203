//! Rules written in Python. They are asked once per decision; the core keeps nothing of theirs.
//!
//! An exception in a rule stops the run: it is kept here and raised when the core comes back.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use surgetank_layer::message::Envelope;
use surgetank_layer::queue::{Discipline, Place};
use surgetank_layer::units::Ns;

/// Where a plug-in's first exception waits for the end of a slice.
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

/// What a rule written in Python may know of a message.
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

/// A queue rule written in Python.
#[derive(Debug)]
pub struct PyRule {
    factory: Py<PyAny>,
    rule: Py<PyAny>,
    failure: Failure,
}

impl PyRule {
    pub fn new(factory: &Bound<'_, PyAny>, failure: Failure) -> PyResult<PyRule> {
        Ok(PyRule { rule: factory.call0()?.unbind(), factory: factory.clone().unbind(), failure })
    }

    fn with(&self, rule: Py<PyAny>, py: Python<'_>) -> Box<dyn Discipline> {
        let factory = self.factory.clone_ref(py);
        Box::new(PyRule { factory, rule, failure: self.failure.clone() })
    }
}

impl Discipline for PyRule {
    fn push(&mut self, now: Ns, place: Place, envelope: &Envelope) {
        Python::attach(|py| {
            let args = (now, place, Ticket::of(envelope));
            self.failure.keep(self.rule.call_method1(py, "push", args));
        });
    }

    fn pop(&mut self, now: Ns, _: &mut Vec<Place>) -> Option<Place> {
        Python::attach(|py| {
            let answer = self.rule.call_method1(py, "pop", (now,));
            self.failure.keep(answer.and_then(|place| place.extract::<Option<Place>>(py)))?
        })
    }

    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        Python::attach(|py| {
            let answer = self.rule.call_method1(py, "make_room", (Ticket::of(newcomer),));
            self.failure.keep(answer.and_then(|place| place.extract::<Option<Place>>(py)))?
        })
    }

    fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        let gone: Vec<Place> = self.order().into_iter().filter(|&place| !stays(place)).collect();
        Python::attach(|py| {
            self.failure.keep(self.rule.call_method1(py, "remove", (gone,)));
        });
    }

    fn order(&self) -> Vec<Place> {
        Python::attach(|py| {
            let answer = self.rule.call_method0(py, "order");
            self.failure.keep(answer.and_then(|order| order.extract(py))).unwrap_or_default()
        })
    }

    fn fresh(&self) -> Box<dyn Discipline> {
        Python::attach(|py| {
            let made = self.failure.keep(self.factory.call0(py));
            self.with(made.unwrap_or_else(|| self.rule.clone_ref(py)), py)
        })
    }

    fn copy(&self) -> Box<dyn Discipline> {
        Python::attach(|py| {
            let copied = py
                .import("copy")
                .and_then(|module| module.call_method1("deepcopy", (self.rule.bind(py),)));
            let rule = self.failure.keep(copied).map(Bound::unbind);
            self.with(rule.unwrap_or_else(|| self.rule.clone_ref(py)), py)
        })
    }
}
