//! Language run-times: threads, processes, shared memory, databases, just-in-time compilers.
//! It must not compile anything; `build` does.

use crate::{installed, strictly};

/// The system's, not a wrapper of a version manager.
const PYTHON: &str = "/usr/bin/python3";

fn python(script: &str, expected: &str) {
    if installed("python3").is_some() {
        strictly(&[PYTHON, "-c", script], expected);
    }
}

#[test]
fn python_starts() {
    python("print('hello', 2**64)", "hello 18446744073709551616\n");
}

#[test]
fn python_asyncio_with_a_subprocess() {
    let script = "
import asyncio
async def main():
    p = await asyncio.create_subprocess_exec('/bin/cat', stdin=-1, stdout=-1)
    out, _ = await p.communicate(b'through a pipe')
    print(out.decode(), p.returncode)
    print(await asyncio.gather(*(asyncio.to_thread(lambda n=n: n * n) for n in range(4))))
asyncio.run(main())
";
    python(script, "through a pipe 0\n[0, 1, 4, 9]\n");
}

#[test]
fn python_multiprocessing_pool() {
    let script = "
import multiprocessing, math
with multiprocessing.Pool(2) as pool:
    print(pool.map(math.factorial, range(6)))
";
    python(script, "[1, 1, 2, 6, 24, 120]\n");
}

#[test]
fn python_shared_memory() {
    let script = "
from multiprocessing import Process, Lock, shared_memory
def work(name, lock):
    with lock:
        memory = shared_memory.SharedMemory(name)
        memory.buf[0] = 42
        memory.close()
memory = shared_memory.SharedMemory(create=True, size=4096)
child = Process(target=work, args=(memory.name, Lock()))
child.start(); child.join()
print(memory.buf[0], child.exitcode)
memory.close(); memory.unlink()
";
    python(script, "42 0\n");
}

#[test]
fn python_sqlite() {
    let script = "
import sqlite3
db = sqlite3.connect('/tmp/a.db')
db.execute('pragma journal_mode = wal')
db.execute('create table t (n integer)')
db.executemany('insert into t values (?)', [(n,) for n in range(10)])
db.commit()
print(db.execute('select sum(n) from t').fetchone()[0])
";
    python(script, "45\n");
}

#[test]
fn python_ssl() {
    let script = "
import ssl, hashlib, secrets
ssl.create_default_context()
print(hashlib.sha256(b'').hexdigest()[:8], len(secrets.token_bytes(16)))
";
    python(script, "e3b0c442 16\n");
}

#[test]
fn python_files_and_users() {
    let script = "
import getpass, os, pwd, tempfile, socket, platform
with tempfile.NamedTemporaryFile() as f:
    f.write(b'x'); f.flush(); print(os.path.dirname(f.name))
print(pwd.getpwuid(os.getuid()).pw_name, socket.gethostname(), platform.node())
a, b = socket.socketpair(); a.send(b'hi'); print(b.recv(9))
";
    python(script, "/tmp\nsandbox sandbox sandbox\nb'hi'\n");
}

fn node(script: &str, expected: &str) {
    if installed("node").is_some() {
        strictly(&["node", "-e", script], expected);
    }
}

#[test]
fn node_starts() {
    node("console.log([3, 1, 2].sort().join())", "1,2,3\n");
}

#[test]
fn node_worker() {
    let script = "
const { Worker, isMainThread, parentPort } = require('worker_threads');
const w = new Worker(`require('worker_threads').parentPort.postMessage(6 * 7)`, { eval: true });
w.on('message', m => console.log(m));
";
    node(script, "42\n");
}

#[test]
fn node_child_process() {
    let script = "
const { execFileSync, spawn } = require('child_process');
process.stdout.write(execFileSync('/bin/echo', ['sync']));
spawn('/bin/cat', { stdio: ['pipe', 'inherit', 'inherit'] }).on('exit', c => console.log('exit', c)).stdin.end('async\\n');
";
    node(script, "sync\nasync\nexit 0\n");
}

#[test]
fn node_files_and_crypto() {
    let script = "
const fs = require('fs'), crypto = require('crypto');
fs.promises.writeFile('/tmp/a', 'text').then(() => fs.promises.readFile('/tmp/a', 'utf8')).then(console.log)
  .then(() => console.log(crypto.createHash('sha1').update('').digest('hex').slice(0, 8)));
";
    node(script, "text\nda39a3ee\n");
}
