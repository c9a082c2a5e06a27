//! `trueup import`: files for what is already live, so that the first plan is empty.

use super::{Exit, args::runtime, load::load, term};
use crate::{
    app::wiring,
    core::model::{Desired, Kind as _, Place, Reading, Unit, Wanted},
    formats::{
        Format as _, UnitFiles,
        keytree::{KeyTree, NAME},
    },
    kinds::config::KEYS,
};
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Writes desired state from what is live.
#[derive(clap::Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Read a zone from its name server and write it as octoDNS YAML or a zone file.
    Dns(DnsArgs),
    /// Read keys from a config center and write each as a file.
    Config(ConfigArgs),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup import dns --config server.yaml --target inside --zone example.com. --out zones
  trueup import dns --config server.yaml --target inside --zone example.com. --format zonefile --out zones

Then map the folder in trueup.yaml; `trueup plan` of it has nothing to write. Records that trueup never governs (SOA, DNSSEC) are left out.")]
struct DnsArgs {
    /// The server configuration that names the target.
    #[arg(long, env = "TRUEUP_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// The target to read from.
    #[arg(long)]
    target: String,
    /// The zone, with its trailing dot.
    #[arg(long)]
    zone: String,
    /// The format to write.
    #[arg(long, default_value = "octodns")]
    format: String,
    /// The source's folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write over files that are there.
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup import config --config server.yaml --target app-etcd --prefix /app/ --out config
  trueup import config --config server.yaml --target app-consul --prefix app/ --except 'app/locks/*' --out config

Then map the folder in trueup.yaml as it prints; `trueup plan` of it has nothing to write. Keys that are no path of a file, or a key and a
folder at once, are refused all together with what to do; nothing is written then.")]
struct ConfigArgs {
    /// The server configuration that names the target.
    #[arg(long, env = "TRUEUP_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// The target to read from.
    #[arg(long)]
    target: String,
    /// What the keys start with; the rest of a key is its file's path. Without it: every key of the target.
    #[arg(long, default_value = "")]
    prefix: String,
    /// A key to leave out, or with a `*` at its end all that start so; may be given again.
    #[arg(long, value_name = "KEY")]
    except: Vec<String>,
    /// The source's folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write over files that are there.
    #[arg(long)]
    force: bool,
}

pub fn run(args: &ImportArgs) -> anyhow::Result<Exit> {
    match &args.what {
        What::Dns(args) => dns(args),
        What::Config(args) => keys(args),
    }
}

fn dns(args: &DnsArgs) -> anyhow::Result<Exit> {
    let zone = if args.zone.ends_with('.') { args.zone.to_ascii_lowercase() } else { format!("{}.", args.zone.to_ascii_lowercase()) };
    let format = wiring::zone_format(&args.format).with_context(|| format!("no format `{}`; octodns and zonefile are there", args.format))?;
    let unit = Unit::new(zone);
    let desired = live(&args.config, &args.target, &unit, "", None)?;
    let files = format.write(&unit, &desired, &UnitFiles::new()).map_err(|faults| {
        term::refuse(&faults);
        anyhow::anyhow!("{} cannot be written as {}", unit, args.format)
    })?;
    write(&args.out, &files, args.force)?;
    for path in files.keys() {
        println!("{}: {} RRsets of {unit}", args.out.join(&**path).display(), desired.resources.len());
    }
    Ok(Exit::Ok)
}

fn keys(args: &ConfigArgs) -> anyhow::Result<Exit> {
    let format = KeyTree { prefix: args.prefix.as_str().into(), ..KeyTree::default() };
    let unit = Unit::new("keys");
    let mut desired = live(&args.config, &args.target, &unit, &args.prefix, Some(KEYS.name()))?;
    let named = |key: &str, pattern: &String| pattern.strip_suffix('*').map_or(key == pattern, |start| key.starts_with(start));
    desired.resources.retain(|id, _| !args.except.iter().any(|pattern| named(&id.name, pattern)));
    anyhow::ensure!(!desired.resources.is_empty(), "no key of {} starts with `{}`; nothing was written", args.target, args.prefix);
    let files = format.write(&unit, &desired, &UnitFiles::new()).map_err(|faults| {
        term::refuse(&faults);
        anyhow::anyhow!("{} of {} keys cannot be written as files; leave them out with --except, and nothing was written", faults.len(), desired.resources.len())
    })?;
    write(&args.out, &files, args.force)?;
    println!("{}: {} keys of {}. Map the folder in trueup.yaml:\n", args.out.display(), files.len(), args.target);
    let prefix = if args.prefix.is_empty() { String::new() } else { format!("    prefix: {}\n", serde_json::Value::from(args.prefix.as_str())) };
    print!("sources:\n  - path: {}\n    format: {NAME}\n    targets: [{}]\n{prefix}", args.out.display(), args.target);
    Ok(Exit::Ok)
}

/// What is live on a target, as desired state; `kind`: what the target must be.
fn live(config: &Path, target: &str, unit: &Unit, prefix: &str, kind: Option<&str>) -> anyhow::Result<Desired> {
    let server = load(config)?;
    let seen = runtime()?.block_on(async {
        let secrets = wiring::secrets(&server).await?;
        let targets = wiring::targets(&server, &*secrets).await?;
        let found = targets.get(target).with_context(|| format!("the server configuration names no target `{target}`"))?;
        let is = found.kind().name();
        anyhow::ensure!(kind.is_none_or(|kind| kind == is), "the target `{target}` is {is}; import it with `trueup import {is}`");
        Ok(found.list(&*secrets, unit, prefix).await?)
    })?;
    let mut desired = Desired::default();
    for one in seen {
        if let Reading::Seen { live: Some(value), .. } = one.reading {
            desired.resources.insert(one.id, Wanted { value, place: Place::default(), after: Vec::new() });
        }
    }
    Ok(desired)
}

/// Writes all files, or none where one is there already.
fn write(out: &Path, files: &UnitFiles, force: bool) -> anyhow::Result<()> {
    for path in files.keys().map(|path| out.join(&**path)) {
        anyhow::ensure!(force || !path.exists(), "{} is there already; nothing was written (--force writes over it)", path.display());
    }
    for (path, bytes) in files {
        let path = out.join(&**path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
