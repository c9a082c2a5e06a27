//! The one place that names concrete adapters: configuration in, a world out.

pub mod ci;
pub mod forges;
mod hooks;
pub mod store;

use super::{
    board::BoardRoom,
    ci::SignIns,
    code_owners::OwningTeams,
    config,
    desk::Desk,
    discover,
    drift::SweepBook,
    forges::Forges,
    hooks::Reception,
    news::News,
    overrides::OverrideBook,
    owners::Owners,
    people::Directory,
    reign::Reigns,
    replan::Slots,
    rounds::Rounds,
    safe::Safe,
    service::Service,
    targets::{Target, Targets},
    turns::Turns,
    world::{Known, Repository, Trouble, World},
};
use crate::{
    core::{
        model::{CommitId, RepoId, SecretRef, Str, User},
        render::Kinds,
        review::{Right, team_of},
    },
    drivers::{
        config::{consul, directory, etcd},
        dns::rfc2136,
        probes,
    },
    forges::local::{LocalForge, LocalRepository, guarded},
    formats::{Format, codeowners::Dialect, keytree, octodns::OctoDns, trueup_yaml::Source, zonefile::ZoneFile},
    git::{GitRepo, Pointers, UnitCache},
    ports::{Clock, Driver, Exam, Governed, Probes, RepoError, SecretText, Secrets, StateRepo, SystemClock},
    secrets::{LocalSecrets, Login, Providers, Seal, Sops, SopsConfig, Vault, VaultConfig},
};
use anyhow::Context as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicBool},
};

/// The names of the formats there are, as `trueup.yaml` says them.
pub static FORMATS: [&str; 3] = ["octodns", "zonefile", keytree::NAME];

/// The format of a source, with its settings.
pub fn format(source: &Source) -> Option<Arc<dyn Format>> {
    match &*source.format {
        keytree::NAME => Some(Arc::new(source.key_tree())),
        OctoDns::NAME => Some(Arc::new(OctoDns { references: source.references, healthchecks: source.healthchecks })),
        name => zone_format(name),
    }
}

/// A format of zones by its name.
pub fn zone_format(name: &str) -> Option<Arc<dyn Format>> {
    match name {
        OctoDns::NAME => Some(Arc::new(OctoDns::PLAIN)),
        "zonefile" => Some(Arc::new(ZoneFile)),
        _ => None,
    }
}

/// What the targets mean, for people who read about their resources.
pub fn kinds(targets: &Targets) -> Kinds {
    Kinds::new(targets.iter().map(|(name, target)| (name.clone(), target.kind())))
}

/// What the server's own secrets are read with.
pub fn own_secrets(server: &config::Server) -> Arc<dyn Secrets> {
    Arc::new(LocalSecrets::new(server.secrets.clone()))
}

/// The secret providers of a configuration. What they sign in with comes from the environment and from files.
pub async fn secrets(server: &config::Server) -> anyhow::Result<Arc<dyn Secrets>> {
    let local = LocalSecrets::new(server.secrets.clone());
    let vault = match &server.vault {
        None => None,
        Some(vault) => Some(self::vault(vault, &local).await?),
    };
    let sops = match &server.sops {
        None => None,
        Some(sops) => {
            let age_key = resolve(&local, &sops.age_key.reference()).await.context("the age key of SOPS")?;
            Some(Sops::new(SopsConfig { folder: sops.folder.clone(), program: sops.program.clone(), age_key }))
        }
    };
    Ok(Arc::new(Providers { local, vault, sops }))
}

async fn vault(vault: &config::Vault, local: &LocalSecrets) -> anyhow::Result<Vault> {
    let login = match (&vault.token, &vault.approle) {
        (Some(token), _) => Login::Token(resolve(local, &token.reference()).await.context("the token of Vault")?),
        (None, Some(role)) => Login::AppRole {
            mount: role.mount.to_string(),
            role_id: resolve(local, &role.role_id.reference()).await.context("the id of the role in Vault")?,
            secret_id: resolve(local, &role.secret_id.reference()).await.context("the secret id of the role in Vault")?,
        },
        (None, None) => anyhow::bail!("vault has neither `token` nor `approle`"),
    };
    let ca = match &vault.ca {
        None => None,
        Some(path) => Some(std::fs::read(path).with_context(|| format!("cannot read {}, the authority of Vault", path.display()))?),
    };
    let namespace = vault.namespace.as_ref().map(ToString::to_string);
    Ok(Vault::new(VaultConfig { address: vault.address.to_string(), namespace, login, ca, answer: vault.answer_timeout.std() })?)
}

/// Every configured target behind its driver. Nothing is contacted yet.
pub async fn targets(server: &config::Server, secrets: &dyn Secrets) -> anyhow::Result<Targets> {
    let mut targets = Targets::new();
    for (name, target) in &server.targets {
        let driver: Arc<dyn Driver> = match target.kind {
            config::TargetKind::DnsRfc2136 => Arc::new(rfc2136(name, target, secrets).await?),
            config::TargetKind::ConfigEtcd => Arc::new(etcd(name, target, secrets).await?),
            config::TargetKind::ConfigConsul => Arc::new(consul(name, target, secrets).await?),
            config::TargetKind::ConfigDirectory => {
                let path = target.path.clone().with_context(|| format!("target {name} has no `path`"))?;
                let mode = target.mode.unwrap_or_default().bits();
                Arc::new(directory::Directory::new(directory::Config { target: name.to_string(), path, mode }))
            }
        };
        targets.insert(name.clone(), Arc::new(Target::new(name.clone(), driver, target.in_flight as usize)));
    }
    Ok(targets)
}

async fn rfc2136(name: &Str, target: &config::Target, secrets: &dyn Secrets) -> anyhow::Result<rfc2136::Rfc2136> {
    let tsig = match &target.tsig {
        None => None,
        Some(tsig) => {
            let secret = resolve(secrets, &tsig.secret.reference()).await.with_context(|| format!("the TSIG key of target {name}"))?;
            Some(rfc2136::Tsig { name: tsig.name.to_string(), algorithm: tsig.algorithm.as_str().to_owned(), secret })
        }
    };
    let config = rfc2136::Config {
        target: name.to_string(),
        address: target.address.as_ref().with_context(|| format!("target {name} has no `address`"))?.to_string(),
        nameservers: target.nameservers.iter().map(ToString::to_string).collect(),
        tsig,
        timeouts: rfc2136::Timeouts { connect: target.connect_timeout.std(), answer: target.answer_timeout.std() },
    };
    Ok(rfc2136::Rfc2136::new(config)?)
}

async fn etcd(name: &Str, target: &config::Target, secrets: &dyn Secrets) -> anyhow::Result<etcd::Etcd> {
    let about = format!("target {name}");
    let members = store::Members { about: &about, endpoints: &target.endpoints, user: &target.user, password: &target.password, tls: &target.tls, answer: target.answer_timeout };
    let cluster = store::cluster(members, (target.max_txn_ops, target.max_request_bytes), secrets).await?;
    Ok(etcd::Etcd::new(etcd::Config { target: name.to_string(), ..cluster })?)
}

async fn consul(name: &Str, target: &config::Target, secrets: &dyn Secrets) -> anyhow::Result<consul::Consul> {
    let token = match &target.token {
        None => None,
        Some(token) => Some(resolve(secrets, &token.reference()).await.with_context(|| format!("the token of target {name}"))?),
    };
    let usual = consul::Limits::default();
    Ok(consul::Consul::new(consul::Config {
        target: name.to_string(),
        endpoints: target.endpoints.iter().map(ToString::to_string).collect(),
        token,
        datacenter: target.datacenter.as_ref().map(ToString::to_string),
        tls: store::tls(&format!("target {name}"), target.tls.as_ref(), secrets).await?,
        limits: consul::Limits {
            txn_ops: target.max_txn_ops.map_or(usual.txn_ops, |most| most as usize),
            value_bytes: target.max_request_bytes.map_or(usual.value_bytes, |most| most as usize),
        },
        answer: target.answer_timeout.std(),
    })?)
}

/// The keys of `seal_key`; without any, one of this process alone.
pub(super) async fn seal(server: &config::Server, secrets: &dyn Secrets) -> anyhow::Result<Seal> {
    let mut keys = Vec::new();
    for key in &server.seal_key.0 {
        keys.push(resolve(secrets, &key.reference()).await.context("the seal key")?);
    }
    if keys.is_empty() { Ok(Seal::for_now()?) } else { Seal::new(&keys).context("`seal_key`") }
}

/// What hides and opens sensitive values, with the keys of the configuration.
pub async fn safe(server: &config::Server, secrets: Arc<dyn Secrets>) -> anyhow::Result<Safe> {
    let seal = seal(server, &*secrets).await?;
    let own = server.own_secrets().into_iter().map(|(_, reference)| reference.name().into()).collect();
    Ok(Safe::new(secrets, seal, own))
}

async fn resolve(secrets: &dyn Secrets, reference: &SecretRef) -> anyhow::Result<SecretText> {
    Ok(secrets.resolve(reference).await?)
}

/// What is wrong with a network of the configuration.
pub(super) fn network_fault(text: &str) -> Option<String> {
    text.parse::<probes::Network>().err()
}

/// What asks health probes, with all that the configuration lets them use.
pub async fn probes(server: &config::Server, secrets: &dyn Secrets) -> anyhow::Result<Arc<dyn Probes>> {
    let networks = server.networks.iter().map(|text| text.parse().map_err(anyhow::Error::msg)).collect::<anyhow::Result<Vec<probes::Network>>>()?;
    let authority = match &server.probes.ca {
        None => None,
        Some(path) => Some(probes::Authority(std::fs::read(path).with_context(|| format!("cannot read {}, the authority of probes", path.display()))?)),
    };
    let mut commands = BTreeMap::new();
    for (name, command) in &server.probes.commands {
        let patterns = |allowed: &Vec<Str>| allowed.iter().map(|text| Ok(globset::Glob::new(text)?.compile_matcher())).collect::<Result<Vec<_>, globset::Error>>();
        let args = command.args.iter().map(|(arg, allowed)| Ok((arg.to_string(), patterns(allowed)?))).collect::<anyhow::Result<_>>()?;
        let env = command.env.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let command = probes::Command { argv: command.argv.iter().map(ToString::to_string).collect(), args, env, timeout: command.timeout.std() };
        commands.insert(name.to_string(), command);
    }
    let mut prometheus = BTreeMap::new();
    for (name, at) in &server.probes.prometheus {
        let token = match &at.token {
            None => None,
            Some(token) => Some(resolve(secrets, &token.reference()).await.with_context(|| format!("the token of Prometheus {name}"))?),
        };
        prometheus.insert(name.to_string(), probes::Prometheus { url: at.url.to_string(), token });
    }
    let networks = probes::Networks::new(networks, server.target_addresses()).beside(server.system_addresses());
    let config = probes::Config { networks, authority, commands, prometheus, at_once: server.probes.at_once as usize };
    Ok(Arc::new(probes::Asker::new(config)?))
}

/// A checkout or bare repository as one of the configuration's, for commands that need no server.
pub fn checkout(server: &config::Server, name: Option<&str>, path: &Path) -> anyhow::Result<Repository> {
    let named = match (name, server.repositories.as_slice()) {
        (Some(name), all) => all.iter().find(|repository| &*repository.name == name).with_context(|| format!("the server configuration names no repository `{name}`"))?,
        (None, all) if all.iter().filter(|named| named.of.is_none()).count() == 1 => &all[0],
        (None, all) => anyhow::bail!("the server configuration names {} repositories; say which with --name", all.len()),
    };
    Ok(governed(server, named, path, named.governed())?)
}

/// A checkout without any configuration, for previews.
pub struct Checkout {
    pub state: Arc<dyn StateRepo>,
    /// Its history is cut somewhere.
    pub shallow: bool,
    git: Arc<GitRepo>,
}

impl Checkout {
    /// Whether all of what two commits do not share is here, and where they parted.
    pub fn parted(&self, one: &CommitId, other: &CommitId) -> Result<bool, RepoError> {
        self.git.parted(one, other)
    }

    /// The host that it was cloned from, where it says so.
    pub fn host(&self) -> Result<Option<String>, RepoError> {
        Ok(self.git.origin()?.and_then(|url| host_of(&url)))
    }
}

/// The host of an address as git takes them: `https://host/path`, `ssh://git@host:22/path`, `git@host:path`.
fn host_of(url: &str) -> Option<String> {
    let (address, ends): (&str, &[char]) = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => (rest, &['/', ':']),
        None => (url.split_once(':').filter(|(host, _)| !host.contains('/'))?.0, &[]),
    };
    let host = address.split(['/']).next()?.rsplit('@').next()?.split(ends).next()?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// The repository that a folder is in, by itself.
pub fn checkout_alone(path: &Path) -> Result<Checkout, RepoError> {
    let git = Arc::new(GitRepo::discover(path)?);
    Ok(Checkout { shallow: git.is_shallow()?, state: git.clone(), git })
}

/// A configured repository over its git folder.
pub(super) fn governed(server: &config::Server, named: &config::Repository, path: &Path, governed: Governed) -> Result<Repository, RepoError> {
    Ok(Repository {
        id: RepoId::new(named.name.clone()),
        governed,
        whole: RepoId::new(named.whole().clone()),
        left: named.left.clone(),
        state: Arc::new(GitRepo::open(path)?),
        grants: named.grants.clone(),
        admins: server.spelled_out(named, &named.admins),
        approvers: approvers(server, named),
        required_checks: named.required_checks.clone(),
        secrets: named.secrets.clone(),
        probes: named.probes.clone(),
        claim_ttl: server.limits.claim_ttl,
        deployments: server.forges.get(&named.forge).is_none_or(|forge| forge.deployments),
        people: Arc::new(Known {
            told: true,
            users: server.users.iter().map(|user| user.name.clone()).chain(server.accounts()).collect(),
            groups: server.groups_in(named),
            teams: !named.is_local(),
            dialect: match server.forge_of(named).map(|(_, forge)| forge.kind) {
                None | Some(config::ForgeKind::Github) => Dialect::GitHub,
                Some(config::ForgeKind::Gitlab) => Dialect::GitLab,
                Some(config::ForgeKind::Gitea | config::ForgeKind::Forgejo) => Dialect::Gitea,
            },
            guessed: None,
            mails: server.users.iter().flat_map(|user| user.emails.iter().map(|mail| (mail.to_ascii_lowercase().into(), user.name.clone()))).collect(),
        }),
        teams: Mutex::default(),
        owning: OwningTeams::default(),
        units: UnitCache::default(),
        pointers: Pointers::default(),
        // Whoever refers must follow, however many files there are; only those that refer are kept.
        references: Pointers::new(usize::MAX),
    })
}

/// Everybody who may approve in a repository, which the configuration alone gives; `None`: it gives it to teams of the forge, who change.
fn approvers(server: &config::Server, repository: &config::Repository) -> Option<Arc<BTreeSet<User>>> {
    if repository.approvers.iter().chain(&repository.admins).any(|name| team_of(name).is_some()) {
        return None;
    }
    let names = server.users.iter().map(|user| user.name.clone()).chain(server.accounts());
    Some(Arc::new(names.filter(|name| server.right(repository, name) >= Right::Approve).map(User::new).collect()))
}

/// Whether a repository of the local forge is one that nobody moves past us.
pub(super) fn guard(server: &config::Server, named: &config::Repository, path: &Path) -> Exam {
    let all: Vec<Governed> = server.repositories.iter().filter(|other| other.whole() == named.whole()).map(config::Repository::governed).collect();
    let about = format!("repository {}: protected branch", named.name);
    match guarded(path, &all) {
        Ok(()) => Exam::ok(about, format!("`{}` in {} is moved by the server alone; whoever can write that folder can take the hooks away", named.branch, path.display())),
        Err(why) => Exam::fail(about, why, "start the server: it puts its hooks in place at every start"),
    }
}

/// A checkout or bare repository by its folder alone.
pub fn repository(path: &Path) -> anyhow::Result<Arc<dyn StateRepo>> {
    Ok(Arc::new(GitRepo::discover(path)?))
}

/// A service with what stands at its doors.
pub struct Wired {
    pub service: Service,
    pub people: Arc<Directory>,
    /// The bare repositories that git serves.
    pub folders: BTreeMap<RepoId, PathBuf>,
    /// Where webhooks come in.
    pub reception: Arc<Reception>,
    /// What jobs of CI sign in with.
    pub jobs: Arc<SignIns>,
    /// What asks forges for repositories.
    pub found: discover::Watch,
}

/// Everything of one server, ready to serve; nothing runs yet.
pub async fn service(server: config::Server) -> anyhow::Result<Wired> {
    let targets = targets(&server, &*secrets(&server).await?).await?;
    service_over(server, targets).await
}

/// The same over targets that somebody else made.
pub async fn service_over(server: config::Server, targets: Targets) -> anyhow::Result<Wired> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let secrets = secrets(&server).await?;
    std::fs::create_dir_all(&server.data).with_context(|| format!("cannot make the data folder {}", server.data.display()))?;
    let store = store::open(&server, &*secrets).await?;
    let said = server.clone();
    let mut server = server;
    let now = discover::find(&mut server, &*secrets, Some(&store)).await?;
    now.iter().for_each(discover::Group::log);
    let found = discover::Watch { server: said, secrets: secrets.clone(), store: store.clone(), now };
    let server = Arc::new(server);
    let prober = probes(&server, &*secrets).await?;
    let people = Arc::new(Directory::read(server.clone(), &*secrets).await?);
    // Whoever serves a repository and whoever plans for it know of the same branch.
    let branches: BTreeMap<Str, Governed> = server.repositories.iter().map(|named| (named.name.clone(), named.governed())).collect();
    let local: Vec<LocalRepository> = server
        .repositories
        .iter()
        .filter(|repository| repository.is_local())
        .map(|repository| LocalRepository { id: RepoId::new(repository.name.clone()), path: server.repository_path(repository), branch: branches[&repository.name].clone() })
        .collect();
    let forge = Arc::new(LocalForge::open(store.clone(), clock.clone(), people.clone(), User::new(server.bot.clone()), &local)?);
    let forges::Found { network, elsewhere } = forges::network(&server, &*secrets, &branches, people.clone(), clock.clone()).await?;
    let doors = hooks::doors(&server, &*secrets).await?;
    let jobs = Arc::new(ci::sign_ins(&server, &*secrets, clock.clone()).await?);
    let mut repositories = BTreeMap::new();
    for repository in &server.repositories {
        repositories
            .insert(RepoId::new(repository.name.clone()), Arc::new(governed(&server, repository, &server.repository_path(repository), branches[&repository.name].clone())?));
    }
    let halted = store.row::<bool>(&Service::halt_row()).await?.is_some_and(|row| row.value);
    let safe = Arc::new(safe(&server, secrets).await?);
    let board = BoardRoom::open(Arc::new(store.clone()), clock.clone()).await.map_err(anyhow::Error::msg)?;
    let overrides = OverrideBook::open(Arc::new(store.clone()), clock.clone()).await.map_err(anyhow::Error::msg)?;
    let world = World {
        clock,
        people: people.clone(),
        store: Arc::new(store),
        forge: Arc::new(Forges::new(forge.clone(), network)),
        mr_desk: Some(forge),
        elsewhere,
        turns: Turns::default(),
        rounds: Rounds::default(),
        owners: Arc::new(Owners::new(repositories.values())),
        reigns: Reigns::default(),
        repositories,
        plans: Slots::new(server.limits.plans as usize),
        kinds: kinds(&targets),
        targets,
        safe,
        prober,
        board,
        overrides,
        sweeps: SweepBook::default(),
        trouble: Trouble::default(),
        news: News::default(),
        halted: AtomicBool::new(halted),
        halting: tokio::sync::Mutex::new(()),
        url: server.url.clone().unwrap_or_default(),
    };
    let world = Arc::new(world);
    let reception = Arc::new(Reception::new((*world.store).clone(), world.clock.clone(), doors));
    let folders = local.into_iter().map(|place| (place.id, place.path)).collect();
    Ok(Wired { service: Service::new(world.clone(), Desk::new(world)), people, folders, reception, jobs, found })
}
