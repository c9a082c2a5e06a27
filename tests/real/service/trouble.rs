//! Stories in which something goes wrong, or somebody changes their mind: nothing is lost, and the next thing to do is said.

use super::world::World;
use crate::harness::DnsServer;

/// Long enough to push and say something while a change is verifying, on a machine that is busy with other things; short enough to wait for its end.
const LONG_WINDOW: &str = "  window: 20s\n";

fn www_is(world: &World, value: &str) -> bool {
    world.live().iter().any(|line| line.starts_with("www.") && line.ends_with(value))
}

#[test]
fn a_merge_request_that_loosens_policy_is_judged_by_the_policy_of_base() {
    let world = World::start_with("  protected: [\"inside/rrset/*/mail/A\"]\n");
    let number = world.propose("loosen", |world| {
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("  protected: [\"inside/rrset/*/mail/A\"]\n", ""));
        world.edit_zone("mail:\n  ttl: 300\n  type: A\n  value: 192.0.2.2\n", "");
        world.edit_zone(&format!("'':\n  ttl: 300\n  type: MX\n  value: {{exchange: mail.{}, preference: 10}}\n", world.zones[0]), "");
    });
    world.wait(number, "refused");
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("mail") && shown.contains("protect"), "base's protection is named: {shown}");
    assert!(world.live().iter().any(|line| line.starts_with("mail.")), "mail is still there");
}

#[test]
fn an_abort_stops_and_a_restore_brings_the_zone_back() {
    let world = World::start_with("  window: 10m\n");
    let before = world.live();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    assert!(www_is(&world, "192.0.2.77"), "it is live before the merge");
    let text = number.to_string();
    world.trueup("ben", &["mr", "say", &text, "--repo", "dns", "abort"]).ok();
    world.wait(number, "failed");
    assert!(www_is(&world, "192.0.2.77"), "an abort undoes nothing by itself");
    world.trueup("ben", &["mr", "say", &text, "--repo", "dns", "restore"]).ok();
    world.wait(number, "restored");
    assert_eq!(world.live(), before, "the zone is back exactly");
}

#[test]
fn a_push_while_verifying_is_planned_from_what_is_really_live() {
    let world = World::start_with(LONG_WINDOW);
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    world.edit_zone("192.0.2.77\n", "192.0.2.78\n");
    world.commit("another address", "ana");
    world.push("move-www");
    world.wait_at_head(number, "awaiting_approval");
    assert!(www_is(&world, "192.0.2.77"), "the push alone writes nothing");
    let back = world.trueup("ben", &["mr", "plan", &number.to_string(), "--repo", "dns", "--way-back"]).ok();
    assert!(back.contains("300 192.0.2.1") && !back.contains("+ 300 192.0.2.77"), "the way back leads to before the change, not to its last run: {back}");
    world.approve(number);
    world.wait(number, "merged");
    assert!(www_is(&world, "192.0.2.78"), "{:?}", world.live());
}

#[test]
fn closing_while_verifying_stops_where_it_is_and_a_reopened_change_goes_on() {
    let world = World::start_with(LONG_WINDOW);
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    let text = number.to_string();
    world.trueup("ana", &["mr", "close", &text, "--repo", "dns"]).ok();
    world.wait(number, "closed");
    assert!(www_is(&world, "192.0.2.77"), "closing undoes nothing by itself");
    world.trueup("ana", &["mr", "reopen", &text, "--repo", "dns"]).ok();
    // What was written is already as the merge request asks: it is proven again and approved again, because closing ended the run.
    world.until(|world| {
        let shown = world.show(number);
        if shown["waits_for"].as_str().is_some_and(|text| text.contains("/trueup approve")) {
            world.trueup("ben", &["mr", "approve", &text, "--repo", "dns"]);
        }
        shown["phase"] == "merged"
    });
    assert!(www_is(&world, "192.0.2.77"));
}

#[test]
fn two_changes_of_one_record_run_one_after_the_other() {
    let world = World::start_with(LONG_WINDOW);
    let first = world.propose("value", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    let second = world.propose("ttl", |world| world.edit_zone("www:\n  ttl: 300\n", "www:\n  ttl: 600\n"));
    world.wait(first, "awaiting_approval");
    world.wait(second, "awaiting_approval");
    world.approve(first);
    world.wait(first, "verifying");
    world.approve(second);
    world.wait(second, "queued");
    assert!(world.show(second)["waits_for"].as_str().is_some_and(|text| text.contains("dns!1")), "it says for whom it waits: {}", world.show(second)["waits_for"]);
    world.wait(first, "merged");
    // Its plan was made for another record: what it writes now was never approved.
    world.wait(second, "awaiting_approval");
    world.approve(second);
    world.wait(second, "merged");
    assert!(world.live().iter().any(|line| line.starts_with("www.") && line.contains(" 600 ") && line.ends_with("192.0.2.77")), "both hold: {:?}", world.live());
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_written() {
    let world = World::start();
    let before = world.live();
    let bad: [(&str, &str, &str); 4] = [
        ("outside", "zones/elsewhere.test.yaml", "grant"),
        ("missing", "zones/missing.test.yaml", "missing.test."),
        ("beside", "", "CNAME"),
        ("link", "zones/link.test.yaml", "link"),
    ];
    for (branch, file, says) in bad {
        let number = world.propose(branch, |world| match branch {
            "beside" => world.edit_zone("www:\n  ttl: 300\n  type: A\n  value: 192.0.2.1\n", "www:\n  - type: A\n    value: 192.0.2.1\n  - type: CNAME\n    value: mail.test.\n"),
            "link" => std::os::unix::fs::symlink("/etc/hostname", world.work().join(file)).expect("the folder is writable"),
            _ => world.write(file, "a:\n  type: A\n  value: 192.0.2.5\n"),
        });
        world.wait(number, "refused");
        let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
        assert!(shown.contains(says), "{branch} names `{says}`: {shown}");
    }
    assert_eq!(world.live(), before);
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let world = World::start();
    let config = std::fs::read_to_string(world.config()).expect("the configuration is there").replace(&format!("127.0.0.1:{}", world.port), "127.0.0.1:0");
    let other = world.dir.path().join("other.yaml");
    std::fs::write(&other, config).expect("the folder is writable");
    let said = world.trueup("root", &["serve", "--config", &other.display().to_string()]);
    assert!(said.code == 1 && said.err.contains("another"), "{}{}", said.out, said.err);
    assert!(world.is_up(), "the first one serves on");
}

#[test]
fn a_wrong_key_is_said_and_the_change_goes_on_when_it_is_mended() {
    let mut world = World::start();
    let key = world.dir.path().join("tsig.key");
    let right = std::fs::read_to_string(&key).expect("the key is there");
    world.kill();
    std::fs::write(&key, crate::harness::WRONG_SECRET).expect("the folder is writable");
    world.serve();
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.until(|world| world.show(number)["reasons"].to_string().contains("key") || world.show(number)["waits_for"].to_string().contains("key"));
    world.kill();
    std::fs::write(&key, right).expect("the folder is writable");
    world.serve();
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
}

#[test]
fn nothing_merges_while_a_name_server_still_answers_with_the_old_data() {
    let world = World::start_over("", |zone, lines| {
        let knot = DnsServer::knot();
        knot.add_zone(zone, &format!("@ 3600 IN SOA ns1 hostmaster 1 3600 600 86400 300\n@ 3600 IN NS ns1\nns1 3600 IN A 192.0.2.53\n{lines}\n"));
        vec![knot.addr]
    });
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    let lagging = DnsServer::knot().addr.to_string();
    world.until(|world| world.show(number)["health"]["unhealthy"].to_string().contains(&lagging));
    assert_eq!(world.show(number)["phase"], "verifying", "the primary has it, the second server has not");
    let www = format!("www.{}", world.zones[0]);
    DnsServer::knot().by_hand(&world.zones[0], &format!("update delete {www} A\nupdate add {www} 300 A 192.0.2.77"));
    world.wait(number, "merged");
}

#[test]
fn a_policy_edit_pushed_after_the_approval_is_approved_anew() {
    let world = World::start_with(LONG_WINDOW);
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    let root = world.read("trueup.yaml");
    world.write("trueup.yaml", &root.replace("  every: 2s\n", "  every: 2s\n  on_drift: overwrite\n"));
    world.commit("looser", "ana");
    world.push("move-www");
    let number_text = number.to_string();
    world.until(|world| world.show(number)["waits_for"].as_str().is_some_and(|text| text.contains("/trueup approve")));
    let shown = world.trueup("ana", &["mr", "plan", &number_text, "--repo", "dns"]).ok();
    assert!(shown.contains("trueup.yaml"), "the plan names the file: {shown}");
    world.approve(number);
    world.wait(number, "merged");
}

#[test]
fn a_source_whose_folder_is_misspelt_is_refused_instead_of_giving_everything_up() {
    let world = World::start();
    let number = world.propose("zonez", |world| {
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("path: zones", "path: zonez"));
    });
    world.wait(number, "refused");
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("`zonez` is no folder") && shown.contains("trueup.yaml:2"), "{shown}");
}

#[test]
fn a_required_check_holds_the_start_and_its_author_cannot_set_it() {
    let world = World::start_with("  required_checks: [ci/test]\n");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.until(|world| world.show(number)["waits_for"].as_str().is_some_and(|text| text.contains("ci/test")));
    assert!(www_is(&world, "192.0.2.1"), "nothing is written while the check is missing");
    let head = world.git(&world.work(), &["rev-parse", "HEAD"]).ok();
    assert_eq!(world.set_check("ana", head.trim()), 403, "ana wrote it");
    assert_eq!(world.set_check("cleo", head.trim()), 201);
    world.wait(number, "merged");
}
