//! Consul on the ladder, open and with ACLs, and what only Consul can get wrong.

use super::{
    climb::{act, apply, assert_settled, cx, none, observe, plan, some, try_observe, wants},
    keys::{key_value, put_or_delete},
    ladder,
    world::{Lost, World},
};
use crate::harness::{CONSUL_TOKEN, Certificates, ConsulServer, HttpProxy, Loss, free_port};
use serde_json::json;
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};
use trueup::{
    cluster::Tls,
    core::{
        model::{Kind as _, Reading, ResourceId, Unit, Value, Want},
        plan::{Act, Undo, Write},
        run::Item,
    },
    drivers::config::consul::{Config, Consul, Limits},
    kinds::config::{KEYS, key_id, value},
    ports::{Cx, Driver, ObserveErrorKind, Precondition, SecretText},
};

fn config(addr: SocketAddr, token: Option<&str>) -> Config {
    let token = token.map(SecretText::new);
    Config { target: "consul".into(), endpoints: vec![format!("http://{addr}")], token, datacenter: None, tls: None, limits: Limits::default(), answer: Duration::from_secs(30) }
}

fn driver(addr: SocketAddr, token: Option<&str>) -> Consul {
    Consul::new(config(addr, token)).expect("the configuration is good")
}

fn id(key: &str) -> ResourceId {
    key_id("consul", key)
}

struct Center {
    server: ConsulServer,
    proxy: HttpProxy,
    driver: Consul,
    closed: bool,
}

impl Center {
    fn open() -> Self {
        let server = ConsulServer::open();
        Self::over(server, None)
    }

    fn closed() -> Self {
        let server = ConsulServer::closed();
        Self::over(server, Some(CONSUL_TOKEN))
    }

    fn over(server: ConsulServer, token: Option<&str>) -> Self {
        let proxy = HttpProxy::start(server.addr);
        let driver = driver(proxy.addr, token);
        Self { server, proxy, driver, closed: token.is_some() }
    }
}

impl World for Center {
    fn name(&self) -> &'static str {
        "Consul"
    }

    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn unit(&self) -> Unit {
        KEYS.unit(&id("a"))
    }

    fn id(&self, n: usize) -> ResourceId {
        // The first is a key with others below it.
        let folder = ["a", "a/", "a/b/", "gr\u{fc}n & \"blau\"/", "x.d//"][n % 5];
        id(&format!("open/{folder}{}", if n == 0 { String::new() } else { format!("k{n}") }))
    }

    fn value(&self, n: usize, v: usize) -> Value {
        key_value(n, v, 10_000)
    }

    fn by_hand(&self, id: &ResourceId, value: Option<&Value>) {
        put_or_delete(id, value, |key, bytes| self.server.put(key, bytes), |key| self.server.delete(key));
    }

    fn raw(&self) -> Vec<String> {
        self.server.all().into_iter().map(|(key, bytes, flags)| format!("{key} = {bytes:?} {flags}")).collect()
    }

    fn keeps_groups(&self) -> bool {
        true
    }

    fn lose(&self, what: Lost) {
        self.proxy.lose(match what {
            Lost::Request => Loss::Request,
            Lost::Reply => Loss::Reply,
        });
    }

    fn effects(&self) -> u64 {
        self.proxy.writes()
    }

    fn forbidden(&self) -> Option<(ResourceId, Value)> {
        self.closed.then(|| (id("closed/key"), Value::str("1")))
    }

    fn unholdable(&self) -> Vec<(ResourceId, Value)> {
        vec![(id("open/large"), value(&vec![b'x'; (512 << 10) + 1])), (id("open/a\u{7}b"), Value::Int(1))]
    }

    fn server_takes(&self, _: &ResourceId, _: &Value) -> Option<bool> {
        None
    }
}

mod without_acls {
    super::ladder!(super::Center::open());
}

mod with_acls {
    super::ladder!(super::Center::closed());
}

#[tokio::test]
async fn a_change_that_fits_is_one_transaction_whose_keys_share_an_index() {
    let world = Center::closed();
    apply(&world, &some(&world, 60, 0)).await;
    let indexes: BTreeSet<u64> = (0..60).map(|n| world.server.index(&world.id(n).name)).collect();
    assert_eq!((indexes.len(), world.effects()), (1, 1), "sixty keys, one transaction");
    apply(&world, &none(&world, 60)).await;
    assert_eq!(world.effects(), 2, "a deletion is two operations, and still one transaction");
    assert_eq!(world.driver.precondition(), Precondition::Token);
}

#[tokio::test]
async fn tokens_are_tried_first_and_never_overrule_content() {
    let world = Center::closed();
    let desired = some(&world, 4, 0);
    apply(&world, &desired).await;
    let mut next = some(&world, 4, 1);
    next[3].1 = None;
    let seen = observe(&world, &next).await;
    let fresh: Vec<_> = seen.iter().map(|one| one.token.clone()).collect();
    let writes = plan(&world, &next).await;
    // The same content again: the index is stale, the content is what the plan saw.
    world.by_hand(&world.id(0), Some(&Value::str("something else")));
    world.by_hand(&world.id(0), Some(&world.value(0, 0)));
    // Other content, whose token an observation since has brought.
    world.by_hand(&world.id(1), Some(&world.value(1, 7)));
    let later = observe(&world, &desired).await;
    // What was to be deleted is gone already, by another hand.
    world.by_hand(&world.id(3), None);
    let tokens = [fresh[0].clone(), later[1].token.clone(), fresh[2].clone(), fresh[3].clone()];
    let outcome = world.driver.act(&cx(), &Act::Write(writes), &BTreeSet::new(), &tokens).await;
    assert_eq!(outcome.items, [Item::Done, Item::Moved(Some(world.value(1, 7))), Item::Done, Item::Already]);
}

#[tokio::test]
async fn flags_that_another_program_keeps_beside_a_value_stay() {
    let world = Center::closed();
    world.server.ask("PUT", "/v1/kv/open%2Fflagged?flags=42", b"1");
    let flags = || world.server.all().into_iter().find(|(key, ..)| key == "open/flagged").map(|(_, bytes, flags)| (bytes, flags));
    let key = |content: &str| vec![(id("open/flagged"), Some(Value::str(content)))];
    apply(&world, &key("2")).await;
    assert_eq!(flags(), Some((b"2".to_vec(), 42)));
    // The same by the token of an observation, without another read, and past transactions.
    for content in ["3".to_owned(), "x".repeat(500_000)] {
        let seen = observe(&world, &key(&content)).await;
        let writes = plan(&world, &key(&content)).await;
        let outcome = world.driver.act(&cx(), &Act::Write(writes), &BTreeSet::new(), &[seen[0].token.clone()]).await;
        assert_eq!((outcome.items, flags()), (vec![Item::Done], Some((content.into_bytes(), 42))));
    }
}

#[tokio::test]
async fn a_value_too_large_for_a_transaction_goes_by_itself_under_the_same_condition() {
    let world = Center::closed();
    let large = |byte: u8| value(&vec![byte; 512 << 10]);
    let desired = |byte| vec![(id("open//large"), Some(large(byte))), (id("open/small"), Some(Value::str("1")))];
    apply(&world, &desired(b'a')).await;
    assert_settled(&world, &desired(b'a')).await;
    let writes = plan(&world, &vec![(id("open//large"), Some(large(b'b')))]).await;
    let seen = observe(&world, &desired(b'a')).await;
    world.by_hand(&id("open//large"), Some(&Value::str("by hand")));
    let outcome = world.driver.act(&cx(), &Act::Write(writes), &BTreeSet::new(), &[seen[0].token.clone()]).await;
    assert_eq!(outcome.items, [Item::Moved(Some(Value::str("by hand")))]);
}

#[tokio::test]
async fn what_the_server_takes_at_once_is_learned_from_its_answer() {
    let world = Center::over(ConsulServer::open_with(json!({ "limits": { "kv_max_value_size": 100_000, "txn_max_req_len": 100_000 } })), None);
    let limits = Limits { txn_ops: 1000, value_bytes: 512 << 10 };
    // Past the proxy: Consul refuses a large body without reading it.
    let driver = Consul::new(Config { limits, ..config(world.server.addr, None) }).expect("the configuration is good");
    let world = Center { driver, ..world };
    let few: Vec<_> = (0..4).map(|n| (id(&format!("open/{n}")), Some(value(&vec![b'x'; 50_000])))).collect();
    apply(&world, &few).await;
    assert_settled(&world, &few).await;
    let many: Vec<_> = (0..300).map(|n| (id(&format!("open/many/{n}")), Some(Value::str("1")))).collect();
    apply(&world, &many).await;
    assert_settled(&world, &many).await;
    let sent = world.driver.transactions();
    let again: Vec<_> = many.iter().map(|(id, _)| (id.clone(), Some(Value::str("2")))).collect();
    apply(&world, &again).await;
    assert_eq!(world.driver.transactions() - sent, 3, "128, 128 and 44: nothing is refused a second time");
    let writes = plan(&world, &vec![(id("open/large"), Some(value(&vec![b'x'; 200_000])))]).await;
    let outcome = act(&world, &writes).await;
    assert!(matches!(&outcome.items[0], Item::Refused(refusal) if refusal.to_string().contains("kv_max_value_size")), "{outcome:?}");
}

#[tokio::test]
async fn what_may_not_be_read_is_denied_and_never_absent() {
    let world = Center::closed();
    world.server.put("hidden/key", b"secret");
    for key in ["hidden/key", "hidden/none"] {
        let error = try_observe(&world, &vec![(id("open/a"), None), (id(key), None)]).await.expect_err("it may not be read");
        assert_eq!((error.kind, error.about), (ObserveErrorKind::Denied, vec![id(key)]));
        assert_eq!(error.what, format!("the token may not read `{key}`; give its policy the right to"));
    }
    let nobody = driver(world.server.addr, None);
    let error = nobody.observe(&cx(), &wants(&none(&world, 1)), &[]).await.expect_err("nobody shows a token");
    assert!(error.kind == ObserveErrorKind::Denied && error.what.contains("add `token`"), "{error}");
    // A list without them would be half a list.
    for driver in [&world.driver, &nobody] {
        let error = driver.census().expect("it lists").list(&cx(), &world.unit()).await.expect_err("a part is hidden");
        assert!(error.kind == ObserveErrorKind::Denied && error.what.contains("may not read all keys"), "{error}");
    }
    world.server.put("open/listed", b"1");
    let below = world.driver.census().expect("it lists").list_below(&cx(), &world.unit(), "open/").await.expect("all of it may be read");
    assert_eq!(below.into_iter().map(|seen| seen.id).collect::<Vec<_>>(), [id("open/listed")]);
}

#[tokio::test]
async fn a_read_denied_for_one_key_fails_that_key_alone() {
    let world = Center::closed();
    let keys = ["open/a", "open/mid", "open/z"];
    let to = |text: &str| keys.iter().map(|key| (id(key), Some(Value::str(text)))).collect::<Vec<_>>();
    world.server.rules("deploy", "key_prefix \"open/\" { policy = \"write\" }");
    apply(&world, &to("0")).await;
    // Without a word of what was read before, as after a restart; and with it.
    for (n, told) in [false, true].into_iter().enumerate() {
        let (tokens, writes) = (observe(&world, &to("")).await.into_iter().map(|seen| seen.token).collect::<Vec<_>>(), plan(&world, &to(&format!("{}", n + 1))).await);
        world.server.rules("deploy", "key_prefix \"open/\" { policy = \"write\" } key \"open/mid\" { policy = \"deny\" }");
        let outcome = world.driver.act(&cx(), &Act::Write(writes), &BTreeSet::new(), if told { &tokens } else { &[] }).await;
        assert_eq!((&outcome.items[0], &outcome.items[2]), (&Item::Done, &Item::Done), "{outcome:?}");
        match &outcome.items[1] {
            Item::Failed { transient: false, why } => assert!(!told && why.contains("may not read `open/mid`"), "{why}"),
            Item::Refused(refusal) => assert!(told && refusal.what.contains("may not write `open/mid`"), "{refusal}"),
            other => panic!("it may not be written: {other:?}"),
        }
        world.server.rules("deploy", "key_prefix \"open/\" { policy = \"write\" }");
    }
}

#[tokio::test]
async fn a_consul_that_asks_for_certificates_is_spoken_to_with_ours_and_with_no_other() {
    let (ours, theirs) = (Certificates::new(), Certificates::new());
    let (_server, addr) = ConsulServer::tls(&ours);
    let tls =
        |of: &Certificates, identity: Option<&Certificates>| Tls { ca: std::fs::read(&of.ca).expect("it was made"), identity: identity.map(|of| SecretText::new(of.identity())) };
    let with = |tls| Consul::new(Config { endpoints: vec![format!("https://{addr}")], tls: Some(tls), ..config(addr, None) });
    let want = |to: &str| vec![Want { id: id("a"), base: None, merged: Some(Value::str(to)), ours: None }];
    let good = with(tls(&ours, Some(&ours))).expect("the configuration is good");
    let write = Write { id: id("a"), from: None, to: Some(Value::str("1")), undo: Undo::To(None) };
    let outcome = good.act(&cx(), &Act::Write(vec![write]), &BTreeSet::new(), &[]).await;
    assert_eq!(outcome.items, [Item::Done]);
    let seen = good.observe(&cx(), &want("1"), &[]).await.expect("it is read over TLS");
    assert!(matches!(&seen[0].reading, Reading::Seen { live: Some(live), .. } if *live == Value::str("1")), "{seen:?}");
    for (name, bad) in [("no certificate", tls(&ours, None)), ("a stranger's", tls(&ours, Some(&theirs))), ("another authority", tls(&theirs, Some(&ours)))] {
        let short = Cx { deadline: Instant::now() + Duration::from_secs(5), ..cx() };
        let error = with(bad).expect("it can be read").observe(&short, &want("1"), &[]).await.expect_err(name);
        assert!(error.kind == ObserveErrorKind::Unreachable && !error.what.contains("PRIVATE KEY"), "{name}: {error}");
    }
    let error = with(Tls { identity: Some(SecretText::new("no key")), ..tls(&ours, None) }).err().expect("it is refused");
    assert!(error.what.contains("`tls.identity`") && !error.what.contains("no key"), "{error}");
}

#[tokio::test]
async fn who_may_not_write_is_told_with_the_key_and_the_rest_is_written() {
    let world = Center::closed();
    let keys = ["closed/a", "open/a", "closed/b", "open/b"];
    let writes = plan(&world, &keys.iter().map(|key| (id(key), Some(Value::str("1")))).collect()).await;
    let outcome = act(&world, &writes).await;
    for (key, item) in keys.iter().zip(&outcome.items) {
        match item {
            Item::Refused(refusal) => assert_eq!(refusal.what, format!("the token may not write `{key}`")),
            item => assert!(*item == Item::Done && key.starts_with("open/"), "{key} is {item:?}"),
        }
    }
    assert_eq!(world.effects(), 2, "the answer names the keys: nothing is halved");
}

#[tokio::test]
async fn a_token_that_is_taken_away_in_the_middle_is_said_to_be_gone() {
    let world = Center::closed();
    apply(&world, &some(&world, 3, 0)).await;
    let writes = plan(&world, &some(&world, 3, 1)).await;
    world.server.revoke(CONSUL_TOKEN);
    let outcome = act(&world, &writes).await;
    assert!(outcome.items.iter().all(|item| matches!(item, Item::Failed { transient: false, why } if why.contains("no such token"))), "{outcome:?}");
    let error = try_observe(&world, &some(&world, 3, 0)).await.expect_err("the token is gone");
    assert!(error.kind == ObserveErrorKind::Denied && error.what.contains("check `token`") && !error.what.contains(CONSUL_TOKEN), "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_is_unreachable_and_another_endpoint_is_asked() {
    let away = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let error = driver(away, None).observe(&cx(), &wants(&vec![(id("a"), None)]), &[]).await.expect_err("nobody is there");
    assert!(error.kind == ObserveErrorKind::Unreachable && error.what.contains("check `endpoints`"), "{error}");
    let world = Center::open();
    let endpoints = vec![format!("http://{away}"), format!("http://{}", world.proxy.addr)];
    let world = Center { driver: Consul::new(Config { endpoints, ..config(away, None) }).expect("the configuration is good"), ..world };
    apply(&world, &some(&world, 3, 0)).await;
    assert_settled(&world, &some(&world, 3, 0)).await;
}

#[tokio::test]
async fn a_datacenter_that_nobody_knows_is_said_to_be_one() {
    let world = Center::open();
    for (datacenter, good) in [("dc1", true), ("dc 2", false)] {
        let driver = Consul::new(Config { datacenter: Some(datacenter.into()), ..config(world.server.addr, None) }).expect("the configuration is good");
        match driver.observe(&cx(), &wants(&vec![(id("a"), None)]), &[]).await {
            Ok(seen) => assert!(good && matches!(seen[0].reading, Reading::Seen { live: None, .. })),
            Err(error) => assert!(!good && error.what.contains("check `datacenter`"), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_hangs_in_the_middle_leaves_nothing_in_doubt_that_reading_does_not_tell() {
    let world = Center::open();
    let driver = Consul::new(Config { answer: Duration::from_secs(2), ..config(world.server.addr, None) }).expect("the configuration is good");
    let world = Center { driver, ..world };
    let writes = plan(&world, &some(&world, 3, 1)).await;
    world.server.signal("STOP");
    let tokens: Vec<_> = writes.iter().map(|_| trueup::core::model::Token(Some("0:none".into()))).collect();
    let outcome = world.driver.act(&cx(), &Act::Write(writes), &BTreeSet::new(), &tokens).await;
    world.server.signal("CONT");
    assert!(outcome.items.iter().all(|item| *item == Item::Unknown) && outcome.report.is_some(), "{outcome:?}");
    super::climb::converge(&world, &some(&world, 3, 1)).await;
    assert_settled(&world, &some(&world, 3, 1)).await;
}

#[tokio::test]
async fn ten_thousand_keys_go_in_as_few_transactions_as_consul_takes() {
    let world = Center::open();
    let desired: Vec<_> = (0..10_000).map(|n| (id(&format!("open/{n}")), Some(Value::str("1")))).collect();
    apply(&world, &desired).await;
    assert_settled(&world, &desired).await;
    assert_eq!(world.driver.transactions(), 79);
}
