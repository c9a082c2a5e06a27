//! `trueup store`: everything from one store to another, and what journals keep plain.

use super::{Exit, args::runtime, load::load};
use crate::app::wiring;
use std::path::PathBuf;

/// Look after the store of a server that is stopped.
#[derive(clap::Subcommand)]
pub enum StoreCommand {
    /// Move everything from one store to another: redb, sled, etcd.
    Migrate(MigrateArgs),
    /// Name the changes whose journals keep plain what is sensitive by now.
    Examine(ExamineArgs),
}

/// Names the changes whose journals keep plain what is sensitive by now, and the resources; values are not told. No server may use the store.
#[derive(clap::Args)]
#[command(after_help = "Example:
  trueup store examine --config server.yaml

What grants or the branch's `policy.sensitive` call sensitive is recorded as a keyed hash, and sealed for the way back. What was planned before it was \
called so, or by a version that hid nothing, stands in the journals as it was. A journal is a chain that proves what was done, so it \
is not rewritten: readers are shown none of these values, and whoever can read the store's files or its backups could. \
Rotate what is named here, and keep both from others as you keep the systems themselves.

Plans are examined. A sentence that quoted a value before it was called sensitive (a refusal for drift, a comment) is not found: where a value was changed by hand, rotate it.

JSON: plain: a list of change and resources; unknown: changes of repositories that the configuration does not name and no forge lists.

Exit codes: 0 none is kept plain, 2 some are, 1 an error, or changes that could not be examined.")]
pub struct ExamineArgs {
    /// The server's configuration.
    #[arg(long, env = "TRUEUP_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Moves everything that the server of one configuration keeps to the store of another. No server may use either.
#[derive(clap::Args)]
#[command(after_help = "Example:
  trueup store migrate --from server.yaml --to server-etcd.yaml

Stop every server first: a store in use is refused, and a server that starts meanwhile is. The old store keeps what it \
holds and is refused to servers from then on (`trueup serve --reopen` takes that back). Interrupted, it goes on where it was when it is started again; until it ended well no server takes the new store. A new \
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
    match command {
        StoreCommand::Migrate(args) => migrate(args),
        StoreCommand::Examine(args) => examine(args),
    }
}

fn examine(args: &ExamineArgs) -> anyhow::Result<Exit> {
    let server = load(&args.config)?;
    let wiring::store::Examined { plain: found, unknown } = runtime()?.block_on(wiring::store::audit(server))?;
    for change in &unknown {
        eprintln!("{change} was not examined: the configuration has no repository {}, so what is sensitive of it is not known", change.repo);
    }
    if args.json {
        let rows: Vec<serde_json::Value> = found.iter().map(|(change, resources)| serde_json::json!({ "change": change.to_string(), "resources": resources })).collect();
        println!("{:#}", serde_json::json!({ "plain": rows, "unknown": unknown }));
    } else if found.is_empty() {
        println!("no plan in a journal keeps plain what is sensitive");
    } else {
        for (change, resources) in &found {
            resources.iter().for_each(|id| println!("{change}: {id}"));
        }
        println!("\nthe journals of {} changes keep these values as they were; rotate them, and keep the store and its backups from others", found.len());
    }
    Ok(match (unknown.is_empty(), found.is_empty()) {
        (false, _) => Exit::Error,
        (true, true) => Exit::Ok,
        (true, false) => Exit::Changes,
    })
}

fn migrate(args: &MigrateArgs) -> anyhow::Result<Exit> {
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
