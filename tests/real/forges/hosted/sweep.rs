//! Sweeps: what is open, what changed, and how little is asked when nothing did.

use super::{
    super::fake::Wire,
    office::{Office, PATH},
};
use trueup::core::model::RepoId;

async fn swept(office: &Office, since: u64) -> (Vec<(u64, bool)>, u64) {
    let (found, next) = office.hub.sweep(&RepoId::new("dns"), since).await.unwrap();
    let mut found: Vec<(u64, bool)> = found.into_iter().map(|found| (found.mr.number, found.open)).collect();
    found.sort();
    (found, next)
}

async fn a_sweep_finds_what_is_open_and_what_ended_since(wire: Wire) {
    let office = Office::furnished(wire).await;
    let (found, cursor) = swept(&office, 0).await;
    assert_eq!(found, [(1, true)]);
    office.fake.push(PATH, "ada", "two", &[("two", "1\n")]);
    office.fake.open(PATH, "ada", "two", "Two");
    office.fake.close(PATH, 1, "ada");
    let (found, cursor) = swept(&office, cursor).await;
    assert_eq!(found, [(1, false), (2, true)]);
    let later = cursor + 1;
    assert_eq!(swept(&office, later).await.0, [(2, true)], "what ended before is told no more");
    let open: Vec<u64> = office.hub.open(&RepoId::new("dns")).await.unwrap().into_iter().map(|found| found.mr.number).collect();
    assert_eq!(open, [2]);
}

async fn a_push_and_a_comment_are_news(wire: Wire) {
    let office = Office::furnished(wire).await;
    let seen = async || office.hub.sweep(&RepoId::new("dns"), 0).await.unwrap().0.remove(0);
    let first = seen().await;
    assert_eq!(first.head, office.head());
    office.fake.push(PATH, "ada", "mr", &[("zone", "3\n")]);
    let second = seen().await;
    assert_eq!(second.head, office.head());
    assert_ne!(second.head, first.head);
    office.fake.comment(PATH, 1, "ada", "hello");
    // Some tell seconds: within one, two changes are one.
    office.fake.state().request_mut(PATH, 1).updated += 2000;
    assert!(seen().await.updated > second.updated);
}

async fn a_quiet_forge_costs_two_conditional_requests_a_sweep_however_many_are_open(wire: Wire) {
    let office = Office::empty(wire).await;
    office.fake.push(PATH, "ada", "many", &[("zone", "2\n")]);
    // More than a page.
    for n in 0..102 {
        office.fake.open(PATH, "ada", "many", &format!("{n}"));
    }
    let (found, cursor) = swept(&office, 0).await;
    assert_eq!(found.len(), 102);
    // The first sweep lists; the one after it reads the changes for the first time.
    swept(&office, cursor).await;
    office.fake.calls();
    let (found, _) = swept(&office, cursor).await;
    assert_eq!(found.len(), 102);
    let calls = office.fake.calls();
    assert_eq!(calls.iter().map(|call| call.status).collect::<Vec<_>>(), [304, 304], "{calls:#?}");
}

async fn the_base_follows_with_the_sweep(wire: Wire) {
    let office = Office::furnished(wire).await;
    swept(&office, 0).await;
    let commit = office.fake.push(PATH, "root", "main", &[("zone", "9\n")]);
    swept(&office, 0).await;
    use trueup::ports::StateRepo;
    assert_eq!(office.mirror().commit("refs/heads/main").unwrap().to_string(), commit);
}

super::on_both! {
    a_sweep_finds_what_is_open_and_what_ended_since,
    a_push_and_a_comment_are_news,
    a_quiet_forge_costs_two_conditional_requests_a_sweep_however_many_are_open,
    the_base_follows_with_the_sweep,
}
