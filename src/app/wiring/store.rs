//! The store that the configuration asks for.

use crate::{
    app::{config, governing, safe::Cover},
    cluster::Tls,
    core::{
        model::{MrId, RepoId, ResourceId, Span, Str},
        review::kept_plain,
        run::StreamId,
    },
    etcd, kinds,
    ports::{Exam, Kv, KvErrorKind, MemoryKv, SecretText, Secrets},
    stores::{self, EtcdKv, EtcdPlace, Migrated, RedbKv, Store},
};
use anyhow::Context as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// An answer that takes longer is asked of another member; a transaction of a store takes milliseconds.
const ANSWER: Span = Span::secs(4);

/// Opens the store under our name.
pub async fn open(server: &config::Server, secrets: &dyn Secrets) -> anyhow::Result<Store> {
    let kv = kv(server, secrets).await?;
    // One machine's process ids say nothing on another.
    let holder = if kv.shared() { format!("pid {} on {}", std::process::id(), host()) } else { format!("pid {}", std::process::id()) };
    let store = Store::open_for(kv, &holder, server.store.lease).await.context("the store cannot be opened")?;
    // After it is on the list of replicas, so that a migration and a server never miss each other.
    store.serves().await?;
    Ok(store)
}

/// Lets servers use a store again that was moved elsewhere; inside: where to.
pub async fn reopen(server: &config::Server) -> anyhow::Result<Option<String>> {
    let kv = kv(server, &*super::secrets(server).await?).await?;
    let store = Store::open_for(kv, &format!("reopening, pid {}", std::process::id()), server.store.lease).await.context("the store cannot be opened")?;
    let moved = store.reopen().await;
    let _ = store.leave().await;
    Ok(moved?)
}

/// Moves everything from one configuration's store to another's; no server may use either.
pub async fn migrate(from: &config::Server, to: &config::Server) -> anyhow::Result<Migrated> {
    let names = (name(from), name(to));
    anyhow::ensure!(names.0 != names.1, "both configurations name the same store, {}", names.0);
    for (server, name) in [(from, &names.0), (to, &names.1)] {
        anyhow::ensure!(server.store.kind != config::StoreKind::Memory, "{name} is lost with its process; there is nothing to move");
    }
    let open = async |server: &config::Server, name: &str| -> anyhow::Result<Store> {
        let kv = kv(server, &*super::secrets(server).await?).await.with_context(|| format!("cannot open {name}"))?;
        Store::open_for(kv, &format!("migration, pid {}", std::process::id()), server.store.lease).await.with_context(|| format!("cannot open {name}"))
    };
    let (old, new) = (open(from, &names.0).await?, open(to, &names.1).await?);
    let migrated = stores::migrate(&old, &new, (&names.0, &names.1)).await;
    // Both are let go at once; an embedded one with this process.
    for store in [&old, &new] {
        let _ = store.leave().await;
    }
    Ok(migrated?)
}

/// What journals keep plain.
#[derive(Debug, Default)]
pub struct Examined {
    /// The changes whose plans keep plain what is sensitive by now, with the resources; values are not told.
    pub plain: BTreeMap<MrId, BTreeSet<ResourceId>>,
    /// Changes of repositories that are not known, so that nobody can say what of them is sensitive.
    pub unknown: BTreeSet<MrId>,
}

/// Examines all journals; no server may use the store.
pub async fn audit(mut server: config::Server) -> anyhow::Result<Examined> {
    let name = name(&server);
    anyhow::ensure!(server.store.kind != config::StoreKind::Memory, "{name} is lost with its process; there is nothing to examine");
    let secrets = super::secrets(&server).await?;
    let kv = kv(&server, &*secrets).await.with_context(|| format!("cannot open {name}"))?;
    let store = Store::open_for(kv, &format!("examination, pid {}", std::process::id()), server.store.lease).await.with_context(|| format!("cannot open {name}"))?;
    let examined = match crate::app::discover::find(&mut server, &*secrets, Some(&store)).await {
        Ok(_) => journals(&server, &store).await,
        Err(error) => Err(error.context("which repositories there are cannot be told")),
    };
    let _ = store.leave().await;
    examined
}

async fn journals(server: &config::Server, store: &Store) -> anyhow::Result<Examined> {
    let mut covers: BTreeMap<RepoId, Cover> = BTreeMap::new();
    for named in &server.repositories {
        let repo = super::governed(server, named, &server.repository_path(named), named.governed()).with_context(|| format!("the repository {}", named.name))?;
        // A branch that is not there yet, or says nothing, calls nothing sensitive beside the grants.
        let policy = repo.newest().ok().and_then(|base| governing::governing(&repo, &base).ok()).and_then(|governing| governing.root).map(|root| root.policy);
        covers.insert(repo.id.clone(), Cover::new(&policy.unwrap_or_default(), &named.grants));
    }
    let mut examined = Examined::default();
    for card in store.cards().await? {
        let Some(cover) = covers.get(&card.mr.repo) else {
            examined.unknown.insert(card.mr.clone());
            continue;
        };
        if cover.is_empty() {
            continue;
        }
        let events = store.read(&StreamId::Change(card.mr.clone())).await.with_context(|| format!("the journal of {}", card.mr))?;
        let plain = kept_plain(&events, &|id| cover.hides(id, kinds::of(id)));
        if !plain.is_empty() {
            examined.plain.insert(card.mr.clone(), plain);
        }
    }
    Ok(examined)
}

/// What people call a store, and what tells it from others.
fn name(server: &config::Server) -> String {
    let folder = server.data.join("store");
    match server.store.kind {
        config::StoreKind::Redb => format!("redb in {}", folder.display()),
        config::StoreKind::Sled => format!("sled in {}", folder.display()),
        config::StoreKind::Etcd => etcd_name(&server.store.endpoints, &server.store.prefix),
        config::StoreKind::Memory => "a store in memory".to_owned(),
    }
}

/// The same cluster whichever member is named first: a migration that goes on is of the same two stores.
fn etcd_name(endpoints: &[Str], prefix: &str) -> String {
    let endpoints: BTreeSet<&str> = endpoints.iter().map(|endpoint| endpoint.trim_end_matches('/')).collect();
    format!("etcd at {} below `{prefix}`", endpoints.into_iter().collect::<Vec<_>>().join(", "))
}

/// The key space of the store.
pub async fn kv(server: &config::Server, secrets: &dyn Secrets) -> anyhow::Result<Arc<dyn Kv>> {
    let folder = server.data.join("store");
    match server.store.kind {
        config::StoreKind::Redb => Ok(Arc::new(RedbKv::open(&folder)?)),
        #[cfg(feature = "sled")]
        config::StoreKind::Sled => Ok(Arc::new(crate::stores::SledKv::open(&folder)?)),
        #[cfg(not(feature = "sled"))]
        config::StoreKind::Sled => anyhow::bail!("this binary was built without the feature `sled`; build with `--features sled`, or use `store: {{ kind: redb }}`"),
        config::StoreKind::Etcd => Ok(Arc::new(etcd(&server.store, secrets).await?)),
        config::StoreKind::Memory => Ok(Arc::new(MemoryKv::new())),
    }
}

async fn etcd(store: &config::Store, secrets: &dyn Secrets) -> anyhow::Result<EtcdKv> {
    let members = Members { about: "the store", endpoints: &store.endpoints, user: &store.user, password: &store.password, tls: &store.tls, answer: ANSWER };
    let cluster = cluster(members, (store.max_txn_ops, store.max_request_bytes), secrets).await?;
    Ok(EtcdKv::new(EtcdPlace { cluster, prefix: store.prefix.to_string() })?)
}

/// What a configuration says of an etcd cluster, target or store.
pub struct Members<'a> {
    pub about: &'a str,
    pub endpoints: &'a [Str],
    pub user: &'a Option<Str>,
    pub password: &'a Option<config::SecretSource>,
    pub tls: &'a Option<config::Tls>,
    pub answer: Span,
}

/// A cluster with its secrets and certificates read.
pub async fn cluster(members: Members<'_>, (txn_ops, request_bytes): (Option<u32>, Option<u32>), secrets: &dyn Secrets) -> anyhow::Result<etcd::Config> {
    let about = members.about;
    let resolve = async |source: &config::SecretSource| -> anyhow::Result<SecretText> { Ok(secrets.resolve(&source.reference()).await?) };
    let user = match (members.user, members.password) {
        (Some(user), Some(password)) => Some(etcd::User { name: user.to_string(), password: resolve(password).await.with_context(|| format!("the password of {about}"))? }),
        _ => None,
    };
    let tls = tls(about, members.tls.as_ref(), secrets).await?;
    let usual = etcd::Limits::default();
    let limits = etcd::Limits { txn_ops: txn_ops.map_or(usual.txn_ops, |most| most as usize), request_bytes: request_bytes.map_or(usual.request_bytes, |most| most as usize) };
    let endpoints = members.endpoints.iter().map(ToString::to_string).collect();
    Ok(etcd::Config { target: about.to_owned(), endpoints, user, tls, limits, answer: members.answer.std() })
}

/// The certificates of a cluster, read now.
pub async fn tls(about: &str, tls: Option<&config::Tls>, secrets: &dyn Secrets) -> anyhow::Result<Option<Tls>> {
    let Some(tls) = tls else { return Ok(None) };
    let ca = std::fs::read(&tls.ca).with_context(|| format!("cannot read {}, the authority of {about}", tls.ca.display()))?;
    let identity = match &tls.identity {
        None => None,
        Some(identity) => Some(secrets.resolve(&identity.reference()).await.with_context(|| format!("the certificate of {about}"))?),
    };
    Ok(Some(Tls { ca, identity }))
}

/// The machine's name, for people who look for a replica.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "an unnamed machine".into(), |name| name.trim().to_owned())
}

/// Whether a store outside the data folder answers; writes nothing. An embedded one is held by the server that runs.
pub async fn examine(server: &config::Server, secrets: &dyn Secrets) -> Option<Exam> {
    match server.store.kind {
        config::StoreKind::Redb | config::StoreKind::Sled | config::StoreKind::Memory => return None,
        config::StoreKind::Etcd => {}
    }
    let about = "store";
    let found = match etcd(&server.store, secrets).await {
        Ok(kv) => kv.range(b"member/".to_vec(), b"member0".to_vec(), 100).await,
        Err(error) => return Some(Exam::fail(about, format!("{error:#}"), "mend the key under `store:`")),
    };
    Some(match found {
        Ok(members) => Exam::ok(about, format!("etcd answers for everything below `{}`; {} replicas are there", server.store.prefix, members.len())),
        Err(error) if error.kind == KvErrorKind::Full => Exam::fail(about, error.to_string(), "until then nothing is started"),
        Err(error) => Exam::fail(about, error.to_string(), "check `store.endpoints`, `store.user` and that the members are up"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_one_name_in_whichever_order_its_members_are_told() {
        let named = |endpoints: &[&str]| etcd_name(&endpoints.iter().map(|text| Str::from(*text)).collect::<Vec<_>>(), "trueup");
        assert_eq!(named(&["http://b:2379/", "http://a:2379"]), named(&["http://a:2379", "http://b:2379"]));
        assert_ne!(named(&["http://a:2379"]), named(&["http://b:2379"]));
    }
}
