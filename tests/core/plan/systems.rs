//! Golden plans over several systems: a name server, etcd and a directory, as a person reads them.

use super::toy::{World, seen, toys};
use insta::assert_snapshot;
use std::collections::BTreeMap;
use trueup::{
    core::{
        model::{ABSENCE_LINGERS, Desired, FactValue, Grant, Place, Policy, RepoId, ResourceId, Rollout, Span, Value, Wanted},
        plan::{Order, Plan, Restoring, Side, Written, lint, restore, restore_wants},
        render::{Kinds, Sheet, Style, mermaid, text},
    },
    kinds::{
        config::key_id,
        dns::{DnsName, RType, rrset, rrset_id},
    },
};

/// `www A 300 192.0.2.1` is a record of example.com. on `inside`; `etcd:/app/url = x` and `dir:app.conf = x` are keys; `\n` breaks a line.
pub fn asks(lines: &[&str]) -> Desired {
    let mut desired = Desired::default();
    for (number, line) in lines.iter().enumerate() {
        let (id, value, file) = match line.split_once(" = ") {
            Some((key, value)) => {
                let (target, key) = key.split_once(':').expect("a key has a target");
                (key_id(target, key), Value::str(value.replace("\\n", "\n")), "keys")
            }
            None => record(line),
        };
        desired.resources.insert(id, Wanted { value, place: Place::new(file, number as u32 + 1, 1), after: Vec::new() });
    }
    desired
}

fn record(line: &str) -> (ResourceId, Value, &'static str) {
    let mut words = line.splitn(4, ' ');
    let mut word = || words.next().expect("name, type, ttl and data");
    let zone = DnsName::parse("example.com.").unwrap();
    let owner = DnsName::parse_under(word(), &zone).unwrap();
    let id = rrset_id("inside", &zone, &owner, RType::parse(word()).unwrap()).unwrap();
    let ttl = word().parse().unwrap();
    (id, rrset(ttl, word().split(", ").map(str::to_owned).collect()), "zone")
}

pub fn systems(base: &[&str], merged: &[&str]) -> World {
    let mut world = World::new("", "");
    (world.base, world.merged) = (asks(base), asks(merged));
    world.grants.extend(["inside", "etcd", "dir"].map(|target| Grant { target: target.into(), units: Vec::new(), sensitive: Vec::new(), shared: false }));
    world.policy.budgets.from_size = 1000;
    world
}

pub fn read(plan: &Plan) -> String {
    assert_eq!(lint(plan, &toys), []);
    let kinds = Kinds::new(plan.deltas.iter().map(|delta| (delta.id.target.clone(), toys(&delta.id))));
    text(&Sheet::new(plan, &kinds), Style::default())
}

#[test]
fn add() {
    let world = systems(
        &[],
        &["db A 300 192.0.2.1", "www CNAME 300 db.example.com.", "etcd:/app/db/url = postgres://db.example.com:5432/app", "dir:app.conf = retries=3\\nhost=DB.example.com\\n"],
    );
    assert_snapshot!(read(&world.plan()));
}

#[test]
fn remove() {
    let world = systems(&["db A 300 192.0.2.1", "etcd:/app/db/url = postgres://db.example.com:5432/app", "dir:app.conf = host=db.example.com"], &[]);
    assert_snapshot!(read(&world.plan()));
}

#[test]
fn what_names_nothing_that_the_plan_provides_waits_for_nothing() {
    let world = systems(&["etcd:/a = 1"], &["db A 300 192.0.2.1", "etcd:/a = see config.yaml, 192.0.2.1 and other.example.net or xdb.example.com", "dir:b = db"]);
    assert!(world.plan().edges.is_empty());
}

const OLD: [&str; 4] = ["old A 300 192.0.2.1", "www CNAME 600 old.example.com.", "etcd:/app/url = http://old.example.com/", "dir:app.conf = host=old.example.com"];
const NEW: [&str; 4] = ["new A 300 192.0.2.2", "www CNAME 600 new.example.com.", "etcd:/app/url = http://new.example.com/", "dir:app.conf = host=new.example.com"];

fn rolled(base: &[&str], merged: &[&str], rollout: Rollout) -> World {
    let mut world = systems(base, merged);
    world.policy.rollout = rollout;
    world
}

#[test]
fn replace() {
    assert_snapshot!(read(&rolled(&OLD, &NEW, Rollout::Wait).plan()));
}

#[test]
fn replace_at_once() {
    let plan = rolled(&OLD, &NEW, Rollout::AtOnce).plan();
    assert_eq!(plan.waits(), Span(0));
    assert_snapshot!(read(&plan));
}

#[test]
fn replace_and_remember_that_it_was_not_there() {
    let world = rolled(&OLD, &NEW, Rollout::Expand);
    let mut seen = world.observe().unwrap();
    seen.iter_mut().for_each(|seen| drop(seen.facts.insert(ABSENCE_LINGERS.into(), FactValue::Int(1800))));
    let plan = world.compile_seen(&seen).unwrap();
    assert_eq!(plan.waits(), Span::mins(40));
    assert_snapshot!(read(&plan));
}

#[test]
fn a_wait_whose_length_cannot_be_read_is_long_and_told_with_its_place() {
    let world = rolled(&OLD, &NEW, Rollout::Expand);
    let mut seen = world.observe().unwrap();
    let why = FactValue::Text("192.0.2.53:53 answers REFUSED to the question for the SOA of example.com.".into());
    seen.iter_mut().for_each(|seen| drop(seen.facts.insert(ABSENCE_LINGERS.into(), why.clone())));
    let plan = world.compile_seen(&seen).unwrap();
    assert_eq!(plan.waits(), Span::mins(190));
    assert_snapshot!(read(&plan));
    // Nobody waits for it under another rollout, so nothing is said of it.
    let mut world = rolled(&OLD, &NEW, Rollout::Wait);
    world.policy.rollout = Rollout::Wait;
    assert!(world.compile_seen(&seen).unwrap().notes.iter().all(|note| !format!("{note:?}").contains("REFUSED")));
}

#[test]
fn rename() {
    let world =
        rolled(&["app A 300 192.0.2.1", "etcd:/a = app.example.com"], &["api A 300 192.0.2.1", "app CNAME 300 api.example.com.", "etcd:/a = api.example.com"], Rollout::Wait);
    assert_snapshot!(read(&world.plan()));
}

#[test]
fn swap() {
    let world = rolled(
        &["blue A 300 192.0.2.1", "green A 300 192.0.2.2", "live CNAME 300 blue.example.com.", "etcd:/next = green.example.com"],
        &["blue A 300 192.0.2.2", "green A 300 192.0.2.1", "live CNAME 300 green.example.com.", "etcd:/next = blue.example.com"],
        Rollout::Wait,
    );
    assert_snapshot!(read(&world.plan()));
}

#[test]
fn expand_holds_old_and_new_addresses_together_for_the_old_ttl() {
    let world = rolled(&["app A 300 192.0.2.1", "same A 300 192.0.2.1, 192.0.2.2"], &["app A 60 192.0.2.9", "same A 300 192.0.2.2, 192.0.2.3"], Rollout::Expand);
    let plan = world.plan();
    assert_eq!(plan.waits(), Span::mins(5));
    assert_snapshot!(read(&plan));
}

#[test]
fn cycle() {
    let mut world = rolled(&[], &["app A 300 192.0.2.1", "etcd:/a = app.example.com"], Rollout::Wait);
    let (record, key) = (world.merged.resources.keys().find(|id| id.target.as_ref() == "inside").unwrap().clone(), key_id("etcd", "/a"));
    world.merged.resources.get_mut(&record).unwrap().after = vec![key];
    // What people say goes before what a text seems to say.
    assert_snapshot!(read(&world.plan()));
}

#[test]
fn what_ends_or_still_leads_somewhere_is_not_waited_for() {
    let waits = |base: &[&str], merged: &[&str]| rolled(base, merged, Rollout::Wait).plan().waits();
    let www = ["app A 300 192.0.2.1", "www CNAME 600 app.example.com."];
    assert_eq!(waits(&www, &[]), Span(0), "who asks for www gets nothing either way");
    assert_eq!(waits(&www, &["new A 300 192.0.2.2", "www CNAME 600 new.example.com.", "app CNAME 300 new.example.com."]), Span(0), "app leads to new");
    assert_eq!(waits(&www, &["www CNAME 600 app.example.net."]), Span::mins(10));
}

#[test]
fn long_waits_are_said_with_what_would_shorten_them() {
    let base = ["old A 300 192.0.2.1", "www CNAME 3600 old.example.com.", "ftp CNAME 7200 old.example.com."];
    let plan = rolled(&base, &["www CNAME 3600 x.example.net.", "ftp CNAME 7200 x.example.net."], Rollout::Wait).plan();
    assert_snapshot!(read(&plan));
}

#[test]
fn the_way_back_waits_as_well() {
    let plan = rolled(&OLD, &NEW, Rollout::Wait).plan();
    let written: BTreeMap<_, _> =
        plan.steps.values().flat_map(|step| step.writes()).map(|write| (write.id.clone(), Written { before: write.from.clone(), after: write.to.clone() })).collect();
    let seen: Vec<_> = restore_wants(&written).into_iter().map(|want| seen(want.id, want.base.clone(), want.base, Ok(want.merged))).collect();
    let place = |_: &ResourceId| Place::new("zone", 1, 1);
    let back = restore(Restoring {
        written: &written,
        place: &place,
        plans: &[&plan],
        seen: &seen,
        kinds: &toys,
        policy: &Policy::default(),
        rules: Vec::new(),
        base: &|id| written.get(id).and_then(|of| of.before.clone()),
        repo: &RepoId::new("infra"),
        ahead: &BTreeMap::new(),
        past: Default::default(),
    });
    assert_snapshot!(read(&back.unwrap()));
}

fn ordered(first: Side, then: Side) -> Order {
    Order { first, then, place: Place::new("trueup.yaml", 9, 5) }
}

#[test]
fn what_people_order_is_kept_and_turned_round_for_what_goes() {
    let mut world = systems(&["etcd:/old = 1", "dir:old = 1", "etcd:/both = 1"], &["etcd:/new = 2", "dir:new = 2", "etcd:/both = 2"]);
    world.orders = vec![ordered(Side::Resources("etcd/key/*".into()), Side::Resources("dir/*".into()))];
    assert_snapshot!(read(&world.plan()));
}

#[test]
fn a_source_after_another_waits_for_all_of_it_and_an_overlap_is_no_loop() {
    let mut world = systems(&[], &["a A 300 192.0.2.1", "etcd:/a = 1", "dir:b = 1"]);
    for (id, wanted) in &mut world.merged.resources {
        wanted.place = Place::new(format!("{}/file", id.target), 1, 1);
    }
    world.orders = vec![ordered(Side::Folder("dir".into()), Side::Folder("inside".into())), ordered(Side::Resources("dir/key/b".into()), Side::Resources("dir/*".into()))];
    let plan = world.plan();
    let edges: Vec<_> = plan.edges.iter().map(|edge| (&*plan.steps[&edge.before].target, &*plan.steps[&edge.after].target)).collect();
    assert_eq!(edges, [("dir", "inside")]);
}

#[test]
fn orders_that_go_round_are_refused_with_both_places() {
    let mut world = systems(&[], &["etcd:/a = 1", "dir:b = 1"]);
    let back = Order { place: Place::new("trueup.yaml", 12, 5), ..ordered(Side::Resources("dir/*".into()), Side::Resources("etcd/*".into())) };
    world.orders = vec![ordered(Side::Resources("etcd/*".into()), Side::Resources("dir/*".into())), back];
    assert_snapshot!(world.refusals());
}

#[test]
fn an_order_of_too_many_pairs_is_refused_with_its_place() {
    let lines = |target: &str| (0..500).map(|n| format!("{target}:k{n} = 1")).collect::<Vec<_>>();
    let all = [lines("etcd"), lines("dir")].concat();
    let mut world = systems(&[], &all.iter().map(String::as_str).collect::<Vec<_>>());
    world.orders = vec![ordered(Side::Resources("etcd/*".into()), Side::Resources("dir/*".into()))];
    assert_snapshot!(world.refusals());
}

#[test]
fn the_graph_of_several_systems_says_why_each_waits() {
    let plan = rolled(&OLD, &NEW, Rollout::Wait).plan();
    let kinds = Kinds::new(plan.deltas.iter().map(|delta| (delta.id.target.clone(), toys(&delta.id))));
    assert_snapshot!(mermaid(&Sheet::new(&plan, &kinds), &|_| None));
}
