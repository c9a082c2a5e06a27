//! Faults that the shape of `server.yaml` does not show: names that nobody has, addresses that are none, the same name twice.

use super::{Places, Repository, SecretSource, Server, StoreKind, Target, TokenSource, branches, ci, discover, forges, owners, rights};
use crate::{
    app::wiring,
    core::model::{Grant, Place, Refusal, RefusalKind, SecretRef, Span, Str, nearest},
    formats::yaml::Node,
};
use std::{collections::BTreeMap, path::PathBuf};

/// Every fault of a configuration, in the order of the file.
pub(super) fn check(server: &Server, node: &Node) -> Vec<Refusal> {
    let mut check = Check { server, node, found: Vec::new() };
    check.addresses();
    check.users();
    check.repositories();
    branches::check(&mut check);
    forges::check(&mut check);
    ci::check(&mut check);
    discover::check(&mut check);
    check.owners();
    for (name, target) in &server.targets {
        check.target(name, target);
    }
    check.seal_keys();
    check.providers();
    check.limits();
    check.drift();
    check.store();
    check.probes();
    check.found.sort_by(|a, b| (&a.place, &a.what).cmp(&(&b.place, &b.what)));
    check.found
}

pub(super) struct Check<'a> {
    pub server: &'a Server,
    pub node: &'a Node,
    pub found: Vec<Refusal>,
}

impl Check<'_> {
    pub fn fault(&mut self, kind: RefusalKind, path: &[&str], what: String, advice: impl Into<String>) {
        let place = self.node.nearest_to(path).place.clone();
        self.found.push(Refusal::new(kind, what).at(place).advice(advice));
    }

    fn addresses(&mut self) {
        let listen = &self.server.listen;
        if listen.parse::<std::net::SocketAddr>().is_err() {
            self.fault(RefusalKind::Value, &["listen"], format!("`{listen}` is no address and port"), "write it as `127.0.0.1:8080` or `[::]:8080`");
        }
        if let Some(url) = &self.server.url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            self.fault(RefusalKind::Value, &["url"], format!("`{url}` is no URL of a web page"), "start it with `https://`");
        }
    }

    /// A limit of nothing stops the server's work without a word.
    fn limits(&mut self) {
        let limits = &self.server.limits;
        let none = [
            ("plans", limits.plans == 0),
            ("sweep", limits.sweep == Span(0)),
            ("request_bytes", limits.request_bytes == 0),
            ("push_bytes", limits.push_bytes == 0),
            ("webhook_bytes", limits.webhook_bytes == 0),
        ];
        for (key, _) in none.into_iter().filter(|(_, none)| *none) {
            self.fault(RefusalKind::Value, &["limits", key], format!("with `{key}` of nothing the server can do nothing"), "write 1 or more");
        }
    }

    /// An embedded store is in the data folder and takes no other key; one in etcd must be told where that is.
    fn store(&mut self) {
        let server = self.server;
        let said: Vec<&str> = self.node.get("store").and_then(Node::as_map).unwrap_or_default().iter().filter_map(|(key, _)| key.as_str()).collect();
        match server.store.kind {
            StoreKind::Redb | StoreKind::Sled | StoreKind::Memory => {
                for key in said.into_iter().filter(|key| *key != "kind") {
                    self.fault(RefusalKind::Schema, &["store", key], format!("`{key}` means nothing to an embedded store"), "remove it, or write `kind: etcd`");
                }
                return;
            }
            StoreKind::Etcd => {}
        }
        if server.store.endpoints.is_empty() {
            self.fault(RefusalKind::Schema, &["store"], "`endpoints` is missing: where is etcd?".into(), "add `endpoints:`");
        }
        self.members(&["store"], &server.store.endpoints, server.store.user.is_some(), server.store.password.is_some());
        let secrets =
            [(&["store", "password"][..], server.store.password.as_ref()), (&["store", "tls", "identity"], server.store.tls.as_ref().and_then(|tls| tls.identity.as_ref()))];
        for (key, secret) in secrets {
            match secret {
                Some(SecretSource::File(_)) => self.needs_folder(key),
                Some(SecretSource::Env(_)) | None => {}
            }
        }
        if server.store.prefix.trim_end_matches('/').is_empty() {
            self.fault(RefusalKind::Value, &["store", "prefix"], "without a prefix the store's keys lie among everybody's".into(), "write `prefix: trueup`");
        }
        if server.store.lease < Span::secs(2) {
            self.fault(RefusalKind::Value, &["store", "lease"], "a lease this short is lost at every pause".into(), "write 2s or more; 15s suits most");
        }
        for (key, limit, least) in [("max_txn_ops", server.store.max_txn_ops, 16), ("max_request_bytes", server.store.max_request_bytes, 256 << 10)] {
            if limit.is_some_and(|limit| limit < least) {
                let advice = "write what the members were started with; start them with more, or leave both out";
                self.fault(RefusalKind::Value, &["store", key], format!("a turn does not fit into less than {least}"), advice);
            }
        }
    }

    /// What holds of every etcd, target or store.
    fn members(&mut self, path: &[&str], endpoints: &[Str], user: bool, password: bool) {
        for (i, endpoint) in endpoints.iter().enumerate() {
            if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
                let i = i.to_string();
                self.fault(RefusalKind::Value, &[path, &["endpoints", &i]].concat(), format!("`{endpoint}` is no URL of a member"), "start it with `https://`");
            }
        }
        if user != password {
            self.fault(RefusalKind::Schema, path, "`user` and `password` go together".into(), "add the one that is missing");
        }
    }

    /// What health probes may name and reach.
    fn probes(&mut self) {
        let server = self.server;
        for (i, network) in server.networks.iter().enumerate() {
            if let Some(what) = wiring::network_fault(network) {
                self.fault(RefusalKind::Value, &["networks", &i.to_string()], what, "write it like `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`");
            }
        }
        for (name, command) in &server.probes.commands {
            let path = ["probes", "commands", name];
            let program = command.argv.first();
            if !program.is_some_and(|program| program.starts_with('/') && !program.contains('{')) {
                self.fault(
                    RefusalKind::Value,
                    &[&path[..], &["argv"]].concat(),
                    "the program must be named by its whole path".into(),
                    "write it like `[/usr/local/bin/smoke, --env, \"{env}\"]`",
                );
            }
            for (arg, allowed) in &command.args {
                let at = [&path[..], &["args", arg]].concat();
                if !command.argv.iter().any(|part| part.contains(&format!("{{{arg}}}"))) {
                    self.fault(RefusalKind::Value, &at, format!("no part of `argv` takes `{arg}`"), format!("write `{{{arg}}}` there, or remove it"));
                }
                if allowed.is_empty() {
                    self.fault(RefusalKind::Value, &at, format!("`{arg}` may be nothing"), "list the patterns of what it may be");
                }
                for pattern in allowed {
                    if let Err(error) = globset::Glob::new(pattern) {
                        self.fault(RefusalKind::Value, &at, format!("`{pattern}` is no pattern: {}", error.kind()), "write it like `prod-*`");
                    }
                }
            }
        }
        for (i, repository) in server.repositories.iter().enumerate() {
            let known = [
                ("commands", &repository.probes.commands, server.probes.commands.keys().collect::<Vec<_>>()),
                ("prometheus", &repository.probes.prometheus, server.probes.prometheus.keys().collect()),
            ];
            for (key, granted, known) in known {
                // What starts so may come later; a whole name that is not there is a slip.
                for (n, name) in granted.iter().enumerate().filter(|(_, name)| !name.ends_with('*') && !known.contains(name)) {
                    let advice = instead(name, known.iter().copied(), &format!("add it under `probes.{key}`"));
                    self.fault(RefusalKind::Unknown, &["repositories", &i.to_string(), "probes", key, &n.to_string()], format!("`probes.{key}` has no `{name}`"), advice);
                }
            }
        }
        for (name, prometheus) in &server.probes.prometheus {
            let url = &prometheus.url;
            if !(url.starts_with("http://") || url.starts_with("https://")) || url.contains('@') {
                self.fault(
                    RefusalKind::Value,
                    &["probes", "prometheus", name, "url"],
                    "that is no URL of a Prometheus".into(),
                    "write it like `http://prometheus.example.com:9090`",
                );
            }
            match &prometheus.token {
                Some(SecretSource::File(_)) => self.needs_folder(&["probes", "prometheus", name, "token"]),
                Some(SecretSource::Env(_)) | None => {}
            }
        }
        if server.probes.at_once == 0 {
            self.fault(RefusalKind::Value, &["probes", "at_once"], "no probe at a time is no probe".into(), "write 1 or more");
        }
    }

    /// A sweep of nothing finds nothing, and one without a pause is an attack.
    fn drift(&mut self) {
        let drift = &self.server.drift;
        if drift.every == Some(Span(0)) {
            self.fault(RefusalKind::Value, &["drift", "every"], "a sweep without a pause would read for ever".into(), "write `1h`, or leave it out");
        }
        if drift.reads == 0 {
            self.fault(RefusalKind::Value, &["drift", "reads"], "with `reads` of nothing no drift is found".into(), "write 1 or more, or leave out `every`");
        }
        if drift.propose && drift.every.is_none() {
            self.fault(RefusalKind::Value, &["drift", "propose"], "`propose` proposes what the sweep finds, and there is none".into(), "write `every: 1h` beside it");
        }
    }

    fn users(&mut self) {
        let server = self.server;
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, user) in server.users.iter().enumerate() {
            let at = i.to_string();
            if let Some(first) = seen.insert(&user.name, i) {
                let also = self.node.nearest_to(&["users", &first.to_string(), "name"]).place.clone();
                let place = self.node.nearest_to(&["users", &at, "name"]).place.clone();
                self.found.push(Refusal::new(RefusalKind::Overlap, format!("two users are named `{}`", user.name)).at(place).also(also).advice("name each user once"));
            }
            if user.name == server.bot {
                let advice = format!("rename the user, or set `bot:` to another name than `{}`", server.bot);
                self.fault(RefusalKind::Overlap, &["users", &at, "name"], "a user has the server's own name".into(), advice);
            }
            if user.name.is_empty() || user.name.starts_with('@') || user.name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') {
                self.fault(RefusalKind::Value, &["users", &at, "name"], format!("`{}` is no user name", user.name), "use letters, digits, `.`, `-` and `_`");
            }
            match &user.token {
                TokenSource::File(_) => self.needs_folder(&["users", &at, "token"]),
                TokenSource::Env(_) | TokenSource::Sha256(_) => {}
            }
        }
        for (group, members) in &server.groups {
            for (i, member) in members.iter().enumerate().filter(|_| server.forges.is_empty()) {
                self.user(member, &["groups", group, &i.to_string()], false);
            }
            rights::spans(self, group, members);
        }
    }

    fn seal_keys(&mut self) {
        for (i, key) in self.server.seal_key.0.iter().enumerate() {
            match key {
                SecretSource::File(_) => self.needs_folder(&["seal_key", &i.to_string()]),
                SecretSource::Env(_) => {}
            }
        }
        // A key that lies with what it seals protects nothing from whoever reads a backup of it.
        let below = self.server.secrets.as_ref().is_some_and(|folder| folder.starts_with(&self.server.data));
        if below && self.server.seal_key.0.iter().any(|key| matches!(key, SecretSource::File(_))) {
            self.fault(
                RefusalKind::Path,
                &["secrets"],
                "the seal key would lie in the data folder, beside what it seals".into(),
                "move the folder of secrets out of the data folder",
            );
        }
    }

    /// Providers of secrets: each is signed in to in one way, and its own secrets come from the server.
    fn providers(&mut self) {
        let server = self.server;
        if let Some(vault) = &server.vault {
            if !(vault.address.starts_with("http://") || vault.address.starts_with("https://")) {
                self.fault(RefusalKind::Value, &["vault", "address"], format!("`{}` is no URL of a Vault", vault.address), "start it with `https://`");
            }
            if vault.token.is_some() == vault.approle.is_some() {
                self.fault(RefusalKind::Schema, &["vault"], "a Vault is signed in to in one way".into(), "name `token` or `approle`, one of the two");
            }
            let sources = [(&["vault", "token"][..], vault.token.as_ref())].into_iter();
            let role =
                vault.approle.iter().flat_map(|role| [(&["vault", "approle", "role_id"][..], Some(&role.role_id)), (&["vault", "approle", "secret_id"], Some(&role.secret_id))]);
            for (path, source) in sources.chain(role) {
                if matches!(source, Some(SecretSource::File(_))) {
                    self.needs_folder(path);
                }
            }
        }
        if server.sops.as_ref().is_some_and(|sops| matches!(sops.age_key, SecretSource::File(_))) {
            self.needs_folder(&["sops", "age_key"]);
        }
        for (i, repository) in server.repositories.iter().enumerate() {
            for (s, rule) in repository.secrets.iter().enumerate() {
                let name = rule.strip_suffix('*').unwrap_or(rule);
                let whole = SecretRef::parse(&format!("secret://{}", name.trim_end_matches('/'))).is_ok()
                    || (name != &**rule && name.split_once('/').is_some_and(|(_, path)| path.is_empty()));
                if name.contains('*') || !(whole || SecretRef::parse(&format!("secret://{name}x")).is_ok()) {
                    let path = ["repositories", &i.to_string(), "secrets", &s.to_string()];
                    self.fault(RefusalKind::Value, &path, format!("`{rule}` names no secrets"), "write `vault/kv/app#password`, or `vault/kv/app/*` for all that start so");
                }
            }
        }
    }

    pub fn needs_folder(&mut self, path: &[&str]) {
        if self.server.secrets.is_none() {
            self.fault(RefusalKind::Unknown, path, "a secret file is named, but no folder of secret files".into(), "add `secrets: FOLDER`");
        }
    }

    /// A listed name must be a user, or a group where groups are taken.
    pub fn user(&mut self, name: &str, path: &[&str], groups: bool) {
        let server = self.server;
        let (what, advice) = match name.strip_prefix('@').filter(|_| groups) {
            Some(group) if server.groups.contains_key(group) => return,
            Some(group) => (format!("no group is named `{group}`"), instead(group, server.groups.keys(), "add it under `groups:`")),
            None if server.users.iter().any(|user| &*user.name == name) => return,
            None => (format!("no user is named `{name}`"), instead(name, server.users.iter().map(|user| &user.name), "add it under `users:`")),
        };
        self.fault(RefusalKind::Unknown, path, what, advice);
    }

    fn repositories(&mut self) {
        let server = self.server;
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, repository) in server.repositories.iter().enumerate() {
            let at = i.to_string();
            let path = ["repositories", &at, "name"];
            if let Some(first) = seen.insert(&repository.name, i) {
                let also = self.node.nearest_to(&["repositories", &first.to_string(), "name"]).place.clone();
                let place = self.node.nearest_to(&path).place.clone();
                let what = format!("two repositories are named `{}`", repository.name);
                self.found.push(Refusal::new(RefusalKind::Overlap, what).at(place).also(also).advice("name each repository once"));
            }
            let part_fits = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            if !repository.name.split('/').all(part_fits) {
                let advice = "use letters, digits, `.`, `-`, `_`, and `/` between parts that start with no dot";
                self.fault(RefusalKind::Value, &path, format!("`{}` is no repository name", repository.name), advice);
            }
            self.rights(repository, &at);
        }
    }

    /// Every grant of the file: by repository and further branch, with what the two are called and where it stands.
    fn granted(&self) -> Vec<Granted<'_>> {
        let mut all = Vec::new();
        for (i, of) in self.server.repositories.iter().enumerate() {
            let path = |grant: usize| vec!["repositories".to_owned(), i.to_string(), "grants".to_owned(), grant.to_string()];
            all.extend(of.grants.iter().enumerate().map(|(g, grant)| Granted { of: (i, None), name: of.name.to_string(), grant, path: path(g) }));
            for (b, branch) in of.branches.iter().enumerate() {
                let path = |grant: usize| vec!["repositories".to_owned(), i.to_string(), "branches".to_owned(), b.to_string(), "grants".to_owned(), grant.to_string()];
                let name = format!("{}@{}", of.name, branch.label());
                all.extend(branch.grants.iter().enumerate().map(|(g, grant)| Granted { of: (i, Some(b)), name: name.clone(), grant, path: path(g) }));
            }
        }
        all
    }

    fn place_of(&self, granted: &Granted<'_>) -> Place {
        self.node.nearest_to(&granted.path.iter().map(String::as_str).collect::<Vec<_>>()).place.clone()
    }

    /// Each resource has one owner: no two repositories are granted the same unit, and no two lie in the same folder.
    fn owners(&mut self) {
        let repositories = &self.server.repositories;
        let server = self.server;
        let (mut faults, pairs) = (Vec::new(), owners::pairs(server));
        let same = |a: &Str, b: &Str| pairs.iter().any(|(one, other, places)| *places == Places::Same && ((*one, *other) == (a, b) || (*other, *one) == (a, b)));
        let granted = self.granted();
        for (n, Granted { of, name, grant, path: _ }) in granted.iter().enumerate() {
            if !server.targets.contains_key(&grant.target) {
                let place = self.node.nearest_to(&granted[n].path.iter().map(String::as_str).chain(["target"]).collect::<Vec<_>>()).place.clone();
                let advice = instead(&grant.target, server.targets.keys(), "add it under `targets:`");
                faults.push(Refusal::new(RefusalKind::Unknown, format!("no target is named `{}`", grant.target)).at(place).advice(advice));
            }
            // One system under two names is two owners in one repository, too.
            let others = granted[..n].iter().filter(|other| {
                let first = other.grant;
                if first.target == grant.target { other.of != *of && !(first.shared && grant.shared) } else { same(&first.target, &grant.target) }
            });
            let Some((other, unit)) = others.filter_map(|other| Some((other, other.grant.overlap(grant)?))).next() else { continue };
            let alias = if other.grant.target == grant.target { String::new() } else { format!(", which is `{}` under another name", other.grant.target) };
            let what = match unit {
                Some(unit) => format!("`{name}` may write `{unit}` of `{}`{alias}, as `{}` may", grant.target, other.name),
                None => format!("`{name}` may write all of `{}`{alias}, of which `{}` may write units", grant.target, other.name),
            };
            let fault = Refusal::new(RefusalKind::Overlap, what).at(self.place_of(&granted[n])).also(self.place_of(other));
            faults.push(fault.advice("each resource has one owner: grant each unit to one repository, with `units:`, or say `shared: true` on both grants, and what one repository asks for is refused to the other"));
        }
        drop(granted);
        self.found.extend(faults);
        for (one, other, _) in pairs.iter().filter(|(_, _, places)| *places == Places::Nested) {
            let what = format!("the folders of `{one}` and `{other}` lie one in the other, so one key has two names");
            let place = |name: &Str| self.node.nearest_to(&["targets", name, "path"]).place.clone();
            let advice = "give each a folder of its own, or make them one target with `units:` in the grants";
            self.found.push(Refusal::new(RefusalKind::Overlap, what).at(place(other)).also(place(one)).advice(advice));
        }
        let whole = |of: &Repository| owners::whole(&self.server.repository_path(of));
        let mut seen: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for (i, repository) in repositories.iter().enumerate() {
            let Some(first) = seen.insert(whole(repository), i).filter(|first| repositories[*first].name != repository.name) else { continue };
            let place = |i: usize| self.node.nearest_to(&["repositories", &i.to_string(), "path"]).place.clone();
            let what = format!("`{}` and `{}` lie in the same folder", repositories[first].name, repository.name);
            let fault = Refusal::new(RefusalKind::Overlap, what).at(place(i)).also(place(first));
            self.found.push(fault.advice("give each a bare repository of its own; two branches of one are two clones of it"));
        }
    }

    fn rights(&mut self, repository: &Repository, at: &str) {
        let lists = [("readers", &repository.readers), ("writers", &repository.writers), ("approvers", &repository.approvers), ("admins", &repository.admins)];
        for (key, names) in lists {
            for (i, name) in names.iter().enumerate() {
                // Accounts of another forge are not ours to know.
                if !repository.is_local() && !name.starts_with('@') {
                    continue;
                }
                self.user(name, &["repositories", at, key, &i.to_string()], true);
            }
        }
    }

    /// Every kind of target has keys of its own: what it needs must be there, and what means nothing to it must not.
    fn keys_of(&mut self, name: &str, target: &Target) {
        /// Keys that every kind takes.
        const ALL: [&str; 2] = ["kind", "in_flight"];
        let (needed, more) = target.kind.keys();
        let Some(node) = self.node.get("targets").and_then(|targets| targets.get(name)) else { return };
        let said: Vec<&str> = node.as_map().unwrap_or_default().iter().filter_map(|(key, _)| key.as_str()).collect();
        for key in needed.iter().filter(|key| !said.contains(key)) {
            self.fault(RefusalKind::Schema, &["targets", name], format!("`{key}` is missing: where is the target?"), format!("add `{key}:`"));
        }
        for key in said.iter().filter(|key| !ALL.contains(key) && !needed.contains(key) && !more.contains(key)) {
            self.fault(RefusalKind::Schema, &["targets", name, key], format!("`{key}` means nothing to a target of kind `{}`", target.kind.as_str()), "remove it");
        }
    }

    fn target(&mut self, name: &str, target: &Target) {
        if name.is_empty() || name.chars().any(|c| !(c.is_ascii_alphanumeric() || "._-".contains(c))) {
            self.fault(RefusalKind::Value, &["targets", name], format!("`{name}` is no target name"), "use letters, digits, `.`, `-` and `_`");
        }
        self.keys_of(name, target);
        let mut addresses: Vec<_> = target.address.iter().map(|address| (address, "address", String::new())).collect();
        addresses.extend(target.nameservers.iter().enumerate().map(|(i, address)| (address, "nameservers", i.to_string())));
        for (address, key, i) in addresses {
            if !is_host_and_port(address) {
                self.fault(RefusalKind::Value, &["targets", name, key, &i], format!("`{address}` is no `host:port`"), "write it as `ns1.example.com:53` or `[2001:db8::1]:53`");
            }
        }
        if target.in_flight == 0 {
            self.fault(RefusalKind::Value, &["targets", name, "in_flight"], "no call at a time is no target".into(), "write 1 or more");
        }
        let secrets = [
            (&["tsig", "secret"][..], target.tsig.as_ref().map(|tsig| &tsig.secret)),
            (&["password"], target.password.as_ref()),
            (&["token"], target.token.as_ref()),
            (&["tls", "identity"], target.tls.as_ref().and_then(|tls| tls.identity.as_ref())),
        ];
        for (key, secret) in secrets {
            match secret {
                Some(SecretSource::File(_)) => self.needs_folder(&[&["targets", name], key].concat()),
                Some(SecretSource::Env(_)) | None => {}
            }
        }
        self.members(&["targets", name], &target.endpoints, target.user.is_some(), target.password.is_some());
        for (key, limit) in [("max_txn_ops", target.max_txn_ops), ("max_request_bytes", target.max_request_bytes)] {
            if limit == Some(0) {
                self.fault(
                    RefusalKind::Value,
                    &["targets", name, key],
                    "a limit of nothing lets nothing through".into(),
                    "write what the members were started with, or leave it out",
                );
            }
        }
    }
}

/// One grant of the file.
struct Granted<'a> {
    /// The repository, and which of its further branches.
    of: (usize, Option<usize>),
    name: String,
    grant: &'a Grant,
    path: Vec<String>,
}

fn is_host_and_port(text: &str) -> bool {
    if text.parse::<std::net::SocketAddr>().is_ok() || text.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => (text, "53"),
    };
    let host_fits = !host.is_empty() && host.len() < 254 && host.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

pub(super) fn instead<'a>(word: &str, known: impl Iterator<Item = &'a Str>, otherwise: &str) -> String {
    match nearest(word, known.map(|name| &**name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.to_owned(),
    }
}
