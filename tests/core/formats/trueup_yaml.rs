//! `trueup.yaml`: what is read, and how every fault is told.

use trueup::core::model::{OnDrift, Policy, Refusal, Span};
use trueup::core::render::refusal as refusal_text;
use trueup::formats::trueup_yaml::{Repository, read};

const WHOLE: &str = include_str!("../../../examples/local/trueup.yaml");
const FORMATS: [&str; 3] = ["octodns", "zonefile", "keytree"];

fn good(text: &str) -> Repository {
    read(text.as_bytes(), &FORMATS).unwrap_or_else(|faults| panic!("{}", told(&faults)))
}

fn told(faults: &[Refusal]) -> String {
    faults.iter().map(refusal_text).collect::<Vec<_>>().join("\n")
}

fn refused(text: &str) -> String {
    told(&read(text.as_bytes(), &FORMATS).expect_err(text))
}

#[test]
fn the_example_is_read_whole() {
    let repository = good(WHOLE);
    let first = &repository.sources[0];
    assert_eq!((&*first.path, &*first.format, first.place.line, first.targets.len()), ("zones", "octodns", 3, 2));
    assert_eq!(repository.moved[0].to.to_string(), "dns-inside/rrset/example.com./web/A");
    let policy = &repository.policy;
    assert_eq!((policy.on_drift, policy.window, policy.approvals.len(), policy.freeze.len()), (OnDrift::Block, Span::secs(10), 2, 1));
}

#[test]
fn an_empty_file_governs_nothing_by_default_policy() {
    assert_eq!(good(""), Repository::default());
    assert_eq!(good("policy:\nsources:\n").policy, Policy::default());
}

#[test]
fn a_path_has_one_form_and_maps_the_files_below_it() {
    let repository = good("sources:\n  - {path: ./a//b/, format: octodns, targets: [t]}\n  - {path: a/bc, format: octodns, targets: [t]}\n");
    assert_eq!(&*repository.sources[0].path, "a/b");
    assert_eq!(repository.source_of("a/b/x/y.yaml").map(|source| &*source.path), Some("a/b"));
    assert_eq!(repository.source_of("a/bc/y.yaml").map(|source| &*source.path), Some("a/bc"));
    assert_eq!(repository.source_of("a/b"), None);
    assert_eq!(repository.sources[0].inside("a/b/x/y.yaml"), Some("x/y.yaml"));
}

#[test]
fn every_fault_names_its_place_and_the_way_out() {
    let source = |path: &str| format!("sources:\n  - path: {path}\n    format: octodns\n    targets: [t]\n");
    let policy = |text: &str| format!("policy:\n  {text}\n");
    let cases = [
        ("misspelt section", "sorces: []\n".into()),
        ("misspelt key of a source", "sources:\n  - path: a\n    formt: octodns\n    targets: [t]\n".into()),
        ("misspelt key of policy", policy("aprovals: []")),
        ("misspelt key of a budget", policy("budgets: {deletes_percent: 3}")),
        ("missing key", "sources:\n  - path: a\n    targets: [t]\n".into()),
        ("misspelt format", "sources:\n  - {path: a, format: octdns, targets: [t]}\n".into()),
        ("unknown format", "sources:\n  - {path: a, format: helm, targets: [t]}\n".into()),
        ("a source after one that is none", source("a").replace("    targets", "    after: [b]\n    targets")),
        ("a source after itself", source("a").replace("    targets", "    after: [a]\n    targets")),
        (
            "sources after each other",
            "sources:\n  - {path: a, format: octodns, targets: [t], after: [c]}\n  - {path: b, format: octodns, targets: [t], after: [a]}\n  - {path: c, format: octodns, targets: [t], after: [b]}\n".into(),
        ),
        ("an order of what is no id", "order:\n  - {first: www, then: dns/*}\n".into()),
        ("an order without an end", "order:\n  - {first: dns/*}\n".into()),
        ("absolute path", source("/etc")),
        ("path that leads out", source("zones/../../etc")),
        ("windows path", source("'C:\\zones'")),
        ("whole repository", source(".")),
        ("git's folder", source(".git/hooks")),
        ("templates", source("plans")),
        ("no target", "sources:\n  - {path: a, format: octodns, targets: []}\n".into()),
        ("target twice", "sources:\n  - {path: a, format: octodns, targets: [t, t]}\n".into()),
        ("target with a slash", "sources:\n  - {path: a, format: octodns, targets: [t/u]}\n".into()),
        ("same folder", "sources:\n  - {path: a, format: octodns, targets: [t]}\n  - {path: a/, format: zonefile, targets: [u]}\n".into()),
        ("folder in a folder", "sources:\n  - {path: a/b, format: octodns, targets: [t]}\n  - {path: a, format: octodns, targets: [u]}\n".into()),
        ("id that is none", "moved:\n  - {from: www, to: t/rrset/x}\n".into()),
        ("moved twice", "moved:\n  - {from: t/rrset/a, to: t/rrset/b}\n  - {from: t/rrset/b, to: t/rrset/c}\n".into()),
        ("pattern that is none", policy("ignore: ['t/rrset/[']")),
        ("pattern that matches nothing", "release: [www]\n".into()),
        ("condition that is none", policy("approvals: [{when: plan.delets > 0}]")),
        ("condition that does not parse", policy("approvals:\n    - count: 1\n    - when: plan.deletes >\n")),
        ("approval by nobody", policy("approvals: [{count: 0}]")),
        ("more approvals than people", policy("approvals: [{count: 2, by: [ada, ada]}]")),
        ("key that went", "adopt: ['t/rrset/**']\n".into()),
        ("time without offset", policy("freeze: [{from: 2026-12-24T00:00:00, until: 2026-12-25T00:00:00Z, reason: x}]")),
        ("freeze that ends before it begins", policy("freeze: [{from: 2026-12-25T00:00:00Z, until: 2026-12-24T00:00:00Z, reason: x}]")),
        ("freeze of no day", policy("freeze: [{from: 2026-02-30T00:00:00Z, until: 2026-12-24T00:00:00Z, reason: x}]")),
        ("percent", policy("budgets: {delete_percent: 130}")),
        ("no age", policy("max_age: 0s")),
        ("duration", policy("window: 10")),
        ("misspelt word", policy("on_drift: overwrit")),
        ("list at the top", "- a\n".into()),
        ("several at once", "sources:\n  - {path: ../a, format: x, targets: []}\npolicy:\n  max_age: 0s\n".into()),
    ];
    let all: Vec<String> = cases.iter().map(|(name, text): &(&str, String)| format!("# {name}\n{}", refused(text))).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn unknown_keys_are_refused_with_line_column_caret_and_suggestion() {
    let text = "sources:\n  - path: zones\n    formt: octodns\n    targets: [t]\n";
    assert_eq!(refused(text), "error: the key `formt` is not known here\n --> trueup.yaml:3:5\n  |\n3 |     formt: octodns\n  |     ^\n help: did you mean `format`?\n");
}

#[test]
fn a_key_tree_has_settings_that_other_formats_have_not() {
    let source = |lines: &str| format!("sources:\n  - path: app\n    targets: [etcd]\n{lines}");
    let text = source("    format: keytree\n    prefix: /app/\n    expand: [yaml, json]\n    separator: .\n");
    let read = |text: &str| read(text.as_bytes(), &FORMATS);
    let repository = read(&text).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    let tree = repository.sources[0].key_tree();
    assert_eq!((&*tree.prefix, &*tree.separator, tree.expand.len()), ("/app/", ".", 2));
    let plain = read(&source("    format: keytree\n")).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert!(!plain.sources[0].reads_like(&repository.sources[0]), "other settings read other keys");
    let faults: Vec<String> =
        ["    format: octodns\n    prefix: /app/\n    expand: [yaml]\n", "    format: keytree\n    separator: ''\n", "    format: keytree\n    expand: [ini]\n"]
            .into_iter()
            .map(|lines| told(&read(&source(lines)).unwrap_err()))
            .collect();
    insta::assert_snapshot!(faults.join("\n\n"));
}

#[test]
fn every_fault_of_a_rule_for_merge_requests_names_its_place_and_the_way_out() {
    let link = |pattern: &str, url: &str| format!("policy:\n  links:\n    - pattern: '{pattern}'\n      url: '{url}'\n");
    let require = |text: &str| format!("policy:\n  require: {text}\n");
    let cases = [
        ("no pattern", link("[", "https://t.example/{task}")),
        ("a pattern that finds nothing", link("[0-9]*", "https://t.example/{task}")),
        ("a pattern that stands for too much", link("((x{99}){99}){99}", "https://t.example/{task}")),
        ("no place for the task", link("[0-9]+", "https://t.example/")),
        ("no address", link("[0-9]+", "javascript:alert({task})")),
        ("an address that ends a link", link("[0-9]+", "https://t.example/{task}>")),
        ("a task without a pattern", require("{task: true}")),
        ("patterns that are none", require("{branch: '(', title: '+', commits: '\\\\p{Nope}'}")),
        ("sizes of nothing", require("{max_files: 0, max_commits: 0}")),
        ("misspelt key", require("{titel: x}")),
    ];
    let all: Vec<String> = cases.iter().map(|(name, text): &(&str, String)| format!("# {name}\n{}", refused(text))).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn every_fault_of_a_health_rule_names_its_place_and_the_way_out() {
    let rule = |text: &str| format!("policy:\n  health:\n    - match: [\"*/x\"]\n      {text}\n");
    let cases = [
        ("no question", rule("every: 1s")),
        ("two questions", rule("tcp: db:1\n      http: {url: \"http://a/\"}")),
        ("no match in policy", "policy:\n  health:\n    - tcp: db:1\n".to_owned()),
        ("a bad pattern", "policy:\n  health:\n    - {match: [\"[\"], tcp: \"db:1\"}\n".to_owned()),
        ("beside a source", "sources:\n  - path: a\n    format: octodns\n    targets: [t]\n    health:\n      - tcp: db\n".to_owned()),
        ("misspelt key", rule("htp: {}")),
        ("no scheme", rule("http: {url: \"a.test/\"}")),
        ("a password in a URL", rule("http: {url: \"http://me:hunter2@a.test/\"}")),
        ("no host", rule("http: {url: \"http:///x\"}")),
        ("blanks in a URL", rule("http: {url: \"http://a b/\"}")),
        ("no status", rule("http: {url: \"http://a/\", status: 20}")),
        ("a body of HEAD", rule("http: {url: \"http://a/\", method: HEAD, contains: ok}")),
        ("another method", rule("http: {url: \"http://a/\", method: POST}")),
        ("no pointer", rule("http: {url: \"http://a/\", json: {pointer: a, equals: b}}")),
        ("no address to ask at", rule("http: {url: \"http://a.test/\", at: \"a b\"}")),
        ("two addresses", rule("http: {url: \"http://192.0.2.1/\", at: 192.0.2.2}")),
        ("health checks of other formats", "sources:\n  - {path: a, format: keytree, targets: [t], healthchecks: true}\n".to_owned()),
        ("a name server without a name", rule("dns: {server: \":53\", name: www.test., type: A}")),
        ("half a name", rule("dns: {server: ns1, name: www.test, type: A}")),
        ("no type", rule("dns: {server: ns1, name: www.test., type: AX}")),
        ("a type of questions", rule("dns: {server: ns1, name: www.test., type: ANY}")),
        ("data of another type", rule("dns: {server: ns1, name: www.test., type: A, expect: [\"2001:db8::1\"]}")),
        ("a nameless command", rule("command: {name: \"\"}")),
        ("no query", rule("prometheus: {server: main, query: \" \", test: \"< 1\"}")),
        ("no comparison", rule("prometheus: {server: main, query: up, test: \"~ 1\"}")),
        ("no number", rule("prometheus: {server: main, query: up, test: \"< NaN\"}")),
        ("no number either", rule("prometheus: {server: main, query: up, test: \"<\"}")),
        ("too often", rule("tcp: db:1\n      every: 10ms")),
        ("no time", rule("tcp: db:1\n      timeout: 0s")),
    ];
    let told: Vec<String> = cases.iter().map(|(name, text)| format!("── {name}\n{}", refused(text))).collect();
    assert!(!told.iter().any(|text| text.contains("hunter2")), "no password is repeated");
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn every_comparison_is_read() {
    for test in ["< 0.01", "<= 1", "> -3", ">= 1e3", "== 0", "!= 5", "<0.5", " > +1 "] {
        good(&format!("policy:\n  health:\n    - match: [\"*\"]\n      prometheus: {{server: main, query: up, test: \"{test}\"}}\n"));
    }
}
