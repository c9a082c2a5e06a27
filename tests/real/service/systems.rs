//! Stories over several systems at once: a name server, etcd and a folder, watched by a client that must never be led nowhere.

use super::world::World;
use crate::harness::EtcdServer;
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The TTL of the record that points, and so the shortest time for which what it pointed at stays.
const TTL: u64 = 4;

/// A running server that also governs keys of an etcd (`/app/…`) and files of a folder (`app/…`).
fn start(etcd: &EtcdServer) -> World {
    let mut world = World::start();
    world.kill();
    fs::create_dir_all(world.dir.path().join("keys")).expect("the folder is writable");
    let text = fs::read_to_string(world.config()).expect("it is there");
    let text = text.replace("targets:\n  inside:", "      - target: files\n        units: [\"app/*\"]\n      - target: center\n        units: [\"/app/*\"]\ntargets:\n  inside:");
    let text = format!(
        "{text}  files:\n    kind: config/directory\n    path: {}\n  center:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n",
        world.dir.path().join("keys").display(),
        etcd.addr
    );
    fs::write(world.config(), text).expect("the folder is writable");
    world.serve();
    world
}

/// What every place says that names a host of the zone.
fn names(world: &World, host: &str) {
    let host = format!("{host}.{}", world.zones[0].trim_end_matches('.'));
    world.write("center/url", &format!("http://{host}:8080/"));
    world.write("files/app.conf", &format!("retries = 3\nhost = {host}\n"));
    let zone = world.read(&world.zone_file());
    let zone: String = zone.split_inclusive('\n').filter(|line| !line.starts_with("api:") && !line.contains("# api")).collect();
    world.write(&world.zone_file(), &format!("api: {{ttl: {TTL}, type: CNAME, value: {host}.}} # api\n{zone}"));
}

fn host(world: &World, name: &str, address: &str) {
    let zone = world.read(&world.zone_file());
    world.write(&world.zone_file(), &format!("{zone}{name}: {{ttl: 300, type: A, value: {address}}}\n"));
}

fn no_host(world: &World, name: &str) {
    let zone = world.read(&world.zone_file());
    world.write(&world.zone_file(), &zone.split_inclusive('\n').filter(|line| !line.starts_with(&format!("{name}:"))).collect::<String>());
}

/// Asks all along for what each place names, as the programs behind them would.
struct Client {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<BTreeSet<String>>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// One place that names a host, and how it is read.
type Reads = Box<dyn Fn() -> Option<String> + Send>;

impl Client {
    fn start(world: &World, etcd: Arc<EtcdServer>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (over, dns, zone) = (stop.clone(), world.dns, world.zones[0].clone());
        let file: PathBuf = world.dir.path().join("keys/app/app.conf");
        let key = move || etcd.all().into_iter().find(|(key, _)| key == "/app/url").and_then(|(_, value)| host_in(&String::from_utf8(value).ok()?, "http://", ":"));
        let conf = move || host_in(&fs::read_to_string(&file).ok()?, "host = ", "\n");
        let places: Vec<(&str, Reads)> = vec![("etcd", Box::new(key)), ("folder", Box::new(conf))];
        let pointed = move || Some(dns.dig(&[&format!("api.{zone}"), "CNAME", "+short"]).trim().trim_end_matches('.').to_owned()).filter(|name| !name.is_empty());
        let answers = move |name: &str| dns.dig(&[name, "A", "+short"]).contains("192.0.2.");
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            // What a resolver keeps of `api`, and since when.
            let mut kept: Option<(String, Instant)> = None;
            while !over.load(Ordering::SeqCst) {
                for (place, read) in &places {
                    let Some(name) = read() else { continue };
                    // Named before and after the question, so it was named while it was asked for.
                    let found = answers(&name);
                    assert!(found || read().as_ref() != Some(&name), "{place} names {name}, which nobody answers for");
                    seen.insert(format!("{place} {}", first_label(&name)));
                }
                let fresh = kept.as_ref().is_some_and(|(_, since)| since.elapsed() < Duration::from_secs(TTL));
                if !fresh {
                    // Kept from before the question, as a resolver never does: it lets go earlier than it must.
                    let asked = Instant::now();
                    kept = pointed().map(|name| (name, asked));
                }
                if let Some((name, since)) = &kept {
                    let found = answers(name);
                    assert!(found || since.elapsed() >= Duration::from_secs(TTL), "caches still lead to {name}, which nobody answers for");
                    seen.insert(format!("cache {}", first_label(name)));
                }
            }
            seen
        });
        Self { stop, thread: Some(thread) }
    }

    /// Ends the client; what it was led to on its way, by place.
    fn end(mut self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().expect("it ends once");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn host_in(text: &str, before: &str, after: &str) -> Option<String> {
    Some(text.split_once(before)?.1.split_once(after)?.0.to_owned())
}

fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[test]
fn one_merge_request_moves_a_name_in_dns_etcd_and_a_folder_and_back_and_no_client_is_led_nowhere() {
    let etcd = Arc::new(EtcdServer::open(&[]));
    let world = start(&etcd);
    let govern = world.propose("govern", |world| {
        let root = world.read("trueup.yaml");
        let sources = "  - {path: center, format: keytree, targets: [center], prefix: /app/}\n  - {path: files, format: keytree, targets: [files], prefix: app/}\n";
        // What comes after this is judged by a window that nobody waits for, so that the way back is asked for while all is live.
        world.write("trueup.yaml", &root.replace("policy:\n", &format!("{sources}policy:\n")).replace("window: 2s", "window: 2h"));
        host(world, "old", "192.0.2.10");
        names(world, "old");
    });
    world.wait(govern, "awaiting_approval");
    world.approve(govern);
    world.wait(govern, "merged");
    let before = world.live();

    // Never approved: it would leave the keys with a name that is gone.
    let dangling = world.propose("gone", |world| no_host(world, "old"));
    world.wait(dangling, "awaiting_approval");
    let shown = world.trueup("ana", &["mr", "plan", &dangling.to_string(), "--repo", "dns"]).ok();
    for said in ["/app/url at center/url:1:1 still points at old.", "app/app.conf at files/app.conf:1:1 still points at old."] {
        assert!(shown.contains(said), "the plan says `{said}`: {shown}");
    }

    let client = Client::start(&world, etcd.clone());
    let number = world.propose("move", |world| {
        no_host(world, "old");
        host(world, "new", "192.0.2.20");
        names(world, "new");
    });
    world.wait(number, "awaiting_approval");
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns", "--way-back"]).ok();
    for said in [&*format!("{TTL}s later, when no cache leads there any more"), "line 2 of its value names new.", "which comes first", "once that is healthy"] {
        assert!(shown.contains(said), "the plan says `{said}`: {shown}");
    }
    world.approve(number);
    world.wait(number, "verifying");
    let seen = client.end();
    let both: BTreeSet<String> = ["etcd", "folder", "cache"].iter().flat_map(|place| [format!("{place} old"), format!("{place} new")]).collect();
    assert!(seen.contains("etcd old") && seen.contains("folder old") && seen.contains("cache old"), "the client watched from before the first write: {seen:?}");
    assert!(seen.is_subset(&both), "{seen:?}");
    assert!(!world.live().iter().any(|line| line.starts_with("old.")), "what was replaced is gone: {:?}", world.live());

    let client = Client::start(&world, etcd.clone());
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    world.wait(number, "restored");
    let seen = client.end();
    assert!(seen.is_subset(&both) && seen.contains("cache old"), "{seen:?}");
    assert_eq!(world.live(), before, "the zone is back exactly");
    assert!(etcd.all().iter().any(|(key, value)| key == "/app/url" && String::from_utf8_lossy(value).starts_with("http://old.")));
}
