//! Limits of a policy, drawn from whatever numbers and times a test calls limits.
//! It must know every field, and no number. Those of speed, whose numbers have a range of
//! their own, are for whoever asks.

use proptest::prelude::*;
use sandbox::policy::{Cap, Enforcement, Full, Limits};
use std::collections::BTreeMap;
use std::time::Duration;

/// Each limit may be there or not.
pub fn limits<N, M>(number: impl Fn() -> N, millis: impl Fn() -> M) -> impl Strategy<Value = Limits>
where
    N: Strategy<Value = u64>,
    M: Strategy<Value = u64>,
{
    let one = || proptest::option::of(number());
    let numbers = (one(), one(), one(), one(), one());
    let time = || proptest::option::of(millis().prop_map(Duration::from_millis));
    let enforcement = prop::sample::select(Enforcement::ALL.to_vec());
    let full = || prop::sample::select(Full::ALL.to_vec());
    let cap = || proptest::option::of((number(), full()));
    let cap = || cap().prop_map(|cap| cap.map(|(most, full)| Cap { most, full }));
    let caps = (cap(), cap(), cap());
    let limits = (numbers, caps, time(), time(), enforcement);
    limits.prop_map(|(numbers, caps, cpu_time, wall_time, enforcement)| Limits {
        enforcement,
        memory: numbers.0,
        processes: numbers.1,
        cpu_time,
        wall_time,
        output: caps.0,
        stdout: caps.1,
        stderr: caps.2,
        file_size: numbers.2,
        open_files: numbers.3,
        stack: numbers.4,
        cpu_max: None,
        cpu_weight: None,
        io_max: BTreeMap::new(),
    })
}
