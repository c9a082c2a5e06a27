//! Stories of config centers through the whole service: ten thousand keys, a cluster whose leader dies in the middle, a server that hangs in the middle.

use super::world::World;
use crate::harness::{ConsulServer, EtcdServer};
use std::{fs, time::Instant};

/// Keys of the large merge request: ten thousand, of which `tests/run` takes two.
fn many() -> usize {
    if std::env::var("TRUEUP_TEST_ALL").is_ok_and(|all| all == "1") { 10_000 } else { 2_000 }
}

/// So many keys need more transactions than a center takes in the moment in which it is disturbed.
const SOME: usize = 1_500;

/// A running server that also governs the keys `app/…` of a center that these lines describe, and a first key of it that is merged.
fn governing(kind: &str, endpoints: &[String]) -> World {
    let mut world = World::start();
    world.kill();
    let text = fs::read_to_string(world.config()).expect("it is there");
    let text = text.replace("targets:\n  inside:", "      - target: center\n        units: [\"app/*\"]\ntargets:\n  inside:");
    fs::write(world.config(), format!("{text}  center:\n    kind: config/{kind}\n    endpoints: {endpoints:?}\n    answer_timeout: 5s\n")).expect("the folder is writable");
    world.serve();
    let number = world.propose("govern", |world| {
        let source = "  - path: keys\n    format: keytree\n    targets: [center]\n    prefix: app/\npolicy:\n";
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("policy:\n", source));
        world.write("keys/first", "1");
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.wait(number, "merged");
    world
}

fn propose(world: &World, keys: usize) -> u64 {
    let number = world.propose("keys", |world| {
        for n in 0..keys {
            world.write(&format!("keys/{}/{n}", n % 100), &format!("value {n}"));
        }
    });
    world.wait(number, "awaiting_approval");
    number
}

/// Requests that an etcd has answered, by its own count.
fn calls(etcd: &EtcdServer) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let text = runtime.block_on(async { reqwest::get(format!("http://{}/metrics", etcd.addr)).await.expect("it answers").text().await.expect("it is text") });
    let of_keys = |line: &&str| line.starts_with("grpc_server_handled_total") && line.contains("grpc_service=\"etcdserverpb.KV\"");
    text.lines().filter(of_keys).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).map(|n| n as u64).sum()
}

#[test]
fn ten_thousand_keys_of_one_merge_request_go_from_push_to_merge() {
    let keys = many();
    let etcd = EtcdServer::open(&[]);
    let world = governing("etcd", &[format!("http://{}", etcd.addr)]);
    let (began, memory, asked, revision) = (Instant::now(), world.memory(), calls(&etcd), etcd.revision());
    let number = propose(&world, keys);
    let (planned, to_plan) = (began.elapsed(), calls(&etcd) - asked);
    world.approve(number);
    world.wait(number, "merged");
    let (all, most) = (calls(&etcd) - asked, world.memory());
    println!(
        "{keys} keys: planned in {planned:.1?} with {to_plan} calls, merged after {:.1?} and {all} calls; the server's peak memory went from {memory} to {most} MiB",
        began.elapsed()
    );
    let live = etcd.all().into_iter().filter(|(key, value)| key.starts_with("app/") && value.starts_with(b"value ")).count();
    assert_eq!(live, keys);
    let full = keys.div_ceil(127) as u64;
    assert!((full - 2..=full + 8).contains(&(etcd.revision() - revision)), "{} transactions wrote {keys} keys", etcd.revision() - revision);
    // Read to plan, at the start, to prove, and in a window of a few looks.
    assert!(all <= 40 * full, "{all} calls for {keys} keys");
    assert!(most < 900, "{most} MiB");
}

#[test]
fn a_leader_of_three_that_dies_in_the_middle_of_a_run_costs_no_key_and_writes_none_twice() {
    let members = EtcdServer::three();
    let world = governing("etcd", &members.iter().map(|member| format!("http://{}", member.addr)).collect::<Vec<_>>());
    let number = propose(&world, SOME);
    let leader = members.iter().find(|member| member.leads()).expect("one leads");
    let written = || leader.all().into_iter().filter(|(_, value)| value.starts_with(b"value ")).count();
    world.approve(number);
    world.until(|_| written() > 0);
    leader.signal("KILL");
    world.wait(number, "merged");
    let left = members.iter().find(|member| member.addr != leader.addr).expect("two are left");
    let answer = left.ask("/v3/kv/range", &serde_json::json!({ "key": "YXBwLw==", "range_end": "YXBwMA==" }));
    let kvs = answer["kvs"].as_array().expect("a list");
    assert_eq!(kvs.len(), SOME + 1);
    assert!(kvs.iter().all(|kv| kv["version"] == "1"), "every key was written once");
}

#[test]
fn a_consul_that_hangs_in_the_middle_of_a_run_and_wakes_is_led_to_the_end() {
    let consul = ConsulServer::open();
    let world = governing("consul", &[format!("http://{}", consul.addr)]);
    let number = propose(&world, SOME);
    let written = || consul.all().into_iter().filter(|(_, value, _)| value.starts_with(b"value ")).count();
    world.approve(number);
    world.until(|_| written() > 0);
    consul.signal("STOP");
    // Until it was asked for something and gave no answer.
    let journal = || world.get_as("ana", &format!("api/v1/repos/dns/mrs/{number}/journal")).1;
    world.until(|world| journal().contains("\"unknown\"") || world.show(number).to_string().contains("timed out"));
    consul.signal("CONT");
    world.wait(number, "merged");
    assert_eq!(written(), SOME);
    let indexes: std::collections::BTreeSet<u64> = (0..SOME).step_by(10).map(|n| consul.index(&format!("app/{}/{n}", n % 100))).collect();
    assert!(indexes.len() < 40, "a transaction is one index, and nothing was written key by key: {}", indexes.len());
}
