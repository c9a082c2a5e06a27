//! The demo's own zone on the lab's server.

use super::{
    climb::{cx, live},
    dns::config,
};
use crate::harness::KEY_NAME;
use trueup::{
    core::model::Unit,
    drivers::dns::rfc2136::Rfc2136,
    lab::{
        dns::{fresh_key, start},
        sample,
    },
    ports::Driver,
};

const PORTS: sample::Ports = sample::Ports { fronts: [8001, 8002], old: [8011, 8012], new: [8021, 8022] };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lab_serves_what_the_sample_says_and_knows_its_own_key_only() {
    let (key, other) = (fresh_key().expect("there is randomness"), fresh_key().expect("there is randomness"));
    assert_ne!(key.secret, other.secret);
    let running = start(&[(sample::ZONE, &sample::zone(&PORTS))], &key).await.expect("the sample is served");
    let mut config = config(running.addr, &key.secret);
    assert_ne!(key.name, KEY_NAME);
    config.tsig.as_mut().expect("it has a key").name = key.name.clone();
    let driver = Rfc2136::new(config.clone()).expect("the configuration is good");
    let listed = driver.census().expect("it can list").list(&cx(), &Unit::new(sample::ZONE)).await.expect("the zone is there");
    let lines: Vec<String> = listed
        .iter()
        .flat_map(|seen| driver.kind().lines(&seen.id, &live(seen).expect("it is live")).into_iter().map(|line| format!("{} {line}", driver.kind().title(&seen.id))))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    config.tsig.as_mut().expect("it has a key").secret = trueup::ports::SecretText::new(other.secret);
    let stranger = Rfc2136::new(config).expect("the configuration is good");
    assert!(stranger.census().expect("it can list").list(&cx(), &Unit::new(sample::ZONE)).await.is_err());
}
