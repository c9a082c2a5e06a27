//! `trueup import dns`: files for a zone that is already live, so that the first plan is empty.

use super::{Exit, args::runtime, load::load, term};
use crate::{
    app::wiring,
    core::model::{Desired, Place, Reading, Unit, Wanted},
    formats::UnitFiles,
};
use anyhow::Context as _;
use std::path::PathBuf;

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

pub fn run(args: &ImportArgs) -> anyhow::Result<Exit> {
    let What::Dns(args) = &args.what;
    let zone = if args.zone.ends_with('.') { args.zone.to_ascii_lowercase() } else { format!("{}.", args.zone.to_ascii_lowercase()) };
    let format = wiring::zone_format(&args.format).with_context(|| format!("no format `{}`; octodns and zonefile are there", args.format))?;
    let server = load(&args.config)?;
    let unit = Unit::new(zone);
    let seen = runtime()?.block_on(async {
        let secrets = wiring::secrets(&server).await?;
        let targets = wiring::targets(&server, &*secrets).await?;
        let target = targets.get(&*args.target).with_context(|| format!("the server configuration names no target `{}`", args.target))?;
        Ok::<_, anyhow::Error>(target.list(&*secrets, &unit).await?)
    })?;
    let mut desired = Desired::default();
    for one in seen {
        if let Reading::Seen { live: Some(value), .. } = one.reading {
            desired.resources.insert(one.id, Wanted { value, place: Place::default(), after: Vec::new() });
        }
    }
    let files = format.write(&unit, &desired, &UnitFiles::new()).map_err(|faults| {
        term::refuse(&faults);
        anyhow::anyhow!("{} cannot be written as {}", unit, args.format)
    })?;
    for path in files.keys().map(|path| args.out.join(&**path)) {
        anyhow::ensure!(args.force || !path.exists(), "{} is there already; nothing was written (--force writes over it)", path.display());
    }
    for (path, bytes) in &files {
        let path = args.out.join(&**path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}: {} RRsets of {unit}", path.display(), desired.resources.len());
    }
    Ok(Exit::Ok)
}
