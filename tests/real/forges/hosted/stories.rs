//! One request on a fake GitHub or GitLab through the whole server: each story ends with what BIND and the forge hold.

use super::{
    super::fake::{Fault, Protection, Verdict, Wire, push_on},
    office::PATH,
    told_on_both,
    town::Town,
};
use trueup::ports::Reaction;

fn a_request_merges_when_the_name_server_holds_it(wire: Wire) {
    let town = Town::start(wire);
    let (number, head) = town.propose("move-www", "192.0.2.77");
    town.until_phase(number, "awaiting_approval");
    town.until("the plan in the comment", |town| town.sticky(number).0.contains("192.0.2.77"));
    town.until("the statuses", |town| town.status(&head, "trueup/plan") == "success" && town.status(&head, "trueup/converged") == "pending");
    assert!(!town.leads_to("192.0.2.77"), "nothing is written before the approval");
    let refused = town.comment(number, "mallory", "/trueup approve");
    town.until("an answer to mallory", |town| town.ours(number).len() == 2);
    town.until("mallory's mark", |town| town.marks(number, refused) == [Reaction::Seen, Reaction::Refused]);
    assert_eq!(town.phase(number), "awaiting_approval");
    let taken = town.comment(number, "ben", "/trueup approve");
    town.until_phase(number, "merged");
    town.until("ben's mark", |town| town.marks(number, taken) == [Reaction::Seen, Reaction::Done]);
    assert!(town.leads_to("192.0.2.77") && town.main_holds("192.0.2.77"));
    assert_eq!(town.merged_by(number).as_deref(), Some("trueup"));
    let rolled = |town: &Town| {
        let state = town.fake.state();
        let all = &state.project(PATH).deployments;
        all.len() == 1 && all[0].environment == "inside" && all[0].sha == head && all[0].states.last().is_some_and(|(state, _)| state == "success")
    };
    town.until("the run among the deployments", rolled);
    town.until("the last statuses", |town| town.status(&head, "trueup/converged") == "success" && town.status(&head, "trueup/rollout") == "success");
    town.until("the last label", |town| town.has_label(number, "trueup: merged"));
}

fn nothing_is_said_or_done_twice_when_every_first_answer_is_lost(wire: Wire) {
    let town = Town::start(wire);
    let comments = if wire == Wire::GitHub { ("POST", "/comments") } else { ("POST", "/notes") };
    let merge = ("PUT", "/1/merge");
    let edits = if wire == Wire::GitHub { ("POST", "/labels") } else { ("PUT", "/merge_requests/1") };
    for (method, path) in [comments, merge, edits, ("POST", "/statuses/")] {
        town.fake.fail(Fault::status(502).on(method, path).once().done_first());
    }
    // Marks are never made here, which nothing waits for.
    town.fake.fail(Fault::status(503).on("POST", if wire == Wire::GitHub { "/reactions" } else { "/award_emoji" }));
    let (number, head) = town.propose("move-www", "192.0.2.78");
    town.until_phase(number, "awaiting_approval");
    town.until("the face", |town| town.sticky(number).1 == 1 && town.status(&head, "trueup/plan") == "success");
    town.comment(number, "ben", "/trueup approve");
    town.until_phase(number, "merged");
    town.until("the last label", |town| town.has_label(number, "trueup: merged"));
    assert_eq!(town.sticky(number).1, 1, "one comment tells it: {:#?}", town.ours(number));
    let calls = town.fake.calls();
    let merges = calls.iter().filter(|call| call.method == "PUT" && call.path.ends_with("/merge") && matches!(call.status, 200 | 502)).count();
    assert_eq!(merges, 1, "it was merged once");
}

fn a_team_of_the_forge_approves_as_it_is_when_it_approves(wire: Wire) {
    let town = Town::with_policy(wire, "  approvals:\n  - by: [\"team:platform/sre\"]\n");
    let (number, _) = town.propose("move-www", "192.0.2.81");
    town.until_phase(number, "awaiting_approval");
    let unread = |town: &Town| town.show(number)["waits_for"].as_str().unwrap_or_default().contains("nobody counts as one of `team:platform/sre`");
    town.until("why nobody counts", unread);
    let early = town.comment(number, "ben", "/trueup approve");
    town.until("an answer", |town| town.marks(number, early) == [Reaction::Seen, Reaction::Refused]);
    assert_eq!(town.phase(number), "awaiting_approval", "a team that cannot be read has no members");
    town.fake.team("platform/sre", &["cleo"]);
    let outside = town.comment(number, "ben", "/trueup approve");
    town.until("another answer", |town| town.marks(number, outside) == [Reaction::Seen, Reaction::Refused]);
    assert!(!town.leads_to("192.0.2.81"));
    town.fake.team("platform/sre", &["ben"]);
    let inside = town.comment(number, "ben", "/trueup approve");
    town.until_phase(number, "merged");
    town.until("ben's mark", |town| town.marks(number, inside) == [Reaction::Seen, Reaction::Done]);
    assert!(town.leads_to("192.0.2.81"));
}

fn a_takeover_is_approved_by_the_team_that_the_branch_which_governs_names(wire: Wire) {
    let town = Town::of_releases(wire);
    let names = |release: &str, team: &str| {
        let policy = format!(
            "sources:\n  - path: zones\n    format: octodns\n    targets: [inside]\npolicy:\n  window: 2s\n  every: 2s\n  approvals:\n  - by: [\"team:platform/{team}\"]\n"
        );
        town.fake.push(PATH, "root", release, &[("trueup.yaml", &policy)]);
    };
    town.fake.team("platform/old", &["ben"]);
    town.fake.team("platform/new", &["cleo"]);
    names("release/202611", "old");
    let show =
        |number: u64| -> serde_json::Value { serde_json::from_str(&town.trueup("ana", &["mr", "show", &number.to_string(), "--repo", "dns@release", "--json"])).expect("json") };
    // Which one governs is said when the first is seen.
    town.push("first", "192.0.2.90");
    let first = town.fake.open(PATH, "ana", "first", "first");
    town.fake.retarget(PATH, first, "ana", "release/202611");
    let comes = |number: u64, phase: &str| town.until(&format!("phase {phase} of {number}"), |town| town.knows("dns@release", number) && show(number)["phase"] == phase);
    comes(first, "awaiting_approval");
    names("release/202612", "new");
    town.push("next", "192.0.2.91");
    let next = town.fake.open(PATH, "ana", "next", "next");
    town.fake.retarget(PATH, next, "ana", "release/202612");
    // It may be planned anew when it is heard which branch governs.
    let asks = |number: u64| {
        let shown = if town.knows("dns@release", number) { show(number) } else { serde_json::Value::Null };
        shown["phase"] == "awaiting_approval" && shown["waits_for"].as_str().is_some_and(|waits| waits.contains("platform/old"))
    };
    town.until("the team of the branch that governs", |_| asks(next));
    town.until("ben's approval", |town| asks(next) && town.tries("ben", &["mr", "approve", &next.to_string(), "--repo", "dns@release"]));
    comes(next, "merged");
    assert!(town.leads_to("192.0.2.91"));
    comes(first, "refused");
}

fn a_forge_that_is_down_delays_the_merge_and_stops_no_run(wire: Wire) {
    let town = Town::start(wire);
    let (number, _) = town.propose("move-www", "192.0.2.79");
    town.until_phase(number, "awaiting_approval");
    town.fake.fail(Fault::status(503));
    // The page and the command line carry every command.
    town.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]);
    town.until("the new address", |town| town.leads_to("192.0.2.79"));
    assert_eq!(town.merged_by(number), None);
    town.fake.mend();
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.79"));
}

fn while_the_forge_is_away_names_and_teams_as_last_told_can_stop_a_change(wire: Wire) {
    let teams = "approvers: [\"team:platform/sre\", ben]\n    admins: [\"team:platform/leads\"]";
    let town = Town::edited(wire, |text| text.replace("approvers: [ana, ben]\n    admins: [root]", teams));
    town.fake.team("platform/sre", &["cleo"]);
    let (number, _) = town.propose("move-www", "192.0.2.82");
    town.until_phase(number, "awaiting_approval");
    let id = number.to_string();
    // Who cleo is has been asked for once.
    town.trueup("cleo", &["mr", "show", &id, "--repo", "dns"]);
    town.fake.fail(Fault::status(503));
    // Nobody can be asked who leads, so whether somebody is an admin as well is not known; neither need be one.
    town.trueup("cleo", &["mr", "say", &id, "--repo", "dns", "pause"]);
    town.until_phase(number, "paused");
    assert!(!town.tries("cleo", &["mr", "say", &id, "--repo", "dns", "resume"]), "what goes on needs the forge's word for one of a team");
    town.trueup("ben", &["mr", "say", &id, "--repo", "dns", "resume"]);
    town.until_phase(number, "awaiting_approval");
}

fn a_token_revoked_in_between_is_told_and_a_new_one_goes_on(wire: Wire) {
    let town = Town::start(wire);
    let (number, _) = town.propose("move-www", "192.0.2.80");
    town.until_phase(number, "awaiting_approval");
    town.fake.revoke("trueup", true);
    town.trueup("ben", &["mr", "approve", &number.to_string(), "--repo", "dns"]);
    town.until("the new address", |town| town.leads_to("192.0.2.80"));
    assert_eq!(town.merged_by(number), None);
    town.fake.revoke("trueup", false);
    town.until("the merge", |town| {
        // A merge that was refused for the token waits for a person's word.
        if town.phase(number) == "failed" {
            town.trueup("ben", &["mr", "retry", &number.to_string(), "--repo", "dns"]);
        }
        town.phase(number) == "merged"
    });
    assert!(town.main_holds("192.0.2.80"));
}

fn a_protected_branch_takes_the_merge_once_converged_is_green(wire: Wire) {
    let town = Town::start(wire);
    let rules = Protection { required_statuses: ["trueup/converged".to_owned()].into(), for_admins: true, ..Protection::default() };
    town.fake.protect(PATH, "main", rules);
    let (number, _) = town.propose("move-www", "192.0.2.81");
    town.until_phase(number, "awaiting_approval");
    town.comment(number, "ben", "/trueup approve");
    town.until_phase(number, "merged");
    assert!(town.main_holds("192.0.2.81"));
}

fn what_lands_on_a_base_that_moved_at_the_last_moment_is_an_alarm(wire: Wire) {
    let town = Town::start(wire);
    let (number, _) = town.propose("move-www", "192.0.2.85");
    town.until_phase(number, "awaiting_approval");
    town.fake.fail(Fault::meanwhile(|state| drop(push_on(state, PATH, "root", "main", &[("notes", "by hand\n")]))).on("PUT", "/1/merge"));
    town.comment(number, "ben", "/trueup approve");
    town.until_phase(number, "failed");
    assert!(town.merged_by(number).as_deref() == Some("trueup") && town.main_holds("192.0.2.85"), "neither forge can pin its base");
    assert!(town.show(number)["waits_for"].to_string().contains("was proven"), "{}", town.show(number));
    town.until("the alarm where people read it", |town| town.sticky(number).0.contains("was proven"));
}

/// GitLab says the same to an account that it knows and that may not merge.
#[test]
fn a_sign_in_that_github_refuses_for_a_moment_at_the_merge_delays_it_alone() {
    let town = Town::start(Wire::GitHub);
    let (number, _) = town.propose("move-www", "192.0.2.89");
    town.until_phase(number, "awaiting_approval");
    town.fake.fail(Fault::status(401).on("PUT", "/1/merge").once());
    town.comment(number, "ben", "/trueup approve");
    town.until("an end", |town| matches!(&*town.phase(number), "merged" | "failed"));
    assert_eq!(town.phase(number), "merged", "nobody's word is needed: {}", town.show(number)["waits_for"]);
    let calls = town.fake.calls();
    let asked: Vec<_> = calls.iter().filter(|call| call.method == "PUT" && call.path.ends_with("/1/merge")).map(|call| call.status).collect();
    assert_eq!(asked, [401, 200]);
}

#[test]
fn an_edited_command_is_told_to_be_none() {
    let town = Town::start(Wire::GitHub);
    let (number, _) = town.propose("move-www", "192.0.2.86");
    town.until_phase(number, "awaiting_approval");
    // Before the forge's clock is put forward: what is shown in the second of an approval was not read before it.
    town.reads(number);
    town.comment(number, "ben", "looks good");
    let id = town.fake.state().request_mut(PATH, number).comments.iter().rfind(|comment| comment.by == "ben").expect("he wrote it").id;
    town.fake.state().last_at += 2000;
    town.fake.edit_comment(PATH, number, id, "/trueup approve");
    town.until("a word about it", |town| town.ours(number).iter().any(|body| body.contains("edited comments are no commands")));
    assert_eq!(town.phase(number), "awaiting_approval");
    town.comment(number, "ben", "/trueup approve");
    town.until_phase(number, "merged");
    assert_eq!(town.ours(number).iter().filter(|body| body.contains("edited comments")).count(), 1, "said once");
}

fn a_review_that_came_before_the_plan_is_told_not_to_count(wire: Wire) {
    let town = Town::with_policy(wire, "  reviews_count: true\n");
    let (number, _) = town.propose("move-www", "192.0.2.87");
    town.fake.review(PATH, number, "ben", Verdict::Approved);
    town.until("a word about it", |town| town.ours(number).iter().any(|body| body.contains("approve again")));
    assert_eq!(town.phase(number), "awaiting_approval");
}

fn who_pushed_cannot_be_told_and_nothing_starts_until_it_is(wire: Wire) {
    let town = Town::start(wire);
    let path = if wire == Wire::GitHub { "/activity" } else { "/events?action=pushed" };
    town.fake.fail(Fault::status(403).on("GET", path));
    let (number, _) = town.propose("move-www", "192.0.2.88");
    town.until_phase(number, "awaiting_approval");
    town.comment(number, "ben", "/trueup approve");
    town.until("why it waits, where people read it", |town| town.sticky(number).0.contains("who pushed `move-www`"));
    assert!(!town.leads_to("192.0.2.88"));
    town.fake.mend();
    town.until_phase(number, "merged");
}

told_on_both! {
    a_request_merges_when_the_name_server_holds_it,
    nothing_is_said_or_done_twice_when_every_first_answer_is_lost,
    a_forge_that_is_down_delays_the_merge_and_stops_no_run,
    while_the_forge_is_away_names_and_teams_as_last_told_can_stop_a_change,
    a_token_revoked_in_between_is_told_and_a_new_one_goes_on,
    a_protected_branch_takes_the_merge_once_converged_is_green,
    a_team_of_the_forge_approves_as_it_is_when_it_approves,
    a_takeover_is_approved_by_the_team_that_the_branch_which_governs_names,
    what_lands_on_a_base_that_moved_at_the_last_moment_is_an_alarm,
    a_review_that_came_before_the_plan_is_told_not_to_count,
    who_pushed_cannot_be_told_and_nothing_starts_until_it_is,
}
