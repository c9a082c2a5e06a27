//! A forge that fails, at every call, in every way.

use super::fake::{Call, FakeForge, Fault};
use trueup::{
    app::Forge,
    core::model::Str,
    ports::{ForgeError, ForgeErrorKind},
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

/// What fails on demand.
pub trait Failing {
    fn fail(&self, fault: Fault);
    fn mend(&self);
    /// The calls since the last time this was asked.
    fn calls(&self) -> Vec<Call>;
}

impl Failing for FakeForge {
    fn fail(&self, fault: Fault) {
        self.fail(fault);
    }

    fn mend(&self) {
        self.mend();
    }

    fn calls(&self) -> Vec<Call> {
        self.calls()
    }
}

/// The statuses that are tried: those of the sample differ in what is done about them.
pub fn statuses() -> impl Iterator<Item = u16> {
    // Each takes seconds.
    let all = std::env::var_os("TRUEUP_TEST_ALL").is_some_and(|all| all == "1");
    KINDS.into_iter().map(|(status, _)| status).filter(move |status| all || matches!(status, 401 | 404 | 429 | 503))
}

/// Fails one call after the other of what `does`, each in every way, and says what came of it: the call, its status, and what `does` answered.
///
/// `fresh` makes a driver that remembers nothing but who it is: limits are remembered, and tags hide what an answer holds.
pub async fn each_call_fails<T>(
    place: &dyn Failing,
    fresh: impl AsyncFn() -> Box<dyn Forge>,
    does: impl AsyncFn(&dyn Forge) -> Result<T, ForgeError>,
    judged: impl Fn(&Call, Result<T, ForgeError>),
) {
    for status in statuses() {
        let mut n = 0;
        loop {
            let hub = fresh().await;
            place.calls();
            // What passes is asked again twice by the connection itself.
            let mut fault = Fault::status(status).after_calls(n);
            fault.times = 3;
            place.fail(fault);
            let answer = does(&*hub).await;
            place.mend();
            let calls = place.calls();
            let Some(failed) = calls.iter().find(|call| call.status == status) else { break };
            judged(failed, answer);
            n += 1;
            assert!(n < 60);
        }
        assert!(n > 0, "nothing was asked");
    }
}

/// The same where what comes of it is an error of the right kind, or is said to be missing, or nothing lost: `forgives` says where.
pub async fn every_call_fails(
    place: &dyn Failing,
    fresh: impl AsyncFn() -> Box<dyn Forge>,
    does: impl AsyncFn(&dyn Forge) -> Result<Vec<Str>, ForgeError>,
    forgives: &[(&str, u16)],
) {
    each_call_fails(place, fresh, does, |failed, answer| {
        let status = failed.status;
        let kind = KINDS.iter().find(|(of, _)| *of == status).map_or(ForgeErrorKind::Unavailable, |(_, kind)| *kind);
        match answer {
            Ok(missing) => {
                let forgiven = forgives.iter().any(|(path, of)| failed.path.contains(path) && *of == status);
                let told = missing.iter().any(|what| what.contains("forge work") && !kind.passes());
                assert!(forgiven || told, "{status} at {} {} went unnoticed: {missing:?}", failed.method, failed.path);
            }
            Err(error) => {
                // A branch that is gone for a moment must not look like a request that is.
                let branch = status == 404 && (failed.path.contains("/git/ref/") || failed.path.contains("/branches/"));
                assert_eq!(error.kind, if branch { ForgeErrorKind::Unavailable } else { kind }, "{} {}: {error}", failed.method, failed.path);
                assert!(error.what.contains("forge work"), "{error}");
            }
        }
    })
    .await;
}
