//! What a look at a request tells.

use super::{
    super::fake::{Fault, Push, Role, Verdict, Wire},
    office::{Office, PATH, driver},
};
use std::sync::Arc;
use trueup::{
    core::{
        model::{MrId, RepoId, User},
        review::{Check, CommentId, Depended, MrState, Right},
    },
    ports::People,
};

fn users(names: &[&str]) -> std::collections::BTreeSet<User> {
    names.iter().map(|name| User::new(*name)).collect()
}

async fn a_pull_request_is_seen_whole_with_its_commits_in_the_mirror(wire: Wire) {
    let office = Office::furnished(wire).await;
    let seen = office.look().await;
    assert_eq!((seen.title.as_str(), seen.state.clone(), seen.draft), ("Move www", MrState::Open, false));
    assert_eq!((&*seen.source_branch, &*seen.base_branch, seen.head.clone()), ("mr", "main", office.head()));
    assert_eq!((seen.author.as_str(), seen.author_trusted), ("ada", true));
    assert_eq!(seen.base.as_str(), office.fake.tip(PATH, "main").unwrap());
    use trueup::ports::StateRepo;
    assert_eq!(office.mirror().commit("refs/heads/main").unwrap(), seen.base);
    assert!(office.mirror().merge(&seen.base, &seen.head).is_ok(), "both are in the mirror");
}

async fn everybody_whose_hand_is_in_it_is_a_pusher(wire: Wire) {
    let office = Office::furnished(wire).await;
    // Root pushes what carries ci's name.
    office.fake.push_as(PATH, "root", "ci", "mr", &[("zone", "3\n")]);
    let seen = office.look().await;
    assert!(seen.pushers.is_superset(&users(&["ada", "ci", "root"])), "{:?}", seen.pushers);
    assert!(!seen.pushers.contains(&User::new("grace")));
    // What root pushed is gone from the branch; root had a hand in it all the same.
    office.fake.force_push(PATH, "ada", "mr", &[("zone", "4\n")]);
    assert!(office.look().await.pushers.contains(&User::new("root")));
}

async fn who_merges_another_request_into_its_branch_is_a_pusher(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.push(PATH, "ci", "part", &[("part", "1\n")]);
    let part = office.fake.open_from(PATH, PATH, "ci", "part", "A part", "");
    office.fake.retarget(PATH, part, "ci", "mr");
    // Its commit carries ci's name.
    office.fake.squash(PATH, part, "root");
    let seen = office.look().await;
    assert!(seen.head == office.head() && seen.pushers.is_superset(&users(&["ada", "ci", "root"])), "{:?}", seen.pushers);
    assert!(seen.unread.is_empty(), "{:?}", seen.unread);
}

async fn who_pushes_many_branches_at_once_is_a_pusher_of_each(wire: Wire) {
    let office = Office::empty(wire).await;
    let pushes = |by: &str, branches: [&str; 4]| office.fake.push_at_once(PATH, by, "ada", &branches, &[("zone", "2\n")]);
    pushes("root", ["one", "two", "three", "mr"]);
    office.fake.open(PATH, "ada", "mr", "Move www");
    let seen = office.look().await;
    assert!(seen.unread.is_empty() && seen.pushers.contains(&User::new("root")), "{seen:?}");
    // What was pushed before a branch was made is not on it.
    pushes("grace", ["four", "five", "six", "seven"]);
    office.fake.push(PATH, "ada", "other", &[("zone", "3\n")]);
    let other = office.fake.open(PATH, "ada", "other", "Move mail");
    let seen = office.hub.look(&office.mr(other), None).await.unwrap();
    assert!(seen.unread.is_empty() && !seen.pushers.contains(&User::new("grace")), "{seen:?}");
}

/// Others push to another branch, later than all that happened.
fn busy(office: &Office, count: usize) {
    let mut state = office.fake.state();
    state.last_at += 3_600_000;
    let (id, at) = (state.id(), state.at());
    let other = Push { id, at, branch: "other".into(), before: "1".repeat(40), ..state.project(PATH).pushes[0].clone() };
    state.project_mut(PATH).pushes.extend(std::iter::repeat_n(other, count));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_branches_pushed_at_once_are_not_this_one_where_it_did_not_move() {
    let office = Office::furnished(Wire::GitLab).await;
    let lead = User::new("root");
    busy(&office, 1);
    office.fake.push_at_once(PATH, "root", "ada", &["one", "two", "three", "four"], &[("zone", "2\n")]);
    let seen = office.look().await;
    assert!(seen.unread.is_empty() && !seen.pushers.contains(&lead), "{seen:?}");
    // It moved under its own name since: that is whoever did's.
    busy(&office, 1);
    office.fake.push(PATH, "ada", "mr", &[("zone", "3\n")]);
    let seen = office.look().await;
    assert!(seen.head == office.head() && !seen.pushers.contains(&lead), "{seen:?}");
    // Now it is one of many; a line of the push may come late.
    busy(&office, 1);
    let lines = office.fake.state().request_mut(PATH, 1).events.clone();
    office.fake.push_at_once(PATH, "root", "ada", &["five", "six", "seven", "mr"], &[("zone", "4\n")]);
    office.fake.state().request_mut(PATH, 1).events = lines;
    assert!(office.look().await.pushers.contains(&lead));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_whose_activity_is_empty_to_us_says_what_helps() {
    let office = Office::empty(Wire::GitLab).await;
    let fork = office.fake.fork(PATH, "eve");
    office.fake.state().project_mut(&fork).roles.insert("trueup".into(), Role::Read);
    office.fake.push(&fork, "eve", "mr", &[("zone", "2\n")]);
    office.fake.open_from(PATH, &fork, "eve", "mr", "Move www", "");
    assert!(office.look().await.unread.is_empty());
    office.fake.state().project_mut(&fork).pushes.clear();
    let told = office.fresh().look().await.unread;
    assert!(told.len() == 1 && told[0].contains("let the server's account read the fork's repository"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pushed_and_is_not_among_what_gitlab_tells_is_said_not_to_be_known() {
    let unread = async |office: &Office| office.look().await.unread;
    let office = Office::furnished(Wire::GitLab).await;
    assert!(unread(&office).await.is_empty());
    // Five thousand pushes to the project are read at the first look, then what came since.
    busy(&office, 2000);
    assert!(unread(&office.fresh()).await.is_empty());
    busy(&office, 1);
    assert!(unread(&office).await.is_empty());
    busy(&office, 4000);
    assert!(unread(&office).await.is_empty(), "what was known is read on from there");
    busy(&office, 5000);
    let told = unread(&office.fresh()).await;
    assert!(told.len() == 1 && told[0].contains("who pushed `mr`") && told[0].contains("last 5000") && told[0].contains("push it anew under another name"), "{told:?}");
    // As after an import: there are requests, and nobody pushed.
    let office = Office::furnished(Wire::GitLab).await;
    office.fake.state().project_mut(PATH).pushes.clear();
    let told = unread(&office).await;
    assert!(told.len() == 1 && told[0].contains("no push to it; push a new commit to it"), "{told:?}");
    // Whoever has no account any more.
    let office = Office::furnished(Wire::GitLab).await;
    office.fake.state().project_mut(PATH).pushes.last_mut().unwrap().by.clear();
    let told = unread(&office).await;
    assert!(told.len() == 1 && told[0].contains("does not name everybody"), "{told:?}");
}

async fn a_branch_of_the_same_name_that_was_deleted_leaves_no_pushers(wire: Wire) {
    let office = Office::empty(wire).await;
    office.fake.push(PATH, "grace", "mr", &[("zone", "9\n")]);
    office.fake.delete_branch(PATH, "grace", "mr");
    office.fake.push(PATH, "ada", "mr", &[("zone", "2\n")]);
    office.fake.open(PATH, "ada", "mr", "Move www");
    assert!(!office.look().await.pushers.contains(&User::new("grace")));
}

async fn a_branch_that_is_made_anew_under_an_open_request_forgets_nobody(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.push_as(PATH, "root", "ada", "mr", &[("zone", "3\n")]);
    // GitHub tells whole seconds: what is made in the second of the request is not told from what was before it.
    office.fake.state().last_at += 2000;
    office.fake.delete_branch(PATH, "ada", "mr");
    office.fake.push(PATH, "ada", "mr", &[("zone", "3\n")]);
    if wire == Wire::GitHub {
        // It closes what comes from a branch that is deleted.
        office.fake.reopen(PATH, 1, "ada");
    }
    let seen = office.look().await;
    assert!(seen.head == office.head() && seen.pushers.contains(&User::new("root")), "{:?}", seen.pushers);
}

async fn approvals_count_at_this_head_while_they_stand(wire: Wire) {
    let office = Office::furnished(wire).await;
    let fake = &office.fake;
    let review = fake.review(PATH, 1, "grace", Verdict::Approved);
    fake.review(PATH, 1, "rita", Verdict::Approved);
    fake.review(PATH, 1, "grace", Verdict::Commented);
    let by = |seen: &trueup::core::review::Sighting| seen.reviews.iter().map(|review| (review.by.to_string(), review.right)).collect::<Vec<_>>();
    let seen = office.look().await;
    assert_eq!(by(&seen), [("grace".to_owned(), Right::Approve), ("rita".to_owned(), Right::Read)]);
    fake.dismiss(PATH, 1, review);
    assert_eq!(by(&office.look().await), [("rita".to_owned(), Right::Read)], "a dismissed one counts no more");
    fake.review(PATH, 1, "grace", Verdict::Approved);
    fake.push(PATH, "ada", "mr", &[("zone", "3\n")]);
    assert_eq!(by(&office.look().await), [], "a push leaves them behind");
}

async fn changes_that_a_writer_asks_for_block_until_the_same_person_approves(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.review(PATH, 1, "rita", Verdict::ChangesRequested);
    assert_eq!(office.look().await.unresolved_threads, 0, "a reader blocks nobody");
    office.fake.review(PATH, 1, "root", Verdict::ChangesRequested);
    assert_eq!(office.look().await.unresolved_threads, 1);
    office.fake.review(PATH, 1, "root", Verdict::Approved);
    assert_eq!(office.look().await.unresolved_threads, 0);
}

async fn open_threads_are_counted_over_all_pages(wire: Wire) {
    let office = Office::furnished(wire).await;
    let threads: Vec<u64> = (0..103).map(|n| office.fake.thread(PATH, 1, "grace", &format!("{n}"))).collect();
    for thread in &threads[..100] {
        office.fake.resolve(PATH, 1, *thread);
    }
    assert_eq!(office.look().await.unresolved_threads, 3);
}

async fn checks_are_what_others_said_last(wire: Wire) {
    let office = Office::furnished(wire).await;
    let head = office.head();
    {
        let mut state = office.fake.state();
        state.status(PATH, head.as_str(), "ci", "build", "pending", "", None);
        state.status(PATH, head.as_str(), "ci", "build", "success", "", None);
        state.status(PATH, head.as_str(), "trueup", "trueup/plan", "failure", "", None);
        state.status(PATH, head.as_str(), "ada", "mine", "success", "", None);
        state.run(PATH, head.as_str(), "github-actions", "lint", Some("skipped"));
        state.run(PATH, head.as_str(), "github-actions", "e2e", None);
        state.run(PATH, head.as_str(), "github-actions", "audit", Some("timed_out"));
    }
    let checks: Vec<(String, Check)> = office.look().await.checks.into_iter().map(|(name, check)| (name.to_string(), check)).collect();
    let wanted = [("audit", Check::Failure), ("build", Check::Success), ("e2e", Check::Pending), ("lint", Check::Success)];
    assert_eq!(checks, wanted.map(|(name, check)| (name.to_owned(), check)), "ours and the author's own are left out");
}

async fn a_fork_is_trusted_from_nobody(wire: Wire) {
    let office = Office::empty(wire).await;
    for by in ["eve", "ada"] {
        let fork = office.fake.fork(PATH, by);
        office.fake.push(&fork, by, "mr", &[("zone", by)]);
        let number = office.fake.open_from(PATH, &fork, by, "mr", "From a fork", "");
        let seen = office.hub.look(&office.mr(number), None).await.unwrap();
        assert_eq!((seen.author.as_str(), seen.author_trusted), (by, false));
        assert!(seen.pushers.contains(&User::new(by)));
    }
}

async fn a_fork_s_branch_that_is_named_like_ours_moves_nothing_here(wire: Wire) {
    let office = Office::furnished(wire).await;
    let fork = office.fake.fork(PATH, "eve");
    let theirs = office.fake.push(&fork, "eve", "main", &[("zone", "evil\n")]);
    let number = office.fake.open_from(PATH, &fork, "eve", "main", "From main", "");
    let seen = office.hub.look(&office.mr(number), None).await.unwrap();
    let base = office.fake.tip(PATH, "main").unwrap();
    assert_eq!((seen.head.as_str(), seen.base.as_str(), &*seen.source_branch), (theirs.as_str(), base.as_str(), "main"));
    use trueup::ports::StateRepo;
    assert_eq!(office.mirror().commit("refs/heads/main").unwrap().as_str(), base);
    assert!(!seen.author_trusted && !seen.own_head);
}

async fn a_fork_that_is_gone_or_closed_to_us_hides_nobody_who_pushed(wire: Wire) {
    let office = Office::empty(wire).await;
    let fork = office.fake.fork(PATH, "eve");
    office.fake.push_as(&fork, "eve", "ada", "mr", &[("zone", "2\n")]);
    assert_eq!(office.fake.open_from(PATH, &fork, "eve", "mr", "From a fork", ""), 1);
    // Grace may approve here, and pushes there what carries ada's name.
    office.fake.push_as(&fork, "grace", "ada", "mr", &[("zone", "3\n")]);
    let told = |seen: &trueup::core::review::Sighting| !seen.unread.is_empty() || seen.pushers.contains(&User::new("grace"));
    assert!(told(&office.look().await), "GitHub tells it nowhere but there; GitLab's own line names her");
}

async fn comments_come_once_with_rights_and_without_ours_or_edited_ones(wire: Wire) {
    let office = Office::furnished(wire).await;
    let fake = &office.fake;
    let first = fake.comment(PATH, 1, "rita", "hello");
    fake.comment(PATH, 1, "trueup", "ours");
    let approve = fake.comment(PATH, 1, "grace", "/trueup approve");
    let edited = fake.comment(PATH, 1, "grace", "looks good");
    // Whoever may write can put words into grace's mouth; seconds later, as GitHub counts.
    fake.state().request_mut(PATH, 1).comments.iter_mut().filter(|comment| comment.id == edited).for_each(|comment| {
        comment.body = "/trueup approve".into();
        comment.edited += 2000;
    });
    let stranger = fake.comment(PATH, 1, "eve", "/trueup approve");
    let told = |seen: trueup::core::review::Sighting| seen.comments.into_iter().map(|comment| (comment.id.0, comment.right)).collect::<Vec<_>>();
    let all = [(first, Right::Read), (approve, Right::Approve), (stranger, Right::None)];
    assert_eq!(told(office.look().await), all);
    assert_eq!(told(office.hub.look(&office.mr(1), Some(CommentId(first))).await.unwrap()), all[1..]);
    assert_eq!(told(office.hub.look(&office.mr(1), Some(CommentId(u64::MAX))).await.unwrap()), []);
    assert_eq!(office.look().await.edited, [CommentId(edited)]);
    // Also one that was heard before: whoever mends a mistyped command waits for an answer. GitLab does not tell an edit from a reaction, and we react.
    let heard = office.hub.look(&office.mr(1), Some(CommentId(stranger))).await.unwrap().edited;
    assert_eq!(heard, if wire == Wire::GitHub { vec![CommentId(edited)] } else { Vec::new() });
    assert_eq!(office.hub.look(&office.mr(1), Some(CommentId(u64::MAX))).await.unwrap().edited, []);
}

async fn a_comment_that_was_edited_in_the_second_it_was_written_is_no_command(wire: Wire) {
    let office = Office::furnished(wire).await;
    let fake = &office.fake;
    let said = fake.comment(PATH, 1, "grace", "/trueup approve");
    let edited = fake.comment(PATH, 1, "grace", "looks good");
    // Ada's script sees it at once.
    fake.state().request_mut(PATH, 1).comments.iter_mut().filter(|comment| comment.id == edited).for_each(|comment| {
        comment.body = "/trueup approve".into();
        comment.at -= comment.at % 1000;
        comment.edited = comment.at + 1;
    });
    let seen = office.look().await;
    assert_eq!(seen.comments.iter().map(|comment| comment.id.0).collect::<Vec<_>>(), [said]);
    assert_eq!(seen.edited, [CommentId(edited)]);
}

async fn more_comments_than_a_page_holds_are_all_told(wire: Wire) {
    let office = Office::furnished(wire).await;
    for n in 0..230 {
        office.fake.comment(PATH, 1, "ada", &format!("{n}"));
    }
    let seen = office.look().await;
    assert_eq!(seen.comments.len(), 230);
    assert_eq!(seen.comments.last().unwrap().body, "229");
}

async fn incident_counts_where_an_approver_said_it(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.label(PATH, 1, "ada", "incident", true);
    assert_eq!(office.look().await.incident, None);
    office.fake.label(PATH, 1, "ada", "incident", false);
    office.fake.label(PATH, 1, "grace", "incident", true);
    assert_eq!(office.look().await.incident, Some(User::new("grace")));
    office.fake.label(PATH, 1, "grace", "incident", false);
    assert_eq!(office.look().await.incident, None);
}

async fn dependencies_are_followed_to_where_they_are(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.push(PATH, "ada", "other", &[("other", "1\n")]);
    let page = if wire == Wire::GitHub { "pull" } else { "-/merge_requests" };
    let path = format!("Depends-On: {}/{PATH}/{page}/1\nDepends-On: !99", office.fake.url);
    let second = office.fake.open_from(PATH, PATH, "ada", "other", "Second", &path);
    let states = |seen: trueup::core::review::Sighting| seen.depends_on.into_iter().map(|other| other.state).collect::<Vec<_>>();
    let mr = |number| MrId { repo: RepoId::new("dns"), number };
    let look = async || office.hub.look(&office.mr(2), None).await;
    assert_eq!(second, 2);
    assert_eq!(states(look().await.unwrap()), [Depended::Open(mr(1)), Depended::Unknown]);
    office.fake.state().request_mut(PATH, 1).body = "Depends-On: !2".into();
    assert_eq!(states(look().await.unwrap())[0], Depended::Cycle(vec![mr(1)]));
    office.fake.close(PATH, 1, "ada");
    assert_eq!(states(look().await.unwrap())[0], Depended::Closed(mr(1)));
    office.fake.reopen(PATH, 1, "ada");
    office.fake.merge(PATH, 1, "root");
    assert_eq!(states(look().await.unwrap())[0], Depended::Merged);
}

async fn what_becomes_of_a_request_is_seen(wire: Wire) {
    let office = Office::furnished(wire).await;
    office.fake.draft(PATH, 1, "ada", true);
    assert!(office.look().await.draft);
    office.fake.close(PATH, 1, "ada");
    assert_eq!(office.look().await.state, MrState::Closed);
    office.fake.draft(PATH, 1, "ada", false);
    office.fake.reopen(PATH, 1, "ada");
    office.fake.push(PATH, "root", "release", &[("new", "1\n")]);
    office.fake.retarget(PATH, 1, "ada", "release");
    let seen = office.look().await;
    assert_eq!((&*seen.base_branch, seen.base.to_string()), ("release", office.fake.tip(PATH, "release").unwrap()));
    assert_eq!(seen.state, MrState::Closed, "another branch is not ours to govern");
    office.fake.retarget(PATH, 1, "ada", "main");
    let commit = office.fake.merge(PATH, 1, "root");
    office.fake.delete_branch(PATH, "root", "mr");
    let seen = office.look().await;
    assert_eq!(seen.state, MrState::Merged { commit: trueup::core::model::CommitId::new(commit), by: User::new("root"), with: None });
}

async fn rights_are_the_forge_s_up_to_write_and_the_configuration_s_above(wire: Wire) {
    let office = Office::furnished(wire).await;
    let mut found = Vec::new();
    for who in ["root", "grace", "ada", "rita", "eve", "nobody", "../../evil"] {
        found.push(office.hub.right(&RepoId::new("dns"), &User::new(who)).await.unwrap());
    }
    assert_eq!(found, [Right::Write, Right::Approve, Right::Write, Right::Read, Right::None, Right::None, Right::None]);
    office.fake.state().project_mut(PATH).roles.insert("ada".into(), Role::Triage);
    assert_eq!(office.hub.right(&RepoId::new("dns"), &User::new("ada")).await.unwrap(), Right::Read);
}

async fn a_hostile_name_is_only_a_name(wire: Wire) {
    let office = Office::empty(wire).await;
    let (branch, title) = ("fix/#7&state=closed%2f+ü", "<script>@everyone</script> `` ``` $(id)");
    office.fake.push(PATH, "ada", branch, &[("zone", "2\n")]);
    office.fake.open(PATH, "ada", branch, title);
    let seen = office.look().await;
    assert_eq!((&*seen.source_branch, seen.title.as_str(), seen.state), (branch, title, MrState::Open));
    assert!(seen.pushers.contains(&User::new("ada")));
}

/// Whoever is in `platform/sre` may approve.
struct ByTeam;

impl People for ByTeam {
    fn right(&self, _: &RepoId, _: &User) -> Right {
        Right::None
    }

    fn teams(&self, _: &RepoId) -> Vec<(Right, String)> {
        vec![(Right::Approve, "platform/sre".into())]
    }

    fn by_email(&self, _: &str) -> Option<User> {
        None
    }

    fn by_login(&self, login: &str) -> User {
        User::new(login)
    }
}

async fn a_team_on_the_list_gives_its_right_and_one_that_cannot_be_read_gives_none(wire: Wire) {
    let office = Office::furnished(wire).await;
    let folder = tempfile::tempdir().unwrap();
    let hub = driver(wire, &office.fake, folder.path().join("mirror.git"), Arc::new(ByTeam));
    let right = async |who: &str| hub.right(&RepoId::new("dns"), &User::new(who)).await;
    assert_eq!(right("ada").await.unwrap(), Right::Write, "there is no such team yet");
    office.fake.team("platform/sre", &["ada"]);
    assert_eq!((right("ada").await.unwrap(), right("grace").await.unwrap()), (Right::Approve, Right::Write));
    let known = |who: &str| hub.right_known(&RepoId::new("dns"), &User::new(who));
    assert_eq!((known("ada"), known("grace")), (Right::Approve, Right::None), "what a team was last told counts without asking");
    let again = driver(wire, &office.fake, folder.path().join("mirror.git"), Arc::new(ByTeam));
    let ask = async || again.right(&RepoId::new("dns"), &User::new("ada")).await;
    let team = if wire == Wire::GitHub { "/teams/" } else { "/groups/" };
    office.fake.fail(Fault::status(403).on("GET", team));
    assert!(ask().await.is_ok_and(|right| right < Right::Approve), "nobody counts as one of a team that is not shown");
    office.fake.mend();
    office.fake.fail(Fault::status(503).on("GET", team));
    assert!(ask().await.unwrap_err().kind.passes(), "who speaks while the forge is away is not sent away");
}

super::on_both! {
    a_team_on_the_list_gives_its_right_and_one_that_cannot_be_read_gives_none,
    a_hostile_name_is_only_a_name,
    changes_that_a_writer_asks_for_block_until_the_same_person_approves,
    a_pull_request_is_seen_whole_with_its_commits_in_the_mirror,
    everybody_whose_hand_is_in_it_is_a_pusher,
    who_merges_another_request_into_its_branch_is_a_pusher,
    who_pushes_many_branches_at_once_is_a_pusher_of_each,
    a_branch_of_the_same_name_that_was_deleted_leaves_no_pushers,
    a_branch_that_is_made_anew_under_an_open_request_forgets_nobody,
    approvals_count_at_this_head_while_they_stand,
    open_threads_are_counted_over_all_pages,
    checks_are_what_others_said_last,
    a_fork_is_trusted_from_nobody,
    a_fork_s_branch_that_is_named_like_ours_moves_nothing_here,
    a_fork_that_is_gone_or_closed_to_us_hides_nobody_who_pushed,
    comments_come_once_with_rights_and_without_ours_or_edited_ones,
    a_comment_that_was_edited_in_the_second_it_was_written_is_no_command,
    more_comments_than_a_page_holds_are_all_told,
    incident_counts_where_an_approver_said_it,
    dependencies_are_followed_to_where_they_are,
    what_becomes_of_a_request_is_seen,
    rights_are_the_forge_s_up_to_write_and_the_configuration_s_above,
}
