//! The stories on each forge, and what becomes of one that nobody understands.

use super::{
    play::play,
    stage::Stage,
    words::{Place, Story, read},
};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// Stories that are played at the same time: more of them only wait for each other.
const AT_ONCE: usize = 12;

/// The same on a real Gitea, whose database lets one write at a time and which runs git for most of what it is asked.
const AT_ONCE_ON_GITEA: usize = 6;

/// What is played on a real Gitea in `tests/run`; `TRUEUP_TEST_ALL=1` and `TRUEUP_STORY` play all that are asked for. A story takes seven seconds of a processor there, nearly all of them Gitea's.
///
/// These are the ones in which Gitea differs from the other forges: reviews and their dismissal, drafts by title, forks, branches under other names or other targets, merges past us, comments
/// that are deleted or edited; and those whose outcome hangs on what it tells in the middle of a run.
const ON_GITEA: [&str; 16] = [
    "admin-merge",
    "approve",
    "base-moved",
    "close-mid-run",
    "deleted-comment",
    "dismissed-review",
    "edited-comment",
    "fork",
    "outsider-approval",
    "own-approval",
    "push-after-approval",
    "push-mid-run",
    "rename-branch",
    "request-changes",
    "retarget",
    "review",
];

/// Every story of the folder; `TRUEUP_STORY` names one that is played alone.
fn stories() -> Vec<Story> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/forges/stories");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("it can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "story"));
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file).expect("a story can be read");
        read(&file.display().to_string(), &text).unwrap_or_else(|why| panic!("{why}"))
    };
    let only = std::env::var("TRUEUP_STORY").ok();
    files.iter().map(read).filter(|story| only.as_ref().is_none_or(|only| *only == story.name)).collect()
}

fn played(place: Place) {
    let whole = place != Place::Gitea || std::env::var("TRUEUP_TEST_ALL").is_ok_and(|all| all == "1") || std::env::var_os("TRUEUP_STORY").is_some();
    let is_played = |story: &Story| story.not_on.iter().all(|(not, _)| *not != place) && (whole || ON_GITEA.contains(&story.name.as_str()));
    let stories: Vec<Story> = stories().into_iter().filter(is_played).collect();
    if stories.is_empty() {
        return;
    }
    let stage = Stage::set(place, &stories);
    let (next, against) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..(if place == Place::Gitea { AT_ONCE_ON_GITEA } else { AT_ONCE }).min(stories.len()) {
            scope.spawn(|| {
                while let Some(story) = stories.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if let Err(why) = play(&stage, story) {
                        against.lock().expect("whole").push(why);
                    }
                }
            });
        }
    });
    let against = against.into_inner().expect("whole");
    assert!(against.is_empty(), "on {} {} of {} stories went otherwise:\n{}\nthe server's log:\n{}", place.name(), against.len(), stories.len(), against.join("\n"), stage.log());
}

#[test]
fn the_stories_go_as_told_on_the_local_forge() {
    played(Place::Local);
}

#[test]
fn the_stories_go_as_told_on_a_real_gitea() {
    played(Place::Gitea);
}

#[test]
fn the_stories_go_as_told_on_github() {
    played(Place::GitHub);
}

#[test]
fn the_stories_go_as_told_on_gitlab() {
    played(Place::GitLab);
}

#[test]
fn there_are_twenty_five_stories_of_a_few_lines_each() {
    if std::env::var_os("TRUEUP_STORY").is_some() {
        return;
    }
    let all = stories();
    assert!(all.len() >= 25, "{}", all.len());
    for name in ON_GITEA {
        assert!(all.iter().any(|story| story.name == name && story.not_on.iter().all(|(not, _)| *not != Place::Gitea)), "there is no {name} to play on Gitea");
    }
    for story in all {
        assert!((3..=15).contains(&story.lines.len()), "{} has {} lines", story.name, story.lines.len());
    }
}

#[test]
fn a_story_that_nobody_understands_is_refused_with_its_place() {
    for (text, wrong) in [
        ("ana opens x: www = 1\nit explodes", "x.story:2: no words of a story: `it explodes`"),
        ("ana dances", "x.story:1: nobody does that in stories: `ana dances`"),
        ("dora approves it", "x.story:1: no words of a story: `dora approves it`"),
        ("it is happy", "x.story:1: there is no phase `happy`"),
        ("ana opens x: www 1", "x.story:1: `www 1` is no `NAME = ADDRESS`"),
        ("ana comments \"hello", "x.story:1: a quote that nobody closes"),
        ("ana comments hello", "x.story:1: `hello` should stand in quotes"),
        ("not on mars: far", "x.story:1: there is no forge `mars`"),
        ("not on local", "x.story:1: a story that is not for a forge says why"),
    ] {
        let said = read("x.story", text).expect_err("nobody understands it");
        assert!(said.contains(wrong), "{said}");
    }
}
