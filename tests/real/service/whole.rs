//! One merge request over a name server, an etcd and a Consul, healthy by HTTP and by Prometheus: from push to merge, and the same over `kill -9` at random moments.

use super::{
    stubborn::Stubborn,
    world::{Said, World},
};
use crate::harness::{ConsulServer, EtcdServer, Prometheus, Site};
use std::{fs, sync::mpsc, time::Duration};

/// How many random lives `tests/run` lives; `--all` takes twenty.
const SEEDS: u64 = 3;

/// The keys that live in etcd and in Consul.
const ETCD: usize = 20;
const CONSUL: usize = 3;

/// Everything one company's change touches.
struct Company {
    etcd: EtcdServer,
    consul: ConsulServer,
    prometheus: Prometheus,
    shop: Site,
}

impl Company {
    fn start() -> (Self, World) {
        let company = Self { etcd: EtcdServer::open(&[]), consul: ConsulServer::open(), prometheus: Prometheus::start(), shop: Site::start() };
        company.shop.says("/health", 200, "{\"status\": \"ok\"}");
        company.prometheus.measures("shop_errors 0\n");
        let policy = format!(
            "  health:\n    - match: [\"inside/rrset/*\"]\n      http:\n        url: http://{}/health\n        json: {{ pointer: /status, equals: ok }}\n    - match: [\"etcd/key/*\", \"consul/key/*\"]\n      prometheus: {{ server: main, query: \"sum(shop_errors)\", test: \"< 1\", lag: 2s }}\n",
            company.shop.addr
        );
        let mut world = World::start();
        world.kill();
        let text = fs::read_to_string(world.config()).expect("it is there");
        let text =
            text.replace("targets:\n  inside:", "      - target: etcd\n        units: [\"/shop/*\"]\n      - target: consul\n        units: [\"shop/*\"]\ntargets:\n  inside:");
        let text = format!(
            "{text}  etcd:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n  consul:\n    kind: config/consul\n    endpoints: [\"http://{}\"]\nnetworks: [127.0.0.1]\nprobes:\n  prometheus:\n    main: {{ url: \"{}\" }}\n",
            company.etcd.addr,
            company.consul.addr,
            company.prometheus.url()
        );
        fs::write(world.config(), text).expect("the folder is writable");
        world.serve();
        // The rules first: they hold for what comes after them.
        let rules = world.propose("rules", |world| {
            let root = world.read("trueup.yaml");
            let sources =
                "  - path: etcd\n    format: keytree\n    targets: [etcd]\n    prefix: /shop/\n  - path: consul\n    format: keytree\n    targets: [consul]\n    prefix: shop/\n";
            world.write("trueup.yaml", &format!("{}{policy}", root.replace("policy:\n", &format!("{sources}policy:\n"))));
            world.write("etcd/name", "shop");
            world.write("consul/name", "shop");
        });
        world.wait(rules, "awaiting_approval");
        world.approve(rules);
        world.wait(rules, "merged");
        (company, world)
    }

    /// One record, twenty keys and three.
    fn edit(world: &World) {
        world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
        for n in 0..ETCD {
            world.write(&format!("etcd/pool/{n}"), &format!("10.0.0.{n}:8080"));
        }
        for n in 0..CONSUL {
            world.write(&format!("consul/flag/{n}"), "on\n");
        }
    }

    /// What all three hold.
    fn is_true(&self, world: &World, at: &str) {
        assert!(world.live().iter().any(|line| line.ends_with("A 192.0.2.77")), "{at}: {:?}", world.live());
        let keys = self.etcd.all().into_iter().filter(|(key, value)| key.starts_with("/shop/pool/") && value.starts_with(b"10.0.0.")).count();
        let flags = self.consul.all().into_iter().filter(|(key, value, _)| key.starts_with("shop/flag/") && value == b"on\n").count();
        assert_eq!((keys, flags), (ETCD, CONSUL), "{at}");
    }

    /// How often each of the three was written: serial, revision, and the indexes of Consul's keys.
    fn written(&self, world: &World) -> (u32, u64) {
        (world.dns.serial(&world.zones[0]), self.etcd.revision())
    }
}

#[test]
fn one_merge_request_over_three_systems_merges_when_all_hold_it_and_are_healthy() {
    let (company, world) = Company::start();
    company.prometheus.measures("shop_errors 5\n");
    let before = company.written(&world);
    let number = world.propose("move", Company::edit);
    world.wait(number, "awaiting_approval");
    let plan = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    for words in ["/shop/pool/19", "shop/flag/2", "192.0.2.77", "sum(shop_errors)", "/health"] {
        assert!(plan.contains(words), "the plan names `{words}`: {plan}");
    }
    world.approve(number);
    world.wait(number, "verifying");
    world.until(|world| world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok().contains("sum(shop_errors)"));
    company.is_true(&world, "before it is healthy");
    assert_eq!(world.show(number)["phase"], "verifying", "true is not yet healthy");
    company.prometheus.measures("shop_errors 0\n");
    world.wait(number, "merged");
    let after = company.written(&world);
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1), "one UPDATE, and one revision of etcd for {ETCD} keys");
    let indexes: Vec<u64> = (0..CONSUL).map(|n| company.consul.index(&format!("shop/flag/{n}"))).collect();
    assert!(indexes.windows(2).all(|pair| pair[0] == pair[1]), "one transaction of Consul: {indexes:?}");
}

#[test]
fn kills_at_random_moments_change_nothing_of_how_one_merge_request_over_three_systems_ends() {
    let all = std::env::var("TRUEUP_TEST_ALL").is_ok_and(|all| all == "1");
    let mut deaths = 0;
    for seed in 1..=if all { 20 } else { SEEDS } {
        let (company, world) = Company::start();
        let before = company.written(&world);
        let at = format!("seed {seed}");
        let mut story = Stubborn::over(world);
        story.propose("move", Company::edit);
        story.phase(2, "awaiting_approval");
        story.say("ben", &["mr", "approve", "2", "--repo", "dns"]);
        // A few deaths between the approval and the merge, each after a while that only the seed decides.
        let mut chance = Chance(seed);
        for _ in 0..4 {
            chance.pause(Duration::from_millis(1500));
            if merged(&story.world.trueup("ana", &["mr", "show", "2", "--repo", "dns", "--json"])) {
                break;
            }
            story.world.kill();
            story.revive();
        }
        story.phase(2, "merged");
        deaths += story.deaths;
        company.is_true(&story.world, &at);
        let after = company.written(&story.world);
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1), "{at}: nothing was written twice");
        story.merged_once(&at, 2);
    }
    println!("{deaths} kills at random moments, every life ended merged");
    assert!(deaths > 0, "the kills happened");
}

fn merged(said: &Said) -> bool {
    said.out.contains("\"phase\": \"merged\"") || said.out.contains("\"phase\":\"merged\"")
}

/// Numbers that only the seed decides (Marsaglia's xorshift).
struct Chance(u64);

impl Chance {
    /// Waits a while below `most`: the moments of a kill are no condition that could be waited for.
    fn pause(&mut self, most: Duration) {
        for shift in [13, -7, 17_i32] {
            self.0 ^= if shift > 0 { self.0 << shift } else { self.0 >> -shift };
        }
        let (_quiet, never) = mpsc::channel::<()>();
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        assert!(never.recv_timeout(Duration::from_millis(self.0 % most)).is_err(), "nobody sends");
    }
}
