//! etcd on the ladder, and what only etcd can get wrong.

use super::{
    climb::{act, apply, assert_settled, cx, none, observe, plan, some, try_observe},
    keys::{key_value, put_or_delete},
    ladder,
    world::{Lost, World},
};
use crate::harness::{ETCD_PASSWORD, ETCD_USER, EtcdServer, HttpProxy, Loss};
use std::{collections::BTreeSet, net::SocketAddr, time::Duration};
use trueup::{
    core::{
        model::{Kind as _, ResourceId, Unit, Value},
        plan::Act,
        run::Item,
    },
    drivers::config::etcd::{Config, Etcd, Limits, User},
    kinds::config::{KEYS, key_id, value},
    ports::{Driver, ObserveErrorKind, Precondition, SecretText},
};

pub fn config(addr: SocketAddr, password: Option<&str>) -> Config {
    let user = password.map(|password| User { name: ETCD_USER.into(), password: SecretText::new(password) });
    Config { target: "etcd".into(), endpoints: vec![format!("http://{addr}")], user, tls: None, limits: Limits::default(), answer: Duration::from_secs(30) }
}

pub fn id(key: &str) -> ResourceId {
    key_id("etcd", key)
}

struct Cluster {
    server: EtcdServer,
    proxy: HttpProxy,
    driver: Etcd,
}

impl Cluster {
    fn start() -> Self {
        let server = EtcdServer::closed();
        let proxy = HttpProxy::start(server.addr);
        let driver = Etcd::new(config(proxy.addr, Some(ETCD_PASSWORD))).expect("the configuration is good");
        Self { server, proxy, driver }
    }
}

impl World for Cluster {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn unit(&self) -> Unit {
        KEYS.unit(&id("a"))
    }

    fn id(&self, n: usize) -> ResourceId {
        // The first is a key with others below it.
        let folder = ["a", "a/", "a/b/", "gr\u{fc}n und blau/", "x.d/"][n % 5];
        id(&format!("/open/{folder}{}", if n == 0 { String::new() } else { format!("k{n}") }))
    }

    fn value(&self, n: usize, v: usize) -> Value {
        key_value(n, v, 10_000)
    }

    fn by_hand(&self, id: &ResourceId, value: Option<&Value>) {
        put_or_delete(id, value, |key, bytes| self.server.put(key, bytes), |key| self.server.delete(key));
    }

    fn raw(&self) -> Vec<String> {
        self.server.all().into_iter().map(|(key, bytes)| format!("{key} = {bytes:?}")).collect()
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
        Some((id("/closed/key"), Value::str("1")))
    }

    fn unholdable(&self) -> Vec<(ResourceId, Value)> {
        vec![(id("/open/large"), value(&vec![b'x'; 1_600_000])), (id("/open/a\u{7}b"), Value::Int(1))]
    }

    fn server_takes(&self, _: &ResourceId, _: &Value) -> Option<bool> {
        None
    }
}

ladder!(Cluster::start());

#[tokio::test]
async fn a_change_that_fits_is_one_revision() {
    let world = Cluster::start();
    let before = world.server.revision();
    apply(&world, &some(&world, 100, 0)).await;
    assert_eq!((world.server.revision(), world.effects()), (before + 1, 1), "a hundred keys, one transaction");
    apply(&world, &none(&world, 100)).await;
    assert_eq!(world.server.revision(), before + 2);
    assert_eq!(world.driver.precondition(), Precondition::Token);
}

#[tokio::test]
async fn tokens_are_tried_first_and_never_overrule_content() {
    let world = Cluster::start();
    let desired = some(&world, 3, 0);
    apply(&world, &desired).await;
    let seen = observe(&world, &some(&world, 3, 1)).await;
    let fresh: Vec<_> = seen.iter().map(|one| one.token.clone()).collect();
    let writes = plan(&world, &some(&world, 3, 1)).await;
    // The same content again: the revision is stale, the content is what the plan saw.
    world.by_hand(&world.id(0), Some(&world.value(0, 0)));
    // Other content, whose token an observation since has brought.
    world.by_hand(&world.id(1), Some(&world.value(1, 7)));
    let later = observe(&world, &desired).await;
    let tokens = [fresh[0].clone(), later[1].token.clone(), fresh[2].clone()];
    let outcome = world.driver.act(&cx(), &Act::Write(writes), &BTreeSet::new(), &tokens).await;
    assert_eq!(outcome.items, [Item::Done, Item::Moved(Some(world.value(1, 7))), Item::Done]);
}

#[tokio::test]
async fn what_the_server_takes_at_once_is_learned_when_it_is_less_than_configured() {
    let server = EtcdServer::open(&["--max-txn-ops", "10"]);
    let driver = Etcd::new(config(server.addr, None)).expect("the configuration is good");
    let proxy = HttpProxy::start(server.addr);
    let world = Cluster { server, proxy, driver };
    let desired = some(&world, 50, 0);
    apply(&world, &desired).await;
    assert_settled(&world, &desired).await;
    let sent = world.driver.transactions();
    apply(&world, &some(&world, 50, 1)).await;
    // Halving found six; nothing is refused a second time.
    assert_eq!(world.driver.transactions() - sent, 9);
}

#[tokio::test]
async fn who_may_not_is_told_with_the_key() {
    let world = Cluster::start();
    let wrong = Etcd::new(config(world.server.addr, Some("wrong"))).expect("the configuration is good");
    let wants = super::climb::wants(&none(&world, 1));
    let error = wrong.observe(&cx(), &wants, &[]).await.expect_err("the password is wrong");
    assert!(error.kind == ObserveErrorKind::Denied && error.what.contains("cannot sign in"), "{error}");
    let nobody = Etcd::new(config(world.server.addr, None)).expect("the configuration is good");
    let error = nobody.observe(&cx(), &wants, &[]).await.expect_err("nobody signed in");
    assert!(error.kind == ObserveErrorKind::Denied && error.what.contains("add `user`"), "{error}");
    let writes = plan(&world, &vec![(id("/closed/key"), Some(Value::str("1"))), (id("/open/key"), Some(Value::str("1")))]).await;
    let outcome = act(&world, &writes).await;
    assert!(matches!(&outcome.items[0], Item::Refused(refusal) if refusal.what == "the user `deploy` may not write `/closed/key`"), "{outcome:?}");
    assert_eq!(outcome.items[1], Item::Done);
}

#[tokio::test]
async fn a_full_quota_is_told_with_what_to_do() {
    let server = EtcdServer::open(&["--quota-backend-bytes", "1000000"]);
    let driver = Etcd::new(config(server.addr, None)).expect("the configuration is good");
    let proxy = HttpProxy::start(server.addr);
    let world = Cluster { server, proxy, driver };
    let mut told = None;
    for n in 0..20 {
        let writes = plan(&world, &vec![(id(&format!("/open/{n}")), Some(value(&vec![b'x'; 200_000])))]).await;
        let outcome = act(&world, &writes).await;
        if let Item::Failed { transient, why } = &outcome.items[0] {
            told = Some((*transient, why.clone()));
            break;
        }
    }
    let (transient, why) = told.expect("the quota is full at last");
    assert!(!transient && why.contains("etcdctl alarm disarm") && why.contains("--quota-backend-bytes"), "{why}");
    try_observe(&world, &none(&world, 3)).await.expect("reading goes on");
}

#[tokio::test]
async fn a_server_that_is_away_is_unreachable_and_nothing_was_written() {
    let addr = SocketAddr::from(([127, 0, 0, 1], crate::harness::free_port()));
    let driver = Etcd::new(config(addr, None)).expect("the configuration is good");
    let wants = super::climb::wants(&vec![(id("/a"), None)]);
    let error = driver.observe(&cx(), &wants, &[]).await.expect_err("nobody is there");
    assert!(error.kind == ObserveErrorKind::Unreachable && error.what.contains("check `endpoints`"), "{error}");
}
