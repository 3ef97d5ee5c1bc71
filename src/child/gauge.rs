//! What everything inside uses, as pid 1 sees it: processor time against its limit,
//! and memory and processes where no controller counts them.
//!
//! It kills nothing: it says when a limit is passed, and when to look again. The
//! program can do nothing to it: pid 1 is not to be signalled, stopped or read.

use crate::launch::image::{Image, Watch};
use crate::sys::{Errno, Result, fd, perf, proc, process};
use crate::wire::Over;
use std::os::fd::RawFd;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::Relaxed;

/// No sooner than this again, nanoseconds.
const SOONEST: u64 = 1_000_000;
/// No later than this for the first time, nanoseconds: many programs have ended by then. It is
/// also after exec, for whose end a look at the program would wait.
const FIRST: u64 = 250_000;
/// No later than this again, where only looking tells.
const LATEST: u64 = 20_000_000;
/// No later than this at everybody, however little processor time was used.
const WHOLE: u64 = 100_000_000;
/// More than the memory that a processor could come to use in a nanosecond: zeroing
/// a page takes longer. From it follows how soon a limit could be passed.
const BYTES_PER_NS: u64 = 8;
/// Looking costs; it may take this part of pid 1's time where a limit is near, and
/// that part where none is.
const SHARE: u64 = 8;
const WHOLE_SHARE: u64 = 64;

/// Nanoseconds in which so many bytes could come to be used, on all processors together.
fn time_to_use(bytes: u64, watch: &Watch) -> u64 {
    bytes / BYTES_PER_NS / u64::from(watch.cpus)
}

/// The account of one run.
pub(super) struct Gauge<'i> {
    image: &'i Image<'i>,
    watch: &'i Watch,
    procfs: Option<RawFd>,
    perf: Option<RawFd>,
    /// What `cpu.stat` said before the program ran, nanoseconds.
    base: u64,
    /// Processor time so far.
    pub(super) cpu_ns: u64,
    /// What processes had used that are gone now, and nobody had waited for.
    lost: u64,
    /// Processor time of `/proc` at the last look, the lost included.
    seen: u64,
    /// The most memory at one time, bytes.
    pub(super) memory: u64,
    /// The most processes and threads at one time.
    pub(super) processes: u32,
    /// The largest part of one process that files back, KiB.
    files_kib: u64,
    /// pid 1's own largest size, KiB: what the program's process began as, and what
    /// stays in its account (getrusage(2)).
    own_kib: u64,
    /// The largest resident set of a process that ended, KiB; 0 while none was larger
    /// than it began.
    pub(super) largest_kib: u64,
    /// Bytes that were left at the last look at everybody, and the processor time
    /// then: nothing grows without using some.
    room: u64,
    cpu_then: u64,
    /// When everybody is looked at again in any case.
    whole_after: u64,
    /// When the next look at every page is not too much.
    pages_after: u64,
    /// When to look again.
    pub(super) next: Option<u64>,
}

/// What all processes inside come to, at one look.
#[derive(Default)]
struct Sight {
    processes: u32,
    threads: u32,
    /// Anonymous memory in RAM and swap, pages that are shared after a fork counted
    /// for everybody; KiB.
    anon: u64,
    /// Shared memory mapped, likewise.
    shared: u64,
    files: u64,
    ticks: u64,
}

impl<'i> Gauge<'i> {
    /// Begins the account. The program runs already, or soon, and is looked at no later than it
    /// could have passed its limit of memory.
    pub(super) fn new(image: &'i Image<'i>) -> Result<Gauge<'i>> {
        let watch = &image.watch;
        let descriptor = |found: &AtomicI32| Some(found.load(Relaxed)).filter(|fd| *fd >= 0);
        let base = match image.cpu_stat {
            Some(file) => usage(file)?,
            None => 0,
        };
        let own = process::usage(libc::RUSAGE_SELF)?;
        let first = FIRST.min(time_to_use(watch.memory.unwrap_or(u64::MAX), watch));
        for tmpfs in image.counted_tmpfs() {
            let mut place = tmpfs.place.load(Relaxed);
            if !tmpfs.may_move {
                place = fd::open_path(libc::AT_FDCWD, &tmpfs.at, false)?;
                tmpfs.place.store(place, Relaxed);
            }
            tmpfs.device.store(fd::stat(place)?.st_dev, Relaxed);
        }
        Ok(Gauge {
            image,
            watch,
            procfs: descriptor(&image.found.procfs),
            perf: descriptor(&image.found.perf),
            base,
            cpu_ns: 0,
            lost: 0,
            seen: 0,
            memory: 0,
            processes: 0,
            files_kib: 0,
            own_kib: own.largest_kib,
            largest_kib: 0,
            room: u64::MAX,
            cpu_then: 0,
            whole_after: 0,
            pages_after: 0,
            next: Some(process::monotonic_ns() + first),
        })
    }

    /// The descriptors that it needs, -1 for none.
    pub(super) fn descriptors(&self) -> [RawFd; 3] {
        let cpu_stat = self.image.cpu_stat.unwrap_or(-1);
        [cpu_stat, self.procfs.unwrap_or(-1), self.perf.unwrap_or(-1)]
    }

    /// Looks, and says which limit is passed.
    pub(super) fn look(&mut self) -> Result<Option<Over>> {
        let now = process::monotonic_ns();
        let began = process::cpu_ns();
        let most = u64::from(self.watch.cpus);
        let exact = self.counter()?;
        let grown = exact.map(|cpu| {
            cpu.saturating_sub(self.cpu_then)
                .saturating_mul(BYTES_PER_NS)
        });
        let quiet = now < self.whole_after && grown.is_some_and(|grown| grown < self.room);
        let sight = match self.procfs.filter(|_| !quiet) {
            Some(procfs) => {
                self.cpu_then = exact.unwrap_or(0);
                let sight = self.everybody(procfs)?;
                let cost = process::cpu_ns().saturating_sub(began);
                self.whole_after = now + WHOLE.max(cost * WHOLE_SHARE);
                Some(sight)
            }
            None => None,
        };
        if let (Some(sight), Some(limit)) = (&sight, self.watch.memory) {
            let used = self.memory_of(sight, limit, now)?;
            if used > limit {
                return Ok(Some(Over::Memory));
            }
            self.room = limit - used;
        }
        if let Some(limit) = self.watch.cpu_limit_ns {
            self.count(exact, sight.as_ref())?;
            if self.cpu_ns > limit {
                return Ok(Some(Over::Cpu));
            }
        }
        let watched = self
            .procfs
            .map(|_| LATEST.min(time_to_use(self.room, self.watch)));
        let limit = self.watch.cpu_limit_ns;
        // One more, for the limit itself is allowed.
        let cpu = limit.map(|limit| limit.saturating_sub(self.cpu_ns) / most + 1);
        self.next = watched.into_iter().chain(cpu).min().map(|wait| {
            // The look itself must not become the load. What it cost is processor time:
            // who has to wait for a processor must not wait again for having waited.
            let cost = process::cpu_ns().saturating_sub(began);
            process::monotonic_ns() + wait.max(SOONEST).max(cost * SHARE)
        });
        Ok(None)
    }

    /// Processor time by what counts it exactly.
    fn counter(&self) -> Result<Option<u64>> {
        Ok(match (self.image.cpu_stat, self.perf) {
            (Some(file), _) => Some(usage(file)?.saturating_sub(self.base)),
            (None, Some(counter)) => Some(perf::read(counter)?),
            (None, None) => None,
        })
    }

    /// The last look, when the program has ended and others may still be there, or
    /// before everybody is killed.
    pub(super) fn finish(&mut self, ended: bool) -> Result<()> {
        let sight = match self.procfs {
            Some(procfs) => Some(self.everybody(procfs)?),
            None => None,
        };
        if let (Some(sight), Some(limit)) = (&sight, self.watch.memory)
            && sight.processes > 0
        {
            self.memory_of(sight, limit, process::monotonic_ns())?;
        }
        // A program that has ended was there with those that still are.
        let gone = u32::from(ended);
        let last = sight.as_ref().map_or(0, |sight| sight.threads + gone);
        self.processes = self.processes.max(last);
        self.count(self.counter()?, sight.as_ref())
    }

    /// A process ended that had been this large. It may have grown and gone between
    /// two looks; what it mapped of files is no memory of its own.
    pub(super) fn ended(&mut self, largest_kib: u64) {
        if largest_kib <= self.own_kib {
            return;
        }
        self.largest_kib = self.largest_kib.max(largest_kib);
        if self.watch.memory.is_some() && self.files_kib > 0 {
            let own = largest_kib.saturating_sub(self.files_kib) * 1024;
            self.memory = self.memory.max(own);
        }
    }

    /// Brings the processor time up to date.
    fn count(&mut self, exact: Option<u64>, sight: Option<&Sight>) -> Result<()> {
        let mut cpu = exact.unwrap_or(0);
        if let Some(sight) = sight {
            // What executes a file that it may not read is counted by no perf event
            // from then on, and who ignores SIGCHLD hides what its children used from
            // getrusage(2): both are seen here.
            let mut seen = self.seen_now(sight)?;
            if let Some(procfs) = self.procfs.filter(|_| seen + self.lost < self.seen) {
                // Less than before: somebody was waited for while we looked, or for good.
                let again = self.everybody(procfs)?;
                seen = self.seen_now(&again)?;
            }
            self.lost += self.seen.saturating_sub(seen + self.lost);
            self.seen = seen + self.lost;
            // Ticks are coarse: where something exact counts too, they must be well
            // apart before they are believed.
            let ticks = 4 * self.watch.tick_ns * u64::from(sight.processes + 1);
            let grain = exact.map_or(0, |exact| exact / 8 + ticks);
            if self.seen > cpu + grain {
                cpu = self.seen;
            }
        }
        self.cpu_ns = self.cpu_ns.max(cpu);
        Ok(())
    }

    fn seen_now(&self, sight: &Sight) -> Result<u64> {
        let waited = process::usage(libc::RUSAGE_CHILDREN)?.cpu_ns;
        Ok(waited + sight.ticks * self.watch.tick_ns)
    }

    /// Memory in use, to the page where that decides something.
    fn memory_of(&mut self, sight: &Sight, limit: u64, now: u64) -> Result<u64> {
        let files = self.tmpfs()?;
        // Whatever is shared is counted here more than once: it is not more than this.
        let most = (sight.anon + sight.shared) * 1024 + files;
        let alone = sight.processes < 2 && sight.shared == 0;
        let matters = most > limit || (most > self.memory && now >= self.pages_after);
        let Some(procfs) = self.procfs.filter(|_| !alone && matters) else {
            if alone {
                self.memory = self.memory.max(most);
            }
            return Ok(most);
        };
        let began = process::cpu_ns();
        let exact = self.by_page(procfs, files)?.min(most);
        let cost = process::cpu_ns().saturating_sub(began);
        self.pages_after = now + cost * SHARE;
        self.memory = self.memory.max(exact);
        Ok(exact)
    }

    /// Bytes in the file systems in memory that the program can write to.
    fn tmpfs(&self) -> Result<u64> {
        let mut bytes = 0;
        for tmpfs in self.image.counted_tmpfs() {
            bytes += fd::used(tmpfs.place.load(Relaxed))?;
        }
        Ok(bytes)
    }

    fn everybody(&mut self, procfs: RawFd) -> Result<Sight> {
        let mut sight = Sight::default();
        let ticks = self.image.cpu_stat.is_none();
        proc::each_process(procfs, |pid| {
            // pid 1 is ours.
            if pid == 1 {
                return Ok(());
            }
            let status = gone(proc::open(procfs, pid, c"status"))?;
            if status.is_none() {
                return Ok(());
            }
            sight.processes += 1;
            let mut files = 0;
            each_line_of(status, |line| {
                sight.threads += value(line, b"Threads:") as u32;
                let (anon, shared) = resident(line);
                sight.anon += anon;
                sight.shared += shared;
                files += value(line, b"RssFile:");
            })?;
            sight.files = sight.files.max(files);
            if ticks {
                sight.ticks += ticks_of(procfs, pid)?;
            }
            Ok(())
        })?;
        self.processes = self.processes.max(sight.threads);
        self.files_kib = self.files_kib.max(sight.files);
        Ok(sight)
    }

    /// Every page once: what is shared by some is counted in parts (proc(5), Pss).
    fn by_page(&self, procfs: RawFd, files: u64) -> Result<u64> {
        let (mut anon, mut shared, mut of_files) = (0, 0, 0);
        proc::each_process(procfs, |pid| {
            if pid == 1 {
                return Ok(());
            }
            let rollup = match proc::open(procfs, pid, c"smaps_rollup") {
                // A process that may not be looked at (PR_SET_DUMPABLE): at most this.
                Err(Errno::EACCES | Errno::EPERM) => {
                    let status = gone(proc::open(procfs, pid, c"status"))?;
                    return each_line_of(status, |line| {
                        let (its, others_too) = resident(line);
                        anon += its;
                        shared += others_too;
                    });
                }
                other => gone(other)?,
            };
            let mut some = 0;
            each_line_of(rollup, |line| {
                anon += value(line, b"Pss_Anon:") + value(line, b"SwapPss:");
                some += value(line, b"Pss_Shmem:");
            })?;
            shared += some;
            if some > 0 && files > 0 {
                of_files += self.mapped_files(procfs, pid)?;
            }
            Ok(())
        })?;
        // Files in memory that are mapped are in both.
        Ok((anon + shared.saturating_sub(of_files)) * 1024 + files)
    }

    /// KiB of the program's file systems in memory that a process maps: its part.
    fn mapped_files(&self, procfs: RawFd, pid: u32) -> Result<u64> {
        let maps = match proc::open(procfs, pid, c"smaps") {
            Err(Errno::EACCES | Errno::EPERM) => return Ok(0),
            other => gone(other)?,
        };
        let (mut ours, mut kib) = (false, 0);
        each_line_of(maps, |line| {
            match proc::field(line, b"Pss:") {
                Some(part) if ours => kib += part,
                _ => {}
            }
            if let Some(device) = mapped_device(line) {
                let mut counted = self.image.counted_tmpfs();
                ours = counted.any(|tmpfs| tmpfs.device.load(Relaxed) == device);
            }
        })?;
        Ok(kib)
    }
}

/// KiB of a line, where it has this name.
fn value(line: &[u8], name: &[u8]) -> u64 {
    proc::field(line, name).unwrap_or(0)
}

/// What a line of `status` adds to anonymous memory, in RAM and swap, and to shared; KiB.
fn resident(line: &[u8]) -> (u64, u64) {
    let anon = value(line, b"RssAnon:") + value(line, b"VmSwap:");
    (anon, value(line, b"RssShmem:"))
}

/// Device of a shared mapping, from the line that begins its part of `smaps`:
/// `7f…-7f… rw-s 00000000 00:2a 17 /tmp/x`; 0 for any other mapping.
fn mapped_device(line: &[u8]) -> Option<u64> {
    // Other lines begin with a capital letter.
    let hexadecimal = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    line.first().filter(|byte| hexadecimal(byte))?;
    let mut words = line.split(|byte| *byte == b' ');
    let access = words.nth(1)?;
    let device = words.nth(1)?;
    if access.last() != Some(&b's') {
        return Some(0);
    }
    let mut numbers = device.split(|byte| *byte == b':').map(hex);
    let (major, minor) = (numbers.next()??, numbers.next()??);
    Some(libc::makedev(major, minor))
}

fn hex(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0u32, |number, byte| {
        let digit = (*byte as char).to_digit(16)?;
        number.checked_mul(16)?.checked_add(digit)
    })
}

/// `None` for a process that ended meanwhile.
fn gone<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
        other => other.map(Some),
    }
}

/// Reads and closes.
fn each_line_of(file: Option<RawFd>, each: impl FnMut(&[u8])) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let read = proc::each_line(file, each);
    fd::close(file);
    gone(read).map(drop)
}

/// Clock ticks in user mode and in the kernel, of a process and of the children it
/// has waited for: fields 14 to 17 of `stat`, where field 2 may hold blanks and
/// brackets (proc(5)).
fn ticks_of(procfs: RawFd, pid: u32) -> Result<u64> {
    let mut ticks = 0;
    each_line_of(gone(proc::open(procfs, pid, c"stat"))?, |line| {
        let after = line.iter().rposition(|byte| *byte == b')').unwrap_or(0);
        let fields = line.get(after..).unwrap_or_default();
        let numbers = fields.split(|byte| *byte == b' ').skip(12).take(4);
        ticks = numbers.filter_map(proc::number).sum();
    })?;
    Ok(ticks)
}

/// `usage_usec` of a `cpu.stat`, as nanoseconds.
fn usage(cpu_stat: RawFd) -> Result<u64> {
    let mut text = [0; 64];
    let bytes = fd::read_at_start(cpu_stat, &mut text)?;
    let text = text.get(..bytes).unwrap_or_default();
    proc::field(text, b"usage_usec ")
        .map(|microseconds| microseconds * 1000)
        .ok_or(Errno::EPROTO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_mappings_have_a_device() {
        let shared = b"7f5e00000000-7f5e00021000 rw-s 00000000 00:2a 17     /tmp/x";
        assert_eq!(mapped_device(shared), Some(libc::makedev(0, 0x2a)));
        let private = b"7f5e00000000-7f5e00021000 rw-p 00000000 00:2a 17     /tmp/x";
        assert_eq!(mapped_device(private), Some(0));
        assert_eq!(mapped_device(b"Pss:                  12 kB"), None);
        assert_eq!(mapped_device(b"Anonymous:            12 kB"), None);
        assert_eq!(mapped_device(b""), None);
    }

    #[test]
    fn what_is_gone_is_no_error() {
        assert_eq!(gone::<()>(Err(Errno::ESRCH)), Ok(None));
        assert_eq!(gone::<()>(Err(Errno::EIO)), Err(Errno::EIO));
        assert_eq!(gone(Ok(3)), Ok(Some(3)));
    }
}
