//! Stories of what happens while a change is rolling: its write is on the way, held back right before the name server.

use super::world::World;
use crate::harness::{DnsServer, Proxy};

struct Rolling {
    world: World,
    proxy: Proxy,
    number: u64,
}

impl Rolling {
    /// A change whose one write was sent and has not arrived.
    fn start(dns: &'static DnsServer) -> Self {
        let proxy = Proxy::start(dns.addr);
        proxy.hold();
        let world = World::start_behind(dns, proxy.addr);
        let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
        world.wait(number, "awaiting_approval");
        world.approve(number);
        world.until(|_| proxy.holds());
        assert_eq!(world.show(number)["phase"], "rolling");
        assert!(www_is(&world, "192.0.2.1"), "nothing has arrived");
        Self { world, proxy, number }
    }
}

fn www_is(world: &World, value: &str) -> bool {
    world.live().iter().any(|line| line.starts_with("www.") && line.ends_with(value))
}

#[test]
fn a_force_push_while_rolling_is_planned_from_what_is_live_when_the_write_has_ended() {
    let Rolling { world, proxy, number } = Rolling::start(DnsServer::bind());
    let work = world.work();
    world.git(&work, &["reset", "-q", "--hard", "origin/main"]).ok();
    world.edit_zone("192.0.2.1\n", "192.0.2.78\n");
    world.commit("another way", "ana");
    world.push("move-www");
    let head = world.git(&work, &["rev-parse", "HEAD"]).ok();
    world.until(|world| world.show(number)["head"] == head.trim());
    proxy.release();
    world.wait_at_head(number, "awaiting_approval");
    assert!(www_is(&world, "192.0.2.77"), "what was on the way arrived, the push itself wrote nothing: {:?}", world.live());
    let shown = world.show(number);
    assert_eq!(shown["since"]["new"].as_array().map(Vec::len), Some(1), "what approvers have not seen is said: {}", shown["since"]);
    world.approve(number);
    world.wait(number, "merged");
    assert!(www_is(&world, "192.0.2.78"), "{:?}", world.live());
}

#[test]
fn closing_while_rolling_stops_after_what_is_on_the_way_and_restore_brings_it_back() {
    let Rolling { world, proxy, number } = Rolling::start(DnsServer::bind());
    let text = number.to_string();
    world.trueup("ana", &["mr", "close", &text, "--repo", "dns"]).ok();
    // The change has heard of it, and cannot stop before it knows what became of its write.
    world.until(|world| world.trueup("ana", &["mr", "journal", &text, "--repo", "dns", "--json"]).out.contains("close"));
    assert_eq!(world.show(number)["phase"], "rolling");
    proxy.release();
    world.wait(number, "closed");
    assert!(www_is(&world, "192.0.2.77"), "closing undoes nothing by itself");
    assert!(world.show(number)["waits_for"].as_str().is_some_and(|text| text.contains("restore")), "{}", world.show(number)["waits_for"]);
    world.trueup("ben", &["mr", "say", &text, "--repo", "dns", "restore"]).ok();
    world.wait(number, "restored");
    assert!(www_is(&world, "192.0.2.1"), "{:?}", world.live());
}

#[test]
fn a_base_that_moves_while_rolling_changes_only_what_is_merged_onto() {
    let Rolling { world, proxy, number } = Rolling::start(DnsServer::bind());
    let other = world.propose("words-only", |world| world.write("README.md", "what this is\n"));
    world.wait(other, "empty");
    world.approve(other);
    world.wait(other, "merged");
    let base = world.git(&world.work(), &["ls-remote", "origin", "refs/heads/main"]).ok();
    let base = base.split_whitespace().next().expect("a commit").to_owned();
    assert_eq!(world.show(number)["phase"], "rolling", "a run goes on over a new base");
    proxy.release();
    world.wait(number, "merged");
    world.git(&world.work(), &["fetch", "-q", "origin"]).ok();
    assert_eq!(world.git(&world.work(), &["rev-parse", "origin/main^1"]).ok().trim(), base, "merged onto the new base, under the approval it had");
    assert!(www_is(&world, "192.0.2.77"));
}

#[test]
fn a_name_server_that_goes_away_in_the_middle_is_waited_for_and_the_change_goes_on() {
    let dns: &'static DnsServer = Box::leak(Box::new(DnsServer::start_bind()));
    let Rolling { world, proxy, number } = Rolling::start(dns);
    let serial = dns.serial(&world.zones[0]);
    dns.stop();
    // The write reaches nobody; whether it did is found out when somebody answers again.
    proxy.release();
    world.until(|world| world.show(number)["waits_for"].as_str().is_some_and(|text| text.contains("again by itself")));
    let shown = world.show(number);
    assert_eq!(shown["phase"], "rolling", "{}", shown["waits_for"]);
    dns.start_again();
    world.wait(number, "merged");
    assert!(www_is(&world, "192.0.2.77"), "{:?}", world.live());
    assert_eq!(dns.serial(&world.zones[0]), serial + 1, "it was written once");
}
