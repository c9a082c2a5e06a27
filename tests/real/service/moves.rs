//! Stories of two repositories that share a zone: what moves from one to the other is never deleted, and each resource has one owner at rest.

use super::world::World;
use std::{fs, path::PathBuf};

/// A world whose zone is shared with a second repository, `app`, which governs nothing yet.
pub fn shared() -> World {
    let mut world = World::start();
    world.kill();
    let text = fs::read_to_string(world.config()).expect("it is there");
    fs::write(world.config(), sharing(&text, &world.zones[0])).expect("the folder is writable");
    world.serve();
    let work = app_work(&world);
    world.git(world.dir.path(), &["init", "-q", "-b", "main", "app"]).ok();
    fs::write(work.join("trueup.yaml"), "sources: []\npolicy:\n  window: 2s\n  every: 2s\n").expect("the folder is writable");
    world.git(&work, &["add", "-A"]).ok();
    world.git(&work, &["-c", "user.name=root", "-c", "user.email=root@example.test", "commit", "-q", "-m", "a policy"]).ok();
    world.git(&work, &["remote", "add", "origin", &app_url(&world, "root")]).ok();
    world.git(&work, &["push", "-q", "origin", "main"]).ok();
    world
}

/// A server's configuration with the repository `app` beside `dns`.
fn sharing(text: &str, zone: &str) -> String {
    let app = format!(
        "        shared: true\n  - name: app\n    branch: main\n    writers: [ana, ben, cleo]\n    approvers: [ana, ben]\n    admins: [root]\n    grants:\n      - target: inside\n        shared: true\n        units: [\"{zone}\"]\ntargets:\n  inside:"
    );
    text.replace("targets:\n  inside:", &app)
}

fn app_url(world: &World, person: &str) -> String {
    world.url(person).replace("dns.git", "app.git")
}

fn app_work(world: &World) -> PathBuf {
    world.dir.path().join("app")
}

/// Opens a merge request of `app` that asks for `www` as it is live.
pub fn take(world: &World, branch: &str) -> u64 {
    let work = app_work(world);
    world.git(&work, &["fetch", "-q", &app_url(world, "ana"), "+main:refs/remotes/origin/main"]).ok();
    world.git(&work, &["checkout", "-q", "-B", branch, "origin/main"]).ok();
    fs::write(work.join("trueup.yaml"), "sources:\n  - path: zones\n    format: octodns\n    targets: [inside]\npolicy:\n  window: 2s\n  every: 2s\n").expect("writable");
    fs::create_dir_all(work.join("zones")).expect("writable");
    fs::write(work.join(world.zone_file()), "www:\n  ttl: 300\n  type: A\n  value: 192.0.2.1\n").expect("writable");
    world.git(&work, &["add", "-A"]).ok();
    world.git(&work, &["-c", "user.name=ana", "-c", "user.email=ana@example.test", "commit", "-q", "-m", branch]).ok();
    world.git(&work, &["push", "-q", "--force", &app_url(world, "ana"), &format!("{branch}:{branch}")]).ok();
    let opened = world.trueup("ana", &["mr", "open", "--repo", "app", "--source", branch, "--title", branch, "--json"]).json();
    opened["number"].as_u64().expect("mr open --json names the number")
}

const WWW: &str = "www:\n  ttl: 300\n  type: A\n  value: 192.0.2.1\n";

/// Opens a merge request of `dns` that gives `www` up.
pub fn give(world: &World) -> u64 {
    world.propose("give", |world| {
        world.edit_zone(WWW, "");
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &format!("release: [\"inside/rrset/*/www/A\"]\n{root}"));
    })
}

/// Opens a merge request of `dns` that asks for `www` again.
pub fn take_back(world: &World) -> u64 {
    world.propose("back", |world| {
        let text = world.read(&world.zone_file());
        world.write(&world.zone_file(), &format!("{text}{WWW}"));
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", root.trim_start_matches("release: [\"inside/rrset/*/www/A\"]\n"));
    })
}

pub fn show(world: &World, repo: &str, number: u64) -> serde_json::Value {
    world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", repo, "--json"]).json()
}

pub fn phase(world: &World, repo: &str, number: u64) -> String {
    show(world, repo, number)["phase"].as_str().unwrap_or_default().to_owned()
}

pub fn until(world: &World, repo: &str, number: u64, wanted: &str) {
    world.until(|world| phase(world, repo, number) == wanted);
}

/// Waits for a plan that only lacks its approval.
pub fn ready(world: &World, repo: &str, number: u64) {
    world.until(|world| matches!(phase(world, repo, number).as_str(), "empty" | "awaiting_approval"));
}

pub fn approve(world: &World, repo: &str, number: u64) {
    world.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", repo]).ok();
}

/// What a refusal says.
pub fn refused(world: &World, repo: &str, number: u64) -> String {
    until(world, repo, number, "refused");
    show(world, repo, number)["refusals"].to_string()
}

pub fn serial(world: &World) -> String {
    world.dns.dig(&[&world.zones[0], "SOA", "+short"])
}

#[test]
fn a_record_that_moves_to_another_repository_is_never_written_or_deleted_and_the_second_claimant_waits_for_the_first() {
    let world = shared();
    let before = serial(&world);
    // Both open at once, the claimant first: it is told whose it is, and where.
    let taken = take(&world, "take");
    let said = refused(&world, "app", taken);
    assert!(said.contains("dns") && said.contains("main") && said.contains(&world.zone_file()) && said.contains("release"), "{said}");
    let given = give(&world);
    ready(&world, "dns", given);
    assert_eq!(phase(&world, "app", taken), "refused", "it is not given up before that is merged");
    approve(&world, "dns", given);
    until(&world, "dns", given, "merged");
    // Planned again by itself.
    ready(&world, "app", taken);
    approve(&world, "app", taken);
    until(&world, "app", taken, "merged");
    // The way back is refused in turn, with the new owner's place.
    let back = world.propose("back", |world| {
        let text = world.read(&world.zone_file());
        world.write(&world.zone_file(), &format!("{text}{WWW}"));
    });
    let said = refused(&world, "dns", back);
    assert!(said.contains("app") && said.contains(&world.zone_file()), "{said}");
    assert_eq!(serial(&world), before, "the zone was never written");
}

#[test]
fn of_two_repositories_that_claim_a_record_at_once_one_gets_it() {
    let world = shared();
    let before = serial(&world);
    let given = give(&world);
    ready(&world, "dns", given);
    approve(&world, "dns", given);
    until(&world, "dns", given, "merged");
    // Nobody's now: both may ask.
    let taken = take(&world, "take");
    ready(&world, "app", taken);
    let back = take_back(&world);
    ready(&world, "dns", back);
    approve(&world, "app", taken);
    approve(&world, "dns", back);
    world.until(|world| phase(world, "app", taken) == "merged" || phase(world, "dns", back) == "merged");
    let (won, lost, owner) = if phase(&world, "app", taken) == "merged" { (("app", taken), ("dns", back), "app") } else { (("dns", back), ("app", taken), "dns") };
    let said = refused(&world, lost.0, lost.1);
    assert!(said.contains(owner), "{said}");
    assert_eq!(phase(&world, won.0, won.1), "merged");
    assert_eq!(serial(&world), before, "the zone was never written");
}

#[test]
fn what_is_another_repositorys_is_not_overridden_from_here_and_is_said_whose_it_is() {
    let world = shared();
    let zone = &world.zones[0];
    world.dns.by_hand(zone, &format!("update delete www.{zone} A\nupdate add www.{zone} 300 A 192.0.2.200"));
    let id = format!("inside/rrset/{zone}/www/A");
    let claim = |repo: &str| world.trueup("ben", &["override", "claim", &id, "--repo", repo, "--reason", "moved by hand tonight", "--until", "1d"]);
    let refused = claim("app");
    for part in ["repository dns's", "`main` there asks for it", &world.zone_file(), "claim it there"] {
        assert!(refused.code == 1 && refused.err.contains(part), "it says `{part}`: {}{}", refused.out, refused.err);
    }
    let drift = |repo: &str| world.trueup("ana", &["drift", "--repo", repo]).code;
    assert_eq!(drift("dns"), 2, "nobody who may say so answers for it");
    claim("dns").ok();
    assert_eq!(drift("dns"), 0);
    assert_eq!(world.trueup("ben", &["override", "end", &id, "--repo", "app"]).code, 1, "nor is theirs ended from here");
    assert_eq!(drift("dns"), 0);
    // What nobody asks for may be answered for by whoever may write it.
    world.dns.by_hand(zone, &format!("update add free.{zone} 300 A 192.0.2.201"));
    world.trueup("ben", &["override", "claim", &format!("inside/rrset/{zone}/free/A"), "--repo", "app", "--reason", "ours", "--until", "1d"]).ok();
}

/// Calls the name server `inner`, with the rights that it had as `inside`; what main still calls `inside` may no more be written.
fn renamed(world: &mut World) {
    world.kill();
    let text = fs::read_to_string(world.config()).expect("it is there");
    let (rest, targets) = text.split_once("targets:\n").expect("it has targets");
    let (before, grants) = rest.split_once("      - target: inside\n").expect("it has a grant");
    let again = targets.replace("inside", "inner");
    fs::write(world.config(), format!("{before}      - target: inner\n{grants}targets:\n{targets}{again}")).expect("the folder is writable");
    world.serve();
}

#[test]
fn a_target_that_is_named_otherwise_takes_its_records_along_and_what_moved_once_is_not_in_the_way_of_later_merge_requests() {
    let mut world = World::start();
    renamed(&mut world);
    let (before, zone) = (serial(&world), world.zones[0].clone());
    let moved = world.propose("renamed", |world| {
        let root = world.read("trueup.yaml").replace("[inside]", "[inner]");
        world.write("trueup.yaml", &format!("moved:\n  - {{ from: inside/rrset/{zone}/www/A, to: inner/rrset/{zone}/www/A }}\n{root}"));
    });
    ready(&world, "dns", moved);
    approve(&world, "dns", moved);
    until(&world, "dns", moved, "merged");
    assert_eq!(serial(&world), before, "the zone was never written");
    // `moved:` stands on main now. A merge request that has nothing to do with it is planned as ever.
    let later = world.propose("later", |world| {
        let text = world.read(&world.zone_file());
        world.write(&world.zone_file(), &format!("{text}later:\n  ttl: 300\n  type: A\n  value: 192.0.2.77\n"));
    });
    ready(&world, "dns", later);
    approve(&world, "dns", later);
    until(&world, "dns", later, "merged");
    // A record's name is where it stands: under another one it is another record.
    let swapped = world.propose("swapped", |world| {
        let text = world.read(&world.zone_file());
        world.write(&world.zone_file(), &text.replace("later:", "newer:"));
        let root = world.read("trueup.yaml");
        world.write("trueup.yaml", &root.replace("moved:\n", &format!("moved:\n  - {{ from: inner/rrset/{zone}/later/A, to: inner/rrset/{zone}/newer/A }}\n")));
    });
    let said = refused(&world, "dns", swapped);
    assert!(said.contains("each is where its name says: they are two") && said.contains("take it out of `moved:`"), "{said}");
}
