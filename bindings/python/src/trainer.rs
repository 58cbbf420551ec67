//! The trainer interface over Python objects: `start(seed)` gives a run, and a run has `info`,
//! `updates`, `evaluate`, `state` and `restore`.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use cyclr::trainer::{
    Average, Evaluation, Metric, Metrics, Objective, Split, Trainer, TrainerError, TrainerFactory,
    TrainerInfo, Unit,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::range::direction;
use crate::schedule::Hyper;
use crate::{TrainerError as PyTrainerError, refused};
use cyclr_train::Error;

/// Something to be done with the interpreter by the thread that called from Python.
type Job = Box<dyn FnOnce(Python<'_>) + Send>;

/// Does `work`, which drives Python trainers, on a thread of its own, while the calling thread
/// runs what is asked of them: thread-local settings of a library (gradient mode, autocast, the
/// current device) are then the caller's, and Ctrl-C reaches the Python code that runs. An
/// exception of the trainer continues here.
pub(crate) fn with_factory<T: Send>(
    py: Python<'_>,
    factory: Py<PyAny>,
    work: impl FnOnce(&PyFactory) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let (jobs, mut todo) = channel::<Job>();
    let factory = PyFactory {
        factory: Arc::new(factory),
        jobs,
        raised: Arc::default(),
    };
    let raised = Arc::clone(&factory.raised);
    let result = thread::scope(|scope| {
        let worker = scope.spawn(move || work(&factory));
        let next = &mut todo;
        while let Ok(job) = py.detach(|| {
            let next = &mut *next;
            next.recv()
        }) {
            job(py);
        }
        py.detach(|| worker.join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    if let Some(raised) = raised.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(raised);
    }
    result.map_err(|error| match error {
        Error::Trainer(error) => PyTrainerError::new_err(error.to_string()),
        error => refused(error),
    })
}

/// Makes runs by a Python object's `start(seed)`.
pub(crate) struct PyFactory {
    factory: Arc<Py<PyAny>>,
    jobs: Sender<Job>,
    raised: Arc<Mutex<Option<PyErr>>>,
}

impl PyFactory {
    /// Has the calling thread do something. What it raises is kept for the caller, and ends the
    /// work.
    fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(Python<'_>) -> PyResult<T> + Send + 'static,
    ) -> Result<T, TrainerError> {
        let (answer, answered) = channel();
        let raised = Arc::clone(&self.raised);
        let job = move |py: Python<'_>| match job(py) {
            Ok(value) => drop(answer.send(value)),
            Err(error) => {
                let mut raised = raised.lock().unwrap_or_else(PoisonError::into_inner);
                raised.get_or_insert(error);
            }
        };
        let lost = || TrainerError::Failed {
            reason: "the trainer raised an exception".into(),
        };
        self.jobs.send(Box::new(job)).map_err(|_| lost())?;
        answered.recv().map_err(|_| lost())
    }
}

impl TrainerFactory for PyFactory {
    fn start(&self, seed: u64) -> Result<Box<dyn Trainer + '_>, TrainerError> {
        let factory = Arc::clone(&self.factory);
        let (run, info) = self.ask(move |py| {
            let run = factory.bind(py).call_method1("start", (seed,))?;
            let info = info(&run.getattr("info")?)?;
            Ok((run.unbind(), info))
        })?;
        Ok(Box::new(PyRun {
            factory: self,
            run: Arc::new(run),
            info: info.checked()?,
        }))
    }
}

/// One Python run.
struct PyRun<'a> {
    factory: &'a PyFactory,
    run: Arc<Py<PyAny>>,
    info: TrainerInfo,
}

impl PyRun<'_> {
    /// Has a method of the run measure a split.
    fn measured(&self, method: &'static str, split: Split) -> Result<Evaluation, TrainerError> {
        let (size, split) = match split {
            Split::Validation => (self.info.validation, "validation"),
            Split::Test => (self.info.test, "test"),
        };
        if size == 0 {
            return Err(TrainerError::Unsupported {
                what: "evaluate",
                reason: format!("it has no {split} data"),
            });
        }
        let run = Arc::clone(&self.run);
        let measured = self.factory.ask(move |py| {
            let measured = run.bind(py).call_method1(method, (split,))?;
            let correct: Option<Vec<bool>> = measured.getattr("correct")?.extract()?;
            Ok((metrics(&measured.getattr("metrics")?)?, correct))
        })?;
        Ok(Evaluation {
            metrics: measured.0.checked()?,
            correct: measured.1,
        })
    }
}

impl Trainer for PyRun<'_> {
    fn info(&self) -> &TrainerInfo {
        &self.info
    }

    fn update(&mut self, hyper: cyclr::Hyper) -> Result<Metrics, TrainerError> {
        let metrics = self.updates(&[hyper])?;
        metrics
            .into_iter()
            .next()
            .ok_or_else(|| TrainerError::Failed {
                reason: "it made no update and returned no metrics".into(),
            })
    }

    fn updates(&mut self, hypers: &[cyclr::Hyper]) -> Result<Vec<Metrics>, TrainerError> {
        let hypers: Vec<Hyper> = hypers.iter().map(|&hyper| hyper.into()).collect();
        let run = Arc::clone(&self.run);
        self.factory
            .ask(move |py| {
                let all = run.bind(py).call_method1("updates", (hypers,))?;
                let each = all.try_iter()?.map(|update| metrics(&update?));
                each.collect::<PyResult<Vec<_>>>()
            })?
            .into_iter()
            .map(Metrics::checked)
            .collect()
    }

    fn evaluate(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.measured("evaluate", split)
    }

    fn average(&mut self, how: Average) -> Result<(), TrainerError> {
        let run = Arc::clone(&self.run);
        self.factory.ask(move |py| {
            let run = run.bind(py);
            match how {
                Average::Troughs => run.call_method0("average")?,
                Average::Ensemble(last) => run.call_method1("average", (last.get(),))?,
            };
            Ok(())
        })
    }

    fn evaluate_average(&mut self, split: Split) -> Result<Evaluation, TrainerError> {
        self.measured("evaluate_average", split)
    }

    fn state(&mut self) -> Result<Vec<u8>, TrainerError> {
        let run = Arc::clone(&self.run);
        self.factory
            .ask(move |py| run.bind(py).call_method0("state")?.extract())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), TrainerError> {
        let (run, state) = (Arc::clone(&self.run), state.to_vec());
        self.factory.ask(move |py| {
            run.bind(py)
                .call_method1("restore", (PyBytes::new(py, &state),))?;
            Ok(())
        })
    }
}

/// `cyclr.TrainerInfo` as the core type.
fn info(info: &Bound<'_, PyAny>) -> PyResult<TrainerInfo> {
    let objective = info.getattr("objective")?;
    let objective = (!objective.is_none()).then(|| self::objective(&objective));
    Ok(TrainerInfo {
        examples: info.getattr("examples")?.extract()?,
        batch: info.getattr("batch")?.extract()?,
        validation: info.getattr("validation")?.extract()?,
        test: info.getattr("test")?.extract()?,
        momentum: info.getattr("momentum")?.is_truthy()?,
        weight_decay: info.getattr("weight_decay")?.is_truthy()?,
        snapshots: info.getattr("snapshots")?.is_truthy()?,
        given_weights: info.getattr("given_weights")?.is_truthy()?,
        averages: info.getattr("averages")?.is_truthy()?,
        ensembles: info.getattr("ensembles")?.is_truthy()?,
        objective: objective.transpose()?,
        whole_runs: None,
        data_checksum: info.getattr("data_checksum")?.extract()?,
    })
}

/// `cyclr.Objective` as the core type.
fn objective(objective: &Bound<'_, PyAny>) -> PyResult<Objective> {
    let unit: String = objective.getattr("unit")?.extract()?;
    Ok(Objective {
        name: objective.getattr("name")?.extract::<String>()?.into(),
        direction: direction(&objective.getattr("direction")?.extract::<String>()?)?,
        unit: match unit.as_str() {
            "points" => Unit::Points,
            "own" => Unit::Own,
            _ => {
                let message = format!("unit = {unit:?}: it must be \"points\" or \"own\"");
                return Err(PyValueError::new_err(message));
            }
        },
    })
}

/// `cyclr.Metric`s as the core type.
fn metrics(metrics: &Bound<'_, PyAny>) -> PyResult<Metrics> {
    let metrics = metrics.try_iter()?.map(|metric| {
        let metric = metric?;
        Ok(Metric {
            name: metric.getattr("name")?.extract::<String>()?.into(),
            direction: direction(&metric.getattr("direction")?.extract::<String>()?)?,
            value: metric.getattr("value")?.extract()?,
            count: metric.getattr("count")?.extract()?,
            correct: metric.getattr("correct")?.extract()?,
        })
    });
    Ok(Metrics::new(metrics.collect::<PyResult<Vec<_>>>()?))
}
