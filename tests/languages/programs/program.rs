//! One program for every question of `tests/languages.rs`.
//! By hand: see README.md here. It is compiled by the tests, and is no part of this crate.

use std::time::Duration;
use std::{env, fs, hint, io, process, thread};

/// Bytes of memory that are this process's own, as the kernel counts them.
fn own_memory() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: Vec<u64> = statm
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    (pages[1] - pages[2]) * 4096
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["hello"] => {
            let mut line = String::new();
            io::stdin().read_line(&mut line).unwrap();
            let sum: i64 = line
                .split_whitespace()
                .map(|n| n.parse::<i64>().unwrap())
                .sum();
            println!("hello {}", sum);
        }
        ["fill", bytes, seconds] => {
            let mut blocks = Vec::new();
            while own_memory() < bytes.parse().unwrap() {
                blocks.push(vec![1u8; 1 << 20]);
            }
            println!("filled");
            thread::sleep(Duration::from_secs(seconds.parse().unwrap()));
            drop(blocks);
        }
        ["loop"] => loop {
            hint::spin_loop();
        },
        ["sleep"] => thread::sleep(Duration::from_secs(60)),
        ["cpus"] => println!("{}", thread::available_parallelism().unwrap()),
        _ => process::exit(2),
    }
}
