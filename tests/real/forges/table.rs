//! The rules that hold on every forge, each one test: one table over `ForgeWorld`.

use super::world::{ForgeWorld, face, id, run};
use std::collections::BTreeSet;
use trueup::{
    core::{
        model::{CommitId, MrId, RepoId, Str, Time, User},
        review::{Check, CommentId, Depended, MrState, Right, StatusState},
        run::MergeAnswer,
    },
    ports::{ForgeErrorKind, Hosted, Proposal, Proposed, Reaction, Shown},
};

/// Makes one test of every rule, over the world that the expression makes.
macro_rules! table {
    ($world:expr) => {
        $crate::forges::table::table!(@each $world =>
            a_merge_request_is_seen_whole
            a_push_is_seen_with_whoever_pushed_and_whoever_committed
            a_draft_is_known_by_its_title
            a_fork_is_not_trusted
            comments_come_once_with_the_right_of_their_speaker
            an_edited_comment_is_no_command
            rights_are_the_forges_and_the_lists
            a_team_is_read_afresh_and_one_that_is_not_shown_has_no_members
            reviews_stand_at_their_head_until_dismissed
            a_request_for_changes_is_an_open_thread
            whoever_may_not_write_blocks_nobody_by_asking_for_changes
            checks_of_others_count_and_ours_do_not
            a_check_by_whoever_pushed_checks_nothing
            only_an_approvers_incident_counts
            what_a_description_waits_for_is_followed
            a_sweep_tells_what_moved_and_what_is_open
            closed_reopened_and_sent_elsewhere_are_told
            the_face_is_shown_once_and_only_its_differences
            a_deleted_comment_is_made_again
            a_status_of_somebody_else_under_our_name_is_replaced
            what_somebody_writes_into_our_comment_is_noticed_and_written_over
            peoples_labels_stay
            an_answer_is_given_once_over_a_crash
            a_command_is_marked_once_as_far_as_we_are_with_it
            a_merge_puts_the_planned_tree_on_the_branch
            a_merge_is_told_again_after_a_crash
            a_head_or_base_that_moved_is_not_merged
            a_merge_by_a_person_is_told_with_its_name
            a_proposal_is_opened_followed_and_closed
            a_proposal_that_somebody_pushed_to_is_theirs
            one_path_may_be_several_repositories_each_with_its_branches
            who_made_the_branch_that_takes_over_counts_as_a_pusher
            the_repositories_of_a_group_are_listed
            what_is_not_there_is_not_found
        );
    };
    (@each $world:expr => $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            $crate::forges::table::$rule(&$world);
        })*
    };
}
pub(crate) use table;

pub fn a_merge_request_is_seen_whole(world: &dyn ForgeWorld) {
    let base = world.tip("main").unwrap();
    let head = world.push("ana", "one", &[("zones/a.yaml", "a: 1\n")]);
    let number = world.open("ana", "one", "move www", "because");
    let seen = world.look_at(number, &head);
    assert_eq!((seen.state, seen.draft, seen.title.as_str()), (MrState::Open, false, "move www"));
    assert_eq!((seen.author.as_str(), &*seen.source_branch, &*seen.base_branch, seen.base.as_str()), ("ana", "one", "main", base.as_str()));
    assert!(seen.author_trusted && seen.proposed.is_none() && seen.reviews.is_empty() && seen.comments.is_empty());
    assert!(seen.pushers.contains(&User::new("ana")), "{:?}", seen.pushers);
    let tree = world.state().tree(&CommitId::new(head)).unwrap();
    assert!(world.state().entry(&tree, "zones/a.yaml").unwrap().is_some(), "head and its files are here");
}

pub fn a_push_is_seen_with_whoever_pushed_and_whoever_committed(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    let head = world.push_as("ben", "cleo", "one", &[("zones/b.yaml", "b: 1\n")]);
    let everybody = ["ana", "ben", "cleo"].map(User::new);
    world.look_until(number, "who pushed", |seen| seen.head.as_str() == head && everybody.iter().all(|who| seen.pushers.contains(who)));
    let anew = world.force_push("root", "one", &[("zones/c.yaml", "c: 1\n")]);
    let seen = world.look_until(number, "the forced push", |seen| seen.head.as_str() == anew && seen.pushers.contains(&User::new("root")));
    assert!(seen.pushers.contains(&User::new("ben")), "whoever pushed before is not forgotten: {:?}", seen.pushers);
}

pub fn a_draft_is_known_by_its_title(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    world.describe(number, "ana", "WIP: not yet", "");
    assert!(world.look_until(number, "the title", |seen| seen.title.contains("not yet")).draft);
    world.describe(number, "ana", "now", "");
    assert!(!world.look_until(number, "the title", |seen| seen.title == "now").draft);
}

pub fn a_fork_is_not_trusted(world: &dyn ForgeWorld) {
    let number = world.open_from_fork("mallory", "evil", &[("zones/a.yaml", "evil: 1\n")], "please");
    let seen = world.look(number);
    assert_eq!((seen.author.as_str(), seen.author_trusted), ("mallory", false));
}

pub fn comments_come_once_with_the_right_of_their_speaker(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    let first = world.comment(number, "ben", "/trueup approve");
    let second = world.comment(number, "mallory", "/trueup approve");
    let seen = world.look(number);
    let said: Vec<_> = seen.comments.iter().map(|comment| (comment.id.0, comment.by.as_str(), comment.right, comment.body.as_str())).collect();
    assert_eq!(said, [(first, "ben", Right::Approve, "/trueup approve"), (second, "mallory", Right::Read, "/trueup approve")]);
    assert!(seen.comments.iter().all(|comment| comment.at > Time(0)));
    let since = |since| run(world.driver().look(&world.mr(number), since)).unwrap().comments.len();
    assert_eq!((since(id(first)), since(id(second)), since(id(u64::MAX)), since(None)), (1, 0, 0, 2));
}

pub fn an_edited_comment_is_no_command(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    let said = world.comment(number, "ben", "looks harmless");
    let before = world.look(number).comments[0].at;
    // Times of forges have whole seconds.
    crate::harness::wait_for(std::time::Duration::from_millis(1500), || false);
    world.edit_comment(said, "root", "/trueup approve");
    let seen = run(world.restarted().look(&world.mr(number), None)).unwrap();
    assert_eq!(seen.edited, [CommentId(said)], "whoever edited it is told");
    assert!(seen.comments.is_empty(), "written at {before}, edited since: {:?}", seen.comments);
}

pub fn rights_are_the_forges_and_the_lists(world: &dyn ForgeWorld) {
    let right = |who: &str| run(world.driver().right(&world.repo(), &User::new(who))).unwrap();
    assert_eq!(["root", "ben", "ana", "mallory", "nobody-at-all"].map(right), [Right::Admin, Right::Approve, Right::Write, Right::Read, Right::None]);
}

pub fn a_team_is_read_afresh_and_one_that_is_not_shown_has_no_members(world: &dyn ForgeWorld) {
    let who = |names: &[&str]| names.iter().map(|name| User::new(*name)).collect::<BTreeSet<User>>();
    assert!(world.driver().abilities(&world.repo()).teams);
    let team = world.team("sre", &["ben", "cleo"]);
    assert_eq!(run(world.driver().team(&world.repo(), &team, false)).unwrap(), who(&["ben", "cleo"]));
    world.team("sre", &["cleo"]);
    assert_eq!(run(world.driver().team(&world.repo(), &team, true)).unwrap(), who(&["cleo"]), "whoever left is no more in it");
    assert_eq!(run(world.driver().team(&world.repo(), "sre", false)).unwrap(), who(&["cleo"]), "the repository's own owner goes without saying");
    for stranger in ["platform/nobody", "nobody-at-all/sre", "../sre", "a b/c", ""] {
        let error = run(world.driver().team(&world.repo(), stranger, true)).unwrap_err();
        assert!(!error.kind.passes(), "{stranger}: {error}");
    }
}

pub fn reviews_stand_at_their_head_until_dismissed(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    world.approve(number, "ben");
    world.approve(number, "cleo");
    let seen = world.look_at(number, &head);
    let given: Vec<_> = seen.reviews.iter().map(|review| (review.by.as_str(), review.right, review.head.as_str())).collect();
    assert_eq!(given, [("ben", Right::Approve, head.as_str()), ("cleo", Right::Write, head.as_str())]);
    world.dismiss(number, "root", "cleo");
    assert_eq!(world.look(number).reviews.iter().map(|review| review.by.to_string()).collect::<Vec<_>>(), ["ben"]);
    let next = world.push("ana", "one", &[("zones/b.yaml", "b: 2\n")]);
    assert_eq!(world.look_at(number, &next).reviews, [], "what was approved is not what stands there");
}

pub fn a_request_for_changes_is_an_open_thread(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    world.request_changes(number, "cleo");
    assert_eq!(world.look(number).unresolved_threads, 1);
    world.approve(number, "cleo");
    assert_eq!(world.look(number).unresolved_threads, 0, "the last word counts");
}

pub fn whoever_may_not_write_blocks_nobody_by_asking_for_changes(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    world.request_changes(number, "mallory");
    assert_eq!(world.look(number).unresolved_threads, 0);
}

pub fn checks_of_others_count_and_ours_do_not(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    world.status(&head, "root", "ci/test", "pending");
    world.status(&head, "root", "ci/test", "success");
    world.status(&head, "root", "ci/lint", "failure");
    world.status(&head, "root", "trueup/converged", "success");
    let seen = world.look_until(number, "both checks", |seen| seen.checks.len() == 2);
    assert_eq!(seen.checks.into_iter().collect::<Vec<_>>(), [("ci/lint".into(), Check::Failure), ("ci/test".into(), Check::Success)]);
}

pub fn a_check_by_whoever_pushed_checks_nothing(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    world.status(&head, "ana", "ci/test", "success");
    world.status(&head, "root", "ci/lint", "success");
    let seen = world.look_until(number, "the other's check", |seen| seen.checks.contains_key("ci/lint"));
    assert!(!seen.checks.contains_key("ci/test"), "{:?}", seen.checks);
}

pub fn only_an_approvers_incident_counts(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    world.label(number, "ana", "incident", true);
    assert_eq!(world.look(number).incident, None, "ana may not approve");
    world.label(number, "ana", "incident", false);
    world.label(number, "ben", "incident", true);
    world.look_until(number, "ben's incident", |seen| seen.incident == Some(User::new("ben")));
    world.label(number, "ben", "incident", false);
    world.look_until(number, "no incident", |seen| seen.incident.is_none());
}

pub fn what_a_description_waits_for_is_followed(world: &dyn ForgeWorld) {
    let (first, _) = world.request("one");
    let second = {
        world.push("ana", "two", &[("zones/b.yaml", "b: 1\n")]);
        world.open("ana", "two", "second", &format!("Depends-On: !{first}, !4242"))
    };
    let waits = |state: Depended| (Str::from(format!("!{first}")), state);
    let told = |number| world.look(number).depends_on.into_iter().map(|one| (one.said, one.state)).collect::<Vec<_>>();
    assert_eq!(told(second), [waits(Depended::Open(world.mr(first))), ("!4242".into(), Depended::Unknown)]);
    world.describe(first, "ana", "first", &format!("Depends-On: !{second}"));
    assert_eq!(told(second)[0], waits(Depended::Cycle(vec![world.mr(first)])));
    world.close(first, "ana");
    assert_eq!(told(second)[0], waits(Depended::Closed(world.mr(first))));
}

pub fn a_sweep_tells_what_moved_and_what_is_open(world: &dyn ForgeWorld) {
    let (first, head) = world.request("one");
    let (second, _) = world.request("two");
    let (found, cursor) = run(world.driver().sweep(&world.repo(), 0)).unwrap();
    let mut open: Vec<u64> = found.iter().filter(|found| found.open).map(|found| found.mr.number).collect();
    open.sort_unstable();
    assert_eq!(open, [first, second]);
    assert!(found.iter().any(|found| found.mr.number == first && found.head.as_str() == head && found.updated > Time(0)));
    world.close(second, "ana");
    let next = world.push("ana", "one", &[("zones/c.yaml", "c: 1\n")]);
    let swept = crate::harness::wait_for(std::time::Duration::from_secs(60), || {
        let (found, _) = run(world.driver().sweep(&world.repo(), cursor)).unwrap();
        let closed = found.iter().any(|found| found.mr.number == second && !found.open);
        closed && found.iter().any(|found| found.mr.number == first && found.open && found.head.as_str() == next)
    });
    assert!(swept, "a push and a close are found without any word of them");
    let open: Vec<u64> = run(world.driver().open(&world.repo())).unwrap().into_iter().map(|found| found.mr.number).collect();
    assert_eq!(open, [first]);
}

pub fn closed_reopened_and_sent_elsewhere_are_told(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    world.close(number, "ana");
    assert_eq!(world.look(number).state, MrState::Closed);
    world.reopen(number, "ana");
    assert_eq!(world.look(number).state, MrState::Open);
    world.push("ana", "other", &[("zones/o.yaml", "o: 1\n")]);
    world.retarget(number, "ana", "other");
    assert_eq!(world.look(number).state, MrState::Closed, "what goes to another branch is not governed here");
}

pub fn one_path_may_be_several_repositories_each_with_its_branches(world: &dyn ForgeWorld) {
    let releases = RepoId::new("dns@release");
    let tips = ["release/202611", "release/202612", "release/99"].map(|branch| world.push("root", branch, &[("zones/base.yaml", &format!("base: {branch}\n"))]));
    let there = run(world.driver().branches(&releases)).unwrap().expect("the forge is asked");
    assert_eq!(there, ["release/202612", "release/202611", "release/99"].map(Str::from), "newest first, by name");
    assert_eq!(world.state().commit("refs/heads/release/202611").unwrap().as_str(), tips[0]);
    let (number, _) = world.request("one");
    let theirs = MrId { repo: releases.clone(), number };
    assert_eq!(run(world.driver().look(&theirs, None)).unwrap().state, MrState::Closed, "it goes to `main`");
    world.retarget(number, "ana", "release/202612");
    let seen = world.look_until(number, "where it goes", |seen| seen.base_branch == "release/202612".into());
    assert_eq!(seen.state, MrState::Closed, "`main` is another's");
    let seen = run(world.driver().look(&theirs, None)).unwrap();
    assert_eq!((seen.state, seen.base.as_str()), (MrState::Open, tips[1].as_str()));
    let listed = |repo: &RepoId| run(world.driver().sweep(repo, 0)).unwrap().0.into_iter().find(|found| found.mr.number == number).map(|found| (found.open, found.stray));
    let found = crate::harness::wait_for(std::time::Duration::from_secs(60), || listed(&releases) == Some((true, None)));
    assert!(found, "{:?}", listed(&releases));
    assert_eq!(listed(&world.repo()), Some((false, Some("release/202612".into()))), "open, and none of its branches");
    let MergeAnswer::Merged { commit, parents, .. } = run(world.driver().merge(world.ticket_of(&theirs))).unwrap() else { panic!("it merges") };
    assert_eq!((parents.first().map(CommitId::as_str), world.tip("release/202612").as_deref()), (Some(tips[1].as_str()), Some(commit.as_str())));
}

pub fn who_made_the_branch_that_takes_over_counts_as_a_pusher(world: &dyn ForgeWorld) {
    world.push("root", "next/1", &[("zones/base.yaml", "base: next/1\n")]);
    world.push_as("cleo", "ben", "next/2", &[("zones/base.yaml", "base: next/2\n")]);
    run(world.driver().branches(&RepoId::new("dns@next"))).unwrap();
    let (number, _) = world.request("one");
    let theirs = MrId { repo: RepoId::new("dns@next"), number };
    let of = |into: &str| {
        world.retarget(number, "ana", into);
        world.look_until(number, "where it goes", |seen| *seen.base_branch == *into);
        run(world.driver().look(&theirs, None)).unwrap()
    };
    let kept = of("next/1");
    assert!(!kept.pushers.iter().any(|who| who.as_str() == "cleo") && kept.pushers.contains(&User::new("ana")), "{:?}", kept.pushers);
    let takes = of("next/2");
    assert!(takes.unread.is_empty(), "{:?}", takes.unread);
    let brought = |name: &str| takes.pushers.iter().any(|who| who.as_str() == name || who.as_str().starts_with(&format!("{name} <")));
    assert!(brought("cleo") && brought("ben") && brought("ana"), "who pushed it, and who wrote what it brings: {:?}", takes.pushers);
}

pub fn the_repositories_of_a_group_are_listed(world: &dyn ForgeWorld) {
    let path = world.path();
    let group = path.rsplit_once('/').expect("it is in one").0;
    let listed = run(world.driver().repositories(group)).unwrap();
    assert!(listed.contains(&Hosted { path: path.as_str().into(), archived: false }), "{listed:?}");
    assert_eq!(run(world.driver().repositories("no-such-group")).map(|found| found.len()).map_err(|error| error.kind).unwrap_or(0), 0);
}

pub fn the_face_is_shown_once_and_only_its_differences(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    let (mr, driver) = (world.mr(number), world.driver());
    let first = face(&head, "planning", "planning", StatusState::Pending);
    let shown = run(driver.show(&mr, &first, &Shown::default())).unwrap();
    assert_eq!((world.ours(number, "planning").len(), world.labels(number)), (1, ["trueup: planning".to_owned()].into()));
    assert_eq!(world.statuses(&head)["trueup/plan"], ("pending".to_owned(), "planning.".to_owned()));
    let second = face(&head, "awaiting", "waiting", StatusState::Success);
    let shown = run(driver.show(&mr, &second, &shown)).unwrap();
    // As after a crash: nothing of it is known, and nothing is posted twice.
    let again = run(world.restarted().show(&mr, &second, &Shown::default())).unwrap();
    assert_eq!(shown.comment, again.comment);
    let ours = world.ours(number, "");
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(ours[0].1.contains("awaiting"));
    assert_eq!(world.labels(number), ["trueup: waiting".to_owned()].into());
    assert_eq!(world.statuses(&head)["trueup/plan"], ("success".to_owned(), "awaiting.".to_owned()));
    let seen = world.look(number);
    assert!(seen.comments.is_empty(), "we do not hear ourselves: {:?}", seen.comments);
}

pub fn a_deleted_comment_is_made_again(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    let mr = world.mr(number);
    let shown = run(world.driver().show(&mr, &face(&head, "first", "planning", StatusState::Pending), &Shown::default())).unwrap();
    world.delete_comment(shown.comment.unwrap().0, "trueup");
    let again = run(world.driver().show(&mr, &face(&head, "second", "planning", StatusState::Pending), &shown)).unwrap();
    assert_ne!(again.comment, shown.comment);
    assert_eq!(world.ours(number, "second").len(), 1);
    let same = run(world.driver().show(&mr, &face(&head, "third", "planning", StatusState::Pending), &again)).unwrap();
    assert_eq!((same.comment, world.ours(number, "").len()), (again.comment, 1));
}

pub fn a_status_of_somebody_else_under_our_name_is_replaced(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    let mr = world.mr(number);
    let pending = face(&head, "planning", "planning", StatusState::Pending);
    let shown = run(world.driver().show(&mr, &pending, &Shown::default())).unwrap();
    world.status(&head, "ana", "trueup/plan", "success");
    world.look_until(number, "that it is not ours", |seen| seen.altered.is_some());
    run(world.driver().show(&mr, &pending, &shown)).unwrap();
    world.look_until(number, "our own again", |seen| seen.altered.is_none());
    assert_eq!(world.statuses(&head)["trueup/plan"].0, "pending", "nobody else says what we found");
}

pub fn what_somebody_writes_into_our_comment_is_noticed_and_written_over(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    let mr = world.mr(number);
    let ours = face(&head, "the plan", "planning", StatusState::Pending);
    let shown = run(world.driver().show(&mr, &ours, &Shown::default())).unwrap();
    assert_eq!(world.look(number).altered, None);
    world.edit_comment(shown.comment.unwrap().0, "root", "nothing to see here");
    world.look_until(number, "that it was altered", |seen| seen.altered.is_some());
    assert_eq!(run(world.driver().look(&mr, id(u64::MAX))).unwrap().altered, None, "asked for without comments it tells none");
    let again = run(world.driver().show(&mr, &ours, &shown)).unwrap();
    assert_eq!((again.face, again.comment), (shown.face, shown.comment));
    assert!(again.at >= shown.at, "it says so since then");
    assert_eq!(world.ours(number, "the plan").len(), 1);
    world.look_until(number, "our own words", |seen| seen.altered.is_none());
}

pub fn peoples_labels_stay(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    world.label(number, "ana", "urgent", true);
    let shown = run(world.driver().show(&world.mr(number), &face(&head, "a", "planning", StatusState::Pending), &Shown::default())).unwrap();
    run(world.driver().show(&world.mr(number), &face(&head, "b", "rolling", StatusState::Pending), &shown)).unwrap();
    assert_eq!(world.labels(number), ["trueup: rolling".to_owned(), "urgent".to_owned()].into());
}

pub fn an_answer_is_given_once_over_a_crash(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    let mr = world.mr(number);
    let to = CommentId(world.comment(number, "ben", "/trueup help"));
    run(world.driver().reply(&mr, to, "here is help")).unwrap();
    run(world.driver().reply(&mr, to, "here is help")).unwrap();
    run(world.restarted().reply(&mr, to, "here is help")).unwrap();
    run(world.driver().tell(&mr, "news of today", "something happened")).unwrap();
    run(world.restarted().tell(&mr, "news of today", "something happened")).unwrap();
    assert_eq!((world.ours(number, "here is help").len(), world.ours(number, "something happened").len()), (1, 1));
    run(world.driver().reply(&mr, CommentId(to.0 + 1_000_000), "here is help")).unwrap();
    assert_eq!(world.ours(number, "here is help").len(), 2, "another question has an answer of its own");
}

pub fn a_command_is_marked_once_as_far_as_we_are_with_it(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    let mr = world.mr(number);
    let (first, second) = (world.comment(number, "ben", "/trueup plan"), world.comment(number, "mallory", "/trueup approve"));
    assert!(world.driver().abilities(&world.repo()).reactions);
    for (comment, how) in [(first, Reaction::Seen), (first, Reaction::Done), (second, Reaction::Seen), (second, Reaction::Refused)] {
        run(world.driver().react(&mr, CommentId(comment), how)).unwrap();
        run(world.restarted().react(&mr, CommentId(comment), how)).unwrap();
    }
    let ours = |how| ("trueup".to_owned(), how);
    assert_eq!(world.reactions(number, first), [ours(Reaction::Seen), ours(Reaction::Done)]);
    assert_eq!(world.reactions(number, second), [ours(Reaction::Seen), ours(Reaction::Refused)]);
    assert!(run(world.driver().react(&mr, CommentId(second + 1_000_000), Reaction::Seen)).is_err(), "nothing is marked that is not there");
    // On GitLab a reaction changes a comment as an edit does: what was heard is not told again for our own marks.
    let again = run(world.restarted().look(&mr, id(second))).unwrap();
    assert!(again.comments.is_empty() && again.edited.is_empty(), "a marked comment is no edited one: {again:?}");
}

pub fn a_merge_puts_the_planned_tree_on_the_branch(world: &dyn ForgeWorld) {
    let (number, head) = world.request("one");
    let base = world.tip("main").unwrap();
    let ticket = world.ticket(number);
    let tree = ticket.tree().clone();
    let MergeAnswer::Merged { commit, parents, tree: landed } = world.merged(number, ticket) else { panic!("it was not merged") };
    assert_eq!(landed, tree);
    assert_eq!(parents, [CommitId::new(base), CommitId::new(head)]);
    assert_eq!(world.tip("main").unwrap(), commit.as_str());
    let seen = world.look(number);
    assert_eq!(seen.state, MrState::Merged { commit, by: User::new("trueup"), with: None });
}

pub fn a_merge_is_told_again_after_a_crash(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    let ticket = world.ticket(number);
    let first = world.merged(number, ticket.clone());
    assert!(matches!(&first, MergeAnswer::Merged { .. }), "{first:?}");
    let tip = world.tip("main");
    // By a process that does not know what became of it.
    assert_eq!(run(world.restarted().merge(ticket)).unwrap(), first);
    assert_eq!(world.tip("main"), tip, "nothing is merged twice");
}

pub fn a_head_or_base_that_moved_is_not_merged(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    let ticket = world.ticket(number);
    let head = world.push("ana", "one", &[("zones/b.yaml", "b: 1\n")]);
    let answer = run(world.driver().merge(ticket)).unwrap();
    assert!(matches!(&answer, MergeAnswer::Moved { .. }), "{answer:?}");
    world.look_at(number, &head);
    let ticket = world.ticket(number);
    let (other, _) = world.request("two");
    world.merge(other, "root");
    let answer = run(world.driver().merge(ticket)).unwrap();
    assert!(matches!(&answer, MergeAnswer::Moved { .. }), "{answer:?}");
    assert_eq!(world.look(number).state, MrState::Open);
}

pub fn a_merge_by_a_person_is_told_with_its_name(world: &dyn ForgeWorld) {
    let (number, _) = world.request("one");
    world.merge(number, "root");
    let seen = world.look_until(number, "the merge", |seen| seen.state != MrState::Open);
    assert!(matches!(&seen.state, MrState::Merged { by, .. } if by.as_str() == "root"), "{:?}", seen.state);
    assert_eq!(seen.base.as_str(), world.tip("main").unwrap());
}

fn proposal(world: &dyn ForgeWorld, text: &str) -> Proposal {
    run(world.driver().sweep(&world.repo(), 0)).unwrap();
    Proposal {
        repo: world.repo(),
        key: "drift".into(),
        branch: "trueup/drift".into(),
        title: format!("drift: {text}"),
        message: "Adopt what is live".into(),
        base: CommitId::new(world.tip("main").unwrap()),
        files: [("zones/drift.yaml".into(), Some(text.as_bytes().to_vec())), ("README.md".into(), None)].into(),
        asked_by: Some(User::new("cleo")),
    }
}

pub fn a_proposal_is_opened_followed_and_closed(world: &dyn ForgeWorld) {
    let driver = world.driver();
    let Proposed::Open(mr) = run(driver.propose(&proposal(world, "a: 1\n"))).unwrap() else { panic!("it is not open") };
    assert_eq!(run(world.restarted().propose(&proposal(world, "a: 1\n"))).unwrap(), Proposed::Open(mr.clone()), "once");
    let seen = world.look(mr.number);
    assert_eq!((seen.author.as_str(), seen.proposed.as_deref(), seen.author_trusted), ("trueup", Some("drift"), true));
    assert!(seen.own_head && seen.unread.is_empty(), "{seen:?}");
    assert!(seen.pushers.contains(&User::new("cleo")), "whoever had it made does not approve it: {:?}", seen.pushers);
    assert_eq!(run(driver.propose(&proposal(world, "a: 2\n"))).unwrap(), Proposed::Open(mr.clone()));
    let next = world.look_until(mr.number, "the new content", |now| now.head != seen.head);
    let tree = world.state().tree(&next.head).unwrap();
    assert!(world.state().entry(&tree, "zones/drift.yaml").unwrap().is_some() && world.state().entry(&tree, "README.md").unwrap().is_none());
    assert_eq!(run(driver.withdraw(&world.repo(), "drift", "it is gone")).unwrap(), Some(mr.clone()));
    assert_eq!((world.look(mr.number).state, world.ours(mr.number, "it is gone").len()), (MrState::Closed, 1));
    assert_eq!(run(driver.withdraw(&world.repo(), "drift", "it is gone")).unwrap(), None);
    let Proposed::Open(again) = run(driver.propose(&proposal(world, "a: 2\n"))).unwrap() else { panic!("what we closed ourselves is opened again") };
    world.close(again.number, "ana");
    assert_eq!(run(driver.propose(&proposal(world, "a: 2\n"))).unwrap(), Proposed::Declined(again));
    assert!(matches!(run(driver.propose(&proposal(world, "a: 3\n"))).unwrap(), Proposed::Open(_)), "it says something else");
}

pub fn a_proposal_that_somebody_pushed_to_is_theirs(world: &dyn ForgeWorld) {
    let Proposed::Open(mr) = run(world.driver().propose(&proposal(world, "a: 1\n"))).unwrap() else { panic!("it is not open") };
    let head = world.push("ana", "trueup/drift", &[("zones/more.yaml", "m: 1\n")]);
    let seen = world.look_until(mr.number, "who pushed", |seen| seen.head.as_str() == head && seen.pushers.contains(&User::new("ana")));
    assert!(seen.pushers.contains(&User::new("cleo")) && !seen.own_head, "{seen:?}");
    assert_eq!(run(world.driver().propose(&proposal(world, "a: 2\n"))).unwrap(), Proposed::Taken(mr.clone()));
    assert_eq!(run(world.driver().withdraw(&world.repo(), "drift", "why")).unwrap(), None);
    assert_eq!((world.look(mr.number).state, world.tip("trueup/drift").unwrap()), (MrState::Open, head));
}

pub fn what_is_not_there_is_not_found(world: &dyn ForgeWorld) {
    let missing = run(world.driver().look(&world.mr(4242), None)).unwrap_err();
    assert_eq!(missing.kind, ForgeErrorKind::NotFound, "{missing}");
    let reply = run(world.driver().reply(&world.mr(4242), CommentId(1), "x")).unwrap_err();
    assert_eq!(reply.kind, ForgeErrorKind::NotFound, "{reply}");
}
