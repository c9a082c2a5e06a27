//! Replicas over an etcd that speaks TLS to known clients alone and asks everybody to sign in.

use super::house::House;
use crate::{
    harness::{Certificates, ETCD_PASSWORD, ETCD_USER, EtcdServer},
    service::world::World,
};
use std::fs;

/// Two replicas that sign in over TLS.
fn sealed(certificates: &Certificates) -> House {
    let world = World::start();
    fs::write(world.dir.path().join("store.password"), ETCD_PASSWORD).expect("the folder is writable");
    fs::write(world.dir.path().join("store.pem"), certificates.nameless()).expect("the folder is writable");
    let ca = certificates.ca.display();
    let secured = format!("  prefix: story\n  user: {ETCD_USER}\n  password: {{ file: store.password }}\n  tls:\n    ca: {ca}\n    identity: {{ file: store.pem }}\n");
    // The store's endpoint is the first of the file.
    House::start_in(world, 2, EtcdServer::sealed(certificates, "story/"), move |text| {
        text.replacen("endpoints: [\"http://", "endpoints: [\"https://", 1).replace("  prefix: story\n", &secured)
    })
}

#[test]
fn replicas_sign_in_to_a_store_over_tls_and_go_on_when_their_sign_in_ends() {
    let certificates = Certificates::new();
    let mut house = sealed(&certificates);
    let number = house.move_www();
    // What was signed in is forgotten with the process: each replica signs in again, in the middle of whatever it asked.
    house.etcd.restart();
    house.world.approve(number);
    house.reaches(number, "merged");
    house.speak_to(1);
    house.reaches(number, "merged");
    house.fetch_from_here();
    assert_eq!(house.merges(), "1");
}

#[test]
fn what_is_wrong_with_certificates_or_sign_in_of_the_store_is_said_with_what_to_do() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let house = sealed(&certificates);
    let dir = house.world.dir.path();
    let good = fs::read_to_string(house.config(0)).expect("it is there");
    fs::write(dir.join("wrong.password"), "not the password").expect("the folder is writable");
    fs::write(dir.join("other.pem"), others.nameless()).expect("the folder is writable");
    fs::write(dir.join("named.pem"), certificates.identity()).expect("the folder is writable");
    let (ca, other_ca) = (certificates.ca.display().to_string(), others.ca.display().to_string());
    let mut said = Vec::new();
    for (what, old, new) in [
        ("nothing", "", ""),
        ("the password", "store.password", "wrong.password"),
        ("the user", "  user: deploy\n", "  user: nobody\n"),
        ("nobody signs in", "  user: deploy\n  password: { file: store.password }\n", ""),
        ("the prefix", "  prefix: story\n", "  prefix: elsewhere\n"),
        ("the authority", ca.as_str(), other_ca.as_str()),
        ("no certificate of ours", "    identity: { file: store.pem }\n", ""),
        ("a certificate of another authority", "store.pem", "other.pem"),
        ("a certificate with a common name", "store.pem", "named.pem"),
        ("a certificate that is none", "store.pem", "store.password"),
    ] {
        assert!(good.contains(old), "{old} is in\n{good}");
        let path = dir.join("wrong.yaml");
        // Beside the replica that holds the port.
        let text = good.replacen(old, new, 1).replacen(&format!(":{}\n", house.replicas[0].port), ":0\n", 1);
        fs::write(&path, text).expect("the folder is writable");
        let config = path.display().to_string();
        let mut doctor = house.world.trueup("ana", &["doctor", "--config", &config]).out;
        // On a busy machine nothing may come back in time, which says nothing about what is wrong.
        for _ in 0..5 {
            if doctor.contains("operation timed out") {
                doctor = house.world.trueup("ana", &["doctor", "--config", &config]).out;
            }
        }
        let line = doctor.lines().find(|line| line.split_whitespace().nth(1) == Some("store:")).unwrap_or(&doctor).to_owned();
        said.push(format!("{what}\n  doctor: {line}"));
        if !old.is_empty() {
            let serve = house.world.trueup("ana", &["serve", "--config", &config]);
            assert_ne!(serve.code, 0, "{what}: it does not start");
            said.push(format!("  serve:  {}", serve.err.trim().replace('\n', "\n          ")));
            assert!(!serve.err.contains("not the password") && !doctor.contains("not the password"));
        }
    }
    insta::with_settings!({ filters => vec![(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"), (r"/tmp/[^/ ]+", "DIR")] }, {
        insta::assert_snapshot!(said.join("\n"));
    });
}
