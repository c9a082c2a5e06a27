//! Stories of probes: a real site, a real Prometheus, and a merge that waits for both.

use super::world::World;
use crate::harness::{ConsulServer, EtcdServer, Prometheus, Site};

/// The networks of most stories: this machine, where the sites are.
const HERE: &str = "networks: [127.0.0.0/8]\n";

/// Policy with one probe of everything, asked twice in a window of two seconds.
fn policy(probe: &str) -> String {
    format!("  health:\n    - match: [\"*\"]\n      {probe}\n")
}

fn moved(world: &World) -> u64 {
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    number
}

fn waits(world: &World, number: u64, what: &str) {
    world.until(|world| world.show(number)["waits_for"].as_str().is_some_and(|waits| waits.contains(what)));
}

fn is_live(world: &World, address: &str) -> bool {
    world.live().iter().any(|line| line.starts_with("www.") && line.ends_with(address))
}

#[test]
fn a_merge_request_merges_only_once_its_probe_held_for_the_window() {
    let site = Site::start();
    site.says("/healthz", 503, "starting");
    let world = World::start_knowing(&policy(&format!("http: {{ url: \"{}\" }}", site.url("/healthz"))), HERE);
    let number = moved(&world);
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("Healthy when") && shown.contains("answers 200"), "approvers see it: {shown}");
    world.approve(number);
    waits(&world, number, "answered 503 Service Unavailable: \"starting\"");
    assert!(is_live(&world, "A 192.0.2.77"), "it is written, and waits for health");
    assert_eq!(world.show(number)["phase"], "verifying");
    site.says("/healthz", 200, "ok");
    let before = site.asked("/healthz");
    world.wait(number, "merged");
    assert!(site.asked("/healthz") >= before + 2, "asked over the whole window");
}

#[test]
fn a_probe_that_begins_to_fail_in_the_window_fails_the_change_and_a_retry_merges_it() {
    let site = Site::start();
    site.says("/", 200, "ok");
    let probe = format!("http: {{ url: \"{}\" }}\n      every: 2s\n      window: 8s\n      deadline: 20s", site.url("/"));
    let world = World::start_knowing(&policy(&probe), HERE);
    let number = moved(&world);
    world.approve(number);
    world.until(|_| site.asked("/") >= 2);
    site.says("/", 500, "broken");
    world.wait(number, "failed");
    let why = world.show(number)["waits_for"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("answered 500") && why.contains("since") && why.contains("/trueup retry"), "{why}");
    site.says("/", 200, "ok");
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "retry"]).ok();
    world.wait(number, "merged");
}

#[test]
fn a_real_prometheus_decides_and_no_number_is_no_health() {
    let prometheus = Prometheus::start();
    prometheus.measures("up_to 0\n");
    let server = format!("probes: {{ prometheus: {{ main: {{ url: \"{}\" }} }} }}\n", prometheus.url());
    let world = World::start_knowing(&policy("prometheus: { server: main, query: 'errors_ratio{job=\"app\"}', test: '< 0.01', lag: 2s }"), &server);
    let number = moved(&world);
    world.approve(number);
    waits(&world, number, "finds no series");
    prometheus.measures("errors_ratio NaN\n");
    waits(&world, number, "NaN");
    prometheus.measures("errors_ratio{a=\"1\"} 0\nerrors_ratio{a=\"2\"} 0\n");
    waits(&world, number, "finds 2 series");
    prometheus.measures("errors_ratio 0.5\n");
    waits(&world, number, "it is 0.5, and must be < 0.01");
    prometheus.measures("errors_ratio 0.001\n");
    world.wait(number, "merged");
}

#[test]
fn a_merge_request_adds_a_probe_of_its_own_and_cannot_take_policys_away() {
    let (ours, theirs) = (Site::start(), Site::start());
    ours.says("/", 200, "ok");
    theirs.says("/", 503, "no");
    let world = World::start_knowing(&policy(&format!("http: {{ url: \"{}\" }}", theirs.url("/"))), HERE);
    let number = world.propose("own", |world| {
        world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
        let text = world.read("trueup.yaml");
        let (kept, _) = text.split_once("  health:").expect("it has a policy");
        let own = format!("    targets: [inside]\n    health:\n      - http: {{ url: \"{}\" }}\n", ours.url("/"));
        world.write("trueup.yaml", &kept.replace("    targets: [inside]\n", &own));
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    waits(&world, number, "answered 503");
    world.until(|_| ours.asked("/") > 0);
    theirs.says("/", 200, "ok");
    world.wait(number, "merged");
    // From here on the merge request's policy is base's.
    let asked = theirs.asked("/");
    let next = world.propose("next", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    world.wait(next, "awaiting_approval");
    world.approve(next);
    world.wait(next, "merged");
    assert_eq!(theirs.asked("/"), asked, "nobody asks it any more");
}

#[test]
fn a_probe_led_to_a_forbidden_network_is_told_and_nothing_there_is_asked() {
    let (open, inner) = (Site::start(), Site::start());
    inner.says("/secret", 200, "ok");
    open.leads("/", &format!("http://localhost:{}/secret", inner.addr.port()).replace("localhost", "127.0.0.2"));
    let world = World::start_knowing(&policy(&format!("http: {{ url: \"{}\" }}", open.url("/"))), "networks: [127.0.0.1]\n");
    let number = moved(&world);
    world.approve(number);
    waits(&world, number, "127.0.0.2 is outside the networks that probes may reach");
    assert_eq!(inner.asked("/secret"), 0);
    // A way back starts whatever the probes say.
    world.trueup("ben", &["mr", "say", &number.to_string(), "--repo", "dns", "restore"]).ok();
    world.wait(number, "restored");
    assert!(is_live(&world, "A 192.0.2.1"));
}

#[test]
fn a_probe_that_can_never_be_asked_is_refused_with_its_place_and_doctor_says_so() {
    let world = World::start_knowing(&policy("command: { name: smok }"), "probes: { commands: { smoke: { argv: [/bin/true] } } }\n");
    let number = world.propose("move-www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "refused");
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("the server has no command `smok`") && shown.contains("did you mean `smoke`?") && shown.contains("trueup.yaml"), "{shown}");
    let config = world.config().display().to_string();
    let said = world.trueup("root", &["doctor", "--config", &config]);
    assert!(said.code != 0 && said.out.contains("the server has no command `smok`"), "{}{}", said.out, said.err);
}

/// What an MR's author may not read lies in a center; every line that anybody is shown is searched for it.
#[test]
fn a_probe_at_a_targets_own_api_is_refused_and_nothing_it_says_is_quoted() {
    const SECRET: &str = "word-that-nobody-granted";
    let (etcd, consul) = (EtcdServer::open(&[]), ConsulServer::open());
    consul.put("vault/word", SECRET.as_bytes());
    let targets =
        format!("  center:\n    kind: config/consul\n    endpoints: [\"http://{}\"]\n  other:\n    kind: config/etcd\n    endpoints: [\"http://{}\"]\n", consul.addr, etcd.addr);
    let value = format!("http://{}/v1/kv/vault/word?raw", consul.addr);
    let mut world = World::start_knowing("", &targets);
    let with = |world: &World, branch: &str, probe: &str| {
        let probe = format!("    targets: [inside]\n    health:\n      - {probe}\n");
        world.propose(branch, |world| {
            world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
            let text = world.read("trueup.yaml");
            world.write("trueup.yaml", &text.replace("    targets: [inside]\n", &probe));
        })
    };
    let shown = |world: &World, number: u64| {
        let said = ["show", "plan"].map(|what| world.trueup("ana", &["mr", what, &number.to_string(), "--repo", "dns"])).map(|said| said.out + &said.err);
        said.concat() + &world.show(number).to_string()
    };
    // Without a word about networks, no API is a page.
    for (n, probe) in [
        format!("http: {{ url: \"{value}\", status: 201 }}"),
        format!("http: {{ url: \"{value}\", contains: \"word-\" }}"),
        format!("http: {{ url: \"http://{}/version\", status: 201 }}", etcd.addr),
    ]
    .iter()
    .enumerate()
    {
        let number = with(&world, &format!("forbidden-{n}"), probe);
        world.wait(number, "refused");
        let said = shown(&world, number);
        assert!(said.contains("outside the networks that probes may reach") && said.contains("trueup.yaml:6:9"), "{said}");
        assert!(!said.contains(SECRET) && !said.contains("etcdserver"), "{said}");
    }
    // Where operators opened the network, its status is all that is told.
    world.kill();
    let text = std::fs::read_to_string(world.config()).expect("it is there");
    std::fs::write(world.config(), format!("{text}{HERE}")).expect("the folder is writable");
    world.serve();
    let number = with(&world, "curious", &format!("http: {{ url: \"{value}\", contains: \"word-\" }}"));
    world.wait(number, "refused");
    let said = shown(&world, number);
    assert!(said.contains("read through grants alone") && said.contains("compare its status"), "{said}");
    let number = with(&world, "status", &format!("http: {{ url: \"{value}\", status: 201 }}"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    waits(&world, number, "answered 200 OK");
    assert!(!shown(&world, number).contains(SECRET) && !world.log().contains(SECRET));
    let (status, page) = world.page_as("ana", &format!("http://127.0.0.1:{}/changes/dns/{number}", world.port));
    assert!(status == 200 && page.contains("answered 200 OK") && !page.contains(SECRET), "{page}");
}

/// The zone's source with `healthchecks: true`, and `www` with a health check of its own, at a port of this machine.
fn with_a_health_check(world: &World, section: &str, values: &str) {
    let text = world.read("trueup.yaml");
    if !text.contains("healthchecks: true") {
        world.write("trueup.yaml", &text.replace("    targets: [inside]\n", "    targets: [inside]\n    healthchecks: true\n"));
    }
    let (kept, _) = world.read(&world.zone_file()).split_once("www:").map(|(kept, rest)| (kept.to_owned(), rest.to_owned())).expect("it has a www");
    world.write(&world.zone_file(), &format!("{kept}www:\n  ttl: 300\n  type: A\n  {values}\n  octodns: {{healthcheck: {section}}}\n"));
}

#[test]
fn the_health_check_of_a_record_is_asked_of_the_values_that_are_asked_for() {
    let (old, new) = (Site::start_at("127.0.0.2"), Site::start_at("127.0.0.3"));
    new.says("/ready", 503, "starting");
    let world = World::start_knowing("", HERE);
    let section = format!("{{protocol: HTTP, port: {}, path: /ready, host: shop.example.net}}", new.addr.port());
    let number = world.propose("new-www", |world| with_a_health_check(world, &section, "value: 127.0.0.3"));
    world.wait(number, "awaiting_approval");
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    let asked = format!("GET http://shop.example.net:{}/ready at 127.0.0.3 answers 200", new.addr.port());
    assert!(shown.contains("Healthy when") && shown.contains(&asked), "approvers see it: {shown}");
    assert_eq!(new.asked("/ready"), 0, "a plan asks nobody");
    world.approve(number);
    waits(&world, number, "at 127.0.0.3 answered 503 Service Unavailable: \"starting\"");
    assert!(is_live(&world, "A 127.0.0.3"), "it is written, and waits for health");
    assert_eq!((old.asked("/ready"), world.show(number)["phase"].as_str()), (0, Some("verifying")), "what is not asked for any more is asked nothing");
    new.says("/ready", 200, "ok");
    let before = new.asked("/ready");
    world.wait(number, "merged");
    assert!(new.asked("/ready") >= before + 2, "asked over the whole window");
    assert_eq!(new.hosts(), [format!("shop.example.net:{}", new.addr.port())]);
    // A value outside the networks is refused where its check stands.
    let number = world.propose("elsewhere", |world| with_a_health_check(world, &section, "value: 192.0.2.7"));
    world.wait(number, "refused");
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("192.0.2.7 is outside the networks that probes may reach") && shown.contains(&world.zone_file()), "{shown}");
}

#[test]
fn a_health_check_that_nobody_asks_is_told_in_the_plan() {
    let world = World::start();
    let number = world.propose("unasked", |world| {
        world.edit_zone("  value: 192.0.2.1\n", "  value: 192.0.2.77\n  octodns: {healthcheck: {path: /ready}}\n");
    });
    world.wait(number, "awaiting_approval");
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("is not asked before the merge: `healthchecks: true` beside the source asks it") && shown.contains(&format!("{}:16:13", world.zone_file())), "{shown}");
    world.approve(number);
    world.wait(number, "merged");
}

/// The world's server starts again with this instead of what the repository was granted of commands and Prometheus servers.
fn grants(world: &mut World, granted: &str) {
    world.kill();
    let text = std::fs::read_to_string(world.config()).expect("it is there");
    let line = text.lines().find(|line| line.starts_with("    probes: ")).expect("the repository has one").to_owned();
    std::fs::write(world.config(), text.replace(&line, &format!("    probes: {granted}"))).expect("the folder is writable");
    world.serve();
}

#[test]
fn a_repository_names_only_the_commands_it_is_granted() {
    let mut world = World::start_knowing(&policy("command: { name: smoke }"), "probes: { commands: { smoke: { argv: [/bin/true] }, quiet: { argv: [/bin/true] } } }\n");
    grants(&mut world, "{ commands: [quiet] }");
    let number = world.propose("ungranted", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "refused");
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("not granted the command `smoke`") && shown.contains("trueup.yaml"), "{shown}");
    let (_, page) = world.page_as("ana", &format!("http://127.0.0.1:{}/changes/dns/{number}", world.port));
    assert!(page.contains("operators can grant it") && page.contains("commands: [smoke]"), "{page}");
    assert!(is_live(&world, "A 192.0.2.1"), "nothing is written");
    let config = world.config().display().to_string();
    let said = world.trueup("root", &["doctor", "--config", &config]);
    assert!(said.code != 0 && said.out.contains("not granted the command `smoke`"), "{}{}", said.out, said.err);
    // Granted it is planned; what is taken away before the window is not run, and says so.
    grants(&mut world, "{ commands: [\"sm*\"] }");
    let number = world.propose("granted", |world| world.edit_zone("192.0.2.2\n", "192.0.2.78\n"));
    world.wait(number, "awaiting_approval");
    grants(&mut world, "{ commands: [quiet] }");
    world.approve(number);
    waits(&world, number, "not granted the command `smoke`");
    grants(&mut world, "{ commands: [smoke] }");
    world.wait(number, "merged");
}

#[test]
fn a_wave_waits_for_the_probe_that_its_template_names() {
    let site = Site::start();
    site.says("/shop", 503, "starting");
    let world = World::start_knowing(&format!("  health:\n    - name: shop\n      http: {{ url: \"{}\" }}\n", site.url("/shop")), HERE);
    let template = |probe: &str| format!("name: canary\nwaves:\n  size: 1\n  between:\n    wait: {{ probe: {probe}, samples: 2, every: 1s, deadline: 3m }}\n");
    // A name that policy does not have would wait for nothing.
    let number = world.propose("misspelt", |world| world.write("plans/canary.yaml", &template("shopp")));
    world.wait(number, "refused");
    let shown = world.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("plans/canary.yaml:5:20") && shown.contains("no probe named `shopp`"), "{shown}");
    let number = world.propose("canary", |world| world.write("plans/canary.yaml", &template("shop")));
    world.wait(number, "empty");
    world.approve(number);
    world.wait(number, "merged");
    assert_eq!(site.asked("/shop"), 0, "nothing was written, and it is for templates alone");
    let number = world.propose("both", |world| {
        world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
        world.edit_zone("192.0.2.2\n", "192.0.2.78\n");
    });
    world.wait(number, "awaiting_approval");
    let shown = world.trueup("ana", &["mr", "plan", &number.to_string(), "--repo", "dns"]).ok();
    assert!(shown.contains("wait for shop (GET http://") && shown.contains("2 times in a row, one every 1s, within 3m, or it stops"), "approvers see it: {shown}");
    world.approve(number);
    waits(&world, number, "shop: ");
    let written = || [is_live(&world, "A 192.0.2.77"), world.live().iter().any(|line| line.ends_with("A 192.0.2.78"))];
    assert_eq!(written().into_iter().filter(|written| *written).count(), 1, "one of two is written, and the next waits: {:?}", world.live());
    site.says("/shop", 200, "ok");
    world.wait(number, "merged");
    assert_eq!(written(), [true, true]);
}
