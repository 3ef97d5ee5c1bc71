//! Many threads: launches at once, an allocator that is busy, an async runtime, a thread that ends early.
//! It must not hang: `alone` bounds every test.

use super::{alone, shell};
use sandbox::Stdio;
use sandbox::report::Verdict;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn the_thread_that_spawned_may_end_first() {
    alone("threads::the_thread_that_spawned_may_end_first", || {
        let child = std::thread::spawn(|| shell("sleep 0.3; exit 8").spawn().unwrap())
            .join()
            .unwrap();
        let report = child.wait().unwrap();
        assert_eq!((report.exit.code, report.killed_by), (Some(8), None));
    });
}

#[test]
fn launches_at_once_while_others_allocate() {
    alone("threads::launches_at_once_while_others_allocate", || {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut kept: Vec<Vec<u8>> = Vec::new();
                    let mut size = 1;
                    while !over.load(Ordering::Relaxed) {
                        size = size * 7 % 65_537;
                        kept.push(vec![1; size]);
                        kept.truncate(64);
                        // Its own environment lock, too.
                        std::hint::black_box(std::env::var_os("PATH"));
                    }
                });
            }
            let launchers: Vec<_> = (0..8u8)
                .map(|thread| {
                    scope.spawn(move || {
                        for number in 0..25 {
                            let mut child =
                                shell(&format!("echo {thread}.{number}; exit {thread}"))
                                    .stdout(Stdio::Piped)
                                    .spawn()
                                    .unwrap();
                            let mut text = String::new();
                            // Ends only if no other launch holds the writing end.
                            child
                                .stdout
                                .take()
                                .unwrap()
                                .read_to_string(&mut text)
                                .unwrap();
                            assert_eq!(text, format!("{thread}.{number}\n"));
                            assert_eq!(child.wait().unwrap().exit.code, Some(thread));
                        }
                    })
                })
                .collect();
            let joined: Vec<_> = launchers
                .into_iter()
                .map(|launcher| launcher.join())
                .collect();
            over.store(true, Ordering::Relaxed);
            assert!(joined.iter().all(Result::is_ok));
        });
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        assert!(open < 20, "{open} descriptors are open");
    });
}

#[test]
fn inside_an_async_runtime() {
    alone("threads::inside_an_async_runtime", || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            // Blocking threads end as soon as they are idle.
            .thread_keep_alive(std::time::Duration::from_millis(1))
            .build()
            .unwrap();
        let codes = runtime.block_on(async {
            let mut running = Vec::new();
            for number in 0..16u8 {
                running.push(tokio::spawn(async move {
                    let script = format!("sleep 0.1; exit {number}");
                    let child =
                        tokio::task::spawn_blocking(move || shell(&script).spawn().unwrap());
                    let child = child.await.unwrap();
                    // Another thread waits than the one that spawned.
                    let report = tokio::task::spawn_blocking(|| child.wait().unwrap());
                    report.await.unwrap().exit.code
                }));
            }
            let mut codes = Vec::new();
            for run in running {
                codes.push(run.await.unwrap());
            }
            codes
        });
        assert_eq!(codes, (0..16).map(Some).collect::<Vec<_>>());
    });
}

#[test]
fn a_child_can_be_killed_from_another_thread() {
    alone("threads::a_child_can_be_killed_from_another_thread", || {
        let child = shell("sleep 600").spawn().unwrap();
        let killed = std::thread::spawn(move || {
            let mut child = child;
            child.kill().unwrap();
            child
        });
        assert_eq!(
            killed.join().unwrap().wait().unwrap().verdict,
            Verdict::Cancelled
        );
    });
}
