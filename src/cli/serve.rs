//! `trueup serve`: the server.

use super::{Exit, args::runtime, load::load};
use crate::{app::wiring, web::serve};
use std::{io::Write as _, path::PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// Serves the configured repositories until stopped. Prints `{"listening":"HOST:PORT"}` on standard output when ready; logs go to standard error.
#[derive(clap::Args)]
#[command(after_help = "Example:
  trueup serve --config server.yaml

server.yaml names people, repositories and live systems; docs/configuration.md explains every key, and the smallest one is in \
README.md. Pages, API and git are all at the address that is printed.

A store that `trueup store migrate` has moved is refused, so that nothing goes on from what is of the past by now. --reopen takes that back, for good:
say it once, by hand, and not in a unit file.

Stops cleanly on Ctrl-C or SIGTERM: every change finishes its turn, the rest is in its journal and goes on at the next start.

The log's level comes from TRUEUP_LOG (`info`, `trueup=debug`); TRUEUP_LOG_FORMAT=json writes one JSON object a line.

Exit codes: 0 stopped, 1 an error: the configuration, the address, or a second server on the same data folder.")]
pub struct ServeArgs {
    /// The server's configuration; `trueup schema server` describes it.
    #[arg(long, env = "TRUEUP_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Serve from a store that was moved elsewhere, once and from now on; what happened there since then is not in it.
    #[arg(long)]
    pub reopen: bool,
    /// Stop when standard input ends, too: for a program that runs a server of its own and may be killed.
    #[arg(long, hide = true)]
    pub until_eof: bool,
}

pub fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    log();
    let server = load(&args.config)?;
    let (until_eof, reopen) = (args.until_eof, args.reopen);
    runtime()?.block_on(async {
        if reopen && let Some(to) = wiring::store::reopen(&server).await? {
            tracing::warn!("this store was moved to {to}, and is served from again: what happened there since is not in it");
        }
        let running = serve::start(server).await?;
        println!("{}", serde_json::json!({ "listening": running.addr.to_string() }));
        std::io::stdout().flush()?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
            () = eof(), if until_eof => {}
            () = running.renewed() => {
                tracing::info!("starting anew, to serve what was found");
                running.stop().await;
                // The same process, so that whoever keeps it running sees one server; what it did goes on as after any restart.
                let error = std::os::unix::process::CommandExt::exec(std::process::Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)));
                return Err(anyhow::Error::new(error).context("cannot start anew"));
            }
        }
        tracing::info!("stopping");
        running.stop().await;
        Ok(Exit::Ok)
    })
}

/// Waits until whoever holds the other end of standard input is gone.
async fn eof() {
    let (gone, until) = tokio::sync::oneshot::channel();
    // A thread of its own: the runtime would wait for one of its own to end, and a read has no end.
    std::thread::spawn(move || {
        // Whatever is read is nothing to us; an input that cannot be read has ended.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = gone.send(());
    });
    let _ = until.await;
}

/// Logs to standard error.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TRUEUP_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber cannot be set; the demo and tests may have one.
    let _ = match std::env::var("TRUEUP_LOG_FORMAT").as_deref() {
        Ok("json") => log.json().try_init(),
        _ => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
    };
}
