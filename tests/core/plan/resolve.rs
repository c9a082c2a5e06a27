//! What references stand for, and the order that comes with them.

use super::{
    systems::{asks, read, systems},
    toy::World,
};
use crate::formats::files::{Memory, scope};
use insta::assert_snapshot;
use std::convert::Infallible;
use trueup::{
    core::{
        model::{Desired, Kind, Late, Piece, Place, Refers, ResourceId, SecretRef, Unit, Value},
        plan::{Asked, SideOf, resolve},
    },
    formats::{Format, octodns::OctoDns},
    kinds,
};

struct All(Desired);

impl SideOf for All {
    type Error = Infallible;

    fn asks(&mut self, id: &ResourceId) -> Result<Asked, Infallible> {
        Ok(Ok(self.0.get(id).map(|wanted| (wanted.value.clone(), self.0.late.get(id).cloned()))))
    }

    fn near(&mut self, _id: &ResourceId) -> Result<Vec<String>, Infallible> {
        Ok(self.0.resources.keys().map(ToString::to_string).collect())
    }

    fn kind(&self, id: &ResourceId) -> &'static dyn Kind {
        kinds::of(id)
    }
}

/// Values that hold `${…}` refer; each reference is at the column it has in its value.
fn written(lines: &[&str]) -> Desired {
    let mut desired = asks(lines);
    for (id, wanted) in &desired.resources {
        let Some(text) = wanted.value.as_str().filter(|text| text.contains("${")) else { continue };
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, (inside, after))) = rest.split_once("${").and_then(|(before, more)| Some((before, more.split_once('}')?))) {
            let mut parts = inside.splitn(3, '/');
            let mut part = || parts.next().expect("target, kind and name");
            let (to, field) = kinds::refers(part(), part(), part()).expect("a kind");
            let column = u32::try_from(text.len() - rest.len() + before.len() + 1).unwrap();
            pieces.push(Piece::Text(before.into()));
            pieces.push(Piece::Refers(Refers { id: to, field, place: Place::new(&*wanted.place.file, wanted.place.line, column) }));
            rest = after;
        }
        pieces.push(Piece::Text(rest.into()));
        desired.late.insert(id.clone(), Late { pieces });
    }
    desired
}

fn resolved(mut desired: Desired) -> (Desired, Vec<String>) {
    let mut side = All(desired.clone());
    let Ok(faults) = resolve(&mut desired, &mut side);
    (desired, faults.iter().map(ToString::to_string).collect())
}

fn value(desired: &Desired, id: &str) -> String {
    desired.get(&ResourceId::parse(id).unwrap()).map_or("(taken out)".into(), |wanted| wanted.value.to_string())
}

#[test]
fn a_reference_stands_for_the_value_of_its_own_side_over_others_too() {
    let (desired, faults) = resolved(written(&[
        "db A 60 192.0.2.2, 192.0.2.1",
        "etcd:/a = ${inside/rrset/example.com./db/A.values.0}:${etcd/key//port} for ${inside/rrset/example.com./db/A.ttl}s",
        "etcd:/b = <${etcd/key//a}>",
        "etcd:/port = 5432\\n",
    ]));
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(value(&desired, "etcd/key//b"), "\"<192.0.2.1:5432 for 60s>\"", "values in their one order, and without the line break at the end of a file");
}

#[test]
fn what_leads_nowhere_is_refused_with_its_place_and_the_nearest_name_and_taken_out() {
    let (desired, faults) = resolved(written(&[
        "db A 60 192.0.2.1",
        "etcd:/port = 1",
        "etcd:/a = x ${inside/rrset/example.com./bd/A.ttl}",
        "etcd:/b = ${inside/rrset/example.com./db/A.tl}",
        "etcd:/c = ${inside/rrset/example.com./db/A.values.1}",
        "etcd:/d = ${inside/rrset/example.com./db/A}",
        "etcd:/e = ${etcd/key//prt}",
        "etcd:/f = ${etcd/key//a} is told once",
        "etcd:/g = ${nowhere/key/something}",
    ]));
    assert_snapshot!(faults.join("\n"));
    assert_eq!(value(&desired, "etcd/key//f"), "(taken out)");
    assert_eq!(desired.late.len(), 0);
}

#[test]
fn references_that_lead_back_to_where_they_start_are_refused_once_with_both_places() {
    let (_, faults) =
        resolved(written(&["etcd:/a = ${etcd/key//b}", "etcd:/b = -${etcd/key//c}", "etcd:/c = ${etcd/key//a}", "etcd:/self = ${etcd/key//self}", "etcd:/z = ${etcd/key//a}"]));
    assert_snapshot!(faults.join("\n"));
}

#[test]
fn a_long_way_and_a_text_that_doubles_are_refused() {
    let chain: Vec<String> = (0..5000).map(|n| format!("etcd:/{n} = ${{etcd/key//{}}}", n + 1)).chain(["etcd:/5000 = x".to_owned()]).collect();
    let (_, faults) = resolved(written(&chain.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!(!faults.is_empty() && faults.iter().all(|fault| fault.contains("leads on over more than 32 references")), "{faults:?}");
    let backwards: Vec<String> = (1..40).map(|n| format!("etcd:/{n:02} = ${{etcd/key//{:02}}}", n - 1)).chain(["etcd:/00 = x".to_owned()]).collect();
    let (_, faults) = resolved(written(&backwards.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!(faults.len() == 1 && faults[0].starts_with("keys:33:1"), "whichever was resolved first: {faults:?}");
    let doubling: Vec<String> = (0..30).map(|n| format!("etcd:/{n:02} = ${{etcd/key//{0:02}}}${{etcd/key//{0:02}}}", n + 1)).chain(["etcd:/30 = xxxx".to_owned()]).collect();
    let (_, faults) = resolved(written(&doubling.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!(!faults.is_empty() && faults.iter().all(|fault| fault.contains("too large")), "{faults:?}");
}

#[test]
fn a_secret_is_not_taken_in_the_clear() {
    let mut desired = written(&["etcd:/a = ${etcd/key//pw}", "etcd:/pw = x"]);
    desired.resources.get_mut(&ResourceId::parse("etcd/key//pw").unwrap()).unwrap().value = Value::Secret(SecretRef::parse("secret://vault/kv/app#pw").unwrap());
    let (_, faults) = resolved(desired);
    assert!(faults.len() == 1 && faults[0].starts_with("keys:1:1: `${etcd/key//pw}` is sensitive"), "{faults:?}");
}

fn refers(base: &[&str], merged: &[&str]) -> World {
    let mut world = systems(&[], &[]);
    for (side, lines) in [(&mut world.base, base), (&mut world.merged, merged)] {
        let (desired, faults) = resolved(written(lines));
        assert!(faults.is_empty(), "{faults:?}");
        *side = desired;
    }
    world
}

const ADDR: &str = "dir:app.conf = addr ${inside/rrset/example.com./db/A.values.0}";

#[test]
fn who_refers_follows_what_changes_in_order_and_the_plan_says_why() {
    let world = refers(&["db A 300 192.0.2.1", ADDR], &["db A 300 192.0.2.2", ADDR]);
    let plan = world.plan();
    assert_snapshot!(format!("{}\n\nthe way back\n\n{}", read(&plan), read(&plan.forecast_reverse())));
}

#[test]
fn what_is_referred_to_is_made_first_and_goes_last() {
    let made = refers(&[], &["db A 300 192.0.2.1", ADDR]).plan();
    let gone = refers(&["db A 300 192.0.2.1", ADDR], &[]).plan();
    let dropped = refers(&["db A 300 192.0.2.1", ADDR], &["dir:app.conf = addr 192.0.2.9"]).plan();
    assert_snapshot!([made, gone, dropped].iter().map(read).collect::<Vec<_>>().join("\n\n"));
}

/// A zone as octoDNS YAML that may refer, beside keys.
fn zoned(zone: &str, lines: &[&str]) -> Desired {
    let mut desired = written(lines);
    let files = Memory::new(&[("example.com.yaml", zone)]);
    let read = OctoDns { references: true, ..OctoDns::PLAIN }.read(&Unit::new("example.com."), &files, &scope(&["inside"])).expect("the zone can be read");
    desired.merge(read).expect("nothing is asked for twice");
    desired
}

const ZONE: &str = "app: {ttl: 60, type: A, values: [192.0.2.1, '${etcd/key//addr}']}\nalias: {ttl: 60, type: CNAME, value: '${etcd/key//host}'}\nnote: {ttl: 60, type: TXT, value: 'v=1\\; ${etcd/key//text} of ${inside/rrset/example.com./app/A.values.0}'}\n";

#[test]
fn what_a_zone_refers_to_is_taken_as_it_is_and_never_as_syntax() {
    let keys = ["etcd:/addr = 192.0.2.0\\n", "etcd:/host = web.example.net", "etcd:/text = a;b \"c\" \\d ü", "etcd:/note = <${inside/rrset/example.com./note/TXT.values.0}>"];
    let (desired, faults) = resolved(zoned(ZONE, &keys));
    assert!(faults.is_empty(), "{faults:?}");
    assert_snapshot!(desired.resources.iter().map(|(id, wanted)| format!("{id} {}", wanted.value)).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_does_not_fit_a_record_is_refused_at_the_reference() {
    let (desired, faults) = resolved(zoned(ZONE, &["etcd:/addr = 192.0.2.1 192.0.2.2", "etcd:/host = localhost", "etcd:/text = fine"]));
    assert_snapshot!(faults.join("\n"));
    assert_eq!(value(&desired, "inside/rrset/example.com./alias/CNAME"), "(taken out)");
    let (_, faults) = resolved(zoned("a: {type: A, value: '${etcd/key//addr}'}\n", &["etcd:/addr = 2001:db8::1"]));
    assert_snapshot!("an_address_of_the_other_family", faults.join("\n"));
}

#[test]
fn a_value_that_only_the_target_makes_is_refused_with_why() {
    let (_, faults) = resolved(written(&["db A 60 192.0.2.1", "etcd:/serial = ${inside/rrset/example.com./@/SOA.serial}"]));
    assert_snapshot!(faults.join("\n"));
}

#[test]
fn a_record_follows_the_key_it_refers_to_in_order() {
    let sides = |addr: &str| {
        let (desired, faults) = resolved(zoned("app: {ttl: 60, type: A, value: '${etcd/key//addr}'}\n", &[addr]));
        assert!(faults.is_empty(), "{faults:?}");
        desired
    };
    let mut world = systems(&[], &[]);
    (world.base, world.merged) = (sides("etcd:/addr = 192.0.2.1"), sides("etcd:/addr = 192.0.2.2"));
    let plan = world.plan();
    assert_snapshot!(format!("{}\n\nthe way back\n\n{}", read(&plan), read(&plan.forecast_reverse())));
}
