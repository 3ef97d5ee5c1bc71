//! What one run of a batch leaves, the next does not find: for each kind of thing, two runs
//! of one prepared sandbox.
//! It must not take for closed what could not be left: each run looks for what it left itself.

use super::Tests;
use crate::support;

/// Runs `leave`, then `look`, in two sandboxes. `look` is also the end of the first one:
/// there it must find what was left.
fn leak(options: &[&str], leave: &str, look: &str, found: &str, gone: &str) {
    let Some(python) = support::installed("python3") else {
        return;
    };
    let tests = Tests::new(&["leave", "look"]);
    let script = format!(
        "{COMMON}\nif sys.stdin.read() == 'leave':\n{}\nprint(look())",
        indent(leave)
    );
    let script = script.replace("LOOK", &indent(look));
    let output = support::run(tests.command(options).args(["--", &python, "-c", &script]));
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    assert_eq!(
        tests.output("01"),
        format!("{found}\n"),
        "where it was left"
    );
    assert_eq!(tests.output("02"), format!("{gone}\n"), "in the next run");
}

fn indent(lines: &str) -> String {
    let lines = lines.trim_matches('\n').lines();
    lines.map(|line| format!("    {line}\n")).collect()
}

/// `stay` starts a process that outlives the program's own, and holds what it has.
const COMMON: &str = r"
import ctypes, errno, fcntl, os, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
KEY = 0x5a5a
def answer(result):
    return 'open' if result >= 0 else errno.errorcode[ctypes.get_errno()]
def stay():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open('/dev/null', os.O_RDWR)
            for stream in (0, 1, 2): os.dup2(null, stream)
            time.sleep(600)
        os._exit(0)
    os.wait()
def look():
LOOK
";

#[test]
fn files_in_tmp() {
    leak(
        &[],
        "open('/tmp/left', 'w').write('x')",
        "return os.listdir('/tmp')",
        "['left']",
        "[]",
    );
}

#[test]
fn files_in_dev_shm() {
    leak(
        &[],
        "open('/dev/shm/left', 'w').write('x')",
        "return os.listdir('/dev/shm')",
        "['left']",
        "[]",
    );
}

#[test]
fn processes() {
    leak(
        &[],
        "stay()",
        "return sum(name.isdigit() for name in os.listdir('/proc'))",
        // The program and what was left; pid 1 hides.
        "2",
        "1",
    );
}

#[test]
fn shared_memory() {
    leak(
        &[],
        "libc.shmget(KEY, 4096, 0o1600)",
        "return answer(libc.shmget(KEY, 0, 0))",
        "open",
        "ENOENT",
    );
}

#[test]
fn semaphores() {
    leak(
        &[],
        "libc.semget(KEY, 1, 0o1600)",
        "return answer(libc.semget(KEY, 0, 0))",
        "open",
        "ENOENT",
    );
}

#[test]
fn message_queues() {
    leak(
        &[],
        "libc.msgget(KEY, 0o1600)",
        "return answer(libc.msgget(KEY, 0))",
        "open",
        "ENOENT",
    );
}

/// Made, but not opened: Landlock refuses that (`jail/ipc::posix_queues`) where there is one.
#[test]
fn posix_queues() {
    leak(
        &[],
        "libc.mq_open(b'/left', os.O_RDWR | os.O_CREAT, 0o600, None)",
        "return answer(libc.mq_open(b'/left', os.O_RDONLY))",
        "EACCES",
        "ENOENT",
    );
}

#[test]
fn abstract_sockets() {
    leak(
        &[],
        "listener = socket.socket(socket.AF_UNIX)\nlistener.bind('\\0left')\nlistener.listen()\nglobal kept\nkept = listener\nstay()",
        "try:\n    socket.socket(socket.AF_UNIX).connect('\\0left')\nexcept OSError as error:\n    return errno.errorcode[error.errno]\nreturn 'open'",
        "open",
        "ECONNREFUSED",
    );
}

#[test]
fn ports_of_the_loopback() {
    leak(
        &["--network", "loopback"],
        "listener = socket.socket()\nlistener.bind(('127.0.0.1', 7777))\nlistener.listen()\nglobal kept\nkept = listener\nstay()",
        "try:\n    socket.create_connection(('127.0.0.1', 7777))\nexcept OSError as error:\n    return errno.errorcode[error.errno]\nreturn 'open'",
        "open",
        "ECONNREFUSED",
    );
}

/// No key can be left at all: the calls are refused in every policy.
#[test]
fn keyrings() {
    leak(
        &[],
        "libc.syscall(248, b'user', b'left', b'x', 1, -3)",
        "return answer(libc.syscall(249, b'user', b'left', None, -3))",
        "EPERM",
        "EPERM",
    );
}

/// The file is the host's, and so is the list of its locks.
#[test]
fn locks_on_a_file_of_the_host() {
    let place = support::Scratch::new();
    let file = place.file("shared", "x", 0o644);
    let path = file.to_str().unwrap();
    for (lock, with) in [("flock", "fcntl.flock"), ("lockf", "fcntl.lockf")] {
        let mode = if lock == "flock" {
            "os.O_RDONLY"
        } else {
            "os.O_RDWR"
        };
        let option = if lock == "flock" { "--read" } else { "--write" };
        leak(
            &[option, path],
            // Held by a process that is left, not by the one that looks.
            &format!(
                "told, tell = os.pipe()\nif os.fork() == 0:\n    held = os.open('{path}', {mode})\n    {with}(held, fcntl.LOCK_EX)\n    os.write(tell, b'x')\n    os.close(1)\n    time.sleep(600)\nos.read(told, 1)"
            ),
            &format!(
                "try:\n    {with}(os.open('{path}', {mode}), fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept OSError as error:\n    return errno.errorcode[error.errno]\nreturn 'free'"
            ),
            "EAGAIN",
            "free",
        );
    }
}

#[test]
fn descriptors() {
    leak(
        &[],
        "os.dup2(os.open('/dev/null', os.O_RDWR), 9)",
        // The one that lists them is 3.
        "return sorted(map(int, os.listdir('/proc/self/fd')))",
        "[0, 1, 2, 3, 4, 9]",
        "[0, 1, 2, 3]",
    );
}

#[test]
fn attributes_of_the_process() {
    leak(
        &[],
        "os.umask(0o077)\nos.chdir('/tmp')\nos.environ['LEFT'] = 'x'",
        "mask = os.umask(0)\nos.umask(mask)\nreturn (oct(mask), os.getcwd() == '/tmp', os.environ.get('LEFT'))",
        "('0o77', True, 'x')",
        "('0o22', False, None)",
    );
}

#[test]
fn counts_in_the_record() {
    let Some(python) = support::installed("python3") else {
        return;
    };
    let tests = Tests::new(&["much", "little"]);
    let script = "import sys, time\nif sys.stdin.read() == 'much':\n    held = bytearray(b'x') * 200_000_000\n    end = time.process_time() + 1\n    while time.process_time() < end: pass\nprint('x')";
    let options = ["--output", "1MiB"];
    let output = support::run(tests.command(&options).args(["--", &python, "-c", script]));
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    let records = tests.records();
    let number = |record: usize, field: &str| records[record][field].as_u64().unwrap();
    assert!(number(0, "memory_peak_bytes") >= 200_000_000);
    assert!(number(1, "memory_peak_bytes") < 100_000_000);
    assert!(number(0, "cpu_ns") >= 1_000_000_000);
    assert!(number(1, "cpu_ns") < 1_000_000_000);
}

/// The limit of processes counts those of one run, also while others run.
#[test]
fn limits_are_each_runs_own() {
    let tests = Tests::new(&["", "", "", ""]);
    let script = "for i in 1 2 3; do sleep 1 & done; wait; echo done";
    let output = tests.shell(&["--processes", "5", "--jobs", "4"], script);
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    for name in ["01", "02", "03", "04"] {
        assert_eq!(tests.output(name), "done\n");
    }
}

#[test]
fn runs_at_once_see_nothing_of_each_other() {
    let tests = Tests::new(&["a", "b", "c", "d"]);
    let script = "read word; echo $word > /tmp/$word; echo $word > /dev/shm/$word; sleep 1; \
                  echo /tmp/* /dev/shm/*; set -- /proc/[0-9]*; echo $#";
    let output = tests.shell(&["--jobs", "4"], script);
    assert_eq!(support::code(&output), 0, "{}", support::complaint(&output));
    for (name, word) in [("01", "a"), ("02", "b"), ("03", "c"), ("04", "d")] {
        assert_eq!(
            tests.output(name),
            format!("/tmp/{word} /dev/shm/{word}\n1\n")
        );
    }
}
