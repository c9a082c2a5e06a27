//! The keys of `server.yaml`; the doc of each field is its line in docs/configuration.md.

use super::{Branch, Ci, FileMode, Forge, Probes, SecretSource, SecretSources, Sops, TokenSource, Vault};
use crate::core::model::{Grant, ProbeGrant, SecretRef, Span, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Configures one server.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on; port 0 takes a free one, which `serve` prints.
    #[serde(default = "default_listen")]
    pub listen: Str,
    /// The folder for journals, plans and repositories. One server at a time holds the store in it; replicas over one etcd share the folder.
    pub data: PathBuf,
    /// The URL under which people reach the server, for links in comments. Without it: `http://` and the address listened on.
    #[serde(default)]
    pub url: Option<Str>,
    /// Where changes are kept.
    #[serde(default)]
    pub store: Store,
    /// The folder of secret files; `{file: NAME}` is read below it.
    #[serde(default)]
    pub secrets: Option<PathBuf>,
    /// The key under which sensitive values are hidden and sealed, of 32 characters or more (`openssl rand -base64 32`), or a list of keys, newest first: the
    /// first seals and all open. Needed where anything is sensitive; keep it outside the data folder, whose backups must not hold it.
    #[serde(default)]
    pub seal_key: SecretSources,
    /// Vault or OpenBao, for references `secret://vault/MOUNT/PATH#FIELD@VERSION`.
    #[serde(default)]
    pub vault: Option<Vault>,
    /// Files encrypted with SOPS, for references `secret://sops/PATH#FIELD`.
    #[serde(default)]
    pub sops: Option<Sops>,
    /// The user name under which the server comments, sets statuses and merges.
    #[serde(default = "default_bot")]
    pub bot: Str,
    /// Who may sign in.
    #[serde(default)]
    pub users: Vec<User>,
    /// Names for lists of users; `@name` stands for the group where users are listed. A group that is asked on several forges says whose account each is: `work:ana`.
    #[serde(default)]
    pub groups: BTreeMap<Str, Vec<Str>>,
    /// The forges in the network, by a name of yours.
    #[serde(default)]
    pub forges: BTreeMap<Str, Forge>,
    /// The governed repositories.
    #[serde(default)]
    pub repositories: Vec<Repository>,
    /// The live systems, by name.
    #[serde(default)]
    pub targets: BTreeMap<Str, Target>,
    /// The networks that health probes may reach (`10.0.0.0/8`, `2001:db8::/32`, or one address), judged on the address that is connected to. Without any: only a connection or a DNS question to the addresses of `targets`. This machine (`127.0.0.0/8`), its link and the metadata addresses of clouds are in no larger network: each must be named.
    #[serde(default)]
    pub networks: Vec<Str>,
    /// What health probes of repositories may name.
    #[serde(default)]
    pub probes: Probes,
    /// How jobs of CI sign in to ask for previews.
    #[serde(default)]
    pub ci: Ci,
    /// What the server takes on at once.
    #[serde(default)]
    pub limits: Limits,
    /// How drift is looked for without being asked.
    #[serde(default)]
    pub drift: Drift,
}

fn default_listen() -> Str {
    "127.0.0.1:8080".into()
}

fn default_bot() -> Str {
    "trueup".into()
}

/// How drift is looked for without being asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// How often everything that is governed is looked at: `1h`. Without it nothing is read unless somebody asks.
    pub every: Option<Span>,
    /// How many reads a minute one target gives to it: each is one zone, or up to 500 files of a key tree. It waits for whatever else wants the target.
    pub reads: u32,
    /// Whether what is found is proposed as a merge request, one a repository, on the branch `trueup/drift`.
    pub propose: bool,
}

impl Default for Drift {
    fn default() -> Self {
        Self { every: None, reads: 60, propose: false }
    }
}

/// Where changes are kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `redb` (one sync a commit), `sled` (needs the `sled` feature), `etcd` (several replicas share it), or `memory` (lost at exit, for trying out).
    #[serde(default)]
    pub kind: StoreKind,
    /// `etcd`: the members' URLs (`https://etcd1.example.com:2379`).
    #[serde(default)]
    pub endpoints: Vec<Str>,
    /// `etcd`: what every key of this installation starts with. All replicas of one installation say the same, no other one does.
    #[serde(default = "default_prefix")]
    pub prefix: Str,
    /// `etcd`: the user to sign in as. Without it nobody signs in.
    #[serde(default)]
    pub user: Option<Str>,
    /// `etcd`: where the user's password comes from.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// `etcd`: certificates, where the endpoints are not those of a public authority.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// `etcd`: the members' `--max-txn-ops`. Without it: etcd's own 128.
    #[serde(default)]
    pub max_txn_ops: Option<u32>,
    /// `etcd`: the members' `--max-request-bytes`. Without it: etcd's own 1572864.
    #[serde(default)]
    pub max_request_bytes: Option<u32>,
    /// `etcd`: how long a replica may be silent before others take its changes over. Whole seconds, from 2s.
    #[serde(default = "default_lease")]
    pub lease: Span,
}

fn default_prefix() -> Str {
    "trueup".into()
}

/// Outlives a pause of this length (a suspended machine, an election) and frees changes soon enough after a crash.
fn default_lease() -> Span {
    Span::secs(15)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    #[default]
    Redb,
    Sled,
    Etcd,
    Memory,
}

/// One person or robot that signs in with a token.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name that comments, approvals and commits carry.
    pub name: Str,
    /// Where the token, or its hash, comes from.
    pub token: TokenSource,
    /// The mail addresses of the user's commits, so that nobody approves what they wrote.
    #[serde(default)]
    pub emails: Vec<Str>,
}

/// One governed repository.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// The repository's name: `dns`, or `team/dns`.
    pub name: Str,
    /// Which forge holds it: a name under `forges`, or `local` for this server itself.
    #[serde(default = "default_forge")]
    pub forge: Str,
    /// Its path on that forge: `platform/dns`.
    #[serde(default)]
    pub project: Option<Str>,
    /// Where the secret comes from with which its webhooks are signed, where it is another than the forge's; then the forge's proves nothing here. A list while it is rotated.
    #[serde(default)]
    pub webhook_secret: SecretSources,
    /// The governed branch; only the server moves it.
    #[serde(default = "default_branch")]
    pub branch: Str,
    /// Further governed branches, each with grants of its own.
    #[serde(default)]
    pub branches: Vec<Branch>,
    /// `branch` is a pattern, of which one governs.
    #[serde(skip)]
    pub newest: bool,
    /// The repository of the file whose further branch it is.
    #[serde(skip)]
    pub of: Option<Str>,
    /// A forge was asked for it.
    #[serde(skip)]
    pub found: bool,
    /// The targets that other branches of it govern, of which its files say nothing.
    #[serde(skip)]
    pub left: Vec<Str>,
    /// The bare repository of the local forge. Without it: `repos/NAME.git` in the data folder, made when it is missing.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// The targets the repository may touch, narrowed to units; no unit is granted to two repositories unless both grants say `shared: true`.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Users and `@groups` who may read. Empty: every user. In these four lists names are those of accounts on the repository's forge, which itself says who may read and write there, and `team:NAME` is a team of it.
    #[serde(default)]
    pub readers: Vec<Str>,
    /// Users and `@groups` who may push branches, open merge requests and ask for plans.
    #[serde(default)]
    pub writers: Vec<Str>,
    /// Users, `@groups` and, on a network forge, its teams (`team:platform/sre`) who may also approve plans, pause, retry, skip, abort, restore, take over and free what a change holds, and answer for overrides.
    #[serde(default)]
    pub approvers: Vec<Str>,
    /// Users and `@groups` who may also halt the whole server, and approve where policy is missing.
    #[serde(default)]
    pub admins: Vec<Str>,
    /// Statuses that must be green before a run starts, whatever the repository's own policy says.
    #[serde(default)]
    pub required_checks: Vec<Str>,
    /// The secrets that the repository's files may refer to: one (`vault/kv/app#password`), or all that start so (`vault/kv/app/*`). Empty: none. What the
    /// server itself uses is given to nobody.
    #[serde(default)]
    pub secrets: Vec<Str>,
    /// The commands and Prometheus servers of `probes` that its health probes may name. Without it: none.
    #[serde(default)]
    pub probes: ProbeGrant,
}

pub(super) fn default_branch() -> Str {
    "main".into()
}

fn default_forge() -> Str {
    super::LOCAL.into()
}

/// One live system.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What it is and how it is spoken to.
    pub kind: TargetKind,
    /// `dns/rfc2136`: `host:port` of the primary name server; without a port, 53.
    #[serde(default)]
    pub address: Option<Str>,
    /// `config/directory`: the folder on this machine whose files are the keys.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// `config/directory`: what new files may be used for, as `chmod` has it, in quotes; without it `"0644"`. They get the group of their folder, or, where the
    /// server's user may not give it to them, no more for their group than for others. Of a sensitive value nothing is given to others. Files that are there keep owner, group and mode.
    #[serde(default)]
    pub mode: Option<FileMode>,
    /// `config/etcd`, `config/consul`: the members' URLs (`https://etcd1.example.com:2379`, `https://consul1.example.com:8501`), asked in this order.
    #[serde(default)]
    pub endpoints: Vec<Str>,
    /// `config/etcd`: the user to sign in as. Without it nobody signs in.
    #[serde(default)]
    pub user: Option<Str>,
    /// `config/etcd`: where the user's password comes from.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// `config/consul`: where the ACL token comes from. Without it the anonymous token's rights hold.
    #[serde(default)]
    pub token: Option<SecretSource>,
    /// `config/consul`: the datacenter, where it is another than the agents' own.
    #[serde(default)]
    pub datacenter: Option<Str>,
    /// `config/etcd`, `config/consul`: certificates, where the endpoints are not those of a public authority.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// `config/etcd`: the members' `--max-txn-ops`; `config/consul`: operations in one transaction. Fewer are found out. Without it: their own 128.
    #[serde(default)]
    pub max_txn_ops: Option<u32>,
    /// What bounds a value. `config/etcd`: the members' `--max-request-bytes`, without it etcd's own 1572864; `config/consul`: the servers' `kv_max_value_size`, without it Consul's own 524288.
    #[serde(default)]
    pub max_request_bytes: Option<u32>,
    /// `dns/rfc2136`: `host:port` of every name server that must answer with the new data before it counts as healthy. Empty: the primary alone.
    #[serde(default)]
    pub nameservers: Vec<Str>,
    /// `dns/rfc2136`: the key that signs updates and transfers; without it they are sent unsigned.
    #[serde(default)]
    pub tsig: Option<Tsig>,
    /// Calls to the target at the same time, all changes together.
    #[serde(default = "default_in_flight")]
    pub in_flight: u32,
    /// `dns/rfc2136`: how long connecting may take.
    #[serde(default = "default_connect")]
    pub connect_timeout: Span,
    /// `dns/rfc2136`, `config/etcd`, `config/consul`: how long one answer, or the next message of a transfer, may take.
    #[serde(default = "default_answer")]
    pub answer_timeout: Span,
}

/// A name server takes updates of one zone one after the other, of several zones side by side.
fn default_in_flight() -> u32 {
    4
}

/// What resolvers give a server.
fn default_connect() -> Span {
    Span::secs(5)
}

/// A primary signs and syncs large updates before it answers.
fn default_answer() -> Span {
    Span::secs(30)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TargetKind {
    /// Dynamic updates to an authoritative name server (BIND, Knot, PowerDNS).
    #[serde(rename = "dns/rfc2136")]
    DnsRfc2136,
    /// A folder on this machine: a key is a file, written whole and renamed into place.
    #[serde(rename = "config/directory")]
    ConfigDirectory,
    /// An etcd v3 cluster, through its JSON gateway.
    #[serde(rename = "config/etcd")]
    ConfigEtcd,
    /// The key/value store of a Consul datacenter, over its HTTP API.
    #[serde(rename = "config/consul")]
    ConfigConsul,
}

impl TargetKind {
    /// As the file says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DnsRfc2136 => "dns/rfc2136",
            Self::ConfigDirectory => "config/directory",
            Self::ConfigEtcd => "config/etcd",
            Self::ConfigConsul => "config/consul",
        }
    }

    /// The keys that say where it is, which must be there, and those that may be there beside them.
    pub(super) fn keys(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::DnsRfc2136 => (&["address"], &["nameservers", "tsig", "connect_timeout", "answer_timeout"]),
            Self::ConfigDirectory => (&["path"], &["mode"]),
            Self::ConfigEtcd => (&["endpoints"], &["user", "password", "tls", "max_txn_ops", "max_request_bytes", "answer_timeout"]),
            Self::ConfigConsul => (&["endpoints"], &["token", "datacenter", "tls", "max_txn_ops", "max_request_bytes", "answer_timeout"]),
        }
    }
}

/// Certificates of a target, in PEM.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The file of the authorities that alone are trusted.
    pub ca: PathBuf,
    /// Our certificate followed by its key, where the target asks for one. An etcd where users sign in takes only one without a common name.
    #[serde(default)]
    pub identity: Option<SecretSource>,
}

/// A TSIG key (RFC 8945).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tsig {
    /// The key's name as the name server knows it.
    pub name: Str,
    /// The key's algorithm.
    #[serde(default)]
    pub algorithm: TsigAlgorithm,
    /// Where the key itself comes from, in base64 as `tsig-keygen` prints it.
    pub secret: SecretSource,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TsigAlgorithm {
    #[default]
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "hmac-sha384")]
    HmacSha384,
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
}

impl TsigAlgorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }
}

/// What the server takes on at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Plans compiled at the same time; one more may be where a change holds up the merges of others.
    pub plans: u32,
    /// How often the lists of the forges are compared with what was seen last, so that no lost event stays lost. What no list tells is found in turns: each time some of the open merge requests are looked at whole, 200 of this server and 20 of forges in the network (2 where more than 300 are open there).
    pub sweep: Span,
    /// How long a change that has stopped may hold what it claims before its owner is called, where the repository's policy does not say.
    pub claim_ttl: Span,
    /// Bytes of one request, pushes aside.
    pub request_bytes: u64,
    /// Bytes of one push.
    pub push_bytes: u64,
    /// Bytes of one webhook delivery.
    pub webhook_bytes: u64,
}

impl Default for Limits {
    /// Half a working day is time to look into a failure and too long to forget one. Two plans keep two cores busy; a lost event costs at most half a minute; comments are far below 1 MiB, a
    /// repository of 100,000 files pushes first with about 50 MB, and GitHub sends deliveries of up to 25 MB.
    fn default() -> Self {
        Self { plans: 2, sweep: Span::secs(30), claim_ttl: Span::mins(4 * 60), request_bytes: 1 << 20, push_bytes: 512 << 20, webhook_bytes: 25 << 20 }
    }
}

impl Server {
    /// Makes relative paths start at the configuration's folder.
    pub(super) fn start_paths_at(&mut self, folder: &Path) {
        self.data = folder.join(&self.data);
        self.secrets = self.secrets.take().map(|path| folder.join(path));
        if let Some(vault) = &mut self.vault {
            vault.ca = vault.ca.take().map(|path| folder.join(path));
        }
        if let Some(sops) = &mut self.sops {
            sops.folder = folder.join(&sops.folder);
            // A bare name is looked for where programs are.
            if sops.program.components().count() > 1 {
                sops.program = folder.join(&sops.program);
            }
        }
        if let Some(tls) = &mut self.store.tls {
            tls.ca = folder.join(&tls.ca);
        }
        for forge in self.forges.values_mut() {
            forge.ca = forge.ca.take().map(|path| folder.join(path));
        }
        for sign_in in &mut self.ci.sign_ins {
            sign_in.keys_file = sign_in.keys_file.take().map(|path| folder.join(path));
        }
        self.probes.ca = self.probes.ca.take().map(|path| folder.join(path));
        for target in self.targets.values_mut() {
            target.path = target.path.take().map(|path| folder.join(path));
            if let Some(tls) = &mut target.tls {
                tls.ca = folder.join(&tls.ca);
            }
        }
        for repository in &mut self.repositories {
            repository.path = repository.path.take().map(|path| folder.join(path));
        }
    }

    /// Every secret that the server itself uses, with what it is.
    pub fn own_secrets(&self) -> Vec<(String, SecretRef)> {
        let seals = self.seal_key.0.iter().map(|key| ("the seal key".to_owned(), key.reference()));
        let targets = self.targets.iter().flat_map(|(name, target)| {
            let keys = [
                (format!("key of target {name}"), target.tsig.as_ref().map(|tsig| &tsig.secret)),
                (format!("password of target {name}"), target.password.as_ref()),
                (format!("token of target {name}"), target.token.as_ref()),
                (format!("certificate of target {name}"), target.tls.as_ref().and_then(|tls| tls.identity.as_ref())),
            ];
            keys.into_iter().filter_map(|(what, source)| Some((what, source?.reference())))
        });
        let tokens = self.users.iter().filter_map(|user| match &user.token {
            TokenSource::Env(_) | TokenSource::File(_) => Some((format!("token of {}", user.name), user.token.reference()?)),
            TokenSource::Sha256(_) => None,
        });
        let vault = self.vault.iter().flat_map(|vault| {
            let ids = vault.approle.iter().flat_map(|role| [("id of the role in Vault", &role.role_id), ("secret id of the role in Vault", &role.secret_id)]);
            vault.token.iter().map(|token| ("token of Vault", token)).chain(ids)
        });
        let age = self.sops.iter().map(|sops| ("age key of SOPS", &sops.age_key));
        let providers = vault.chain(age).map(|(what, source)| (what.to_owned(), source.reference()));
        let store = [
            ("password of the store".to_owned(), self.store.password.as_ref()),
            ("certificate of the store".to_owned(), self.store.tls.as_ref().and_then(|tls| tls.identity.as_ref())),
        ];
        let store = store.into_iter().filter_map(|(what, source)| Some((what, source?.reference())));
        let forges = self.forges.iter().flat_map(|(name, forge)| {
            let hooks = forge.webhook_secret.0.iter().map(move |source| (format!("webhook secret of forge {name}"), source.reference()));
            let token = forge.token.iter().map(move |source| (format!("token of forge {name}"), source.reference()));
            hooks.chain(token).chain(forge.app.iter().map(move |app| (format!("private key of the app on forge {name}"), app.key.reference())))
        });
        let hooks = self.repositories.iter().flat_map(|of| of.webhook_secret.0.iter().map(move |source| (format!("webhook secret of repository {}", of.name), source.reference())));
        let queries = self.probes.prometheus.iter().filter_map(|(name, at)| Some((format!("token of Prometheus {name}"), at.token.as_ref()?.reference())));
        seals.chain(providers).chain(store).chain(targets).chain(tokens).chain(self.ci.own_secrets()).chain(forges).chain(hooks).chain(queries).collect()
    }

    /// Where a repository lies on disk; of one on a network forge, its mirror.
    pub fn repository_path(&self, repository: &Repository) -> PathBuf {
        let folder = if repository.is_local() { "repos" } else { "mirrors" };
        repository.path.clone().unwrap_or_else(|| self.data.join(folder).join(format!("{}.git", repository.whole())))
    }
}
