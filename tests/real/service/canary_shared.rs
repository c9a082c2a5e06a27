//! The secrets of a server over etcd and of all that it speaks to are in no row of its store, no file, no answer, and no argument of what it starts.

use super::{
    canary::answers,
    secrets::{keep, say, shown},
    world::{SEAL_KEY, World},
};
use crate::{
    harness::{CONSUL_TOKEN, Canaries, ConsulServer, ETCD_PASSWORD, ETCD_USER, EtcdServer, KEY_SECRET, Prometheus, free_port},
    secrets::{sops, twin::Twin},
};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

/// What every key of the store starts with; the user may write below `/open/` alone.
const STORE: &str = "/open/store";

/// A world whose store is an etcd, and which speaks to a config center of each kind, Vault, SOPS, Prometheus and a forge that is away, each with a secret.
struct Keeper {
    world: World,
    etcd: EtcdServer,
    consul: ConsulServer,
    canaries: Canaries,
    /// They run as long as the story does.
    _beside: (Twin, tempfile::TempDir, Prometheus),
}

impl Keeper {
    fn start() -> Self {
        let (etcd, consul, twin, prometheus) = (EtcdServer::closed(), ConsulServer::closed(), Twin::start(), Prometheus::start());
        prometheus.measures("ready 1\n");
        let versions = ["canary-vault-1", "canary-vault-2"].map(|text| Some(serde_json::json!({ "password": text })));
        twin.held.lock().expect("whole").secrets.insert("kv/app".into(), versions.into());
        let encrypted = sops::encrypted("app/prod.yaml", "db: {password: canary-sops}\n");
        let mut world = World::start_with("  health:\n    - match: [\"*\"]\n      prometheus: { server: main, query: ready, test: '== 1' }\n");
        world.kill();
        // It kept its changes here until now.
        fs::remove_dir_all(world.dir.path().join("data/store")).expect("the folder is ours");
        let secrets = [
            ("etcd.password", ETCD_PASSWORD),
            ("consul.token", CONSUL_TOKEN),
            ("role.id", "role"),
            ("role.secret", "canary-secret-id"),
            ("age.key", sops::KEY),
            ("prometheus.token", "canary-prometheus-token"),
            ("forge.token", "canary-forge-token"),
            ("hook.secret", "canary-hook-secret"),
            ("own-hook.secret", "canary-own-hook-secret"),
        ];
        secrets.iter().for_each(|(file, text)| keep(&world, file, text));
        let text = fs::read_to_string(world.config()).expect("it is there");
        let listen = text.lines().next().expect("it says where to listen").to_owned();
        let store = format!("store: {{ kind: etcd, endpoints: [\"http://{}\"], prefix: {STORE}, user: {ETCD_USER}, password: {{ file: etcd.password }}, lease: 4s }}", etcd.addr);
        let before = format!(
            "{listen}\nurl: http://127.0.0.1:{}\n{store}\nvault: {{ address: \"{}\", approle: {{ role_id: {{ file: role.id }}, secret_id: {{ file: role.secret }} }} }}\nsops: {{ folder: {}, age_key: {{ file: age.key }}, program: {} }}\nprobes: {{ prometheus: {{ main: {{ url: \"{}\", token: {{ file: prometheus.token }} }} }} }}\nforges:\n  hub: {{ kind: github, url: \"http://127.0.0.1:{}\", token: {{ file: forge.token }}, webhook_secret: {{ file: hook.secret }}, bot: trueup }}\n",
            world.port,
            twin.address,
            encrypted.path().display(),
            told(&world, "sops", &sops::program()).display(),
            prometheus.url(),
            free_port(),
        );
        let grants = "    secrets: [\"vault/kv/app*\", \"sops/app/*\"]\n    grants:\n      - target: center\n        units: [\"/open/app/*\"]\n      - target: kv\n        units: [\"open/app/*\"]\n";
        let far = "  - { name: far, forge: hub, project: platform/far, webhook_secret: { file: own-hook.secret } }\ntargets:\n";
        let targets = format!(
            "  center:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n    user: {ETCD_USER}\n    password: {{ file: etcd.password }}\n  kv:\n    kind: config/consul\n    endpoints: [\"http://{}\"]\n    token: {{ file: consul.token }}\n",
            etcd.addr, consul.addr
        );
        let text = text.replace(&format!("{listen}\n"), &before).replace("    grants:\n", grants).replace("targets:\n", far);
        fs::write(world.config(), format!("{text}{targets}")).expect("the folder is writable");
        // Programs that tell what they are started with, and a place of its own for what is put down for a moment.
        let git = Command::new("sh").args(["-c", "command -v git"]).output().expect("there is a shell").stdout;
        told(&world, "git", &PathBuf::from(String::from_utf8(git).expect("a path").trim()));
        let (bin, tmp) = (world.dir.path().join("bin"), world.dir.path().join("tmp"));
        fs::create_dir_all(&tmp).expect("the folder is writable");
        let path = std::env::var("PATH").expect("there is one");
        world.env = vec![("PATH".into(), format!("{}:{path}", bin.display())), ("TMPDIR".into(), tmp.display().to_string())];
        world.serve();
        let mut planted: Vec<&str> = secrets.iter().map(|(_, text)| *text).filter(|text| *text != "role").collect();
        planted.extend(["canary-vault-1", "canary-vault-2", "canary-sops", "canary-token-", "canary-by-hand", SEAL_KEY, KEY_SECRET, "ana-token", "ben-token", "root-token"]);
        Self { canaries: Canaries::new(&planted), world, etcd, consul, _beside: (twin, encrypted, prometheus) }
    }

    /// Searches all that anybody is told of a merge request, and all that is kept.
    fn nowhere(&self, number: u64, when: &str) {
        let (good, all) = answers(&self.world, number);
        assert!(good >= 3, "{when}: {good} answers: {all}");
        assert!(self.canaries.in_text(&all).is_empty(), "{when}: {:?} in {all}", self.canaries.in_text(&all));
        let (mine, live): (Vec<_>, Vec<_>) = self.etcd.all_bytes().into_iter().partition(|(key, _)| key.starts_with(STORE.as_bytes()));
        assert!(mine.len() > 10, "{when}: {} rows of the store were searched", mine.len());
        for (key, value) in &mine {
            let found = &self.canaries.in_bytes(key) | &self.canaries.in_bytes(value);
            assert!(found.is_empty(), "{when}: {found:?} below {}", String::from_utf8_lossy(key));
        }
        assert!(live.iter().any(|(_, value)| !self.canaries.in_bytes(value).is_empty()), "{when}: the search finds what is really there");
        let arguments = fs::read(format!("/proc/{}/cmdline", self.world.pid())).expect("the system tells of its processes");
        assert!(String::from_utf8_lossy(&arguments).contains("serve") && self.canaries.in_bytes(&arguments).is_empty(), "{when}: {}", String::from_utf8_lossy(&arguments));
        let started = fs::read_to_string(self.world.dir.path().join("started")).expect("programs were started");
        assert!(started.contains("bin/git ") && started.contains("bin/sops "), "{when}: {started}");
        assert!(self.canaries.in_text(&started).is_empty(), "{when}: {:?} in {started}", self.canaries.in_text(&started));
        for folder in ["data", "tmp"] {
            let (_, found) = self.canaries.below(&self.world.dir.path().join(folder));
            assert!(found.is_empty(), "{when}: {found:?}");
        }
    }

    fn key(&self) -> Option<String> {
        let found = self.etcd.all_bytes().into_iter().find(|(key, _)| key == b"/open/app/db/password");
        found.map(|(_, value)| String::from_utf8(value).expect("it is text"))
    }
}

/// A program that notes what it is started with and is the other one from then on.
fn told(world: &World, name: &str, real: &std::path::Path) -> PathBuf {
    let path = world.dir.path().join("bin").join(name);
    fs::create_dir_all(path.parent().expect("it stands in a folder")).expect("the folder is writable");
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$0 $*\" >> '{}'\nexec '{}' \"$@\"\n", world.dir.path().join("started").display(), real.display());
    fs::write(&path, script).expect("the folder is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

#[test]
fn no_secret_of_what_a_server_speaks_to_is_in_its_store_its_files_its_answers_or_any_argument() {
    let keeper = Keeper::start();
    let world = &keeper.world;
    let number = world.propose("govern", |world| {
        let sources = "  - {path: center, format: keytree, targets: [center], prefix: /open/app/, expand: [yaml]}\n  - {path: kv, format: keytree, targets: [kv], prefix: open/app/, expand: [yaml]}\npolicy:\n";
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("policy:\n", sources).replace("window: 2s", "window: 10m"));
        world.write("center/db.yaml", "password: secret://vault/kv/app#password@1\n");
        world.write("kv/db.yaml", "password: secret://sops/app/prod.yaml#db.password\n");
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!(keeper.key().as_deref(), Some("canary-vault-1"));
    assert!(keeper.consul.all().iter().any(|(key, value, _)| key == "open/app/db/password" && value == b"canary-sops"));
    keeper.nowhere(number, "merged");
    // Somebody who took the signature for the secret itself, and somebody who guesses.
    for signature in ["sha256=canary-hook-secret", "canary-own-hook-secret"] {
        let status = world.deliver("hub", &[("x-github-event", "push"), ("x-hub-signature-256", signature)], "{\"repository\":{\"full_name\":\"platform/far\"}}");
        assert!((400..500).contains(&status), "it is not taken: {status}");
    }
    let number = world.propose("second", |world| world.write("center/db.yaml", "password: secret://vault/kv/app#password@2\n"));
    world.wait(number, "awaiting_approval");
    keeper.nowhere(number, "before the approval");
    world.approve(number);
    world.wait(number, "verifying");
    assert_eq!(keeper.key().as_deref(), Some("canary-vault-2"));
    keeper.etcd.put("/open/app/db/password", b"canary-by-hand");
    world.until(|world| shown(world, number).contains("changed by another writer") || world.show(number)["phase"] == "refused");
    keeper.nowhere(number, "after a hand's write");
    keeper.etcd.put("/open/app/db/password", b"canary-vault-2");
    say(world, number, &["restore"]);
    world.wait(number, "restored");
    assert_eq!(keeper.key().as_deref(), Some("canary-vault-1"));
    keeper.nowhere(number, "after the restore");
}
