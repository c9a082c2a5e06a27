//! Health probes: whether what a repository names is there and may be reached, and what each sees now.

use crate::{
    app::{config::Server, wiring},
    core::model::{Probe, Saw},
    ports::{Exam, Secrets},
};
use std::collections::BTreeSet;

/// Asks every probe once, each with where it is said.
pub(super) async fn examine(server: &Server, secrets: &dyn Secrets, health: Vec<(String, Probe)>) -> Vec<Exam> {
    let prober = match wiring::probes(server, secrets).await {
        Ok(prober) => prober,
        Err(error) => return vec![Exam::fail("health", format!("{error:#}"), "mend `networks:` or `probes:`; the server does not start so")],
    };
    let mut seen = BTreeSet::new();
    let once: Vec<(String, Probe)> = health.into_iter().filter(|(_, probe)| seen.insert(probe.clone())).collect();
    let asks = once.into_iter().map(|(about, probe)| {
        let prober = &prober;
        async move {
            if let Some((what, next)) = prober.fault(&probe) {
                return Exam::fail(about, format!("{}: {what}", probe.ask), next);
            }
            match prober.ask(&probe).await {
                Saw::Good(saw) => Exam::ok(about, format!("{}: {saw}", probe.ask)),
                // It may be about what is to come; what is wrong with it now is worth a look.
                Saw::Bad(saw) => Exam::warn(about, format!("{} is not so: {saw}", probe.ask), "a change that it covers would not merge"),
                Saw::Nothing(saw) => Exam::warn(about, format!("nothing tells whether {}: {saw}", probe.ask), "a change that it covers would not merge"),
            }
        }
    });
    futures::future::join_all(asks).await
}
