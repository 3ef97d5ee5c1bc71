//! Measures what a cold launch costs, beside bubblewrap's with the same layers and beside no sandbox at all.
//! It asserts nothing about time: it prints what it measured.
//!
//! ```console
//! $ cargo bench --bench cold             # 300 interleaved runs of each
//! $ cargo bench --bench cold -- 1000
//! ```
//!
//! Each run is a whole process, from its spawn to the end of it, of a program
//! that does nothing (a static file of 129 bytes on x86_64), so that the difference between
//! two rows is the sandbox alone. The runs take turns, so that whatever else the
//! machine does meets all of them. The children are started by `posix_spawn`,
//! whose cost does not depend on the size of this program.
//!
//! bubblewrap gets the mounts of the plan for `strict`, one option for each
//! operation, and the plan's own filter. What it has no option for is left out:
//! the time namespace, Landlock, resource limits, speculation controls, inode limits.
//!
//! Started by root it goes on as another user, on copies in a directory of its
//! own. `SANDBOX=FILE` measures that binary instead, a static one for example.

use nix::sys::memfd::{MFdFlags, memfd_create};
use sandbox::Sandbox;
use sandbox::plan::{MountAttributes, Op, Plan};
use sandbox::policy::{Context, Policy};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Who measures when root asks: the kernel's overflow uid, owner of nothing.
const NOBODY: u32 = 65534;
const RUNS: usize = 300;
const WARM_UP: usize = 10;
/// Set for the copy that root starts.
const PLACE: &str = "SANDBOX_BENCH_PLACE";

fn main() -> ExitCode {
    match bench() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cold: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<ExitCode, Box<dyn Error>> {
    // `cargo bench` adds `--bench`; `cargo test --benches` does not, and is no
    // place to measure.
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        println!("nothing is measured without `cargo bench`");
        return Ok(ExitCode::SUCCESS);
    }
    let runs = match words.iter().find(|word| !word.starts_with('-')) {
        Some(number) => number.parse()?,
        None => RUNS,
    };
    if runs == 0 {
        return Err("at least one run is needed".into());
    }
    let Some(bwrap) = find("bwrap") else {
        return Err("bubblewrap is not installed; on Debian: `apt-get install bubblewrap`".into());
    };
    if let Some(place) = std::env::var_os(PLACE) {
        measure(Path::new(&place), &bwrap, runs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place::new()?;
    if !nix::unistd::geteuid().is_root() {
        measure(&place.0, &bwrap, runs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let own = place.0.join("cold");
    fs::copy(std::env::current_exe()?, &own)?;
    for path in [&place.0, &place.0.join("work")] {
        chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    let status = Command::new(own)
        .args(words)
        .env(PLACE, &place.0)
        .uid(NOBODY)
        .gid(NOBODY)
        .status()?;
    Ok(match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// A directory for this measurement, gone when it is over.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Place, Box<dyn Error>> {
        // Not in /tmp: the program would then lie in a tree that `strict` makes
        // anew, and take more mounts than a program elsewhere.
        let path = PathBuf::from(format!("/var/tmp/sandbox-bench-{}", std::process::id()));
        fs::create_dir(&path)?;
        let place = Place(path);
        fs::create_dir(place.0.join("work"))?;
        let sandbox = std::env::var_os("SANDBOX")
            .map_or(PathBuf::from(env!("CARGO_BIN_EXE_sandbox")), PathBuf::from);
        fs::copy(sandbox, place.0.join("sandbox"))?;
        fs::write(place.0.join("nothing"), nothing())?;
        for name in ["sandbox", "nothing"] {
            fs::set_permissions(place.0.join(name), Permissions::from_mode(0o755))?;
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cold: cannot remove `{}`: {error}", self.0.display());
        }
    }
}

/// A static program whose only call is `exit(0)`: an ELF header, one program
/// header (elf(5)) and the code.
fn nothing() -> Vec<u8> {
    // x86_64: xor edi, edi; mov eax, 60; syscall.
    #[cfg(target_arch = "x86_64")]
    let (machine, code) = (
        62_u16,
        [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05].as_slice(),
    );
    // aarch64: mov x8, #93; mov x0, #0; svc #0.
    #[cfg(target_arch = "aarch64")]
    let (machine, code) = (
        183_u16,
        [0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 0x01, 0, 0, 0xd4].as_slice(),
    );
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let size = HEADERS + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    half(&mut file, 2); // ET_EXEC
    half(&mut file, machine);
    word(&mut file, 1); // version
    long(&mut file, BASE + HEADERS); // entry
    long(&mut file, 64); // program headers
    long(&mut file, 0); // section headers
    word(&mut file, 0); // flags
    for value in [64, 56, 1, 0, 0, 0] {
        half(&mut file, value); // sizes and numbers of the headers
    }
    word(&mut file, 1); // PT_LOAD
    word(&mut file, 5); // PF_R | PF_X
    for value in [0, BASE, BASE, size, size, 0x1000] {
        long(&mut file, value); // offset, addresses, sizes, alignment
    }
    file.extend(code);
    file
}

/// One row of the table.
struct Row {
    name: &'static str,
    command: Command,
    times: Vec<Duration>,
}

fn measure(place: &Path, bwrap: &Path, runs: usize) -> Result<(), Box<dyn Error>> {
    let work = place.join("work");
    std::env::set_current_dir(&work)?;
    let nothing = place.join("nothing");
    let context = Context {
        cwd: work.clone(),
        home: Some(work),
        ..Context::default()
    };
    let policy = Policy::load(OsStr::new("strict"), &context)?;
    let plan = Sandbox::new(policy)?.command(&nothing).plan()?;

    let mut passed = Passed::default();
    let mut rows = vec![
        row("no sandbox", Command::new(&nothing)),
        row(
            "bubblewrap",
            bubblewrap(bwrap, &plan, &nothing, &mut passed)?,
        ),
    ];
    for (name, policy) in [
        ("sandbox, strict", "strict"),
        ("sandbox, compile", "compile"),
        ("sandbox, agent", "agent"),
    ] {
        let mut command = Command::new(place.join("sandbox"));
        command.args(["--policy", policy, "--"]).arg(&nothing);
        rows.push(row(name, command));
    }
    for turn in 0..WARM_UP + runs {
        for row in &mut rows {
            passed.rewind()?;
            let start = Instant::now();
            let status = row.command.status()?;
            let time = start.elapsed();
            if !status.success() {
                return Err(format!("{}: {status}", row.name).into());
            }
            if turn >= WARM_UP {
                row.times.push(time);
            }
        }
    }
    print(&mut rows, runs);
    Ok(())
}

fn row(name: &'static str, mut command: Command) -> Row {
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    Row {
        name,
        command,
        times: Vec::new(),
    }
}

fn print(rows: &mut [Row], runs: usize) {
    let mut medians = Vec::new();
    for row in rows.iter_mut() {
        row.times.sort();
        medians.push(row.times[runs / 2].as_secs_f64());
    }
    let (bare, bubblewrap) = (medians[0], medians[1]);
    println!(
        "{runs} interleaved runs of a program that does nothing, as uid {}",
        nix::unistd::geteuid()
    );
    println!(
        "{:<18} {:>10} {:>10} {:>15} {:>15}",
        "", "median ms", "p99 ms", "to bubblewrap", "to no sandbox"
    );
    for (row, median) in rows.iter().zip(medians) {
        // The smallest time that at least 99 in 100 do not exceed.
        let p99 = row.times[(runs * 99).div_ceil(100) - 1].as_secs_f64();
        println!(
            "{:<18} {:>10.3} {:>10.3} {:>15.2} {:>15.2}",
            row.name,
            median * 1e3,
            p99 * 1e3,
            median / bubblewrap,
            median / bare
        );
    }
}

/// Files that bubblewrap reads from descriptors, from the start in every run.
#[derive(Default)]
struct Passed(Vec<File>);

impl Passed {
    /// The number under which the child finds this content.
    fn add(&mut self, content: &[u8]) -> Result<String, Box<dyn Error>> {
        // Not close-on-exec: these are meant to be inherited.
        let mut file = File::from(memfd_create("bwrap", MFdFlags::empty())?);
        file.write_all(content)?;
        let number = file.as_raw_fd().to_string();
        self.0.push(file);
        Ok(number)
    }

    fn rewind(&mut self) -> Result<(), std::io::Error> {
        self.0.iter_mut().try_for_each(Seek::rewind)
    }
}

/// bubblewrap with the layers of the plan, as far as it has them.
fn bubblewrap(
    bwrap: &Path,
    plan: &Plan,
    program: &Path,
    passed: &mut Passed,
) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(bwrap);
    command.args(["--unshare-all", "--new-session", "--die-with-parent"]);
    command.args(["--cap-drop", "ALL", "--clearenv"]);
    command.args(["--hostname", &plan.hostname]);
    command.args(["--uid", &plan.ids.uid.to_string()]);
    command.args(["--gid", &plan.ids.gid.to_string()]);
    for op in &plan.mounts.ops {
        mount(&mut command, op, passed)?;
    }
    for (name, value) in &plan.env {
        command.arg("--setenv").args([name, value]);
    }
    command.arg("--chdir").arg(&plan.cwd);
    let filter: Vec<u8> = plan.seccomp.program.iter().flat_map(instruction).collect();
    command.args(["--seccomp", &passed.add(&filter)?]);
    command.arg("--").arg(program);
    Ok(command)
}

/// `struct sock_filter` of linux/filter.h, as bytes.
fn instruction(filter: &seccompiler::sock_filter) -> Vec<u8> {
    let mut bytes = filter.code.to_ne_bytes().to_vec();
    bytes.extend([filter.jt, filter.jf]);
    bytes.extend(filter.k.to_ne_bytes());
    bytes
}

/// One operation of the plan as bubblewrap's options.
fn mount(command: &mut Command, op: &Op, passed: &mut Passed) -> Result<(), Box<dyn Error>> {
    let dev = Path::new("/dev");
    match op {
        // bubblewrap makes a `/dev` of the same content with one option.
        Op::Tmpfs { at, .. } if at == dev => command.arg("--dev").arg(at),
        Op::Tmpfs {
            at, bytes, mode, ..
        } => command
            .args(["--perms", &format!("{mode:04o}")])
            .args(["--size", &bytes.to_string()])
            .arg("--tmpfs")
            .arg(at),
        Op::Seal { at } => command.arg("--remount-ro").arg(at),
        other if other.at().starts_with(dev) => command,
        Op::Directory { at, mode } => command
            .args(["--perms", &format!("{mode:04o}")])
            .arg("--dir")
            .arg(at),
        // Mount points are made by the mounts themselves.
        Op::File { text, .. } if text.is_empty() => command,
        Op::File { at, text, mode } => command
            .args(["--perms", &format!("{mode:04o}")])
            .args(["--file", &passed.add(text)?])
            .arg(at),
        Op::Symlink { at, target } => command.arg("--symlink").args([target, at]),
        Op::Bind {
            at,
            source,
            attributes,
            ..
        } => command.arg(bind(attributes)).args([source, at]),
        Op::Proc { at, .. } => command.arg("--proc").arg(at),
        other => return Err(format!("bubblewrap has no option for {other:?}").into()),
    };
    Ok(())
}

fn bind(attributes: &MountAttributes) -> &'static str {
    match attributes.read_only {
        true => "--ro-bind",
        false => "--bind",
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
