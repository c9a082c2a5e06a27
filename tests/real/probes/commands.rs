//! Command probes: defined by operators, named by repositories.

use super::ask::{ask, bad, good, nothing, probe, reaching};
use crate::harness::wait_for;
use serde_json::json;
use std::time::Duration;
use trueup::{
    drivers::probes::{Asker, Command, Config},
    ports::Probes,
};

/// A configuration with one command, `smoke`, that takes `env`.
fn with(script: &str, timeout: Duration) -> Config {
    let argv = ["/bin/sh", "-c", script, "smoke", "--env={env}"].map(str::to_owned).to_vec();
    let pattern = |text: &str| globset::Glob::new(text).expect("a pattern").compile_matcher();
    let args = [("env".to_owned(), vec![pattern("staging"), pattern("prod-*")])].into();
    let env = [("GREETING".to_owned(), "hello".to_owned())].into();
    Config { commands: [("smoke".to_owned(), Command { argv, args, env, timeout })].into(), ..reaching(&[]) }
}

fn smoke(env: &str) -> serde_json::Value {
    json!({ "command": { "name": "smoke", "args": { "env": env } } })
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn its_end_is_its_answer_and_its_last_line_is_told() {
    let said = good(ask(with(r#"echo first; echo "$1 $GREETING ${HOME-none} $(pwd)""#, LONG), smoke("prod-eu")).await);
    assert_eq!(said, "the command smoke ended well: \"--env=prod-eu hello none /\"");
    let said = bad(ask(with("echo out; echo broken >&2; exit 3", LONG), smoke("staging")).await);
    assert_eq!(said, "the command smoke ended with 3: \"broken\"");
    assert!(bad(ask(with("kill -9 $$", LONG), smoke("staging")).await).contains("was killed"));
}

#[tokio::test]
async fn arguments_are_what_the_definition_lets_through() {
    let asker = Asker::new(with("exit 0", LONG)).expect("sound");
    for env in ["production", "", "staging; rm -rf /", "-x", "--env", "prod-\n", "prod-\u{7}"] {
        let (what, _) = asker.fault(&probe(smoke(env))).unwrap_or_else(|| panic!("{env:?} is let through"));
        assert!(!what.contains('\n'), "{what}");
        nothing(asker.ask(&probe(smoke(env))).await);
    }
    assert!(asker.fault(&probe(smoke("prod-$(id)"))).is_none(), "no shell reads it, so a pattern alone decides");
    let (what, advice) = asker.fault(&probe(json!({ "command": { "name": "smok" } }))).expect("it is missing");
    assert_eq!((&*what, &*advice), ("the server has no command `smok`", "did you mean `smoke`?"));
    assert!(asker.fault(&probe(json!({ "command": { "name": "smoke" } }))).is_some_and(|(what, _)| what.contains("needs `env`")));
    assert!(asker.fault(&probe(json!({ "command": { "name": "smoke", "args": { "env": "staging", "x": "1" } } }))).is_some_and(|(what, _)| what.contains("no argument `x`")));
}

#[tokio::test]
async fn an_argument_is_put_in_once_and_never_read_by_a_shell() {
    let mut config = with(r#"printf %s "$1""#, LONG);
    let command = config.commands.get_mut("smoke").expect("it is there");
    command.args.insert("env".to_owned(), vec![globset::Glob::new("*").expect("a pattern").compile_matcher()]);
    let said = good(ask(config, smoke("$(id);{env}`id`")).await);
    assert_eq!(said, "the command smoke ended well: \"--env=$(id);{env}`id`\"");
}

#[tokio::test]
async fn one_that_does_not_end_is_killed_with_all_it_started() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let pids = dir.path().join("pids");
    let script = format!("tail -f /dev/null & echo $! $$ > {}; wait", pids.display());
    let said = nothing(ask(with(&script, Duration::from_secs(2)), smoke("staging")).await);
    assert_eq!(said, "the command smoke did not end within 2s");
    let pids = std::fs::read_to_string(pids).expect("it had begun");
    let alive = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    };
    assert!(wait_for(Duration::from_secs(30), || !pids.split_whitespace().any(alive)), "{pids}");
}

#[tokio::test]
async fn one_that_is_not_there_or_shouts_tells_so() {
    let mut config = with("", LONG);
    config.commands.get_mut("smoke").expect("it is there").argv = vec!["/nowhere/smoke".to_owned()];
    assert!(nothing(ask(config, smoke("staging")).await).contains("cannot be started"));
    good(ask(with("head -c 10000000 /dev/zero", LONG), smoke("staging")).await);
}
