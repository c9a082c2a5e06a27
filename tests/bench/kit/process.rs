//! The bench as a process: how it was started, itself once more, and memory.

use std::process::{Command, Stdio};

/// Whether `cargo bench` started this: `cargo test --benches` builds and starts every bench too, and must not wait for it.
pub fn asked() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}

/// The words after `--child`, when this process is one that a bench started.
pub fn child() -> Option<Vec<String>> {
    let mut args = std::env::args().skip_while(|arg| arg != "--child");
    args.next().map(|_| args.collect())
}

/// Runs this program as a child with the words given and returns what it prints, so that what it did before does not count.
pub fn again(words: &[&str]) -> String {
    let program = std::env::current_exe().expect("the program knows its own file");
    let out = Command::new(program).args(["--bench", "--child"]).args(words).stderr(Stdio::inherit()).output().expect("the program starts once more");
    assert!(out.status.success(), "the child ended with {}", out.status);
    String::from_utf8(out.stdout).expect("a child prints text").trim().to_owned()
}

/// Memory of a process as the kernel counts it, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// In memory now.
    pub resident: u64,
    /// The most there ever was.
    pub peak: u64,
}

impl Memory {
    pub fn own() -> Self {
        Self::of("self")
    }

    pub fn of(pid: &str) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().nth(0)?.parse().ok()).unwrap_or_default();
        Self { resident: field("VmRSS:"), peak: field("VmHWM:") }
    }
}
