//! `trueup store migrate`: everything from one store to another.

use super::{Exit, args::runtime, load::load};
use crate::app::wiring;
use std::path::PathBuf;

/// Look after the store of a server that is stopped.
#[derive(clap::Subcommand)]
pub enum StoreCommand {
    /// Move everything from one store to another: redb, sled, etcd.
    Migrate(MigrateArgs),
}

/// Moves everything that the server of one configuration keeps to the store of another. No server may use either.
#[derive(clap::Args)]
#[command(after_help = "Example:
  trueup store migrate --from server.yaml --to server-etcd.yaml

Stop every server first: a store in use is refused, and a server that starts meanwhile is. The old store stays as it is.
Interrupted, it goes on where it was when it is started again; until it ended well no server takes the new store. A new
store that holds anything else is refused. At the end every journal is read in both, its chain verified, and counted.

The local forge's repositories are folders beside the store and stay where they are: both configurations name the same.

JSON: from and to, each with rows, blobs, streams, records; written (rows that this run wrote).

Exit codes: 0 moved and verified, 1 an error.")]
pub struct MigrateArgs {
    /// The configuration whose store is moved.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The configuration whose store is filled.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn run(command: &StoreCommand) -> anyhow::Result<Exit> {
    let StoreCommand::Migrate(args) = command;
    let (from, to) = (load(&args.from)?, load(&args.to)?);
    let migrated = runtime()?.block_on(wiring::store::migrate(&from, &to))?;
    if args.json {
        println!("{:#}", serde_json::to_value(migrated)?);
        return Ok(Exit::Ok);
    }
    for (which, counted) in [("old", migrated.from), ("new", migrated.to)] {
        println!("{which}: {} rows, {} blobs, {} journals with {} records; every chain holds", counted.rows, counted.blobs, counted.streams, counted.records);
    }
    println!("moved: {} rows were written; start the server with {}", migrated.written, args.to.display());
    Ok(Exit::Ok)
}
