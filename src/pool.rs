//! Many runs of one program, started by processes that wait for them.
//!
//! It plans nothing and launches nothing itself: [`Prepared`] says what is still true, a
//! worker starts the run. Where a worker cannot, the run is launched as without a pool.

use crate::launch::warm::{WORD, Worker};
use crate::prepared::{Cache, Made};
use crate::{Command, Error, Prepared};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Starts many runs of one program quickly, each in fresh namespaces, with files and counts
/// of its own, and every layer of the policy in force: the sandbox of [`Prepared`], launched
/// several times as fast, and as fast from a process with much memory as from a small one.
///
/// A pool has workers: processes that hold what is dear to make and safe to hold, a root
/// that stands already and network namespaces that are empty. `SECURITY.md` says what is
/// shared between runs. A worker starts as many runs at the same time as it is asked for;
/// about as many workers as processors is a good number. It ends with the pool and its last
/// run; its end is a child of the calling process that ended (SIGCHLD).
///
/// Each worker also begins one run before it is asked for, up to where the program's
/// streams and arguments are wanted: a request that comes after a moment's rest finds it
/// ready. It costs two small processes that wait, and a control group where there are any.
/// The clocks inside begin then; limits of time begin with the program, as always. A
/// run with descriptors of its own or with copies is begun when it is asked for.
///
/// What a process inherits from who starts it (niceness, processors, resource limits that the
/// policy does not name) a run has from its worker, and that from the caller when it was
/// started.
///
/// Every run looks at the machine as one of [`Prepared`] does; what would come out
/// differently makes new workers. A run with another terminal or other descriptors than it
/// was prepared with, and one that a worker cannot start, is launched without one:
/// the record's layers say so.
///
/// ```no_run
/// # use sandbox::{Pool, Sandbox, Stdio};
/// # fn judge(sandbox: &Sandbox, tests: Vec<std::fs::File>) -> Result<(), sandbox::Error> {
/// let prepared = sandbox.command("./solution").prepare()?;
/// let pool = Pool::new(&prepared, "/usr/bin/sandbox", 2.try_into().unwrap())?;
/// for test in tests {
///     let report = pool.command().stdin(test).stdout(Stdio::Null).spawn()?.wait()?;
///     println!("{}", report.verdict.name());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Pool {
    prepared: Prepared,
    workers: Arc<Workers>,
}

impl Pool {
    /// The first argument that makes a binary a worker: see [`Pool::serve`].
    pub const WORKER: &str = WORD;

    /// A pool for the program that was prepared. `helper` is the `sandbox` binary of this
    /// version, or the path of a program that calls [`Pool::serve`].
    ///
    /// # Errors
    /// A worker cannot be started, or the sandbox cannot be kept ready: started by root, or with
    /// a terminal.
    pub fn new(
        prepared: &Prepared,
        helper: impl AsRef<Path>,
        workers: NonZero<usize>,
    ) -> Result<Pool, Error> {
        let workers = Workers {
            cache: prepared.cache(),
            helper: helper.as_ref().to_owned(),
            most: workers.get(),
            hired: Mutex::default(),
        };
        let pool = Pool {
            prepared: prepared.clone(),
            workers: Arc::new(workers),
        };
        let made = pool.workers.cache.current()?;
        pool.workers.hired().hire(&pool.workers, &made)?;
        Ok(pool)
    }

    /// One run: as [`Prepared::command`].
    pub fn command(&self) -> Command {
        let mut command = self.prepared.command();
        command.launched_by(self);
        command
    }

    pub(crate) fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// The whole life of a worker, for a program that is its own helper: called first thing
    /// in `main`, before any thread is started, when the first argument is [`Pool::WORKER`].
    /// What it returns is the exit code.
    pub fn serve() -> u8 {
        crate::worker::serve()
    }
}

/// The workers of a pool.
#[derive(Debug)]
pub(crate) struct Workers {
    cache: Arc<Cache>,
    helper: PathBuf,
    most: usize,
    hired: Mutex<Hired>,
}

/// A worker for one run.
pub(crate) struct Taken {
    /// What it was hired for.
    pub(crate) made: Arc<Made>,
    pub(crate) worker: Arc<Worker>,
}

#[derive(Debug, Default)]
struct Hired {
    /// What they were hired for.
    made: Option<Arc<Made>>,
    workers: Vec<Arc<Worker>>,
    /// Whose turn it is.
    next: usize,
}

impl Workers {
    /// A worker for a run of what was made; `None` where there is none, and none is to be had.
    pub(crate) fn take(&self) -> Result<Option<Taken>, Error> {
        let made = self.cache.current()?;
        if !made.sources_are_the_same() {
            // The cold launch refuses it, and says which.
            return Ok(None);
        }
        let mut hired = self.hired();
        hired.workers.retain(|worker| worker.is_alive());
        // Who cannot be replaced is not missed: the others do it, or the cold launch does.
        let _ = hired.hire(self, &made);
        hired.next = hired.next.wrapping_add(1);
        let turn = hired.next.checked_rem(hired.workers.len());
        let worker = turn.and_then(|turn| hired.workers.get(turn)).cloned();
        Ok(worker.map(|worker| Taken { made, worker }))
    }

    fn hired(&self) -> MutexGuard<'_, Hired> {
        self.hired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hired {
    /// As many workers as there should be, for what was made.
    fn hire(&mut self, pool: &Workers, made: &Arc<Made>) -> Result<(), Error> {
        let is_for = |own: &Arc<Made>| Arc::ptr_eq(own, made);
        if !self.made.as_ref().is_some_and(is_for) {
            self.workers.clear();
            self.made = Some(Arc::clone(made));
        }
        while self.workers.len() < pool.most {
            let worker = Worker::start(&pool.helper, made.plan())?;
            worker.stand_by(made.plan(), pool.cache.home());
            self.workers.push(Arc::new(worker));
        }
        Ok(())
    }
}
