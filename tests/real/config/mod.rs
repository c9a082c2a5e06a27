//! `server.yaml`: what is read, and how every fault is told.

mod branches;
mod ci;
mod discover;
mod docs;
mod forges;

use std::path::Path;
use trueup::{
    app::config::{self, Server, StoreKind, TargetKind, TokenSource, TsigAlgorithm},
    core::{
        model::{Refusal, Span},
        render::refusal as refusal_text,
        review::Right,
    },
};

const WHOLE: &str = include_str!("../../../examples/local/server.yaml");

fn read(text: &str) -> Server {
    config::parse("server.yaml", text.as_bytes()).unwrap_or_else(|faults| panic!("{}", told(&faults)))
}

fn told(faults: &[Refusal]) -> String {
    faults.iter().map(refusal_text).collect::<Vec<_>>().join("\n\n")
}

fn refused(text: &str) -> String {
    told(&config::parse("server.yaml", text.as_bytes()).expect_err(text))
}

#[test]
fn the_example_of_several_replicas_is_read_whole() {
    let server = read(include_str!("../../../examples/replicas/server.yaml"));
    assert_eq!((server.store.kind, &*server.store.prefix, server.store.lease, server.store.endpoints.len()), (StoreKind::Etcd, "trueup", Span::secs(15), 3));
}

#[test]
fn a_store_that_cannot_be_is_refused_with_its_place() {
    let store = |lines: &str| refused(&format!("data: d\nstore:\n{lines}"));
    assert!(store("  kind: etcd\n").contains("`endpoints` is missing"));
    assert!(store("  kind: etcd\n  endpoints: [\"localhost:2379\"]\n").contains("is no URL of a member"));
    assert!(store("  kind: etcd\n  endpoints: [\"http://e:2379\"]\n  user: x\n").contains("`user` and `password` go together"));
    assert!(store("  kind: etcd\n  endpoints: [\"http://e:2379\"]\n  lease: 1s\n").contains("lost at every pause"));
    assert!(store("  kind: etcd\n  endpoints: [\"http://e:2379\"]\n  prefix: /\n").contains("without a prefix"));
    assert!(store("  kind: etcd\n  endpoints: [\"http://e:2379\"]\n  max_txn_ops: 4\n").contains("does not fit into less than 16"));
    assert!(store("  kind: redb\n  prefix: x\n").contains("`prefix` means nothing to an embedded store"));
}

#[test]
fn the_example_is_read_whole() {
    let server = read(WHOLE);
    assert_eq!((&*server.listen, &*server.bot, server.store.kind), ("127.0.0.1:8080", "trueup", StoreKind::Redb));
    let target = &server.targets["dns-inside"];
    assert_eq!((target.kind, target.address.as_deref(), target.in_flight), (TargetKind::DnsRfc2136, Some("127.0.0.1:5300"), 4));
    let tsig = target.tsig.as_ref().unwrap();
    assert_eq!((&*tsig.name, tsig.algorithm, &*tsig.secret.reference().uri), ("trueup.", TsigAlgorithm::HmacSha256, "secret://file/dns-inside.key"));
    assert_eq!(server.limits.sweep, Span::secs(30));
    assert!(server.users.iter().any(|user| matches!(user.token, TokenSource::Sha256(_))));
}

#[test]
fn what_is_left_out_has_its_default() {
    let server = read("data: d\n");
    assert_eq!((&*server.listen, server.url, server.limits), ("127.0.0.1:8080", None, config::Limits::default()));
}

#[test]
fn the_highest_list_a_user_stands_in_is_the_right() {
    let server = read(WHOLE);
    let repository = &server.repositories[0];
    let rights = ["root", "grace", "ada", "ci", "nobody"].map(|user| server.right(repository, user));
    assert_eq!(rights, [Right::Admin, Right::Approve, Right::Write, Right::Read, Right::None]);
    let mut closed = repository.clone();
    closed.readers = vec!["ada".into()];
    assert_eq!(server.right(&closed, "ci"), Right::None);
}

#[test]
fn a_plain_secret_is_refused_and_never_repeated() {
    let key = "c2VjcmV0IGtleSBvZiBhIHRlc3Q=";
    for text in [
        format!("data: d\ntargets:\n  a:\n    kind: dns/rfc2136\n    address: ns:53\n    tsig: {{name: k, secret: {key}}}\n"),
        format!("data: d\ntargets:\n  a:\n    kind: dns/rfc2136\n    address: ns:53\n    tsig:\n      name: k\n      secret:\n        {key}\n"),
        format!("data: d\nusers:\n  - {{name: ada, token: {key}}}\n"),
        format!("data: d\nusers:\n  - {{name: ada, token: {{sha256: {key}}}}}\n"),
        format!("data: d\nusers:\n  - name: ada\n    token:\n      plain: {key}\n"),
        format!("data: d\nusers:\n  - name: ada\n    token: [{key}]\n"),
    ] {
        let text = refused(&text);
        assert!(!text.contains(key), "{text}");
    }
    insta::assert_snapshot!(refused(&format!("data: d\nusers:\n  - name: ada\n    token: {key}\n")));
}

#[test]
fn every_fault_names_its_place_and_the_way_out() {
    let cases = [
        ("misspelt key", "data: d\nlistn: x\n"),
        ("no data folder", "listen: 127.0.0.1:1\n"),
        ("no address", "data: d\nlisten: localhost\n"),
        ("no URL", "data: d\nurl: trueup.example.com\n"),
        ("unknown store", "data: d\nstore: {kind: reddb}\n"),
        ("unknown kind of target", "data: d\ntargets: {a: {kind: dns/rfc2163, address: 'ns:53'}}\n"),
        ("no host and port", "data: d\ntargets: {a: {kind: dns/rfc2136, address: 'http://ns:53', nameservers: ['ns:x']}}\n"),
        ("name of a target", "data: d\ntargets: {a/b: {kind: dns/rfc2136, address: 'ns:53'}}\n"),
        ("keys of another kind of target", "data: d\ntargets: {a: {kind: config/directory, address: ns}}\n"),
        ("unknown names", "data: d\nusers: [{name: ada, token: {env: T}}]\ngroups: {sre: [ada, bob]}\nrepositories: [{name: r, writers: [adda], approvers: ['@sra']}]\n"),
        ("same names", "data: d\nusers: [{name: ada, token: {env: T}}, {name: ada, token: {env: T}}]\nrepositories: [{name: r}, {name: r}]\n"),
        ("name of a repository", "data: d\nrepositories: [{name: ../r}]\n"),
        ("grant of a target that is not there", "data: d\nrepositories: [{name: r, grants: [{target: dns}]}]\ntargets: {dnss: {kind: dns/rfc2136, address: ns}}\n"),
        (
            "grants of probes that are not there",
            "data: d\nrepositories: [{name: r, probes: {commands: [smok, later-*], prometheus: [main]}}]\nprobes: {commands: {smoke: {argv: [/bin/true]}}}\n",
        ),
        (
            "one unit of two repositories",
            "data: d\nrepositories:\n  - {name: a, grants: [{target: dns, units: [example.com.]}]}\n  - {name: b, grants: [{target: dns, units: ['*.com.']}]}\ntargets: {dns: {kind: dns/rfc2136, address: ns}}\n",
        ),
        ("one folder of two repositories", "data: d\nrepositories:\n  - {name: a}\n  - {name: b, path: ./d/repos/a.git}\n"),
        ("secret file without a folder", "data: d\nusers: [{name: ada, token: {file: T}}]\n"),
        ("a user with the bot's name", "data: d\nusers: [{name: trueup, token: {env: T}}]\n"),
        ("duration", "data: d\nlimits: {sweep: 30}\n"),
        ("sweeps for drift", "data: d\ndrift: {every: 0s, reads: 0}\n"),
        ("proposing without a sweep", "data: d\ndrift: {propose: true}\n"),
        ("limits of nothing", "data: d\nlimits: {plans: 0, sweep: 0s, request_bytes: 0, push_bytes: 0}\n"),
    ];
    let all: Vec<String> = cases.iter().map(|(name, text)| format!("# {name}\n{}", refused(text))).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.yaml");
    std::fs::write(&file, "data: d\nsecrets: s\nrepositories: [{name: a/b}, {name: c, path: /srv/c.git}]\n").unwrap();
    let server = config::load(&file).unwrap();
    assert_eq!((server.data.clone(), server.secrets.clone()), (folder.path().join("d"), Some(folder.path().join("s"))));
    let paths: Vec<_> = server.repositories.iter().map(|repository| server.repository_path(repository)).collect();
    assert_eq!(paths, [folder.path().join("d/repos/a/b.git"), Path::new("/srv/c.git").to_owned()]);
}

#[test]
fn a_file_that_is_not_there_is_told_with_what_to_do() {
    let faults = config::load(Path::new("/nowhere/server.yaml")).expect_err("the file is not there");
    insta::assert_snapshot!(told(&faults));
}

#[test]
fn two_repositories_never_own_one_unit() {
    let with = |a: &str, b: &str| {
        let text = format!(
            "data: d\nrepositories:\n  - {{name: a, grants: [{a}]}}\n  - {{name: b, grants: [{b}]}}\ntargets: {{dns: {{kind: dns/rfc2136, address: ns}}, more: {{kind: dns/rfc2136, address: ns2}}}}\n"
        );
        config::parse("server.yaml", text.as_bytes()).map(drop).map_err(|faults| told(&faults))
    };
    let one = "{target: dns, units: [example.com.]}";
    let apart = [
        (one, "{target: dns, units: [example.org.]}"),
        (one, "{target: more, units: [example.com.]}"),
        (one, "{target: more}"),
        (one, "{target: dns, units: ['*.example.com.']}"),
        ("{target: dns, units: ['*.com.']}", "{target: dns, units: ['*.org.']}"),
        (one, "{target: dns, units: [xexample.com.]}"),
    ];
    for (a, b) in apart {
        assert_eq!(with(a, b), Ok(()));
    }
    let both = [
        (one, one),
        (one, "{target: dns}"),
        ("{target: dns}", "{target: dns}"),
        (one, "{target: dns, units: [example.org., '*.com.']}"),
        ("{target: dns, units: ['*']}", one),
        ("{target: dns, units: ['*.example.com.']}", "{target: dns, units: ['*.com.']}"),
    ];
    for (a, b) in both {
        let told = with(a, b).expect_err("one unit, two owners");
        assert!(told.contains("each resource has one owner") && told.contains("server.yaml:3:"), "{told}");
    }
}

#[test]
fn one_system_under_two_names_has_one_owner() {
    let with = |a: &str, b: &str| {
        let text = format!(
            "data: d\nsecrets: s\nrepositories:\n  - {{name: r, grants: [{{target: a}}]}}\n  - {{name: s, grants: [{{target: b}}]}}\ntargets:\n  a: {{{a}}}\n  b: {{{b}}}\n"
        );
        config::parse("server.yaml", text.as_bytes()).map(drop).map_err(|faults| told(&faults))
    };
    let dns = |address: &str| format!("kind: dns/rfc2136, address: '{address}'");
    let key = |name: &str| format!("{}, tsig: {{name: {name}, secret: {{file: {name}}}}}", dns("ns1.example.com"));
    let etcd = |endpoints: &str| format!("kind: config/etcd, endpoints: [{endpoints}]");
    let folder = |path: &str| format!("kind: config/directory, path: {path}");
    let apart = [
        (dns("192.0.2.1"), dns("192.0.2.1:5353")),
        (etcd("'http://a:2379'"), etcd("'http://b:2379'")),
        (folder("/srv/ab"), folder("/srv/a")),
        // Views of one server are chosen by the key; `trueup doctor` says so.
        (key("inside"), key("outside")),
    ];
    for (a, b) in apart {
        assert_eq!(with(&a, &b), Ok(()), "{a} and {b}");
    }
    let one = [
        (dns("192.0.2.1"), dns("192.0.2.1:53")),
        (dns("NS1.example.com"), dns("ns1.example.com:53")),
        (dns("2001:db8::1"), dns("[2001:db8::1]:53")),
        (key("inside"), key("inside")),
        (etcd("'http://a:2379', 'http://b:2379'"), etcd("'http://b:2379/'")),
        (folder("/srv/a"), folder("/srv/./a/")),
        (folder("/srv/a"), folder("/srv/a/b")),
    ];
    let told: Vec<String> = one.iter().map(|(a, b)| with(a, b).expect_err(&format!("{a} and {b} are one"))).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_link_to_another_repositorys_folder_is_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("real.git")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("real.git"), folder.path().join("link.git")).unwrap();
    let file = folder.path().join("server.yaml");
    std::fs::write(&file, "data: d\nrepositories: [{name: a, path: real.git}, {name: b, path: link.git}]\n").unwrap();
    let faults = config::load(&file).expect_err("one folder, two repositories");
    assert!(faults[0].what.contains("lie in the same folder"), "{}", told(&faults));
}
