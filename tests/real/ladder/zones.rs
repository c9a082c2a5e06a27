//! What only name servers have: wildcards, delegations, CNAMEs, TTLs that prerequisites do not see, keys, the apex.

use super::{
    climb::{Desired, act, apply, assert_settled, cx, live, observe, plan, wants},
    dns::{Real, config, id, value},
    world::{World, skip},
};
use crate::harness::{DnsServer, KEY_SECRET, WRONG_SECRET, free_port};
use std::sync::Arc;
use trueup::{
    core::{
        model::{ABSENCE_LINGERS, FactValue, Health, Reading, RefusalKind, ResourceId, Time, Value},
        plan::{Act, Undo, Write},
        run::Item,
    },
    drivers::dns::rfc2136::Rfc2136,
    ports::{Clock as _, Driver, ObserveError, ObserveErrorKind, SystemClock, TestClock},
};

fn want(zone: &str, owner: &str, rtype: &str, ttl: i64, values: &[&str]) -> (ResourceId, Option<Value>) {
    let id = id(zone, owner, rtype);
    let value = value(&id, ttl, values);
    (id, Some(value))
}

fn gone(zone: &str, owner: &str, rtype: &str) -> (ResourceId, Option<Value>) {
    (id(zone, owner, rtype), None)
}

async fn fails(driver: &Rfc2136, desired: &Desired) -> ObserveError {
    driver.observe(&cx(), &wants(desired), &[]).await.expect_err("it cannot be read")
}

async fn write_with(driver: &Rfc2136, zone: &str) -> Item {
    let (id, to) = want(zone, "new", "A", 60, &["192.0.2.9"]);
    let write = Write { id, from: None, to, undo: Undo::To(None) };
    driver.act(&cx(), &Act::Write(vec![write]), &Default::default(), &[]).await.items.remove(0)
}

async fn a_cname_and_an_address_swap_in_one_message(world: &Real) {
    let zone = &world.zone;
    let (address, alias) = (want(zone, "www", "A", 60, &["192.0.2.1"]), want(zone, "www", "CNAME", 60, &["web.example."]));
    apply(world, &vec![address.clone()]).await;
    let before = world.effects();
    let swapped = vec![gone(zone, "www", "A"), alias.clone()];
    apply(world, &swapped).await;
    assert_settled(world, &swapped).await;
    let back = vec![gone(zone, "www", "CNAME"), address];
    apply(world, &back).await;
    assert_settled(world, &back).await;
    assert_eq!(world.effects() - before, 2, "one message a swap");
}

async fn half_a_swap_is_never_written(world: &Real) {
    let zone = &world.zone;
    apply(world, &vec![want(zone, "www", "A", 60, &["192.0.2.1"])]).await;
    let writes = plan(world, &vec![gone(zone, "www", "A"), want(zone, "www", "CNAME", 60, &["web.example."])]).await;
    world.server.by_hand(zone, &format!("update add www.{zone} 60 TXT \"mine\""));
    let before = world.raw();
    let outcome = act(world, &writes).await;
    assert!(matches!(&outcome.items[0], Item::Failed { transient: false, .. }), "{outcome:?}");
    assert!(matches!(&outcome.items[1], Item::Refused(refusal) if refusal.what.contains("TXT") && refusal.advice.is_some()), "{outcome:?}");
    assert_eq!(world.raw(), before);
}

async fn a_record_that_a_cname_keeps_out_is_refused_and_not_silently_lost(world: &Real) {
    let zone = &world.zone;
    let create = plan(world, &vec![want(zone, "www", "A", 60, &["192.0.2.1"])]).await;
    let alias = plan(world, &vec![want(zone, "api", "CNAME", 60, &["web.example."])]).await;
    world.server.by_hand(zone, &format!("update add www.{zone} 60 CNAME mine.example.\nupdate add api.{zone} 60 TXT \"mine\""));
    let before = world.raw();
    for writes in [create, alias] {
        let outcome = act(world, &writes).await;
        assert!(matches!(&outcome.items[0], Item::Refused(refusal) if refusal.kind == RefusalKind::Target), "{outcome:?}");
    }
    assert_eq!(world.raw(), before);
}

async fn a_ttl_alone_is_compared_by_reading(world: &Real) {
    let zone = &world.zone;
    let at = |ttl| vec![want(zone, "www", "A", ttl, &["192.0.2.1"])];
    apply(world, &at(300)).await;
    let writes = plan(world, &at(60)).await;
    world.server.by_hand(zone, &format!("update delete www.{zone} A\nupdate add www.{zone} 900 A 192.0.2.1"));
    let before = world.raw();
    assert_eq!(act(world, &writes).await.items, [Item::Moved(at(900).remove(0).1)]);
    assert_eq!(world.raw(), before);
    apply(world, &at(60)).await;
    assert_settled(world, &at(60)).await;
    let effects = world.effects();
    assert_eq!(act(world, &writes).await.items, [Item::Already]);
    assert_eq!(world.effects(), effects, "nothing was sent");
}

async fn a_wildcard_does_not_stand_for_the_names_it_answers_for(world: &Real) {
    let zone = &world.zone;
    world.server.by_hand(zone, &format!("update add *.{zone} 60 A 192.0.2.1\nupdate add *.deep.{zone} 60 CNAME web.example."));
    let absent = vec![gone(zone, "www", "A"), gone(zone, "x.deep", "CNAME"), gone(zone, "x.deep", "A")];
    for observed in observe(world, &absent).await {
        assert_eq!(live(&observed), None, "{}", observed.id);
    }
    // The same content as the wildcard's, then other content, then none again.
    for address in ["192.0.2.1", "192.0.2.2"] {
        let desired = vec![want(zone, "www", "A", 60, &[address])];
        apply(world, &desired).await;
        assert_settled(world, &desired).await;
    }
    apply(world, &absent).await;
    let seen = world.driver().observe(&cx(), &wants(&absent), &["answered_by_all".into()]).await.expect("it can be read");
    assert!(seen.iter().all(|observed| live(observed).is_none() && observed.health == Health::Current), "{seen:?}");
}

async fn names_at_and_below_a_delegation_are_the_zones_own(world: &Real) {
    let zone = &world.zone;
    let child = format!("sub.{zone}");
    let desired = vec![
        want(zone, "sub", "NS", 300, &[&format!("ns.sub.{zone}"), "ns.example."]),
        want(zone, "ns.sub", "A", 300, &["192.0.2.7"]),
        want(zone, "sub", "DS", 300, &["12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]),
    ];
    apply(world, &desired).await;
    assert_settled(world, &desired).await;
    // The same server now answers for the child as well, with other content.
    let text = "@ 60 IN SOA ns h 1 3600 600 86400 300\n@ 60 IN NS ns\nns 60 IN A 198.51.100.1\nwww 60 IN A 198.51.100.2\n";
    if !world.add_zone(&child, text) {
        return skip(world, "a child zone on the same server", "its zones are fixed at the start");
    }
    assert_settled(world, &desired).await;
    assert_eq!(live(&observe(world, &vec![gone(zone, "www.sub", "A")]).await[0]), None, "it is the child's");
    let seen = world.driver().observe(&cx(), &wants(&desired[..1].to_vec()), &["answered_by_all".into()]).await.expect("it can be read");
    assert_eq!(seen[0].health, Health::Current, "hidden from clients alike");
}

async fn name_servers_of_the_apex_change_one_by_one_and_never_vanish(world: &Real) {
    let zone = &world.zone;
    let servers = |ttl, names: &[&str]| vec![want(zone, "@", "NS", ttl, names)];
    for (ttl, names) in [(3600, vec!["a.example.", "b.example."]), (3600, vec!["c.example."]), (60, vec!["c.example."]), (60, vec!["c.example.", "d.example."])] {
        apply(world, &servers(ttl, &names)).await;
        assert_settled(world, &servers(ttl, &names)).await;
    }
    let writes = plan(world, &vec![gone(zone, "@", "NS")]).await;
    let before = world.raw();
    assert!(matches!(&act(world, &writes).await.items[0], Item::Refused(refusal) if refusal.kind == RefusalKind::Protected));
    assert_eq!(world.raw(), before);
}

async fn spelling_on_the_server_does_not_stop_a_write(world: &Real) {
    let zone = &world.zone;
    world.server.by_hand(zone, &format!("update add WWW.{zone} 60 CNAME Web.Example.\nupdate add mail.{zone} 60 MX 10 MX.Example."));
    let now = vec![want(zone, "www", "CNAME", 60, &["web.example."]), want(zone, "mail", "MX", 60, &["10 mx.example."])];
    assert_settled(world, &now).await;
    let then = vec![want(zone, "www", "CNAME", 60, &["next.example."]), want(zone, "mail", "MX", 60, &["20 mx.example."])];
    apply(world, &then).await;
    assert_settled(world, &then).await;
}

async fn thousands_of_changes_go_in_few_messages_and_a_second_run_sends_none(world: &Real) {
    if !world.transfers_any_size() {
        return skip(world, "thousands of changes", "hickory-server sends a transfer as one message of at most 64 KiB");
    }
    let zone = &world.zone;
    let all = |last: u8| -> Desired { (0..3000).map(|n| want(zone, &format!("host-{n}"), "A", 300, &[&format!("10.{}.{}.{last}", n / 250, n % 250)])).collect() };
    apply(world, &all(1)).await;
    let created = world.effects();
    assert!((3..=4).contains(&created), "{created} messages for 3000 creates");
    assert_settled(world, &all(1)).await;
    apply(world, &all(2)).await;
    assert_settled(world, &all(2)).await;
    let counts = world.driver.counts();
    assert!(counts.updates <= 8, "{counts:?}");
    assert!(counts.questions == 0, "a transfer costs less: {counts:?}");
    // Questions for a few of them see the same.
    let few: Desired = all(2).into_iter().step_by(500).collect();
    assert_settled(world, &few).await;
    assert!(world.driver.counts().questions > 0 && world.driver.counts().updates == counts.updates);
}

async fn a_clock_that_is_wrong_is_said_to_be_and_writes_nothing(world: &Real) {
    let before = world.raw();
    let few = vec![gone(&world.zone, "www", "A")];
    let many: Desired = (0..200).map(|n| gone(&world.zone, &format!("www{n}"), "A")).collect();
    for (skew, says) in [(3_600_000, "ahead of"), (-3_600_000, "behind")] {
        let clock = TestClock::at(Time(SystemClock.now().0 + skew));
        let driver = Rfc2136::with_clock(config(world.server.0, KEY_SECRET), Arc::new(clock)).expect("the configuration is good");
        for desired in [&few, &many] {
            let error = fails(&driver, desired).await;
            assert_eq!(error.kind, ObserveErrorKind::Denied, "{error}");
            assert!(error.what.contains("the clock of this host is 3") && error.what.contains(says) && error.to_string().contains("set the clock"), "{error}");
        }
        let item = write_with(&driver, &world.zone).await;
        assert!(matches!(&item, Item::Refused(refusal) if refusal.what.contains("clock") && refusal.advice.is_some()), "{item:?}");
    }
    assert_eq!(world.raw(), before);
}

async fn a_wrong_key_is_said_to_be_one_and_writes_nothing(world: &Real) {
    let before = world.raw();
    let few = vec![gone(&world.zone, "www", "A")];
    let many: Desired = (0..200).map(|n| gone(&world.zone, &format!("www{n}"), "A")).collect();
    let mut wrong_name = config(world.server.0, KEY_SECRET);
    wrong_name.tsig.as_mut().expect("it has a key").name = "nobody".into();
    for config in [config(world.server.0, WRONG_SECRET), wrong_name] {
        let driver = Rfc2136::new(config).expect("the configuration is good");
        for desired in [&few, &many] {
            let error = fails(&driver, desired).await;
            assert_eq!(error.kind, ObserveErrorKind::Denied, "{error}");
            assert!(error.what.contains("TSIG key") && !error.what.contains(WRONG_SECRET), "{error}");
        }
        let item = write_with(&driver, &world.zone).await;
        assert!(matches!(&item, Item::Refused(refusal) if refusal.what.contains("TSIG key") && refusal.advice.is_some()), "{item:?}");
    }
    let mut unsigned = config(world.server.0, KEY_SECRET);
    unsigned.tsig = None;
    let driver = Rfc2136::new(unsigned).expect("the configuration is good");
    assert!(matches!(write_with(&driver, &world.zone).await, Item::Refused(_)));
    assert_eq!(world.raw(), before);
}

async fn a_missing_zone_is_said_to_be_one(world: &Real) {
    let many: Desired = (0..200).map(|n| gone("nowhere.test.", &format!("www{n}"), "A")).collect();
    for desired in [vec![gone("nowhere.test.", "www", "A")], many] {
        let error = fails(&world.driver, &desired).await;
        assert_eq!(error.kind, ObserveErrorKind::Missing, "{error}");
        assert!(error.what.contains("create the zone on the server first") && error.about.len() == desired.len(), "{error}");
    }
    // A name inside of a zone that is there is no zone.
    let inside = format!("inside.{}", world.zone);
    assert_eq!(fails(&world.driver, &vec![gone(&inside, "www", "A")]).await.kind, ObserveErrorKind::Missing);
    assert!(matches!(write_with(&world.driver, "nowhere.test.").await, Item::Refused(_)));
}

async fn names_with_odd_octets_round_trip(world: &Real) {
    let zone = &world.zone;
    let desired = vec![
        want(zone, "0\\04725.2", "PTR", 60, &["host.example."]),
        want(zone, "sp\\032ace", "TXT", 60, &["\"a name that is no host's\""]),
        want(zone, "_dmarc", "TXT", 60, &["\"v=DMARC1; p=none\" \"\\195\\164 \\\"x\\\" \\\\ \\000\""]),
    ];
    apply(world, &desired).await;
    assert_settled(world, &desired).await;
    let gone: Desired = desired.into_iter().map(|(id, _)| (id, None)).collect();
    apply(world, &gone).await;
    assert_settled(world, &gone).await;
}

async fn bad_ids_are_refused_without_asking(world: &Real) {
    let bad = ResourceId::new("dns", "rrset", "no slashes");
    let seen = observe(world, &vec![(bad.clone(), None)]).await;
    assert!(matches!(&seen[0].reading, Reading::Seen { merged: Err(_), live: None, .. }));
    let outcome = act(world, &[Write { id: bad, from: None, to: None, undo: Undo::To(None) }]).await;
    assert!(matches!(&outcome.items[0], Item::Refused(_)));
    assert_eq!(world.effects(), 0);
}

macro_rules! rungs {
    ($world:expr; $($rung:ident)*) => {$(
        #[tokio::test]
        async fn $rung() {
            super::$rung(&$world).await;
        }
    )*};
}

macro_rules! servers {
    ($($server:ident: $world:expr),*) => {$(
        mod $server {
            rungs!($world;
                a_cname_and_an_address_swap_in_one_message
                half_a_swap_is_never_written
                a_record_that_a_cname_keeps_out_is_refused_and_not_silently_lost
                a_ttl_alone_is_compared_by_reading
                a_wildcard_does_not_stand_for_the_names_it_answers_for
                names_at_and_below_a_delegation_are_the_zones_own
                name_servers_of_the_apex_change_one_by_one_and_never_vanish
                spelling_on_the_server_does_not_stop_a_write
                thousands_of_changes_go_in_few_messages_and_a_second_run_sends_none
                a_wrong_key_is_said_to_be_one_and_writes_nothing
                a_clock_that_is_wrong_is_said_to_be_and_writes_nothing
                a_missing_zone_is_said_to_be_one
                names_with_odd_octets_round_trip
                bad_ids_are_refused_without_asking
            );
        }
    )*};
}

servers!(bind: super::Real::bind(), knot: super::Real::knot(), lab: super::Real::lab());

#[tokio::test]
async fn a_server_that_is_away_is_unreachable_and_nothing_was_sent() {
    let addr = ([127, 0, 0, 1], free_port()).into();
    let driver = Rfc2136::new(config(addr, KEY_SECRET)).expect("the configuration is good");
    let error = fails(&driver, &vec![gone("z.test.", "www", "A")]).await;
    assert_eq!(error.kind, ObserveErrorKind::Unreachable, "{error}");
    assert!(matches!(write_with(&driver, "z.test.").await, Item::Failed { transient: true, .. }));
    assert_eq!(driver.counts().updates, 0);
}

#[tokio::test]
async fn health_waits_for_every_name_server_and_names_the_one_that_lags() {
    let (primary, secondary) = (DnsServer::bind(), DnsServer::knot());
    let zone = "lagging.test.";
    let text = "@ 60 IN SOA ns h 1 3600 600 86400 300\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\nwww 60 IN A 192.0.2.1\n";
    primary.add_zone(zone, text);
    secondary.add_zone(zone, text);
    let mut config = config(primary.addr, KEY_SECRET);
    config.nameservers = vec![primary.addr.to_string(), secondary.addr.to_string()];
    let driver = Rfc2136::new(config.clone()).expect("the configuration is good");
    let desired = vec![want(zone, "www", "A", 60, &["192.0.2.2"]), gone(zone, "gone", "A")];
    let health = async |driver: &Rfc2136| {
        let seen = driver.observe(&cx(), &wants(&desired), &["answered_by_all".into()]).await.expect("it can be read");
        seen.into_iter().map(|observed| observed.health).collect::<Vec<_>>()
    };
    primary.by_hand(zone, "update delete www.lagging.test. A\nupdate add www.lagging.test. 60 A 192.0.2.2");
    let lagging = format!("{} still answers 192.0.2.1 (ttl 60)", secondary.addr);
    assert_eq!(health(&driver).await, [Health::InProgress(lagging.as_str().into()), Health::Current]);
    secondary.by_hand(zone, "update delete www.lagging.test. A\nupdate add www.lagging.test. 60 A 192.0.2.2");
    assert_eq!(health(&driver).await, [Health::Current, Health::Current]);
    config.nameservers.push(format!("127.0.0.1:{}", free_port()));
    let driver = Rfc2136::new(config).expect("the configuration is good");
    assert!(health(&driver).await.iter().all(|health| matches!(health, Health::Unknown(_))), "a server that is away is a gap");
}

#[tokio::test]
async fn how_long_a_missing_name_is_remembered_is_the_lesser_of_the_soas_ttl_and_its_last_field_or_told_as_unread() {
    let server = DnsServer::bind();
    let absence = async |addr: std::net::SocketAddr, zone: &str| {
        let driver = Rfc2136::new(config(addr, KEY_SECRET)).expect("the configuration is good");
        let seen = driver.observe(&cx(), &wants(&vec![gone(zone, "new", "A")]), &[ABSENCE_LINGERS.into()]).await.expect("it can be read");
        seen[0].facts.get(ABSENCE_LINGERS).cloned()
    };
    server.add_zone("absent-last.test.", "@ 3600 IN SOA ns h 1 3600 600 86400 20\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n");
    assert_eq!(absence(server.addr, "absent-last.test.").await, Some(FactValue::Int(20)));
    server.add_zone("absent-ttl.test.", "@ 10 IN SOA ns h 1 3600 600 86400 300\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\n");
    assert_eq!(absence(server.addr, "absent-ttl.test.").await, Some(FactValue::Int(10)));
    server.add_shy_zone("absent-shy.test.", "www IN A 192.0.2.1");
    let why = format!("{} answers {} to the question for the SOA of absent-shy.test.", server.addr, hickory_proto::op::ResponseCode::Refused);
    assert_eq!(absence(server.addr, "absent-shy.test.").await, Some(FactValue::Text(why.into())));
}

#[test]
fn a_configuration_that_cannot_work_is_refused_without_its_secret() {
    let addr = ([127, 0, 0, 1], 53).into();
    let mut algorithm = config(addr, KEY_SECRET);
    algorithm.tsig.as_mut().expect("it has a key").algorithm = "hmac-md5".into();
    for config in [config(addr, "not base64 !"), config(addr, ""), algorithm] {
        let error = Rfc2136::new(config).err().expect("it is refused").to_string();
        assert!(error.starts_with("cannot use the configuration of dns: ") && !error.contains("not base64 !"), "{error}");
    }
}
