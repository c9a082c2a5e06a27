//! A command that operators defined: its arguments are checked, its environment is its own, its end is its answer.

use super::{config::Command, excerpt::excerpt};
use crate::core::model::{CommandProbe, Saw};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command as Process,
};

/// What of its output is looked at.
const OUTPUT: u64 = 64 * 1024;
/// Characters of one argument.
const LONGEST: usize = 200;

/// The program and its arguments, or what is wrong with what a repository gave.
pub(super) fn argv(command: &Command, probe: &CommandProbe) -> Result<Vec<String>, (String, String)> {
    let name = &probe.name;
    if let Some(unknown) = probe.args.keys().find(|arg| !command.args.contains_key(&***arg)) {
        let known: Vec<&str> = command.args.keys().map(String::as_str).collect();
        let advice = if known.is_empty() { "remove it: the command takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
        return Err((format!("the command `{name}` has no argument `{unknown}`"), advice));
    }
    for (arg, allowed) in &command.args {
        let Some(value) = probe.args.get(arg.as_str()) else { return Err((format!("the command `{name}` needs `{arg}`"), "add it under `args:`".to_owned())) };
        let plain = !value.is_empty() && value.len() <= LONGEST && !value.starts_with('-') && !value.chars().any(|c| c.is_control());
        if !plain || !allowed.iter().any(|pattern| pattern.is_match(&**value)) {
            let may: Vec<&str> = allowed.iter().map(|pattern| pattern.glob().glob()).collect();
            return Err((format!("{} is no `{arg}` that the command `{name}` takes", excerpt(value.as_bytes())), format!("it takes {}", may.join(", "))));
        }
    }
    Ok(command.argv.iter().map(|part| filled(part, probe)).collect())
}

/// Puts arguments in place of `{name}`, once: what an argument holds is not looked at again.
fn filled(part: &str, probe: &CommandProbe) -> String {
    let mut out = String::new();
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}').and_then(|(name, tail)| Some((probe.args.get(name)?, tail))) {
            Some((value, tail)) => {
                out.push_str(value);
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

pub(super) async fn ask(command: &Command, probe: &CommandProbe) -> Saw {
    let argv = match argv(command, probe) {
        Ok(argv) => argv,
        Err((what, advice)) => return Saw::Nothing(format!("{what}; {advice}").into()),
    };
    let Some((program, args)) = argv.split_first() else { return Saw::Nothing("the command is empty".into()) };
    let mut process = Process::new(program);
    process.args(args).env_clear().envs(&command.env).current_dir(Path::new("/")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that what it started ends with it.
    process.process_group(0).kill_on_drop(true);
    let mut child = match process.spawn() {
        Ok(child) => child,
        Err(error) => return Saw::Nothing(format!("the command {} cannot be started: {error}", probe.name).into()),
    };
    let mut group = Group(child.id());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let whole = async { tokio::join!(head(out), head(err), child.wait()) };
    let ended = tokio::time::timeout(command.timeout, whole).await;
    let Ok((out, err, ended)) = ended else {
        return Saw::Nothing(format!("the command {} did not end within {}", probe.name, words(command.timeout)).into());
    };
    group.0 = None;
    let said = if out.is_empty() { last_line(&err) } else { last_line(&out) };
    let said = if said.is_empty() { String::new() } else { format!(": {}", excerpt(said)) };
    match ended {
        Ok(status) if status.success() => Saw::Good(format!("the command {} ended well{said}", probe.name).into()),
        Ok(status) => {
            let said = if err.is_empty() { said } else { format!(": {}", excerpt(last_line(&err))) };
            let how = status.code().map_or_else(|| "was killed".to_owned(), |code| format!("ended with {code}"));
            Saw::Bad(format!("the command {} {how}{said}", probe.name).into())
        }
        Err(error) => Saw::Nothing(format!("the command {} was lost: {error}", probe.name).into()),
    }
}

/// The processes of a command that has not ended; dropping it ends them all, also when nobody waits for the answer any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            // Gone already is as good.
            let _gone_already = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// The first of what is written; the rest is read and forgotten, so that nobody waits for room.
async fn head(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut read = Vec::new();
    if let Some(mut from) = from {
        // What cannot be read is not there.
        drop((&mut from).take(OUTPUT).read_to_end(&mut read).await);
        drop(tokio::io::copy(&mut from, &mut tokio::io::sink()).await);
    }
    read
}

fn last_line(output: &[u8]) -> &[u8] {
    output.trim_ascii().rsplit(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn words(span: Duration) -> crate::core::model::Span {
    crate::core::model::Span(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
