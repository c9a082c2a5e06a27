//! Points between two durable effects, so that tests can kill the process at each of them.
//!
//! Compiled to nothing without the feature `faults`, which no released binary has.

/// Marks one point. With the feature `faults` and `TRUEUP_KILL_AT=N`, the N-th point reached ends the process as `kill -9` does;
/// `TRUEUP_HOLD_AT=NAME` holds it at the points of that name for as long as the file `TRUEUP_HOLD_WHILE` is there; `TRUEUP_POINTS=FILE` appends
/// every point's name, so that a test can count them first.
#[cfg(feature = "faults")]
pub fn point(name: &str) {
    use std::{
        io::Write,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };
    static REACHED: AtomicU64 = AtomicU64::new(0);
    static KILL_AT: OnceLock<Option<u64>> = OnceLock::new();
    let number = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(file) = std::env::var_os("TRUEUP_POINTS")
        && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(file)
    {
        let _ = writeln!(file, "{number} {name}");
    }
    if std::env::var("TRUEUP_HOLD_AT").is_ok_and(|at| at == name)
        && let Some(file) = std::env::var_os("TRUEUP_HOLD_WHILE").map(std::path::PathBuf::from)
    {
        // One thread of the runtime waits here; leases are renewed on the others.
        while file.exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    if *KILL_AT.get_or_init(|| std::env::var("TRUEUP_KILL_AT").ok().and_then(|at| at.parse().ok())) == Some(number) {
        // The shell's kill is the real signal: nothing of ours runs after it, no destructor, no flush.
        let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
        std::thread::park();
    }
}

#[cfg(not(feature = "faults"))]
pub fn point(_name: &str) {}
