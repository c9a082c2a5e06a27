//! The forge fails, at every call, in every way.

use super::{
    super::fake::{Fault, Wire},
    office::{Office, PATH},
};
use trueup::{
    core::{model::RepoId, review::StatusState},
    ports::{ForgeError, ForgeErrorKind, Shown},
};

const KINDS: [(u16, ForgeErrorKind); 7] = [
    (401, ForgeErrorKind::Stranger),
    (403, ForgeErrorKind::Denied),
    (404, ForgeErrorKind::NotFound),
    (409, ForgeErrorKind::Conflict),
    (422, ForgeErrorKind::Invalid),
    (429, ForgeErrorKind::Limited),
    (503, ForgeErrorKind::Unavailable),
];

/// Fails one call after the other of what `does`, each in every way; what comes of it is an error of that kind, or nothing lost.
async fn every_call_fails<T>(wire: Wire, does: impl AsyncFn(&Office) -> Result<T, ForgeError>, forgives: &[(&str, u16)]) {
    let office = Office::furnished(wire).await;
    office.fake.comment(PATH, 1, "ada", "hello");
    office.fake.thread(PATH, 1, "ada", "why?");
    // Who we are is asked once.
    does(&office).await.ok();
    office.fake.calls();
    let Office { fake, .. } = &office;
    // Each takes seconds; those of the sample differ in what is done about them.
    let all = std::env::var_os("TRUEUP_TEST_ALL").is_some_and(|all| all == "1");
    for (status, kind) in KINDS.into_iter().filter(|(status, _)| all || matches!(status, 401 | 404 | 429 | 503)) {
        let mut n = 0;
        loop {
            // Afresh each time: a limit is remembered, and tags hide what an answer holds.
            let fresh = office.fresh();
            fresh.hub.right(&RepoId::new("dns"), &trueup::core::model::User::new("ada")).await.unwrap();
            fake.calls();
            // What passes is asked again twice by the connection itself.
            let mut fault = Fault::status(status).after_calls(n);
            fault.times = 3;
            fake.fail(fault);
            let answer = does(&fresh).await;
            fake.mend();
            let calls = fake.calls();
            let Some(failed) = calls.iter().find(|call| call.status == status) else { break };
            let forgiven = forgives.iter().any(|(path, of)| failed.path.contains(path) && *of == status);
            match answer {
                Ok(_) => assert!(forgiven, "{status} at {} {} went unnoticed", failed.method, failed.path),
                Err(error) => {
                    // A branch that is gone for a moment must not look like a request that is.
                    let kind = if status == 404 && (failed.path.contains("/git/ref/") || failed.path.contains("/branches/")) { ForgeErrorKind::Unavailable } else { kind };
                    assert_eq!(error.kind, kind, "{} {}: {error}", failed.method, failed.path);
                    assert!(error.what.contains("forge work"), "{error}");
                }
            }
            n += 1;
            assert!(n < 60);
        }
        assert!(n > 0, "nothing was asked");
    }
}

async fn a_look_says_what_failed_and_invents_nothing(wire: Wire) {
    // Nobody of that name, no history of pushes kept, and none for us to see.
    let forgives = [("/permission", 404), ("/activity", 404), ("/activity", 403), ("/members/", 404), ("/jobs/", 404), ("/events?action", 404), ("/events?action", 403)];
    every_call_fails(wire, async |office| office.hub.look(&office.mr(1), None).await, &forgives).await;
}

async fn a_sweep_says_what_failed_and_takes_nothing_for_closed(wire: Wire) {
    every_call_fails(
        wire,
        async |office| {
            let (found, _) = office.hub.sweep(&RepoId::new("dns"), 0).await?;
            assert!(found.iter().any(|found| found.open && found.mr.number == 1));
            Ok(())
        },
        &[],
    )
    .await;
}

async fn showing_a_face_says_what_failed_and_ends_in_one_face(wire: Wire) {
    let shows = async |office: &Office| {
        let head = office.head();
        {
            // As before the first: nothing of ours is there.
            let mut state = office.fake.state();
            state.project_mut(PATH).statuses.remove(head.as_str());
            let request = state.request_mut(PATH, 1);
            request.labels.clear();
            request.comments.retain(|comment| comment.by != "trueup");
        }
        office.hub.show(&office.mr(1), &office.face("one", StatusState::Pending), &Shown::default()).await
    };
    every_call_fails(wire, shows, &[]).await;
}

async fn a_limit_is_kept_until_it_is_over_and_nothing_more_is_asked(wire: Wire) {
    for limited in [Fault::too_fast(3600), Fault::status(429)] {
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
}
