//! `trueup completions`: what a shell needs to complete our commands.

use super::Exit;
use clap_complete::Shell;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup completions bash > /etc/bash_completion.d/trueup
  trueup completions zsh > ~/.zfunc/_trueup
  trueup completions fish > ~/.config/fish/completions/trueup.fish")]
pub struct CompletionsArgs {
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<Exit> {
    clap_complete::generate(args.shell, &mut command, "trueup", &mut std::io::stdout());
    Ok(Exit::Ok)
}
