//! `trueup completions`: what a shell needs to complete our commands.

use super::Exit;
use clap_complete::Shell;
use std::io::{ErrorKind, Write};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup completions bash > /etc/bash_completion.d/trueup
  trueup completions zsh > ~/.zfunc/_trueup
  trueup completions fish > ~/.config/fish/completions/trueup.fish")]
pub struct CompletionsArgs {
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "trueup", &mut script);
    match std::io::stdout().write_all(&script) {
        // Whoever reads may have seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(Exit::Ok),
    }
}
