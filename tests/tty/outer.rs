//! The terminal outside: a pty, `sandbox` in a session on it, and somebody who types and reads.
//! It must not wait for ever for anything.

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal window.
pub struct Outer {
    master: File,
    /// Kept open, so that the settings are still there when the program is gone.
    terminal: File,
    child: Child,
    shown: Receiver<Vec<u8>>,
    /// Shown and not yet expected.
    rest: Vec<u8>,
    /// Settings before `sandbox` was started.
    pub before: Termios,
}

impl Outer {
    /// Starts the command in a window of 24 lines and 80 columns.
    pub fn start(command: Command) -> Outer {
        Outer::start_sized(command, 24, 80)
    }

    /// Starts the command with the window as its terminal.
    pub fn start_sized(mut command: Command, rows: u16, columns: u16) -> Outer {
        let pty = openpty(&size(rows, columns), None).unwrap();
        let (master, terminal) = (File::from(pty.master), File::from(pty.slave));
        for file in [&master, &terminal] {
            // openpty(3) does not set it, and other tests start programs too.
            let flag = nix::fcntl::FdFlag::FD_CLOEXEC;
            nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_SETFD(flag)).unwrap();
        }
        let before = tcgetattr(&terminal).unwrap();
        let stream = || Stdio::from(terminal.try_clone().unwrap());
        command.stdin(stream()).stdout(stream()).stderr(stream());
        // SAFETY: two calls that pass numbers only.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            })
        };
        let child = command.spawn().unwrap();
        let (sender, shown) = channel();
        let mut reader = master.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(bytes @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..bytes].to_vec()).is_err() {
                    break;
                }
            }
        });
        Outer {
            master,
            terminal,
            child,
            shown,
            rest: Vec::new(),
            before,
        }
    }

    /// Waits for the text; everything shown up to it.
    pub fn expect(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let found = self
                .rest
                .windows(text.len())
                .position(|part| part == text.as_bytes());
            if let Some(at) = found {
                let seen: Vec<u8> = self.rest.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&seen).into_owned();
            }
            match self.shown.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.rest.extend(bytes),
                Err(_) if start.elapsed() < PATIENCE => {}
                Err(_) => panic!(
                    "never `{text}`, but:\n{}",
                    String::from_utf8_lossy(&self.rest)
                ),
            }
        }
    }

    /// Types.
    pub fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until a program with these arguments runs inside.
    pub fn runs(&self, arguments: &[&str]) {
        let wanted: String = arguments.iter().map(|word| format!("{word}\0")).collect();
        self.poll_until("it runs", |outer| {
            let mut pids = vec![outer.pid().to_string()];
            while let Some(pid) = pids.pop() {
                let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
                if read("cmdline").is_ok_and(|line| line == wanted) {
                    return true;
                }
                let children = read(&format!("task/{pid}/children")).unwrap_or_default();
                pids.extend(children.split_whitespace().map(str::to_owned));
            }
            false
        });
    }

    /// Time for something to happen that nothing shows from outside.
    pub fn settle(&self) {
        std::thread::sleep(Duration::from_millis(400));
    }

    /// Another size of the window; `sandbox` gets SIGWINCH.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = size(rows, columns);
        // SAFETY: TIOCSWINSZ reads one winsize.
        let answer =
            unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(answer, 0);
    }

    /// The window's settings now.
    pub fn settings(&self) -> Termios {
        tcgetattr(&self.terminal).unwrap()
    }

    /// pid of `sandbox`.
    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Waits for something to become true.
    pub fn poll_until(&self, what: &str, is: impl Fn(&Outer) -> bool) {
        let start = Instant::now();
        while !is(self) {
            assert!(start.elapsed() < PATIENCE, "never: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end; the exit code as a shell sees it.
    pub fn wait(&mut self) -> i32 {
        bounded(&mut self.child)
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// Waits for a child, not for ever; the exit code as a shell sees it.
pub fn bounded(child: &mut Child) -> i32 {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap());
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
