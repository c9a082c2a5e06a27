//! GitHub Apps: our driver signs in as one over a fake that checks every signature, time and permission.

use super::{
    super::fake::{FakeForge, Fault, Protection, Role, Wire, private_key},
    office::{PATH, Staff, driver_as},
    town::Town,
};
use std::sync::Arc;
use trueup::{
    app::Forge,
    core::{
        model::{MrId, RepoId, Time},
        review::{Face, Label, Sighting, Status, StatusState, labels},
        run::MergeAnswer,
    },
    forges::net::SignIn,
    ports::{Clock, ForgeError, ForgeErrorKind, Found, Hook, Outcome, SecretText, Shown, SystemClock, TestClock, Wish},
};

const URL: &str = "https://trueup.example.com/hooks/work";

struct AppOffice {
    fake: Arc<FakeForge>,
    clock: Arc<TestClock>,
    hub: Box<dyn Forge>,
    folder: tempfile::TempDir,
}

fn mr() -> MrId {
    MrId { repo: RepoId::new("dns"), number: 1 }
}

impl AppOffice {
    /// One request of ada's, and an app that is installed for everything of `platform`.
    async fn new() -> Self {
        let fake = Arc::new(FakeForge::start(Wire::GitHub).await);
        fake.project(PATH, &[("ada", Role::Write), ("grace", Role::Maintain)], &[("zone", "1\n")]);
        fake.app("deploys", "platform");
        fake.push(PATH, "ada", "mr", &[("zone", "2\n")]);
        fake.open(PATH, "ada", "mr", "Move www");
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock::at(SystemClock.now()));
        let hub = made(&fake, &folder, sign_in(&fake), clock.clone());
        Self { fake, clock, hub, folder }
    }

    /// Both clocks go on.
    fn later(&self, seconds: i64) {
        self.clock.set(Time(self.clock.now().0 + seconds * 1000));
        self.fake.with_app(|app| app.ahead += seconds);
    }

    fn issued(&self) -> u64 {
        self.fake.with_app(|app| app.issued)
    }

    async fn look(&self) -> Result<Sighting, ForgeError> {
        self.hub.look(&mr(), None).await
    }

    async fn refused(&self) -> ForgeError {
        self.look().await.expect_err("it is not let in")
    }

    fn face(&self, comment: &str) -> Face {
        Face {
            head: trueup::core::model::CommitId::new(self.fake.tip(PATH, "mr").unwrap()),
            comment: format!("<!-- trueup:change dns!1 -->\n{comment}"),
            plan: None,
            statuses: vec![Status { context: "trueup/plan".into(), state: StatusState::Success, text: "1 update".into() }],
            deployments: Vec::new(),
            labels: vec![Label("trueup: rolling".into())],
        }
    }

    async fn told(&self, wish: &Wish) -> Vec<String> {
        let exams = self.hub.examine(&RepoId::new("dns"), wish).await;
        exams.iter().map(|exam| format!("{:?} {}: {}{}", exam.found, exam.about, exam.said, exam.next.as_ref().map(|next| format!(" -> {next}")).unwrap_or_default())).collect()
    }
}

fn sign_in(fake: &FakeForge) -> SignIn {
    fake.with_app(|app| SignIn::App { id: app.client_id.clone(), key: SecretText::new(app.pem.clone()) })
}

fn made(fake: &FakeForge, folder: &tempfile::TempDir, sign_in: SignIn, clock: Arc<dyn Clock>) -> Box<dyn Forge> {
    driver_as(Wire::GitHub, fake, folder.path().join("mirror.git"), Arc::new(Staff), sign_in, clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_reads_fetches_and_speaks_as_its_bot_with_one_token() {
    let office = AppOffice::new().await;
    let seen = office.look().await.unwrap();
    assert_eq!((seen.author.as_str(), seen.unread.as_slice()), ("ada", &[][..]));
    let shown = office.hub.show(&mr(), &office.face("the plan"), &Shown::default()).await.unwrap();
    office.hub.show(&mr(), &office.face("the plan, on its way"), &shown).await.unwrap();
    {
        let mut state = office.fake.state();
        let request = state.request_mut(PATH, 1);
        let [comment] = request.comments.as_slice() else { panic!("{:?}", request.comments) };
        assert_eq!((comment.by.as_str(), comment.body.contains("on its way")), ("deploys[bot]", true));
    }
    let again = office.look().await.unwrap();
    assert_eq!((again.comments.len(), again.altered, again.checks.len()), (0, None, 0), "what we said ourselves is ours, and no check that we wait for");
    assert_eq!(office.issued(), 1);
}

/// Our runs on the head, oldest first: name, conclusion, title.
fn runs(office: &AppOffice) -> Vec<(String, Option<String>, String)> {
    let head = office.fake.tip(PATH, "mr").unwrap();
    let state = office.fake.state();
    let all = state.project(PATH).runs.get(&head).into_iter().flatten().filter(|run| run.app == "deploys");
    all.map(|run| (run.name.clone(), run.conclusion.clone(), run.title.clone().unwrap_or_default())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_says_by_check_runs_what_an_account_says_by_statuses() {
    let office = AppOffice::new().await;
    let face = |state: StatusState, text: &str| {
        let statuses = ["trueup/plan", "trueup/converged"].map(|context| Status { context: context.into(), state, text: text.into() });
        Face { statuses: statuses.into(), ..office.face("**the plan** of this") }
    };
    let of = |conclusion: Option<&str>, title: &str| ["trueup/plan", "trueup/converged"].map(|name| (name.to_owned(), conclusion.map(str::to_owned), title.to_owned()));
    let shown = office.hub.show(&mr(), &face(StatusState::Pending, "waits"), &Shown::default()).await.unwrap();
    assert_eq!(runs(&office), of(None, "waits"));
    office.fake.calls();
    let shown = office.hub.show(&mr(), &face(StatusState::Pending, "waits"), &shown).await.unwrap();
    assert!(office.fake.calls().iter().all(|call| !call.writes()), "what is said is not said again");
    let shown = office.hub.show(&mr(), &face(StatusState::Success, "is live"), &shown).await.unwrap();
    assert_eq!(runs(&office), of(Some("success"), "is live"), "the same runs come to their end");
    {
        let head = office.fake.tip(PATH, "mr").unwrap();
        let state = office.fake.state();
        let run = |name: &str| state.project(PATH).runs[&head].iter().rfind(|run| run.name == name).unwrap().clone();
        let comment = format!("#issuecomment-{}", shown.comment.unwrap().0);
        assert!(run("trueup/plan").summary.contains("**the plan** of this") && run("trueup/plan").link.is_some_and(|link| link.ends_with(&comment)));
        assert!(!run("trueup/converged").summary.contains("the plan** of this") && run("trueup/converged").summary.contains(&comment));
        assert!(state.project(PATH).statuses.is_empty());
    }
    let shown = office.hub.show(&mr(), &face(StatusState::Pending, "waits anew"), &shown).await.unwrap();
    let all: Vec<_> = of(Some("success"), "is live").into_iter().chain(of(None, "waits anew")).collect();
    assert_eq!(runs(&office), all, "what is over stays over");
    office.hub.show(&mr(), &face(StatusState::Failure, "failed"), &shown).await.unwrap();
    let last: Vec<_> = of(Some("success"), "is live").into_iter().chain(of(Some("failure"), "failed")).collect();
    assert_eq!(runs(&office), last);
    let head = office.fake.tip(PATH, "mr").unwrap();
    office.fake.state().run(PATH, &head, "actions", "ci", Some("success"));
    office.fake.state().run(PATH, &head, "actions", "trueup/rollout", Some("success"));
    let seen = office.look().await.unwrap();
    assert_eq!(seen.checks.keys().map(|name| &**name).collect::<Vec<_>>(), ["ci"], "ours are not waited for");
    assert!(seen.altered.is_some(), "a run in our name by another app is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_run_that_is_lost_makes_no_second_one() {
    let office = AppOffice::new().await;
    office.fake.fail(Fault { after: true, ..Fault::status(502).once().on("POST", "/check-runs") });
    office.hub.show(&mr(), &office.face("x"), &Shown::default()).await.expect_err("the answer is lost");
    office.hub.show(&mr(), &office.face("x"), &Shown::default()).await.unwrap();
    assert_eq!(runs(&office).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_binds_our_check_to_the_app_is_met_by_its_run_alone() {
    let office = AppOffice::new().await;
    office.hub.furnish(&RepoId::new("dns"), &Wish { hook: None, labels: Vec::new() }, false).await;
    let head = office.fake.tip(PATH, "mr").unwrap();
    office.fake.state().status(PATH, &head, "ada", "trueup/converged", "success", "", None);
    let merge = async || office.hub.merge(super::office::ticket(&office.look().await.unwrap(), &office.folder.path().join("mirror.git"))).await.unwrap();
    let refused = merge().await;
    assert!(matches!(&refused, MergeAnswer::Refused { transient: true, why } if why.contains("trueup/converged")), "{refused:?}");
    let converged = Status { context: "trueup/converged".into(), state: StatusState::Success, text: "live".into() };
    office.hub.show(&mr(), &Face { statuses: vec![converged], ..office.face("x") }, &Shown::default()).await.unwrap();
    let merged = merge().await;
    assert!(matches!(merged, MergeAnswer::Merged { .. }), "{merged:?}");
    assert_eq!(office.fake.state().request_mut(PATH, 1).merged.as_ref().map(|merged| merged.by.clone()).as_deref(), Some("deploys[bot]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_wait_for_one_token_and_another_is_made_before_it_ends() {
    let office = AppOffice::new().await;
    let all = futures::future::join_all((0..12).map(|_| office.look())).await;
    assert!(all.iter().all(Result::is_ok), "{:?}", all.iter().find(|one| one.is_err()));
    assert_eq!(office.issued(), 1);
    office.later(54 * 60);
    office.look().await.unwrap();
    assert_eq!(office.issued(), 1, "it holds six minutes more");
    office.later(2 * 60);
    let all = futures::future::join_all((0..12).map(|_| office.look())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(office.issued(), 2, "four minutes before its end it is used no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_known_no_more_is_made_anew_once_for_requests_and_for_git() {
    let office = AppOffice::new().await;
    office.look().await.unwrap();
    office.fake.with_app(|app| app.tokens.clear());
    office.hub.show(&mr(), &office.face("the plan"), &Shown::default()).await.unwrap();
    assert_eq!((office.issued(), office.fake.state().request_mut(PATH, 1).comments.len()), (2, 1));
    // Git alone is asked which branches there are.
    office.fake.push(PATH, "ada", "release/1", &[("zone", "3\n")]);
    office.fake.with_app(|app| app.tokens.clear());
    let branches = office.hub.branches(&RepoId::new("dns@release")).await.unwrap().unwrap();
    assert_eq!((branches.iter().map(|name| &**name).collect::<Vec<_>>(), office.issued()), (vec!["release/1"], 3));
    // A forge that knows no token at all is asked twice, and not for ever.
    office.fake.calls();
    office.fake.fail(Fault::status(401).on("GET", "/pulls/1"));
    let error = office.refused().await;
    assert_eq!(error.kind, ForgeErrorKind::Stranger);
    let asked = office.fake.calls().iter().filter(|call| call.path.ends_with("/pulls/1")).count();
    assert_eq!((asked, office.issued()), (2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_suspended_or_taken_away_it_says_so_and_elsewhere_it_goes_on() {
    let office = AppOffice::new().await;
    office.look().await.unwrap();
    office.fake.with_app(|app| app.installations[0].suspended = true);
    let error = office.refused().await;
    assert!(error.kind == ForgeErrorKind::Stranger && error.what.contains("for platform/dns on forge work is suspended"), "{error}");
    office.fake.with_app(|app| app.installations[0].suspended = false);
    office.look().await.expect("it is let in again, and nobody restarts anything");
    let old = office.fake.with_app(|app| (app.tokens.clear(), app.installations.remove(0)).1);
    let error = office.refused().await;
    assert!(error.kind == ForgeErrorKind::Stranger && error.what.contains("not installed for platform/dns") && error.what.contains("/apps/deploys"), "{error}");
    office.fake.with_app(|app| app.install(old.id + 1000, "platform", Some(&["dns"])));
    office.look().await.expect("it is installed again, under another number");
    office.fake.with_app(|app| app.installations[0].chosen = Some(["mail".to_owned()].into()));
    let error = office.refused().await;
    assert!(error.what.contains("404"), "what nobody chose is not there: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_owner_s_suspension_stops_no_other_owner_s_requests() {
    let office = AppOffice::new().await;
    office.fake.project("sales/dns", &[("ada", Role::Write)], &[("zone", "1\n")]);
    office.fake.with_app(|app| app.install(77, "sales", None));
    let both = super::office::driver_of(&office.fake, office.folder.path(), sign_in(&office.fake), &[("dns", PATH), ("shop", "sales/dns")]);
    for repo in ["dns", "shop"] {
        both.open(&RepoId::new(repo)).await.unwrap();
    }
    office.fake.with_app(|app| app.installations[0].suspended = true);
    assert_eq!(both.open(&RepoId::new("dns")).await.unwrap_err().kind, ForgeErrorKind::Stranger);
    both.open(&RepoId::new("shop")).await.unwrap();
    assert_eq!(office.issued(), 2, "each installation has its own token");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_what_is_wrong_with_a_key_an_id_a_clock_and_a_permission() {
    let office = AppOffice::new().await;
    let told = office.told(&Wish::default()).await;
    assert!(told.iter().any(|line| line.contains("the app `deploys` acts as `deploys[bot]` on work")), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("Ok") && line.contains("has the permissions")), "{told:#?}");
    let asks = async |sign_in: SignIn, clock: Time| {
        let hub = made(&office.fake, &office.folder, sign_in, Arc::new(TestClock::at(clock)));
        let exams = hub.examine(&RepoId::new("dns"), &Wish::default()).await;
        assert_eq!((exams.len(), exams[0].found), (1, Found::Fail), "{exams:#?}");
        exams[0].said.clone()
    };
    let (now, id) = (office.clock.now(), office.fake.with_app(|app| app.client_id.clone()));
    let key = asks(SignIn::App { id, key: SecretText::new(private_key()) }, now).await;
    assert!(key.contains("A JSON web token could not be decoded") && key.contains("its private key"), "{key}");
    let unknown = asks(SignIn::App { id: "7".into(), key: SecretText::new(office.fake.with_app(|app| app.pem.clone())) }, now).await;
    assert!(unknown.contains("Integration not found") && unknown.contains("check `app.id`"), "{unknown}");
    for wrong in [-3_600_000, 3_600_000] {
        let clock = asks(sign_in(&office.fake), Time(now.0 + wrong)).await;
        assert!(clock.contains("claim") && clock.contains("this machine's clock"), "{clock}");
    }
    // A minute ahead, or some behind, does no harm.
    for wrong in [-240_000, 60_000] {
        let hub = made(&office.fake, &office.folder, sign_in(&office.fake), Arc::new(TestClock::at(Time(now.0 + wrong))));
        hub.open(&RepoId::new("dns")).await.unwrap();
    }
    office.fake.with_app(|app| {
        let permissions = &mut app.installations[0].permissions;
        permissions.insert("contents".into(), "read".into());
        permissions.remove("deployments");
    });
    let told = office.told(&Wish::default()).await;
    let page = "/organizations/platform/settings/installations/";
    assert!(
        told.iter().any(|line| line.starts_with("Fail") && line.contains("the app lacks `Contents: Read and write` (to fetch and to merge)") && line.contains(page)),
        "{told:#?}"
    );
    assert!(told.iter().any(|line| line.starts_with("Warn") && line.contains("`Deployments: Read and write`")), "{told:#?}");
    let error = office.hub.show(&mr(), &office.face("x"), &Shown::default()).await;
    assert!(error.is_ok(), "what needs no such permission goes on: {error:?}");
    office.fake.with_app(|app| app.installations[0].permissions.remove("issues"));
    let error = office.hub.tell(&mr(), "k", "hello").await.unwrap_err();
    assert!(error.what.contains("GitHub wants one of these permissions of it: issues="), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_leads_the_app_s_webhook_here_and_lets_the_app_alone_move_the_branch() {
    let office = AppOffice::new().await;
    let wish = Wish { hook: Some(Hook { url: URL.into(), secret: SecretText::new("a secret"), anew: false }), labels: labels() };
    let done = office.hub.furnish(&RepoId::new("dns"), &wish, false).await;
    let outcome = |what: &str, how: Outcome| assert!(done.iter().any(|one| one.about.ends_with(what) && one.outcome == how), "{what}: {done:#?}");
    outcome("webhook", Outcome::Made);
    outcome("protected branch", Outcome::Made);
    // Which events it gets, no program can say for it.
    assert!(done.iter().any(|one| one.outcome == Outcome::Lacks && one.said.contains("does not hear of push")), "{done:#?}");
    {
        let state = office.fake.state();
        let app = state.app.as_ref().unwrap();
        assert_eq!((app.hook.url.as_str(), app.hook.secret.as_deref()), (URL, Some("a secret")));
        let rules = &state.project(PATH).protection["main"];
        assert!(rules.may_push.iter().eq(["deploys[bot]"]) && rules.bound.get("trueup/converged") == Some(&app.id), "{rules:?}");
        assert!(state.project(PATH).hooks.is_empty(), "the app's own webhook tells of every repository");
    }
    office.fake.with_app(|app| app.events = ["push", "create", "delete", "pull_request", "pull_request_review", "pull_request_review_comment"].map(str::to_owned).into());
    office.fake.with_app(|app| app.events.extend(["pull_request_review_thread", "issue_comment", "status", "check_run", "check_suite", "repository"].map(str::to_owned)));
    let told = office.told(&wish).await;
    assert!(told.iter().all(|line| line.starts_with("Ok")), "{told:#?}");
    // Another server hears it elsewhere: that is not taken from it.
    office.fake.with_app(|app| app.hook.url = "https://other.example.com/hooks/hub".into());
    let done = office.hub.furnish(&RepoId::new("dns"), &wish, false).await;
    assert!(done.iter().any(|one| one.about.ends_with("webhook") && one.outcome == Outcome::Lacks && one.said.contains("leads to https://other.example.com")), "{done:#?}");
    assert_eq!(office.fake.with_app(|app| app.hook.url.clone()), "https://other.example.com/hooks/hub");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_repositories_that_were_chosen_for_the_app_are_those_it_finds() {
    let office = AppOffice::new().await;
    office.fake.project("platform/mail", &[("ada", Role::Write)], &[("zone", "1\n")]);
    let found = async || office.hub.repositories("platform").await.unwrap().into_iter().map(|one| one.path.to_string()).collect::<Vec<_>>();
    assert_eq!(found().await, ["platform/dns", "platform/mail"]);
    office.fake.with_app(|app| app.installations[0].chosen = Some(["mail".to_owned()].into()));
    assert_eq!(found().await, ["platform/mail"]);
    let error = office.hub.repositories("nobody").await.unwrap_err();
    assert!(error.what.contains("not installed for nobody"), "{error}");
}

#[test]
fn a_server_that_is_an_app_plans_runs_proves_and_merges_while_its_tokens_end() {
    let town = Town::as_app("");
    let rules = Protection {
        required_statuses: ["trueup/converged".to_owned()].into(),
        bound: [("trueup/converged".to_owned(), town.fake.with_app(|app| app.id))].into(),
        may_push: ["trueup[bot]".to_owned()].into(),
        for_admins: true,
        ..Protection::default()
    };
    town.fake.protect(PATH, "main", rules);
    let (number, head) = town.propose("move-www", "192.0.2.92");
    town.until_phase(number, "awaiting_approval");
    let told = |town: &Town| (town.sticky(number).1, town.run_of(&head, "trueup/plan"), town.run_of(&head, "trueup/converged"));
    town.until("the comment and the runs", |town| told(town) == (1, "success".to_owned(), "runs".to_owned()));
    // Suspended: nothing is heard there, and the page carries the command.
    town.fake.with_app(|app| app.installations[0].suspended = true);
    town.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]);
    town.until("the new address", |town| town.leads_to("192.0.2.92"));
    assert_eq!(town.merged_by(number), None);
    town.fake.with_app(|app| {
        app.installations[0].suspended = false;
        app.tokens.clear();
    });
    town.until("the merge", |town| {
        // A merge that was refused meanwhile waits for a person's word.
        if town.phase(number) == "failed" {
            town.trueup("ben", &["mr", "retry", &number.to_string(), "--repo", "dns"]);
        }
        town.phase(number) == "merged"
    });
    town.until("the last run", |town| town.run_of(&head, "trueup/converged") == "success");
    assert_eq!(town.merged_by(number).as_deref(), Some("trueup[bot]"));
    assert_eq!(town.sticky(number).1, 1);
    assert!(town.log().contains("is suspended"), "the log says why it waited");
}
