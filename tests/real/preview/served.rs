//! Jobs of CI before a running server: over fake forges, with real keys and a real BIND.

use super::{
    issuer::{FakeIssuer, KEYS, Signer, now},
    job::{Job, Ran},
};
use crate::forges::{
    fake::Wire,
    hosted::{told_on_both, town::Town},
};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A token of the configuration's own.
pub const CI_TOKEN: &str = "a-token-of-ci-that-nobody-guesses";

/// A server with its forge, and an issuer whose tokens it takes.
pub struct Works {
    pub town: Town,
    pub issuer: FakeIssuer,
    signer: Signer,
    wire: Wire,
}

impl Works {
    pub fn start(wire: Wire) -> Self {
        let signer = Signer::new("one", Algorithm::RS256);
        let issuer = FakeIssuer::start(&[&signer]);
        let hash: String = Sha256::digest(CI_TOKEN.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let (name, keys) = (issuer.name(), issuer.site.url(KEYS));
        let ci = format!(
            "ci:\n  sign_ins:\n    - forge: work\n      issuer: {name}\n      keys: {keys}\n  tokens:\n    - name: a job of its own\n      token: {{ sha256: {hash} }}\n      repositories: [dns]\n"
        );
        Self { town: Town::with(wire, "", &ci), issuer, signer, wire }
    }

    /// The token that the forge makes for a job about a request, or for one on a commit.
    pub fn token(&self, number: Option<u64>, sha: &str, branch: &str) -> String {
        let mut claims = json!({ "iss": self.issuer.name(), "aud": self.town.url(), "iat": now(), "nbf": now() - 5, "exp": now() + 300, "sha": sha });
        match self.wire {
            Wire::GitHub => {
                claims["repository"] = json!("platform/dns");
                claims["ref"] = json!(number.map_or_else(|| format!("refs/heads/{branch}"), |number| format!("refs/pull/{number}/merge")));
            }
            Wire::GitLab => {
                claims["project_path"] = json!("platform/dns");
                claims["ref"] = json!(branch);
                claims["ref_type"] = json!("branch");
                claims["pipeline_source"] = json!(if number.is_some() { "merge_request_event" } else { "push" });
            }
        }
        self.signer.sign(&claims)
    }

    /// A job about a request, as the forge's runner starts it: on a merge that the forge made, with a token of that.
    pub fn job(&self, number: u64, head: &str, branch: &str) -> Job {
        let token = self.token(Some(number), "dddddddddddddddddddddddddddddddddddddddd", branch);
        let job = match self.wire {
            Wire::GitHub => {
                self.issuer.site.says("/token", 200, &json!({ "value": token }).to_string());
                let url = self.issuer.site.url("/token?api-version=2.0");
                let job = Job::of_actions(number, head, "main").with("GITHUB_SHA", "dddddddddddddddddddddddddddddddddddddddd");
                job.with("ACTIONS_ID_TOKEN_REQUEST_URL", &url).with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "a-secret-of-the-runner")
            }
            Wire::GitLab => {
                let job = Job::new().with("GITLAB_CI", "true").with("CI_MERGE_REQUEST_IID", &number.to_string()).with("CI_COMMIT_SHA", "dddddddddddddddddddddddddddddddddddddddd");
                job.with("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", head).with("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main").with("TRUEUP_TOKEN", &token)
            }
        };
        job.with("TRUEUP_SERVER", &self.town.url())
    }

    /// A job with the token of ours, about a head.
    pub fn own(&self) -> Job {
        Job::new().with("TRUEUP_SERVER", &self.town.url()).with("TRUEUP_TOKEN", CI_TOKEN)
    }
}

fn preview(job: &Job, more: &[&str]) -> (Ran, Value) {
    let ran = job.trueup(&[&["preview", "--json", "preview.json"], more].concat());
    let json = serde_json::from_str(&job.read("preview.json")).unwrap_or_default();
    (ran, json)
}

fn a_job_is_told_the_plan_that_the_change_shows_and_nothing_is_run(wire: Wire) {
    let works = Works::start(wire);
    let (number, head) = works.town.propose("move-www", "192.0.2.91");
    let job = works.job(number, &head, "move-www");
    // Nobody waited for the server to have seen the request.
    let (ran, json) = preview(&job, &["--format", "markdown", "--output", "preview.md"]);
    assert_eq!(ran.code, 2, "{ran:?}\n{}", works.town.log());
    assert_eq!((json["outcome"].as_str(), json["observed"].as_bool(), json["number"].as_u64()), (Some("changes"), Some(true), Some(number)), "{json:#}");
    if matches!(wire, Wire::GitHub) {
        let audience = works.town.url().replace(':', "%3A").replace('/', "%2F");
        assert_eq!(works.issuer.site.query("/token"), format!("api-version=2.0&audience={audience}"), "the token is asked for this server alone");
    }
    let shown = works.town.show(number);
    assert!(json["digest"].is_string() && json["digest"] == shown["digest"], "the digest is the one that people approve");
    assert_eq!(json["phase"].as_str(), Some("awaiting_approval"));
    let (markdown, page) = (job.read("preview.md"), json["page"].as_str().unwrap_or_default().to_owned());
    assert!(markdown.starts_with("<!-- trueup:preview -->\n") && markdown.contains("192.0.2.91") && markdown.contains(&page), "{markdown}");
    assert!(ran.out.contains("192.0.2.91") && page.starts_with(&works.town.url()), "{}", ran.out);
    assert!(!works.town.leads_to("192.0.2.91") && shown["phase"] == "awaiting_approval", "nothing is approved or run");
    let told = format!("{}{}{}{}", ran.out, ran.err, works.town.log(), job.read("preview.json"));
    for secret in [works.token(Some(number), "dd", "x").split('.').next().expect("a header"), "a-secret-of-the-runner"] {
        assert!(!told.contains(secret), "a token is told nowhere");
    }
}

fn a_job_of_an_older_push_is_refused_with_both_heads(wire: Wire) {
    let works = Works::start(wire);
    let (number, old) = works.town.propose("move-www", "192.0.2.92");
    let new = works.town.push("move-www", "192.0.2.93");
    let (ran, json) = preview(&works.job(number, &old, "move-www"), &[]);
    assert!(ran.code == 1 && json.is_null() && ran.err.contains(&old) && ran.err.contains(&new), "{ran:?}");
    let (ran, json) = preview(&works.job(number, &new, "move-www"), &[]);
    assert!(ran.code == 2 && json["head"] == new.as_str() && ran.out.contains("192.0.2.93"), "{ran:?}");
}

fn a_token_opens_what_its_own_job_is_about_and_no_other_door(wire: Wire) {
    let works = Works::start(wire);
    let (number, head) = works.town.propose("move-www", "192.0.2.94");
    let (other, other_head) = works.town.propose("move-other", "192.0.2.95");
    // Of a push: its commit counts, and no other.
    let own = works.own().with("TRUEUP_TOKEN", &works.token(None, &head, "move-www"));
    assert_eq!(preview(&own, &["--head", &head]).1["number"].as_u64(), Some(number));
    let (ran, _) = preview(&own, &["--head", &other_head, "--number", &other.to_string()]);
    assert!(ran.code == 1 && ran.err.contains("a job asks about its own commit"), "{ran:?}");
    let of_request = works.own().with("TRUEUP_TOKEN", &works.token(Some(number), "dd", "move-www"));
    let (ran, _) = preview(&of_request, &["--head", &other_head, "--number", &other.to_string()]);
    assert!(ran.code == 1 && ran.err.contains("its own"), "{ran:?}");
    for args in [&["status"][..], &["mr", "approve", "1", "--repo", "dns"], &["mr", "show", "1", "--repo", "dns"], &["drift", "--repo", "dns"]] {
        for job in [&own, &works.own()] {
            let ran = job.trueup(args);
            assert!(ran.code == 1 && ran.err.contains("not one this server knows"), "{args:?}: {ran:?}");
        }
    }
    let of_file = Job::new().with("TRUEUP_SERVER", &works.town.url());
    std::fs::write(of_file.path("ci.token"), format!("{CI_TOKEN}\n")).expect("the folder is writable");
    assert_eq!(preview(&of_file, &["--head", &head, "--token-file", "ci.token"]).0.code, 2);
    let unknown = "ffffffffffffffffffffffffffffffffffffffff";
    let (ran, _) = preview(&works.own(), &["--head", unknown]);
    assert!(ran.code == 1 && ran.err.contains("no open merge request has the head") && ran.err.contains(unknown), "{ran:?}");
    let (ran, _) = preview(&works.own(), &["--head", &head, "--name", "secret-repository"]);
    assert!(ran.code == 1 && ran.err.contains("may not ask about `secret-repository`; it may ask about `dns`"), "{ran:?}");
    let (ran, _) = preview(&works.own().with("TRUEUP_TOKEN", "made-up"), &["--head", &head]);
    assert!(ran.code == 1 && ran.err.contains("not one this server knows"), "{ran:?}");
}

fn nothing_is_observed_for_a_stranger(wire: Wire) {
    let works = Works::start(wire);
    let (number, head) = works.town.propose_from_a_fork("mallory", "move-www", "192.0.2.96");
    let (ran, json) = preview(&works.own(), &["--head", &head, "--number", &number.to_string(), "--format", "markdown"]);
    assert_eq!((ran.code, json["observed"].as_bool(), json["digest"].is_null()), (2, Some(false), true), "{ran:?}");
    assert!(
        ran.out.starts_with("<!-- trueup:preview not-observed -->") && ran.out.contains("`mallory` may not write this repository") && ran.out.contains("192.0.2.96"),
        "{ran:?}"
    );
}

fn a_fault_is_told_with_its_place(wire: Wire) {
    let works = Works::start(wire);
    let (number, head) = works.town.propose_broken("broken");
    let (ran, json) = preview(&works.job(number, &head, "broken"), &[]);
    assert!(ran.code == 1 && ran.out.contains(".yaml:1:23"), "{ran:?}");
    assert_eq!((json["outcome"].as_str(), json["refusals"][0]["place"]["line"].as_u64()), (Some("refused"), Some(1)), "{json:#}");
    assert_eq!(ran.err.contains(",line=1,col=23::"), matches!(wire, Wire::GitHub), "{}", ran.err);
}

told_on_both! {
    a_job_is_told_the_plan_that_the_change_shows_and_nothing_is_run,
    a_job_of_an_older_push_is_refused_with_both_heads,
    a_token_opens_what_its_own_job_is_about_and_no_other_door,
    nothing_is_observed_for_a_stranger,
    a_fault_is_told_with_its_place,
}

#[test]
fn a_server_that_is_away_is_told_with_what_to_do_and_compared_offline_where_that_was_asked_for() {
    let job = Job::new().with("TRUEUP_SERVER", "http://127.0.0.1:1").with("TRUEUP_TOKEN", CI_TOKEN);
    let scratch = crate::git::scratch::Scratch::new();
    let root = crate::git::scratch::Put::File("trueup.yaml", "sources: [{path: zones, format: octodns, targets: [inside]}]\n");
    let main = scratch.commit("main", None, &[root]);
    let zone = crate::git::scratch::Put::File("zones/example.com.yaml", "www: {type: A, value: 192.0.2.1}\n");
    scratch.commit("change", Some(&main), &[zone]);
    let repo = scratch.path().display().to_string();
    let args = ["--repo", &repo, "--base", "main", "--head", "change"];
    let (ran, _) = preview(&job, &args);
    assert!(ran.code == 1 && ran.err.contains("is the server running") && ran.err.contains("--or-offline"), "{ran:?}");
    let (ran, json) = preview(&job, &[&args[..], &["--or-offline"]].concat());
    assert_eq!((ran.code, json["observed"].as_bool()), (2, Some(false)), "{ran:?}");
    assert!(ran.err.contains("compared offline instead (--or-offline)") && ran.out.contains("not observed"), "{ran:?}");
    // A refusal is an answer: nothing covers it up.
    let none = Job::new().with("TRUEUP_SERVER", "http://127.0.0.1:1").with("GITHUB_ACTIONS", "true");
    let (ran, _) = preview(&none, &[&args[..], &["--or-offline"]].concat());
    assert!(ran.code == 1 && ran.err.contains("id-token: write") && ran.err.contains("::error title=trueup preview::"), "{ran:?}");
}
