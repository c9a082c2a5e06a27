//! A server process that ends with the test: stopped on drop, and by itself when the test process dies.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Runs a server in the background and waits until its standard input closes, which it does when the test process ends in any way; then stops the server.
///
/// Servers that tests share live in statics, which are never dropped: this is what stops those.
const WATCH: &str = r#""$@" </dev/null & server=$!; echo "$server"; exec >/dev/null; read -r _; kill "$server"; wait "$server""#;

/// One running server.
#[derive(Debug)]
pub struct Process {
    watcher: Child,
    stdin: Option<ChildStdin>,
    pid: u32,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with its output in `dir/NAME.log`.
    pub fn start(name: &str, dir: &Path, program: &str, args: &[&str]) -> Self {
        let log = dir.join(format!("{name}.log"));
        let file = File::create(&log).expect("the temporary folder is writable");
        let mut watcher = Command::new("sh")
            .args(["-c", WATCH, "watch", "sh", "-c", r#"log=$1; shift; exec "$@" >"$log" 2>&1"#, "run"])
            .arg(&log)
            .arg(program)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .expect("sh runs");
        let mut line = String::new();
        let stdout = watcher.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the watcher prints the server's id");
        let pid = line.trim().parse().unwrap_or_else(|_| panic!("{program} was not started: {line}"));
        let stdin = watcher.stdin.take();
        Self { watcher, stdin, pid, name: name.to_owned(), log }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends the server a signal: `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid.to_string()]).status().expect("kill runs");
        assert!(sent.success(), "{} takes the signal", self.name);
    }

    /// Whether the server still runs; a zombie does not.
    pub fn alive(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    }

    /// What the server has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until `ready` holds, at most a minute, for a machine may be busy with other things; a server that ends before that fails the test with its log.
    pub fn until_ready(&self, mut ready: impl FnMut() -> bool) {
        let found = wait_for(Duration::from_secs(180), || !self.alive() || ready());
        assert!(found && self.alive(), "{} did not become ready; its log:\n{}", self.name, self.log());
    }

    /// Stops the server and waits for its end.
    pub fn stop(&mut self) {
        drop(self.stdin.take());
        let _ = self.watcher.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() {
            eprintln!("── log of {} ──\n{}", self.name, self.log());
        }
    }
}

/// A server's program that `tests/run` builds from its Go module: where that says, or where it leaves it.
pub fn built(name: &str, version: &str) -> PathBuf {
    let variable = format!("TRUEUP_{}", name.to_uppercase());
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let left = home.map(|cache| cache.join(format!("trueup/servers/{name}-{version}/{name}")));
    let path = std::env::var_os(&variable).map(PathBuf::from).or(left).unwrap_or_default();
    assert!(path.is_file(), "there is no {name} at {}: run tests/run once, which builds it (with Go 1.26), or name one with {variable}", path.display());
    path
}

/// Polls a condition until it holds or the time is over; says whether it held.
pub fn wait_for(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
}
