//! `trueup import`: files for what is already live, so that the first plan is empty.

use super::{Exit, args::runtime, load::load, term};
use crate::{
    app::{config::Server, safe::Cover, wiring},
    core::{
        model::{Desired, Kind as _, Place, Policy, Reading, ResourceId, SecretRef, Str, Unit, Value, Wanted},
        plan::Patterns,
    },
    formats::{
        Format as _, UnitFiles,
        keytree::{KeyTree, NAME, TO_FILL},
        trueup_yaml,
    },
    kinds::{config::KEYS, dns::DNS},
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

Then map the folder in trueup.yaml; `trueup plan` of it has nothing to write. Records that trueup never governs (SOA, DNSSEC) are left out, and so \
are sensitive ones, which are listed: what the server's grants, `policy.sensitive` of the trueup.yaml above --out, or --sensitive say is so.")]
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
    /// What else is sensitive, as `policy.sensitive` says it: a pattern over target/kind/name; may be given again.
    #[arg(long, value_name = "PATTERN")]
    sensitive: Vec<Str>,
    /// Write sensitive records too, as they are: whoever reads the repository then reads them.
    #[arg(long)]
    with_sensitive: bool,
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

Then map the folder in trueup.yaml as it prints; `trueup plan` of it has nothing to write. Keys that are no path of a file, or a key and a \
folder at once, are refused all together with what to do; nothing is written then. Sensitive values (the server's grants, `policy.sensitive` of \
the trueup.yaml above --out, or --sensitive say which) are never written: their files hold a reference to fill in, and are listed.")]
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
    /// What else is sensitive, as `policy.sensitive` says it: a pattern over target/kind/name; may be given again.
    #[arg(long, value_name = "PATTERN")]
    sensitive: Vec<Str>,
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
    let server = load(&args.config)?;
    let cover = cover(&server, &args.out, &args.sensitive)?;
    let mut desired = live(&server, &args.target, &unit, "", None)?;
    let hidden: Vec<ResourceId> = match args.with_sensitive {
        true => Vec::new(),
        false => desired.resources.keys().filter(|id| cover.hides(id, &DNS)).cloned().collect(),
    };
    desired.resources.retain(|id, _| !hidden.contains(id));
    let files = format.write(&unit, &desired, &UnitFiles::new()).map_err(|faults| {
        term::refuse(&faults);
        anyhow::anyhow!("{} cannot be written as {}", unit, args.format)
    })?;
    write(&args.out, &files, args.force)?;
    for path in files.keys() {
        println!("{}: {} RRsets of {unit}", args.out.join(&**path).display(), desired.resources.len());
    }
    if !hidden.is_empty() {
        eprintln!("\nSensitive, and not written into a file, which git would keep. Nobody governs them until a file asks for them; --with-sensitive writes them as they are:");
        hidden.iter().for_each(|id| eprintln!("  {}", DNS.title(id)));
    }
    Ok(Exit::Ok)
}

fn keys(args: &ConfigArgs) -> anyhow::Result<Exit> {
    let format = KeyTree { prefix: args.prefix.as_str().into(), ..KeyTree::default() };
    let unit = Unit::new("keys");
    let server = load(&args.config)?;
    let cover = cover(&server, &args.out, &args.sensitive)?;
    let mut desired = live(&server, &args.target, &unit, &args.prefix, Some(KEYS.name()))?;
    let named = |key: &str, pattern: &String| pattern.strip_suffix('*').map_or(key == pattern, |start| key.starts_with(start));
    desired.resources.retain(|id, _| !args.except.iter().any(|pattern| named(&id.name, pattern)));
    anyhow::ensure!(!desired.resources.is_empty(), "no key of {} starts with `{}`; nothing was written", args.target, args.prefix);
    let mut open = Vec::new();
    for (id, wanted) in desired.resources.iter_mut().filter(|(id, _)| cover.hides(id, &KEYS)) {
        wanted.value = Value::Secret(SecretRef { uri: TO_FILL.into(), version: None });
        open.push(id.clone());
    }
    let files = format.write(&unit, &desired, &UnitFiles::new()).map_err(|faults| {
        term::refuse(&faults);
        anyhow::anyhow!("{} of {} keys cannot be written as files; leave them out with --except, and nothing was written", faults.len(), desired.resources.len())
    })?;
    write(&args.out, &files, args.force)?;
    println!("{}: {} keys of {}. Map the folder in trueup.yaml:\n", args.out.display(), files.len(), args.target);
    let prefix = if args.prefix.is_empty() { String::new() } else { format!("    prefix: {}\n", serde_json::Value::from(args.prefix.as_str())) };
    print!("sources:\n  - path: {}\n    format: {NAME}\n    targets: [{}]\n{prefix}", args.out.display(), args.target);
    if !open.is_empty() {
        eprintln!(
            "\n{} sensitive and not written. Put each into a provider of secrets, and in its file write the reference to it (`secret://PROVIDER/PATH#FIELD@VERSION`) for `{TO_FILL}`,\nwhich every plan refuses. A reference that leads to what is live is planned as nothing to do:",
            if open.len() == 1 { "1 value is".to_owned() } else { format!("{} values are", open.len()) }
        );
        open.iter().for_each(|id| eprintln!("  {}: the value of `{}`", args.out.join(id.name.strip_prefix(&*args.prefix).unwrap_or(&id.name)).display(), id.name));
    }
    Ok(Exit::Ok)
}

/// What is live on a target, as desired state; `kind`: what the target must be.
fn live(server: &Server, target: &str, unit: &Unit, prefix: &str, kind: Option<&str>) -> anyhow::Result<Desired> {
    let seen = runtime()?.block_on(async {
        let secrets = wiring::secrets(server).await?;
        let targets = wiring::targets(server, &*secrets).await?;
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

/// What is sensitive: by any repository's grants, by the policy of the repository that is written into, and by what was asked for.
fn cover(server: &Server, out: &Path, more: &[Str]) -> anyhow::Result<Cover> {
    let out = std::path::absolute(out).with_context(|| format!("{} is no path", out.display()))?;
    let root = out.ancestors().map(|folder| folder.join(trueup_yaml::FILE)).find(|file| file.exists());
    let mut policy = Policy::default();
    if let Some(file) = root {
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let root = trueup_yaml::read(&bytes, &wiring::FORMATS).map_err(|faults| {
            term::refuse(&faults);
            anyhow::anyhow!("{} cannot be read, so what is sensitive cannot be told; nothing was written", file.display())
        })?;
        policy = root.policy;
    }
    policy.sensitive.extend(more.iter().cloned());
    Patterns::new("--sensitive", &policy.sensitive).map_err(|fault| anyhow::anyhow!("{fault}"))?;
    Ok(Cover::new(&policy, &server.sensitive()))
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
