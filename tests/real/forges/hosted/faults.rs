//! The forge fails, at every call, in every way.

use super::{
    super::{
        failing::every_call_fails,
        fake::{Fault, Wire},
    },
    office::{Office, PATH},
};
use trueup::{
    app::Forge,
    core::{
        model::{RepoId, Str, User},
        review::StatusState,
    },
    ports::{ForgeError, ForgeErrorKind, Shown},
};

/// Fails one call after the other of what `does` for a furnished office, each in every way.
async fn every_call_of(wire: Wire, does: impl AsyncFn(&Office, &dyn Forge) -> Result<Vec<Str>, ForgeError>, forgives: &[(&str, u16)]) {
    let office = Office::furnished(wire).await;
    office.fake.comment(PATH, 1, "ada", "hello");
    office.fake.thread(PATH, 1, "ada", "why?");
    let fresh = async || {
        let fresh = office.restarted();
        // Who we are is asked once.
        fresh.right(&RepoId::new("dns"), &User::new("ada")).await.unwrap();
        fresh
    };
    every_call_fails(&*office.fake, fresh, async |hub| does(&office, hub).await, forgives).await;
}

async fn a_look_says_what_failed_and_invents_nothing(wire: Wire) {
    // Nobody of that name, and no such job.
    let forgives = [("/permission", 404), ("/members/", 404), ("/jobs/", 404)];
    every_call_of(wire, async |office, hub| Ok(hub.look(&office.mr(1), None).await?.unread), &forgives).await;
}

async fn a_sweep_says_what_failed_and_takes_nothing_for_closed(wire: Wire) {
    every_call_of(
        wire,
        async |_, hub| {
            let (found, _) = hub.sweep(&RepoId::new("dns"), 0).await?;
            assert!(found.iter().any(|found| found.open && found.mr.number == 1));
            Ok(Vec::new())
        },
        &[],
    )
    .await;
}

async fn showing_a_face_says_what_failed_and_ends_in_one_face(wire: Wire) {
    let shows = async |office: &Office, hub: &dyn Forge| {
        let head = office.head();
        {
            // As before the first: nothing of ours is there.
            let mut state = office.fake.state();
            state.project_mut(PATH).statuses.remove(head.as_str());
            let request = state.request_mut(PATH, 1);
            request.labels.clear();
            request.comments.retain(|comment| comment.by != "trueup");
        }
        hub.show(&office.mr(1), &office.face("one", StatusState::Pending), &Shown::default()).await?;
        Ok(Vec::new())
    };
    every_call_of(wire, shows, &[]).await;
}

async fn a_limit_is_kept_until_it_is_over_and_nothing_more_is_asked(wire: Wire) {
    for limited in [Fault::too_fast(3600), Fault::status(429), Fault::secondary()] {
        let office = Office::furnished(wire).await;
        office.look().await;
        office.fake.fail(limited.once());
        let first = office.hub.look(&office.mr(1), None).await.unwrap_err();
        assert_eq!(first.kind, ForgeErrorKind::Limited, "{first}");
        office.fake.calls();
        let again = office.hub.look(&office.mr(1), None).await.unwrap_err();
        assert_eq!(again.kind, ForgeErrorKind::Limited, "{again}");
        assert_eq!(office.fake.calls().len(), 0, "it was asked all the same");
    }
}

async fn who_pushed_is_told_or_nothing_starts(wire: Wire) {
    let office = Office::furnished(wire).await;
    let path = if wire == Wire::GitHub { "/activity" } else { "/events?action=pushed" };
    // Root pushes what carries ada's name: nothing but that answer tells it.
    office.fake.push_as(PATH, "root", "ada", "mr", &[("zone", "3\n")]);
    let mut sso = Fault::status(403).on("GET", path);
    sso.answer.body = serde_json::json!({ "message": "Resource protected by organization SAML enforcement." });
    office.fake.fail(sso);
    let seen = office.look().await;
    assert!(seen.unread.len() == 1 && seen.unread[0].contains("who pushed `mr`") && seen.unread[0].contains("SAML"), "{:?}", seen.unread);
    office.fake.mend();
    // A limit on bursts, which need not say for how long, is no answer either.
    let fresh = office.fresh();
    office.fake.fail(Fault::secondary().on("GET", path));
    let error = fresh.hub.look(&office.mr(1), None).await.unwrap_err();
    assert_eq!(error.kind, ForgeErrorKind::Limited, "{error}");
    office.fake.mend();
    let seen = office.fresh().look().await;
    assert!(seen.unread.is_empty() && seen.pushers.contains(&User::new("root")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_is_read_counts_as_not_told() {
    let office = Office::furnished(Wire::GitHub).await;
    let head = office.head();
    let threads: Vec<u64> = (0..2001).map(|n| office.fake.thread(PATH, 1, "grace", &format!("{n}"))).collect();
    threads[..2000].iter().for_each(|thread| office.fake.resolve(PATH, 1, *thread));
    let seen = office.look().await;
    assert!(
        seen.unresolved_threads == 0 && seen.unread.len() == 1 && seen.unread[0].contains("threads"),
        "the one that is open is not among those that were read: {:?}",
        seen.unread
    );
    office.fake.state().request_mut(PATH, 1).threads.clear();
    {
        let mut state = office.fake.state();
        (0..2000).for_each(|n| state.run(PATH, head.as_str(), "github-actions", &format!("{n}"), Some("success")));
        state.run(PATH, head.as_str(), "github-actions", "last", Some("failure"));
    }
    let seen = office.look().await;
    assert!(seen.unread.len() == 1 && seen.unread[0].contains("check runs"), "{:?}", seen.unread);
    assert!(seen.checks.is_empty(), "none is green when one may be red");
}

async fn long_comments_hide_no_others(wire: Wire) {
    let office = Office::furnished(wire).await;
    let shown = office.hub.show(&office.mr(1), &office.face("one", StatusState::Pending), &Shown::default()).await.unwrap();
    for _ in 0..20 {
        office.fake.comment(PATH, 1, "rita", &"x".repeat(1_000_000));
    }
    let asked = office.fake.comment(PATH, 1, "grace", "/trueup approve");
    let seen = office.look().await;
    assert_eq!((seen.comments.len(), seen.comments.last().unwrap().id.0), (21, asked));
    assert!(seen.unread.is_empty(), "{:?}", seen.unread);
    let again = office.restarted().show(&office.mr(1), &office.face("two", StatusState::Pending), &Shown::default()).await.unwrap();
    assert_eq!(again.comment, shown.comment, "ours is found among them");
}

async fn a_token_that_is_renewed_at_the_forge_works_again(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.look().await;
    office.fake.revoke("trueup", true);
    assert_eq!(office.hub.look(&office.mr(1), None).await.unwrap_err().kind, ForgeErrorKind::Stranger);
    office.fake.revoke("trueup", false);
    office.look().await;
}

super::on_both! {
    a_look_says_what_failed_and_invents_nothing,
    a_sweep_says_what_failed_and_takes_nothing_for_closed,
    showing_a_face_says_what_failed_and_ends_in_one_face,
    a_limit_is_kept_until_it_is_over_and_nothing_more_is_asked,
    a_token_that_is_renewed_at_the_forge_works_again,
    who_pushed_is_told_or_nothing_starts,
    long_comments_hide_no_others,
}
