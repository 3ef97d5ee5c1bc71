//! What the running kernel gives `strict`, layer by layer, from the run's own record, its plan and the kernel's words inside.
//! It must not hold a kernel for good or bad by its version; `tests/kernels/run` boots others and compares.

#![cfg(feature = "cli")]

#[path = "kernels/evidence.rs"]
mod evidence;
#[path = "kernels/judged.rs"]
mod judged;
#[path = "kernels/layers.rs"]
mod layers;
#[path = "kernels/readme.rs"]
mod readme;
#[path = "kernels/refused.rs"]
mod refused;
mod support;
