use numpy::{PyArray1, PyArrayMethods, PyReadonlyArrayDyn};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::run::Run;
use crate::{CyclrError, SpecError, refused, whole};

/// What a schedule sets for one update.
#[pyclass(module = "cyclr", frozen, get_all, eq, skip_from_py_object)]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Hyper {
    /// The learning rate.
    lr: f64,
    /// Momentum (beta1 of the Adam family); `None` if it is left alone.
    momentum: Option<f64>,
    /// Weight decay; `None` if it is left alone.
    weight_decay: Option<f64>,
}

#[pymethods]
impl Hyper {
    #[new]
    #[pyo3(signature = (lr, momentum=None, weight_decay=None))]
    fn new(lr: f64, momentum: Option<f64>, weight_decay: Option<f64>) -> Self {
        Self {
            lr,
            momentum,
            weight_decay,
        }
    }

    fn __getnewargs__(&self) -> (f64, Option<f64>, Option<f64>) {
        (self.lr, self.momentum, self.weight_decay)
    }

    fn __repr__(&self) -> String {
        let part = |name: &str, value: Option<f64>| {
            value.map_or_else(String::new, |value| format!(", {name}={value:?}"))
        };
        let momentum = part("momentum", self.momentum);
        let weight_decay = part("weight_decay", self.weight_decay);
        format!("Hyper(lr={:?}{momentum}{weight_decay})", self.lr)
    }
}

impl From<cyclr::Hyper> for Hyper {
    fn from(hyper: cyclr::Hyper) -> Self {
        Self {
            lr: hyper.lr,
            momentum: hyper.momentum,
            weight_decay: hyper.weight_decay,
        }
    }
}

/// A policy, or several in turn, as text.
///
/// `str(spec)` is the text in its one printed form, which reads back to an equal spec.
///
/// Raises:
///     SpecError: the text is no spec; the message points at the place.
#[pyclass(module = "cyclr", frozen, eq, skip_from_py_object)]
#[derive(Clone, PartialEq)]
pub(crate) struct Spec(cyclr::Spec);

#[pymethods]
impl Spec {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        text.parse()
            .map(Self)
            .map_err(|error: cyclr::SpecError| SpecError::new_err(error.to_string()))
    }

    fn __getnewargs__(&self) -> (String,) {
        (self.0.to_string(),)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Spec({:?})", self.0.to_string())
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.0.to_string().hash(&mut hasher);
        hasher.finish()
    }

    /// The spec in words, for people.
    fn describe(&self) -> String {
        self.0.describe()
    }
}

impl From<cyclr::Spec> for Spec {
    fn from(spec: cyclr::Spec) -> Self {
        Self(spec)
    }
}

/// A spec where text will do as well.
pub(crate) struct AnySpec(pub(crate) cyclr::Spec);

impl<'py> FromPyObject<'_, 'py> for AnySpec {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(spec) = given.cast::<Spec>() {
            return Ok(Self(spec.get().0.clone()));
        }
        let text: String = given.extract()?;
        Ok(Self(Spec::new(&text)?.0))
    }
}

/// The rate at every update of a run: a pure function of the update, counted from 0.
///
/// Past the end it holds its last value. It has no state, so that resuming is a number. It
/// pickles.
///
/// Args:
///     spec: A policy, as text or `Spec`.
///     updates: The optimizer updates of the run.
///     epochs: Its passes over the data, instead of `updates`.
///     examples: The training examples, for lengths in epochs.
///     batch: The examples of an update.
///
/// Raises:
///     CyclrError: the spec does not fit the run, or the run has no length.
#[pyclass(module = "cyclr", frozen)]
pub(crate) struct Schedule {
    spec: cyclr::Spec,
    run: Run,
    schedule: cyclr::Schedule,
}

#[pymethods]
impl Schedule {
    #[new]
    #[pyo3(signature = (spec, *, updates=None, epochs=None, examples=None, batch=None))]
    fn new(
        spec: AnySpec,
        #[pyo3(from_py_with = whole)] updates: Option<u64>,
        epochs: Option<f64>,
        #[pyo3(from_py_with = whole)] examples: Option<u64>,
        #[pyo3(from_py_with = whole)] batch: Option<u64>,
    ) -> PyResult<Self> {
        let run = Run {
            updates,
            epochs,
            examples,
            batch,
        };
        let schedule = spec.0.schedule(&run.horizon()?).map_err(refused)?;
        Ok(Self {
            spec: spec.0,
            run,
            schedule,
        })
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let run = PyDict::new(py);
        run.set_item("updates", self.run.updates)?;
        run.set_item("epochs", self.run.epochs)?;
        run.set_item("examples", self.run.examples)?;
        run.set_item("batch", self.run.batch)?;
        Ok((PyTuple::new(py, [self.spec.to_string()])?, run))
    }

    fn __repr__(&self) -> String {
        let given = [
            ("updates", self.run.updates.map(|n| n.to_string())),
            ("epochs", self.run.epochs.map(|n| format!("{n:?}"))),
            ("examples", self.run.examples.map(|n| n.to_string())),
            ("batch", self.run.batch.map(|n| n.to_string())),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| format!(", {name}={value}")));
        let run: String = given.collect();
        format!("Schedule({:?}{run})", self.spec.to_string())
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.spec == other.spec && self.run.horizon().ok() == other.run.horizon().ok()
    }

    fn __hash__(&self) -> u64 {
        Spec(self.spec.clone()).__hash__() ^ self.schedule.updates()
    }

    fn __len__(&self) -> PyResult<usize> {
        usize::try_from(self.schedule.updates()).map_err(refused)
    }

    /// The policy.
    #[getter]
    fn spec(&self) -> Spec {
        Spec(self.spec.clone())
    }

    /// The updates of the run.
    #[getter]
    fn updates(&self) -> u64 {
        self.schedule.updates()
    }

    /// Whether both schedules give each update that both have the same values.
    ///
    /// With a run of another length this says whether the policy depends on the length. Of more
    /// than ten million common updates it looks at ten million, evenly spaced.
    fn agrees_with(&self, py: Python<'_>, other: &Self) -> bool {
        let common = self.schedule.updates().min(other.schedule.updates());
        let apart = common.div_ceil(MOST_COMPARED) as usize;
        py.detach(|| {
            (0..common)
                .step_by(apart)
                .all(|update| self.schedule.at(update) == other.schedule.at(update))
        })
    }

    /// What update `update`, counted from 0, uses.
    fn at(&self, update: &Bound<'_, PyAny>) -> PyResult<Hyper> {
        Ok(self.schedule.at(index(update)?).into())
    }

    /// The rate of an update, or of each update in an array of whole numbers (a NumPy array of its
    /// shape).
    fn lr<'py>(&self, update: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.each(update, |hyper| Some(hyper.lr))
    }

    /// The momentum of an update or of each in an array; `None` (in an array NaN) where it is left
    /// alone.
    fn momentum<'py>(&self, update: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.each(update, |hyper| hyper.momentum)
    }

    /// The weight decay of an update or of each in an array; `None` (in an array NaN) where it is
    /// left alone.
    fn weight_decay<'py>(&self, update: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.each(update, |hyper| hyper.weight_decay)
    }

    /// The rates of all updates of the run, as a NumPy array.
    fn curve<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_iter(py, self.schedule.curve().map(|hyper| hyper.lr))
    }

    /// Draws the schedule with matplotlib, into `ax` or into a figure of its own, and returns the
    /// axes.
    #[pyo3(signature = (ax=None))]
    fn plot<'py>(
        slf: &Bound<'py, Self>,
        ax: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let plots = slf.py().import("cyclr._plot")?;
        plots.call_method1("plot_schedule", (slf, ax))
    }

    /// The numbers of updates done at which cycles end, where a cyclical run may be stopped or
    /// measured.
    ///
    /// Args:
    ///     limit: The most of them.
    #[pyo3(signature = (limit=1000))]
    fn troughs(&self, limit: usize) -> Vec<u64> {
        self.schedule.troughs().take(limit).collect()
    }

    /// The 0-based stage and cycle that an update lies in and how much of the cycle is past, or
    /// `None` if nothing cycles.
    fn position(&self, update: &Bound<'_, PyAny>) -> PyResult<Option<(usize, u64, f64)>> {
        let position = self.schedule.position(index(update)?);
        Ok(position.map(|p| (p.stage, p.cycle, p.phase)))
    }
}

impl Schedule {
    fn each<'py>(
        &self,
        updates: &Bound<'py, PyAny>,
        pick: fn(cyclr::Hyper) -> Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = updates.py();
        if updates.hasattr("__index__")? && !updates.hasattr("__len__")? {
            let value = pick(self.schedule.at(index(updates)?));
            return Ok(value.into_pyobject(py)?);
        }
        let (shape, updates) = whole_numbers(updates)?;
        let values = py.detach(|| {
            let value = |&i: &u64| pick(self.schedule.at(i)).unwrap_or(f64::NAN);
            updates.iter().map(value).collect()
        });
        Ok(PyArray1::from_vec(py, values).reshape(shape)?.into_any())
    }
}

const MOST_COMPARED: u64 = 10_000_000;

/// An update: a whole number of at least 0. One beyond every schedule stands for its end.
fn index(update: &Bound<'_, PyAny>) -> PyResult<u64> {
    match update.extract() {
        Ok(update) => Ok(update),
        Err(error) if error.is_instance_of::<PyOverflowError>(update.py()) => {
            if update.gt(0)? {
                return Ok(u64::MAX);
            }
            Err(CyclrError::new_err(format!(
                "update = {update} is out of range: updates are counted from 0"
            )))
        }
        Err(error) => Err(error),
    }
}

/// The shape and the elements of anything that NumPy takes for an array of whole numbers.
fn whole_numbers(given: &Bound<'_, PyAny>) -> PyResult<(Vec<usize>, Vec<u64>)> {
    let array = given
        .py()
        .import("numpy")?
        .call_method1("asarray", (given,))?;
    let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
    let size: usize = array.getattr("size")?.extract()?;
    if !matches!(kind.as_str(), "i" | "u") && size > 0 {
        return Err(CyclrError::new_err(format!(
            "updates are whole numbers, not {}",
            array.getattr("dtype")?
        )));
    }
    if size > 0 && array.call_method0("min")?.lt(0)? {
        return Err(CyclrError::new_err(format!(
            "update = {} is out of range: updates are counted from 0",
            array.call_method0("min")?
        )));
    }
    let array: PyReadonlyArrayDyn<u64> = array.call_method1("astype", ("uint64",))?.extract()?;
    let elements = array.as_array().iter().copied().collect();
    Ok((array.as_array().shape().to_vec(), elements))
}
