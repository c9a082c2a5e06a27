//! `trueup import config`: what it writes asks for exactly what is live, so that the first plan is empty; what it cannot write it refuses.

use super::world::World;
use crate::harness::{CONSUL_TOKEN, ConsulServer, ETCD_PASSWORD, ETCD_USER, EtcdServer};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const TRUEUP: &str = env!("CARGO_BIN_EXE_trueup");

/// What stands below the prefix on each target.
const KEYS: [(&str, &[u8]); 6] =
    [("host", b"db1.example.com"), ("db/port", b"5432\n"), ("db/empty", b""), ("logo.bin", b"\xff\x00\xfe"), ("app.yaml", b"a: 1\r\n"), ("gr\u{fc}n und blau/x", b"1")];

struct Desk {
    dir: TempDir,
    etcd: EtcdServer,
    consul: ConsulServer,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().expect("a temporary folder"), etcd: EtcdServer::closed(), consul: ConsulServer::closed() };
        let at = desk.dir.path();
        for (key, bytes) in KEYS {
            desk.etcd.put(&format!("/open/app/{key}"), bytes);
            desk.consul.put(&format!("open/app/{key}"), bytes);
            let file = at.join("folder/app").join(key);
            fs::create_dir_all(file.parent().expect("it has one")).expect("it is writable");
            fs::write(file, bytes).expect("it is writable");
        }
        desk.etcd.put("/closed/other", b"theirs");
        desk.consul.put("hidden/other", b"theirs");
        fs::write(at.join("password"), ETCD_PASSWORD).expect("it is writable");
        fs::write(at.join("token"), CONSUL_TOKEN).expect("it is writable");
        let grants = "[{ target: app-etcd, units: [\"/open/*\"] }, { target: app-consul, units: [\"open/*\"] }, { target: app-files, units: [\"app/*\"] }]";
        let text = format!(
            "data: data\nsecrets: .\nrepositories:\n  - name: r\n    grants: {grants}\ntargets:\n  app-etcd: {{ kind: config/etcd, endpoints: [\"http://{}\"], user: {ETCD_USER}, password: {{ file: password }} }}\n  app-consul: {{ kind: config/consul, endpoints: [\"http://{}\"], token: {{ file: token }} }}\n  app-files: {{ kind: config/directory, path: folder }}\n",
            desk.etcd.addr, desk.consul.addr
        );
        fs::write(at.join("server.yaml"), text).expect("it is writable");
        fs::create_dir(at.join("work")).expect("it is writable");
        desk.git(&["init", "-q", "-b", "main"]);
        desk
    }

    fn work(&self) -> std::path::PathBuf {
        self.dir.path().join("work")
    }

    fn git(&self, args: &[&str]) {
        let who = ["-c", "user.name=ana", "-c", "user.email=ana@example.test"];
        let out = Command::new("git").current_dir(self.work()).args(who).args(args).output().expect("git runs");
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn trueup(&self, args: &[&str]) -> (i32, String, String) {
        let out: Output = Command::new(TRUEUP).current_dir(self.work()).args(args).args(["--config", "../server.yaml"]).output().expect("the program runs");
        (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned())
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { waiting.push(entry.path()) } else { found.push(entry.path().display().to_string()) }
        }
    }
    found
}

#[test]
fn what_import_writes_is_planned_as_nothing_to_do_on_etcd_consul_and_a_folder() {
    let desk = Desk::new();
    fs::write(desk.work().join("trueup.yaml"), "sources: []\n").expect("it is writable");
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-q", "-m", "nothing governed"]);
    desk.git(&["checkout", "-q", "-b", "import"]);
    let mut root = "sources:\n".to_owned();
    for (target, prefix) in [("app-etcd", "/open/app/"), ("app-consul", "open/app/"), ("app-files", "app/")] {
        let (code, out, err) = desk.trueup(&["import", "config", "--target", target, "--prefix", prefix, "--out", target]);
        assert_eq!(code, 0, "{out}{err}");
        assert!(out.contains(&format!("6 keys of {target}")), "{out}");
        // What it prints can be put into trueup.yaml as it is.
        root.push_str(out.split_once("sources:\n").expect("it prints the mapping").1);
        for (key, bytes) in KEYS {
            assert_eq!(fs::read(desk.work().join(target).join(key)).ok().as_deref(), Some(bytes), "{target} {key}");
        }
        let (code, _, err) = desk.trueup(&["import", "config", "--target", target, "--prefix", prefix, "--out", target]);
        assert!(code == 1 && err.contains("is there already"), "{err}");
    }
    fs::write(desk.work().join("trueup.yaml"), root).expect("it is writable");
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-q", "-m", "as it is"]);
    let plan = ["plan", "--repo", ".", "--base", "main", "--head", "import"];
    let (code, out, err) = desk.trueup(&plan);
    assert_eq!(code, 0, "the first plan is empty: {out}{err}");
    fs::write(desk.work().join("app-consul/host"), "db2.example.com").expect("it is writable");
    desk.git(&["commit", "-qam", "a change"]);
    let (code, out, err) = desk.trueup(&["plan", "--repo", ".", "--base", "import~1", "--head", "import"]);
    assert!(code == 2 && out.contains("db2.example.com"), "and the next is not: {out}{err}");
}

#[test]
fn what_no_file_tree_holds_is_refused_with_advice_and_can_be_left_out() {
    let desk = Desk::new();
    desk.consul.put("open/app/db", b"also a folder");
    desk.consul.put("open/app/../up", b"1");
    desk.consul.put("open/app/a//b", b"1");
    desk.consul.put("open/app/.gitignore", b"1");
    let import = ["import", "config", "--target", "app-consul", "--prefix", "open/app/", "--out", "config"];
    let (code, _, err) = desk.trueup(&import);
    assert_eq!(code, 1);
    for word in ["`open/app/db` is a key and a folder at once", "`open/app/../up` is no path", "`open/app/a//b` is no path", "`open/app/.gitignore`", "4 of 10 keys", "--except"] {
        assert!(err.contains(word), "`{word}` is told: {err}");
    }
    assert_eq!(files(&desk.work().join("config")), Vec::<String>::new(), "nothing was written");
    let except = ["--except", "open/app/db", "--except", "open/app/.*", "--except", "open/app/a//*"];
    let (code, out, err) = desk.trueup(&[&import[..], &except].concat());
    assert!(code == 0 && out.contains("6 keys"), "{out}{err}");
    // What may not be read is no empty folder.
    let (code, _, err) = desk.trueup(&["import", "config", "--target", "app-consul", "--prefix", "hidden/", "--out", "other"]);
    assert!(code == 1 && err.contains("may not read all keys below `hidden/`"), "{err}");
    let (code, _, err) = desk.trueup(&["import", "config", "--target", "app-etcd", "--prefix", "/nothing/", "--out", "other"]);
    assert!(code == 1 && err.contains("no key of app-etcd starts with `/nothing/`"), "{err}");
}

#[test]
fn what_is_sensitive_is_never_written_by_an_import_and_every_plan_refuses_what_is_not_filled_in() {
    let desk = Desk::new();
    let path = desk.dir.path().join("server.yaml");
    let text = fs::read_to_string(&path).expect("it is there");
    let text = text.replace("units: [\"open/*\"]", "units: [\"open/*\"], sensitive: [\"open/app/db/*\"]").replace("    grants:", "    secrets: [\"file/app-*\"]\n    grants:");
    fs::write(&path, format!("{text}seal_key: {{ file: seal.key }}\n")).expect("it is writable");
    fs::write(desk.dir.path().join("seal.key"), "a key of the tests that is long enough").expect("it is writable");
    fs::write(desk.work().join("trueup.yaml"), "sources: []\npolicy:\n  sensitive: [\"*/logo.bin\"]\n").expect("it is writable");
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-q", "-m", "a policy"]);
    desk.git(&["checkout", "-q", "-b", "import"]);
    desk.consul.put("open/app/odd", b"secret://file/app-other");
    let import = ["import", "config", "--target", "app-consul", "--prefix", "open/app/", "--out", "config", "--sensitive", "*/key/open/app/host"];
    let (code, _, err) = desk.trueup(&import);
    assert!(code == 1 && err.contains("`open/app/odd` is text that a file would take for a reference"), "what is no reference is not made one: {err}");
    let (code, out, err) = desk.trueup(&[&import[..], &["--except", "open/app/odd"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    for (key, bytes) in KEYS {
        let hidden = key.starts_with("db/") || key == "host" || key == "logo.bin";
        let written = fs::read(desk.work().join("config").join(key)).expect("it is written");
        assert_eq!(written == bytes, !hidden, "{key}");
        assert_eq!(err.contains(&format!("config/{key}: the value of `open/app/{key}`")), hidden, "{key} is listed: {err}");
    }
    assert!(!err.contains("5432") && !err.contains("db1.example.com") && err.contains("4 values are sensitive"), "{err}");
    let root = format!("sources:\n{}policy:\n  sensitive: [\"*/logo.bin\", \"*/key/open/app/host\"]\n", out.split_once("sources:\n").expect("it prints the mapping").1);
    fs::write(desk.work().join("trueup.yaml"), root).expect("it is writable");
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-q", "-m", "as it is"]);
    let plan = ["plan", "--repo", ".", "--base", "main", "--head", "import"];
    let (code, out, err) = desk.trueup(&plan);
    assert!(code == 1 && err.contains("config/db/port:1:1") && err.contains("still to be filled in"), "{out}{err}");
    // Filled in, and leading to what is live, it is nothing to do.
    fs::write(desk.dir.path().join("app-host"), "db1.example.com").expect("it is writable");
    fs::write(desk.work().join("config/host"), "secret://file/app-host").expect("it is writable");
    for key in ["db/port", "db/empty", "logo.bin"] {
        fs::remove_file(desk.work().join("config").join(key)).expect("it is there");
    }
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-q", "-m", "filled in"]);
    let (code, out, err) = desk.trueup(&plan);
    assert!(code == 0 && !out.contains("db1.example.com"), "{out}{err}");
    // A policy that cannot be read cannot say what is sensitive.
    fs::write(desk.work().join("trueup.yaml"), "sauces: []\n").expect("it is writable");
    let (code, _, err) = desk.trueup(&["import", "config", "--target", "app-files", "--prefix", "app/", "--out", "other"]);
    assert!(code == 1 && err.contains("what is sensitive cannot be told"), "{err}");
    assert_eq!(files(&desk.work().join("other")), Vec::<String>::new());
}

#[test]
fn what_repositories_that_a_forge_may_list_call_sensitive_is_not_written_either() {
    let desk = Desk::new();
    let path = desk.dir.path().join("server.yaml");
    let text = fs::read_to_string(&path).expect("it is there");
    let found = "forges:\n  work:\n    kind: gitea\n    url: https://git.example.com\n    token: { file: token }\n    discover:\n      - group: apps\n        allow: [\"*\"]\n        grants: [{ target: app-consul, units: [\"other/{repo}/*\"], sensitive: [\"open/app/db/*\", \"open/app/ho{repo}\"] }]\n";
    fs::write(&path, format!("{text}{found}")).expect("it is writable");
    let (code, out, err) = desk.trueup(&["import", "config", "--target", "app-consul", "--prefix", "open/app/", "--out", "config"]);
    assert_eq!(code, 0, "{out}{err}");
    for (key, bytes) in KEYS {
        let written = fs::read(desk.work().join("config").join(key)).expect("it is written");
        assert_eq!(written == bytes, !(key.starts_with("db/") || key == "host"), "{key}: {err}");
    }
}

#[test]
fn sensitive_records_are_left_out_of_an_import_and_listed_unless_they_are_asked_for() {
    let world = World::start();
    let zone = &world.zones[0];
    world.dns.by_hand(zone, &format!("update add token.{zone} 300 TXT \"hush-hush\"\nupdate add key.{zone} 300 TXT \"quiet-quiet\"\nupdate add open.{zone} 300 TXT \"for all\""));
    // By the policy above the folder, and by what is asked for.
    let folder = world.dir.path().join("imported");
    fs::create_dir(&folder).expect("it is writable");
    fs::write(folder.join("trueup.yaml"), "sources: []\npolicy:\n  sensitive: [\"*/token/TXT\"]\n").expect("it is writable");
    let (config, out) = (world.config().display().to_string(), folder.join("zones").display().to_string());
    for format in ["octodns", "zonefile"] {
        let import =
            ["import", "dns", "--config", &config, "--target", "inside", "--zone", zone, "--format", format, "--out", &out, "--sensitive", "*/mail/A", "--sensitive", "*/key/TXT"];
        let said = world.trueup("root", &import);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        let written: String = files(&folder.join("zones")).iter().map(|file| fs::read_to_string(file).expect("it is text")).collect();
        for hidden in ["hush-hush", "quiet-quiet", "192.0.2.2\n"] {
            assert!(!written.contains(hidden) && !said.out.contains(hidden) && !said.err.contains(hidden), "{format}, {hidden}: {written}{}{}", said.out, said.err);
        }
        assert!(written.contains("192.0.2.1") && written.contains("for all"), "{format}: {written}");
        let bare = zone.trim_end_matches('.');
        for title in [format!("token.{bare} TXT"), format!("key.{bare} TXT"), format!("mail.{bare} A")] {
            assert!(said.err.contains(&title), "{format} lists {title}: {}", said.err);
        }
        let all = world.trueup("root", &[&import[..], &["--with-sensitive", "--force"]].concat());
        assert_eq!(all.code, 0, "{}{}", all.out, all.err);
        let written: String = files(&folder.join("zones")).iter().map(|file| fs::read_to_string(file).expect("it is text")).collect();
        assert!(written.contains("hush-hush") && written.contains("quiet-quiet") && !all.err.contains("token."), "{format}: {written}{}", all.err);
        fs::remove_dir_all(folder.join("zones")).expect("it is there");
    }
}

#[test]
fn doctor_examines_config_targets_and_writes_nothing() {
    let desk = Desk::new();
    let doctor = || desk.trueup(&["doctor"]);
    let (before, live) = (desk.etcd.revision(), desk.consul.all());
    let (code, out, err) = doctor();
    let is = |start: &str, what: &str| assert!(out.lines().any(|line| line.starts_with(start) && line.contains(what)), "`{start}` says `{what}` in\n{out}{err}");
    is("ok    secrets: 2 can be read", "");
    is("ok    target app-etcd: reach:", "has a leader");
    is(&format!("ok    target app-etcd: member http://{}:", desk.etcd.addr), "version 3.6.8");
    is("ok    target app-etcd: sign-in:", "signed in as `deploy`");
    is("ok    target app-etcd: rights:", "the user `deploy` may read and write `/open/*`");
    is("ok    target app-etcd: limits:", "128 writes");
    is(&format!("ok    target app-consul: agent http://{}:", desk.consul.addr), "its leader is");
    is("ok    target app-consul: token:", "it is known");
    is("ok    target app-consul: rights:", "may read and write `open/*`");
    is("ok    target app-consul: limits:", "524288 bytes");
    is("ok    target app-files: folder:", "6 keys");
    is("ok    target app-files: rights:", "`app/*` can be written");
    assert_eq!((desk.etcd.revision(), desk.consul.all()), (before, live), "nothing was written");
    assert!(!out.contains("fail  target"), "{out}");
    assert!(!out.contains(ETCD_PASSWORD) && !out.contains(CONSUL_TOKEN) && code <= 1, "{out}");
}

#[test]
fn doctor_says_what_config_targets_would_refuse() {
    let desk = Desk::new();
    let path = desk.dir.path().join("server.yaml");
    let text = fs::read_to_string(&path).expect("it is there");
    let away = crate::harness::free_port();
    let text = text
        .replace("/open/*", "/closed/*")
        .replace("\"open/*", "\"closed/*")
        .replace("path: folder", "path: nowhere")
        .replace("config/etcd, endpoints: [", &format!("config/etcd, endpoints: [\"http://127.0.0.1:{away}\", "));
    fs::write(&path, text).expect("it is writable");
    let (code, out, err) = desk.trueup(&["doctor"]);
    assert_eq!(code, 1);
    let is = |start: &str, what: &str| assert!(out.lines().any(|line| line.starts_with(start) && line.contains(what)), "`{start}` says `{what}` in\n{out}{err}");
    is(&format!("warn  target app-etcd: member http://127.0.0.1:{away}:"), "the others carry on");
    is("fail  target app-etcd: rights:", "may not write all of `/closed/*`; give one of its roles the right: etcdctl role grant-permission");
    is("fail  target app-consul: rights:", "may not write `closed/*`; put into its policy: key_prefix \"closed/\"");
    is("fail  target app-files: folder:", "there is no folder");
    fs::write(desk.dir.path().join("password"), "wrong").expect("it is writable");
    desk.consul.revoke(CONSUL_TOKEN);
    let (code, out, err) = desk.trueup(&["doctor"]);
    assert_eq!(code, 1);
    let is = |start: &str, what: &str| assert!(out.lines().any(|line| line.starts_with(start) && line.contains(what)), "`{start}` says `{what}` in\n{out}{err}");
    is("fail  target app-etcd: sign-in:", "cannot sign in");
    is("fail  target app-consul: token:", "no such token");
}

#[test]
fn doctor_tells_of_a_full_quota() {
    let desk = Desk::new();
    let full = EtcdServer::open(&["--quota-backend-bytes", "1000000"]);
    let path = desk.dir.path().join("server.yaml");
    let text = fs::read_to_string(&path).expect("it is there");
    let text = text.replace(&format!("{}\"], user: {ETCD_USER}, password: {{ file: password }}", desk.etcd.addr), &format!("{}\"]", full.addr));
    fs::write(&path, text).expect("it is writable");
    assert!(desk.trueup(&["doctor"]).1.contains("warn  target app-etcd: sign-in: nobody signs in"));
    full.fill("/filler/");
    let (code, out, err) = desk.trueup(&["doctor"]);
    let told =
        |line: &str| line.starts_with(&format!("fail  target app-etcd: member http://{}:", full.addr)) && line.contains("alarm NOSPACE") && line.contains("etcdctl alarm disarm");
    assert!(code == 1 && out.lines().any(told), "{out}{err}");
}
