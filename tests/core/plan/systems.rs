//! Golden plans over several systems: a name server, etcd and a directory, as a person reads them.

use super::toy::{World, toys};
use insta::assert_snapshot;
use trueup::{
    core::{
        model::{Desired, Grant, Place, ResourceId, Value, Wanted},
        plan::{Plan, lint},
        render::{Kinds, Sheet, Style, text},
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
    world.grants.extend(["inside", "etcd", "dir"].map(|target| Grant { target: target.into(), units: Vec::new() }));
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
