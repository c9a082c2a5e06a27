//! A job of CI: the program with the variables of a runner and none of this machine's.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What a job runs in.
pub struct Job {
    pub dir: tempfile::TempDir,
    vars: BTreeMap<String, String>,
}

/// What a command of it printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Job {
    pub fn new() -> Self {
        let vars = [("PATH".to_owned(), std::env::var("PATH").expect("programs are somewhere"))].into();
        Self { dir: tempfile::tempdir().expect("a temporary folder"), vars }
    }

    /// A job of Actions about a pull request.
    pub fn of_actions(number: u64, head: &str, base: &str) -> Self {
        let job = Self::new();
        let event = format!(r#"{{"number": {number}, "pull_request": {{"number": {number}, "head": {{"sha": "{head}"}}, "base": {{"ref": "{base}"}}}}}}"#);
        std::fs::write(job.path("event.json"), event).expect("the folder is writable");
        let (event, summary) = (job.path("event.json"), job.path("summary.md"));
        job.with("GITHUB_ACTIONS", "true").with("GITHUB_EVENT_PATH", &event.display().to_string()).with("GITHUB_STEP_SUMMARY", &summary.display().to_string())
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Runs the program in the job's folder.
    pub fn trueup(&self, args: &[&str]) -> Ran {
        self.run_in("", Path::new(env!("CARGO_BIN_EXE_trueup")), args)
    }

    /// With the folders that a runner has: a workspace and one for temporary files.
    pub fn in_runner(self) -> Self {
        for folder in ["work", "temporary"] {
            std::fs::create_dir_all(self.path(folder)).expect("the folder is writable");
        }
        let (work, temporary) = (self.path("work").display().to_string(), self.path("temporary").display().to_string());
        self.with("GITHUB_WORKSPACE", &work).with("RUNNER_TEMP", &temporary).with("HOME", &temporary)
    }

    /// Runs any program in a folder of the job.
    pub fn run_in(&self, folder: &str, program: &Path, args: &[&str]) -> Ran {
        let ran = Command::new(program).args(args).current_dir(self.path(folder)).env_clear().envs(&self.vars).output().expect("the program runs");
        let Output { status, stdout, stderr } = ran;
        let text = |bytes| String::from_utf8(bytes).expect("it prints text");
        Ran { code: status.code().expect("it ends by itself"), out: text(stdout), err: text(stderr) }
    }
}
