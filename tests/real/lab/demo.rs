//! The demo as a person runs it: what it says, that it is true, and that it leaves nothing behind.

use crate::harness::wait_for;
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(180);

/// `trueup demo` in the background, and what it said so far.
pub struct Demo {
    child: Child,
    said: Arc<Mutex<String>>,
    pub folder: TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("── the demo said ──\n{}", self.said());
        }
    }
}

impl Demo {
    pub fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_trueup")).arg("demo").args(args).env("TMPDIR", folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (said, out) = (Arc::<Mutex<String>>::default(), BufReader::new(child.stdout.take().unwrap()));
        let told = said.clone();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                told.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        Self { child, said, folder }
    }

    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn until(&self, text: &str) {
        assert!(wait_for(LONG, || self.said().contains(text)), "it never said `{text}`:\n{}", self.said());
    }

    /// The first word of what it said that starts so.
    pub fn word(&self, start: &str) -> String {
        self.said().split_whitespace().find(|word| word.starts_with(start)).unwrap_or_else(|| panic!("no {start} in\n{}", self.said())).to_owned()
    }

    /// Ctrl-C; on return it has ended, with its exit code.
    pub fn interrupt(&mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        self.end()
    }

    /// Waits for its end; its exit code.
    pub fn end(&mut self) -> Option<i32> {
        let mut status = None;
        let ended = wait_for(LONG, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "it does not end:\n{}", self.said());
        // What it said last may still be on its way.
        wait_for(LONG, || Arc::strong_count(&self.said) == 1);
        status.unwrap().code()
    }
}

/// A line as it reads whatever the ports, counts and commits are.
fn shape(line: &str) -> String {
    let mut out = String::new();
    for word in line.split_whitespace() {
        let bare: String = word.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let number = bare.chars().any(|c| c.is_ascii_digit()) && bare.chars().all(|c| c.is_ascii_hexdigit());
        out.push_str(if number { "#" } else { word });
        out.push(' ');
    }
    out
}

#[test]
fn the_demo_prints_what_the_readme_shows_and_leaves_nothing_behind() {
    let mut demo = Demo::start(&["--yes"]);
    assert_eq!(demo.end(), Some(0), "{}", demo.said());
    let said = demo.said();
    assert!(!said.contains('\u{1b}') && !said.contains("NOT TRUE"), "{said}");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let sample = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("README shows what the demo prints");
    let lines: Vec<String> = said.lines().map(shape).collect();
    let shown: Vec<&str> = sample.lines().filter(|line| !line.trim().is_empty() && line.trim() != "…").collect();
    assert!(shown.len() > 8, "{sample}");
    for line in shown {
        assert!(lines.contains(&shape(line)), "README shows `{line}`, and the demo says\n{said}");
    }
    assert!(said.lines().any(|line| line.starts_with("The client sent ") && line.ends_with(", 0 failed.")), "{said}");
    assert_eq!(std::fs::read_dir(demo.folder.path()).unwrap().count(), 0, "its folder is gone");
}
