//! Further governed branches in `server.yaml`: what becomes of them, and how every fault is told.

use super::{read, refused};
use trueup::{
    core::review::Right,
    ports::{Governed, Stand},
};

const HEAD: &str = "data: d\nusers:\n  - {name: ana, token: {env: A}}\n  - {name: ben, token: {env: B}}\n";
const TARGETS: &str = "targets:\n  staging: {kind: dns/rfc2136, address: \"ns1.test:53\"}\n  production: {kind: dns/rfc2136, address: \"ns2.test:53\"}\n";

fn with(branches: &str) -> String {
    format!("{HEAD}repositories:\n  - name: dns\n    approvers: [ana]\n    grants: [{{target: staging}}]\n    branches:\n{branches}{TARGETS}")
}

#[test]
fn each_further_branch_is_a_repository_of_its_own_over_the_same_git() {
    let server = read(&with("      - pattern: release/*\n        grants: [{target: production}]\n        approvers: [ben]\n      - name: hotfix/now\n"));
    let names: Vec<&str> = server.repositories.iter().map(|of| &*of.name).collect();
    assert_eq!(names, ["dns", "dns@release", "dns@hotfix/now"]);
    let [main, release, hotfix] = server.repositories.as_slice() else { panic!("{names:?}") };
    assert_eq!([main, release, hotfix].map(|of| server.repository_path(of)), ["d/repos/dns.git"; 3].map(std::path::PathBuf::from));
    let left = |of: &trueup::app::config::Repository| of.left.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!([main, release, hotfix].map(left), [vec!["production".to_owned()], vec!["staging".to_owned()], vec!["production".to_owned(), "staging".to_owned()]]);
    assert_eq!(
        [main, release, hotfix].map(|of| (server.right(of, "ana"), server.right(of, "ben"))),
        [(Right::Approve, Right::Read), (Right::Read, Right::Approve), (Right::Approve, Right::Read)]
    );
    assert_eq!([main, hotfix].map(|of| of.governed()), ["main", "hotfix/now"].map(Governed::one));
    assert_eq!((release.governed().now(), release.governed().stand("release/202611"), release.governed().stand("main")), (None, Stand::Open, Stand::Stray));
}

#[test]
fn a_unit_that_two_branches_would_govern_is_refused_with_both_places() {
    insta::assert_snapshot!(refused(&with("      - pattern: release/*\n        grants: [{target: staging, units: [example.com.]}]\n")));
    read(
        &with("      - pattern: release/*\n        grants: [{target: staging, shared: true}]\n")
            .replace("grants: [{target: staging}]", "grants: [{target: staging, shared: true}]"),
    );
}

#[test]
fn a_branch_that_would_be_governed_twice_is_refused_with_both_places() {
    insta::assert_snapshot!(refused(&with("      - name: main\n      - pattern: release/*\n      - name: release/202611\n      - pattern: rel*\n")));
    insta::assert_snapshot!(refused(&with("      - pattern: release/*\n      - pattern: release-*\n")));
}

#[test]
fn what_a_branch_cannot_be_is_refused_with_its_place() {
    insta::assert_snapshot!(refused(&with(
        "      - {name: a, pattern: b*}\n      - {grants: []}\n      - {pattern: \"*\"}\n      - {name: \"a*\"}\n      - {name: x, approvers: [zoe], grants: [{target: prod}]}\n"
    )));
}
