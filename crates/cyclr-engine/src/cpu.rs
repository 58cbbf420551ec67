//! Which instructions the kernels use, and how many threads.
//!
//! At a given [`Level`] every kernel returns the same bits whatever the number of threads: how the
//! work is divided and the order of every sum follow from the shapes alone.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

/// The environment variable that forces a [`Level`].
pub const LEVEL_VARIABLE: &str = "CYCLR_CPU";

/// The instructions that kernels use. Results differ between levels in their last bits, never
/// within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Plain code for any processor.
    Portable,
    /// 256-bit vectors with fused multiply-add, on `x86_64` processors from 2013 on; on those with
    /// AVX-512 some of 512 bits, which give the same bits.
    Avx2,
}

impl Level {
    /// The level as `CYCLR_CPU` and records spell it: `portable` or `avx2`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
        }
    }

    /// The level of that name.
    ///
    /// # Errors
    /// [`CpuError::UnknownLevel`] for any other name.
    pub fn from_name(name: &str) -> Result<Self, CpuError> {
        match name {
            "portable" => Ok(Self::Portable),
            "avx2" => Ok(Self::Avx2),
            _ => Err(CpuError::UnknownLevel { name: name.into() }),
        }
    }

    /// Whether this processor has the instructions.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => false,
        }
    }

    /// The level that the environment variable `CYCLR_CPU` asks for; without it, the fastest that
    /// this processor has.
    ///
    /// # Errors
    /// [`CpuError::UnknownLevel`] or [`CpuError::Unsupported`] if the variable asks for what is
    /// not available.
    pub fn from_environment() -> Result<Self, CpuError> {
        match std::env::var_os(LEVEL_VARIABLE) {
            Some(name) => Self::from_name(&name.to_string_lossy())?.supported(),
            None if Self::Avx2.is_supported() => Ok(Self::Avx2),
            None => Ok(Self::Portable),
        }
    }

    fn supported(self) -> Result<Self, CpuError> {
        if self.is_supported() {
            Ok(self)
        } else {
            Err(CpuError::Unsupported { level: self })
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The instructions of one [`Level`], of which there may be faster ones that give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// Those of [`Level::Portable`].
    Portable,
    /// Those of [`Level::Avx2`].
    Avx2,
    /// Those of [`Level::Avx2`], and 512-bit vectors for products of matrices: the sum of each
    /// output is made in the same order, more outputs at a time.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "others lack it")
    )]
    Avx512,
}

impl Instructions {
    fn fastest(level: Level) -> Self {
        match level {
            Level::Portable => Self::Portable,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 if is_x86_feature_detected!("avx512f") => Self::Avx512,
            Level::Avx2 => Self::Avx2,
        }
    }
}

/// Why there is no [`Cpu`] as asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CpuError {
    /// No level has that name.
    #[error("CYCLR_CPU is `{name}`; use `portable` or `avx2`, or leave it unset")]
    UnknownLevel {
        /// The name that was asked for.
        name: String,
    },
    /// The processor lacks the instructions.
    #[error("this processor cannot run level `{level}`; use `portable`")]
    Unsupported {
        /// The level that was asked for.
        level: Level,
    },
    /// A pool of no threads.
    #[error("0 threads were asked for; use at least 1")]
    NoThreads,
    /// The system refused to start the threads.
    #[error("{threads} threads could not be started ({reason}); use fewer")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
}

/// The processor as kernels see it: a level and a number of threads. With one thread, work runs on
/// the caller's; with more, a pool of that many threads is kept for the life of this value.
#[derive(Debug)]
pub struct Cpu {
    level: Level,
    instructions: Instructions,
    pool: Option<rayon::ThreadPool>,
    /// Working memory that is not in use at the moment.
    idle: Mutex<Vec<Vec<f32>>>,
}

impl Cpu {
    /// Uses `threads` threads at the given level.
    ///
    /// # Errors
    /// [`CpuError`] if the processor cannot run the level, `threads` is 0, or the system cannot
    /// start the threads.
    pub fn new(level: Level, threads: usize) -> Result<Self, CpuError> {
        let level = level.supported()?;
        let pool = match threads {
            0 => return Err(CpuError::NoThreads),
            1 => None,
            _ => Some(
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .thread_name(|i| format!("cyclr-{i}"))
                    .build()
                    .map_err(|e| CpuError::Threads {
                        threads,
                        reason: e.to_string(),
                    })?,
            ),
        };
        Ok(Self {
            level,
            instructions: Instructions::fastest(level),
            pool,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Uses `threads` threads at the level of [`Level::from_environment`].
    ///
    /// # Errors
    /// As [`Cpu::new`] and [`Level::from_environment`].
    pub fn from_environment(threads: usize) -> Result<Self, CpuError> {
        Self::new(Level::from_environment()?, threads)
    }

    /// The same without 512-bit vectors, which change no bit: for tests, and to measure what they
    /// bring.
    pub fn without_avx512(self) -> Self {
        let instructions = match self.instructions {
            Instructions::Avx512 => Instructions::Avx2,
            other => other,
        };
        Self {
            instructions,
            ..self
        }
    }

    /// The level in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The instructions that kernels use.
    pub(crate) fn instructions(&self) -> Instructions {
        self.instructions
    }

    /// The number of threads, at least 1.
    pub fn threads(&self) -> usize {
        self.pool
            .as_ref()
            .map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// Does every task once, in any order and on any thread. A result that depends on the order
    /// cannot be built from this: each task owns what it writes.
    pub fn run<T: Send>(&self, tasks: Vec<T>, work: impl Fn(T) + Sync + Send) {
        match &self.pool {
            Some(pool) if tasks.len() > 1 => {
                pool.install(|| tasks.into_par_iter().with_max_len(1).for_each(work));
            }
            _ => tasks.into_iter().for_each(work),
        }
    }

    /// Working memory of at least `len` numbers that start on a cache line and hold anything. It
    /// is kept for the next kernel when dropped, so that training does not allocate.
    pub(crate) fn scratch(&self, len: usize) -> Scratch<'_> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = len + LINE;
        // The smallest that is large enough, or else the largest, which grows.
        let fits = (0..idle.len())
            .filter(|&i| idle[i].len() >= needed)
            .min_by_key(|&i| idle[i].len());
        let chosen = fits.or_else(|| (0..idle.len()).max_by_key(|&i| idle[i].len()));
        // If none is idle, an empty one, which grows.
        let mut memory = chosen.map(|i| idle.swap_remove(i)).unwrap_or_default();
        drop(idle);
        if memory.len() < needed {
            memory = vec![0.0; needed];
        }
        let start = memory.as_ptr().align_offset(4 * LINE).min(LINE);
        Scratch {
            cpu: self,
            memory,
            range: start..start + len,
        }
    }
}

/// Numbers in a cache line.
const LINE: usize = 16;

/// Working memory on loan from a [`Cpu`].
pub(crate) struct Scratch<'a> {
    cpu: &'a Cpu,
    memory: Vec<f32>,
    range: std::ops::Range<usize>,
}

impl Deref for Scratch<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.range.clone()]
    }
}

impl DerefMut for Scratch<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.range.clone()]
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        let mut idle = self.cpu.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_names_and_others_are_refused() {
        for level in [Level::Portable, Level::Avx2] {
            assert_eq!(Level::from_name(level.name()).unwrap(), level);
        }
        assert!(
            matches!(Level::from_name("AVX2"), Err(CpuError::UnknownLevel { name }) if name == "AVX2")
        );
    }

    #[test]
    fn a_cpu_has_the_threads_asked_for() {
        assert!(matches!(
            Cpu::new(Level::Portable, 0),
            Err(CpuError::NoThreads)
        ));
        for threads in [1, 3] {
            let cpu = Cpu::new(Level::Portable, threads).unwrap();
            assert_eq!((cpu.threads(), cpu.level()), (threads, Level::Portable));
        }
    }

    #[test]
    fn working_memory_is_aligned_and_kept() {
        let cpu = Cpu::new(Level::Portable, 1).unwrap();
        let first = cpu.scratch(100);
        assert_eq!((first.len(), first.as_ptr().align_offset(64)), (100, 0));
        let place = first.as_ptr();
        drop(first);
        assert_eq!(cpu.scratch(50).as_ptr(), place);
    }
}
