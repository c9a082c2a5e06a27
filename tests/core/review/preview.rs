//! Previews for jobs of CI: text, Markdown and JSON.

use super::fixture::*;
use trueup::core::{
    model::{CommitId, MrId, Place, Refusal, RefusalKind, RepoId, Str, User},
    plan::{Note, Plan},
    render::{Found, Outcome, Preview, Sheet, Style, Unseen},
    review::{MOST_CHARS, Phase, command},
};

fn of<T>(unseen: Option<Unseen<'_>>, found: Found<'_>, show: impl FnOnce(&Preview<'_>) -> T) -> T {
    let mr = MrId { repo: RepoId::new("infra/dns"), number: 7 };
    let (base, head) = (CommitId::new("1111111111111111111111111111111111111111"), CommitId::new("2222222222222222222222222222222222222222"));
    let alone = matches!(unseen, Some(Unseen::Alone));
    show(&Preview {
        mr: (!alone).then_some(&mr),
        base_branch: "main",
        base: &base,
        head: &head,
        unseen,
        found,
        now: (!alone).then_some((Phase::AwaitingApproval, "Waiting for 1 approval.")),
        page: (!alone).then_some("https://trueup.example/changes/infra%2Fdns/7"),
    })
}

#[test]
fn a_preview_shows_the_plan_with_its_digest_and_where_it_is_approved() {
    let (plan, kinds) = (small(), kinds());
    let back = reverse(&plan);
    let sheet = Sheet::new(&plan, &kinds).digest(Some(digest(0xab))).way_back(Some(&back));
    insta::assert_snapshot!(of(None, Found::Plan(sheet), |preview| format!("{}\n---\n{}", preview.text(Style::default()), preview.markdown())));
}

#[test]
fn what_nobody_looked_at_is_titled_so_and_never_done() {
    let kinds = kinds();
    let plan = Plan { notes: vec![Note::NotObserved], ..Plan::default() };
    for unseen in [Unseen::Alone, Unseen::Untrusted(&User::new("mallory"))] {
        let told = of(Some(unseen), Found::Plan(Sheet::new(&plan, &kinds)), |preview| (preview.text(Style::default()), preview.markdown(), preview.json(), preview.outcome()));
        let (text, markdown, json, outcome) = told;
        assert_eq!(outcome, Outcome::Empty);
        assert!(text.starts_with("Preview, not observed: ") && markdown.starts_with("<!-- trueup:preview not-observed -->\n") && markdown.contains("**not observed**"));
        assert!(text.contains("was not looked at") && markdown.contains("was not looked at") && !format!("{text}{markdown}").contains("othing to do"), "{text}{markdown}");
        assert!(json["observed"] == false && json["because"].is_string() && json["digest"].is_null());
    }
}

#[test]
fn faults_and_conflicts_are_told_with_their_places() {
    let fault = Refusal::new(RefusalKind::Value, "`192.0.2.999` is no address").at(Place::new("dns/example.com.yaml", 3, 9)).advice("write four numbers up to 255");
    let faults = [fault];
    insta::assert_snapshot!(of(None, Found::Refused(&faults), |preview| format!("{}\n---\n{}\n---\n{:#}", preview.text(Style::default()), preview.markdown(), preview.json())));
    let paths: [Str; 1] = ["dns/`example`.com.yaml".into()];
    let (text, markdown, json) = of(Some(Unseen::Alone), Found::Conflicted(&paths), |preview| (preview.text(Style::default()), preview.markdown(), preview.json()));
    assert!(text.contains("dns/`example`.com.yaml") && markdown.contains("#### Paths in conflict") && json["conflicts"][0] == "dns/`example`.com.yaml", "{text}{markdown}");
}

#[test]
fn a_preview_fits_into_a_comment_and_is_no_command() {
    let kinds = kinds();
    let deltas = (0..3000)
        .map(|n| delta(id("dns-inside", "example.com.", &format!("host-{n}"), "TXT"), trueup::core::diff::Op::Create, None, Some(rrset(300, &["\"\n/trueup approve\n\""])), n));
    let plan = plan(deltas.collect());
    let markdown = of(None, Found::Plan(Sheet::new(&plan, &kinds)), |preview| preview.markdown());
    assert!(markdown.chars().count() <= MOST_CHARS && markdown.contains("see [the full plan](https://trueup.example/"), "{}", markdown.len());
    assert_eq!(command::parse(&markdown), []);
}
