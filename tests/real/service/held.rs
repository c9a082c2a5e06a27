//! Stories of changes that are stopped: by a halt of the whole server, and by people who then own, take or free what they hold.

use super::{
    moves::shared,
    world::{LONG, World},
};
use crate::harness::{DnsServer, Proxy};
use std::fs;

/// A world with a folder as second target, whose policy calls the owner of a stopped change after two seconds; UPDATEs pass a proxy.
struct Held {
    world: World,
    proxy: Proxy,
}

impl Held {
    fn start() -> Self {
        let dns = DnsServer::bind();
        let proxy = Proxy::start(dns.addr);
        let mut world = World::start_behind(dns, proxy.addr);
        world.kill();
        let keys = world.dir.path().join("keys");
        fs::create_dir_all(&keys).expect("the folder is writable");
        let text = fs::read_to_string(world.config()).expect("it is there");
        let text = text.replace("targets:\n  inside:", "      - target: files\n        units: [\"app/*\"]\ntargets:\n  inside:");
        fs::write(world.config(), format!("{text}  files:\n    kind: config/directory\n    path: {}\n", keys.display())).expect("the folder is writable");
        world.serve();
        let number = world.propose("govern", |world| {
            let source = "  - {path: files, format: keytree, targets: [files], prefix: app/}\npolicy:\n  claim_ttl: 2s\n";
            world.write("trueup.yaml", &world.read("trueup.yaml").replace("policy:\n", source));
            world.write("files/first", "1");
        });
        world.wait(number, "awaiting_approval");
        world.approve(number);
        world.wait(number, "merged");
        Self { world, proxy }
    }

    /// Proposes a host and a file that names it, approves it, and waits until its first write, the record, has been sent and not arrived.
    fn roll(&self) -> u64 {
        let world = &self.world;
        let number = world.propose("host", |world| {
            world.write(&world.zone_file(), &format!("{}db:\n  ttl: 300\n  type: A\n  value: 192.0.2.9\n", world.read(&world.zone_file())));
            world.write("files/app.conf", &format!("host = db.{}\n", world.zones[0].trim_end_matches('.')));
        });
        world.wait(number, "awaiting_approval");
        self.proxy.hold();
        world.approve(number);
        world.until(|_| self.proxy.holds());
        number
    }

    fn db_is_live(&self) -> bool {
        self.world.live().iter().any(|line| line.starts_with("db."))
    }

    fn conf(&self) -> Option<String> {
        fs::read_to_string(self.world.dir.path().join("keys/app/app.conf")).ok()
    }

    /// A change that wrote its record, was stopped before its file, and holds both.
    fn stopped(&self) -> u64 {
        let number = self.roll();
        self.say("ben", number, &["abort"]);
        self.proxy.release();
        self.world.wait(number, "failed");
        assert!(self.db_is_live() && self.conf().is_none(), "what was on the way arrived, and nothing after it was written: {:?}", self.world.live());
        number
    }

    fn say(&self, person: &str, number: u64, said: &[&str]) -> String {
        self.world.trueup(person, &[&["mr", "say", &number.to_string(), "--repo", "dns"], said].concat()).ok()
    }

    fn is_told(&self, number: u64, text: &str) {
        self.world.until(|world| comments(world, number).contains(text));
    }
}

/// What was said in comments of their own, beside the one that is kept up to date.
fn comments(world: &World, number: u64) -> String {
    let shown = world.show(number);
    let own = shown["comments"].as_array().into_iter().flatten().filter(|comment| comment["sticky"] != true);
    own.filter_map(|comment| comment["body"].as_str()).collect::<Vec<_>>().join("\n")
}

/// How often something was noted in a change's journal.
fn noted(world: &World, number: u64, event: &str) -> usize {
    let journal = world.trueup("ana", &["mr", "journal", &number.to_string(), "--repo", "dns", "--json"]).json();
    journal.as_array().expect("events").iter().filter(|row| row.get(event).is_some()).count()
}

fn waits_for(world: &World, number: u64) -> String {
    world.show(number)["waits_for"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_halt_stops_a_rolling_change_outlives_a_restart_and_lifted_lets_it_go_on() {
    let mut held = Held::start();
    let number = held.roll();
    let said = held.world.trueup("root", &["halt"]).ok();
    assert!(said.contains("no new writes"), "{said}");
    held.proxy.release();
    // What was on the way is let arrive and is proven; then it stands.
    held.world.until(|world| noted(world, number, "proven") == 1);
    assert!(held.db_is_live());
    let stands = |held: &Held, when: &str| {
        let (shown, status) = (held.world.show(number), held.world.trueup("root", &["status"]).ok());
        assert_eq!(shown["phase"], "rolling", "{when}");
        assert!(shown["waits_for"].as_str().is_some_and(|text| text.contains("halt")), "{when}: {}", shown["waits_for"]);
        assert!(status.contains("HALTED"), "{when}: {status}");
        assert_eq!(held.conf(), None, "{when}: nothing new is written");
    };
    stands(&held, "halted");
    // Another change is planned and approved all the same, and waits.
    let other = held.world.propose("other", |world| world.write("files/other", "2"));
    held.world.wait(other, "awaiting_approval");
    held.world.approve(other);
    held.world.until(|world| waits_for(world, other).contains("halt"));
    held.world.kill();
    held.world.serve();
    // By the time that it has planned something new it has taken up what was open.
    let late = held.world.propose("late", |world| world.write("files/late", "3"));
    held.world.wait(late, "awaiting_approval");
    held.world.until(|world| waits_for(world, other).contains("halt"));
    stands(&held, "after a restart");
    let said = held.world.trueup("ben", &["halt", "--lift"]);
    assert!(said.code != 0, "an approver lifts no halt: {}{}", said.out, said.err);
    stands(&held, "after a word of somebody who may not");
    held.world.trueup("root", &["halt", "--lift"]).ok();
    held.world.wait(number, "merged");
    held.world.wait(other, "merged");
    assert!(held.conf().is_some_and(|text| text.starts_with("host = db.")));
    assert_eq!(held.proxy.updates(), 1, "the record was written once");
}

#[test]
fn the_owner_of_a_stopped_change_is_called_and_whoever_takes_it_after_that() {
    let held = Held::start();
    let number = held.stopped();
    held.is_told(number, "@ana: this change does nothing since");
    assert!(comments(&held.world, number).contains("/trueup take"), "what can be done is said");
    // A writer does not take what an approver answers for.
    let said = held.world.trueup("cleo", &["mr", "say", &number.to_string(), "--repo", "dns", "take"]);
    assert!(said.code != 0, "{}{}", said.out, said.err);
    let said = held.say("ben", number, &["take"]);
    assert!(said.contains("`ben` is responsible for this change now"), "{said}");
    held.is_told(number, "@ben: this change does nothing since");
    let told = comments(&held.world, number);
    assert_eq!(told.matches("this change does nothing since").count(), 2, "each is called once: {told}");
    // Whoever answers for it goes back.
    held.say("ben", number, &["restore"]);
    held.world.wait(number, "restored");
    assert!(!held.db_is_live());
}

#[test]
fn what_a_stopped_change_holds_is_freed_with_a_reason_and_the_next_in_the_queue_starts() {
    let held = Held::start();
    // Asked for before the first is stopped, so that it stands in the queue behind it.
    let number = held.roll();
    let next = held.world.propose("next", |world| world.write("files/app.conf", "host = other\n"));
    held.world.wait(next, "awaiting_approval");
    held.world.approve(next);
    held.world.until(|world| waits_for(world, next).contains(&format!("dns!{number}")));
    held.say("ben", number, &["abort"]);
    held.proxy.release();
    held.world.wait(number, "failed");
    assert!(held.db_is_live() && held.conf().is_none());
    assert_eq!(held.world.show(next)["phase"], "queued", "what is stopped holds what it holds");
    let text = number.to_string();
    let said = held.world.trueup("ben", &["mr", "say", &text, "--repo", "dns", "free"]);
    assert!(format!("{}{}", said.out, said.err).contains("say why"), "what is written is not let go of without a reason: {}{}", said.out, said.err);
    assert_eq!(held.world.show(next)["phase"], "queued");
    let said = held.world.trueup("cleo", &["mr", "say", &text, "--repo", "dns", "free", "we wait"]);
    assert!(said.code != 0, "a writer frees nothing: {}{}", said.out, said.err);
    let said = held.say("ben", number, &["free", "the next one is urgent"]);
    assert!(said.contains("stays as it is, held by nobody"), "{said}");
    held.world.wait(next, "merged");
    assert_eq!(held.conf().as_deref(), Some("host = other\n"));
    assert!(held.db_is_live(), "what was freed stays as it is");
    let told = waits_for(&held.world, number);
    assert!(told.contains("the next one is urgent") && told.contains("held by nobody"), "{told}");
    held.say("ben", number, &["restore"]);
    held.world.wait(number, "restored");
    assert!(!held.db_is_live(), "and it goes back all the same");
}

/// In a repository that shares what it may write, what was planned before a restart is looked at anew; a way back asks for nothing that could be another's.
#[test]
fn a_way_back_that_waited_over_a_restart_starts_where_repositories_share_a_zone() {
    let mut world = shared();
    let first = world.propose("window", |world| {
        world.edit_zone("192.0.2.2\n", "192.0.2.78\n");
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("window: 2s", "window: 10m"));
    });
    world.wait(first, "awaiting_approval");
    world.approve(first);
    world.wait(first, "merged");
    let number = world.propose("move", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "verifying");
    world.trueup("root", &["halt"]).ok();
    let planned = noted(&world, number, "planned");
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    world.until(|world| noted(world, number, "planned") > planned && world.show(number)["phase"] == "restoring");
    world.kill();
    world.serve();
    world.trueup("root", &["halt", "--lift"]).ok();
    let said = world.trueup("ana", &["mr", "wait", &number.to_string(), "--repo", "dns", "--for", "restored", "--timeout", LONG]);
    assert_eq!(said.code, 0, "{}: {}", world.show(number), world.log());
    assert!(world.live().iter().any(|line| line.starts_with("www.") && line.ends_with("192.0.2.1")), "{:?}", world.live());
}
