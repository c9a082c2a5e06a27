//! Planning a merge request of ten files in repositories of 1,000 to 100,000, beside git doing the same reading.
//!
//! `cargo bench --bench plan`. Git's part is `merge-tree --write-tree`, `diff --raw` and both sides of the ten files through
//! `cat-file --batch`, by real processes; libgit2 does the same inside this process. Observing is not counted: plans are offline.
//! Every round gives each of them a merge request of its own, because the first to merge writes the tree that the others then find.

#[expect(dead_code, unused_imports, reason = "a bench uses a part of what the benches share")]
mod kit;

use git2::{ObjectType, Repository as Libgit2};
use kit::{Importer, Memory, Planner, ROOT, Series, again, asked, child, ratio, rounds};
use std::{collections::BTreeMap, io::Write as _, path::Path, process::Stdio, time::Instant};
use trueup::{
    core::{model::CommitId, run::PlanResult},
    git::program::git,
};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Files a merge request touches, each in a zone of its own.
const TOUCHED: usize = 10;

/// How a repository is laid out.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// A fifth is zones, split into folders of twenty files; the rest is what else teams keep, in two levels of folders.
    Folders,
    /// Every file is a zone, all in one folder: one tree object of several megabytes.
    Flat,
}

const LAYOUTS: [Layout; 2] = [Layout::Folders, Layout::Flat];

/// What a merge request is to a server that has planned before.
const KINDS: [(&str, &str); 3] = [
    ("push", "a push to a merge request planned before: the same files, new content"),
    ("new", "a merge request of files not planned before"),
    ("again", "the same merge request once more"),
];

fn main() {
    if let Some(words) = child() {
        return remembered(&words);
    }
    if !asked() {
        return;
    }
    let rounds = rounds(9);
    println!("planning {TOUCHED} touched files, observing not counted; milliseconds, median (least–most) of {rounds} interleaved rounds");
    println!("{:<8} {:>7} {:<6} {:>20} {:>20} {:>20} {:>7} {:>9}", "layout", "files", "what", "trueup", "git programs", "libgit2", "to git", "to libgit2");
    let mut cold = Vec::new();
    for layout in LAYOUTS {
        for files in SIZES {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let path = dir.path().join("state.git");
            make(&path, layout, files, rounds);
            race(&path, layout, files, rounds);
            cold.push((layout, files, again(&[path.to_str().expect("the folder's name is text")])));
        }
    }
    println!("\nthe first plan of a new process, and its memory after {} more plans (KiB)", KINDS.len());
    println!("{:<8} {:>7} {:>10} {:>12} {:>12}", "layout", "files", "first ms", "peak", "before plans");
    for (layout, files, told) in cold {
        let told: Vec<&str> = told.split_whitespace().collect();
        println!("{:<8} {:>7} {:>10} {:>12} {:>12}", format!("{layout:?}"), files, told[0], told[1], told[2]);
    }
    for (kind, what) in KINDS {
        println!("{kind}: {what}");
    }
}

impl Layout {
    /// The path of the n-th zone's file that merge requests touch.
    fn zone_file(self, n: usize) -> String {
        match self {
            Self::Folders => format!("dns/zone-{n}.example./host-3.yaml"),
            Self::Flat => format!("dns/zone-{n}.example.yaml"),
        }
    }

    fn zones(self, files: usize) -> usize {
        match self {
            Self::Folders => files / 5 / 20,
            Self::Flat => files,
        }
    }

    fn all(self, files: usize) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for zone in 0..self.zones(files) {
            match self {
                Self::Folders => (0..20).for_each(|host| drop(all.insert(format!("dns/zone-{zone}.example./host-{host}.yaml"), records(&format!("host-{host}"), 2, 1)))),
                Self::Flat => drop(all.insert(self.zone_file(zone), records("host", 10, 1))),
            }
        }
        for other in all.len()..files {
            all.insert(format!("teams/team-{}/app-{}/part-{}.yaml", other % 97, other / 97 % 101, other), format!("part: {other}\n"));
        }
        all.insert("trueup.yaml".into(), ROOT.into());
        all
    }
}

/// Ten records or two of a file, in their n-th version.
fn records(name: &str, count: usize, version: usize) -> String {
    (0..count).map(|n| format!("{name}-{n}:\n  type: A\n  ttl: 300\n  value: 10.{}.{}.{n}\n", version / 250, version % 250)).collect()
}

/// The branch of one round's merge request for one of the three who plan it.
fn branch(kind: &str, who: &str, round: usize) -> String {
    format!("{kind}-{who}-{round}")
}

fn make(path: &Path, layout: Layout, files: usize, rounds: usize) {
    let mut import = Importer::new(path);
    import.commit("main", None, &layout.all(files));
    import.commit("fork", Some("main"), &BTreeMap::new());
    let zones = layout.zones(files);
    let mut version = 1;
    let count = if matches!(layout, Layout::Folders) { 2 } else { 10 };
    let name = if matches!(layout, Layout::Folders) { "host-3" } else { "host" };
    for kind in ["push", "new"] {
        for round in 0..rounds {
            for who in ["trueup", "git", "libgit2"] {
                version += 1;
                let first = if kind == "push" { 0 } else { round * TOUCHED };
                let touched: BTreeMap<String, String> = (first..first + TOUCHED).map(|n| (layout.zone_file(n % zones), records(name, count, version))).collect();
                import.commit(&branch(kind, who, round), Some("fork"), &touched);
            }
        }
    }
    // Base has moved since the branches were made, so that merging is real.
    import.commit("main", None, &BTreeMap::from([("README.md".to_owned(), "moved\n".to_owned())]));
    import.done();
}

fn plan(planner: &Planner, base: &CommitId, head: &CommitId) {
    match planner.plan(base, head) {
        (_, PlanResult::Plan { plan, .. }) => assert!(plan.deltas.len() >= TOUCHED, "{} deltas", plan.deltas.len()),
        other => panic!("no plan: {other:?}"),
    }
}

fn race(path: &Path, layout: Layout, files: usize, rounds: usize) {
    let planner = Planner::open(path);
    let libgit2 = Libgit2::open(path).expect("the repository opens");
    let base = planner.commit("main");
    // Warm: a merge request of these files was planned before.
    plan(&planner, &base, &planner.commit(&branch("push", "libgit2", 0)));
    for (kind, _) in KINDS {
        let (mut ours, mut theirs, mut inside) = (Series::default(), Series::default(), Series::default());
        for round in 0..rounds {
            let head = |who| planner.commit(&if kind == "again" { branch("push", who, 0) } else { branch(kind, who, round) });
            let (for_us, for_git, for_libgit2) = (head("trueup"), head("git"), head("libgit2"));
            ours.time(|| plan(&planner, &base, &for_us));
            theirs.time(|| by_git(path, base.as_str(), for_git.as_str()));
            inside.time(|| by_libgit2(&libgit2, base.as_str(), for_libgit2.as_str()));
        }
        let (to_git, to_libgit2) = (ratio(&ours, &theirs), ratio(&ours, &inside));
        println!("{:<8} {files:>7} {kind:<6} {ours:>20} {theirs:>20} {inside:>20} {to_git:>7.2} {to_libgit2:>9.2}", format!("{layout:?}"));
    }
}

fn by_git(path: &Path, base: &str, head: &str) {
    let run = |args: &[&str]| {
        let out = git(path).args(args).output().expect("git runs");
        assert!(out.status.success(), "git {args:?} failed");
        String::from_utf8(out.stdout).expect("git answers in text")
    };
    let tree = run(&["merge-tree", "--write-tree", base, head]);
    let raw = run(&["diff", "--raw", "--no-abbrev", "--no-renames", base, tree.trim()]);
    let ids: String = raw.lines().flat_map(|line| line.split_whitespace().skip(2).take(2)).map(|id| format!("{id}\n")).collect();
    assert_eq!(ids.lines().count(), 2 * TOUCHED, "git finds the files");
    let mut cat = git(path).args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git runs");
    cat.stdin.take().expect("it is piped").write_all(ids.as_bytes()).expect("git reads it");
    assert!(cat.wait_with_output().expect("git ends").status.success(), "git reads the files");
}

fn by_libgit2(repo: &Libgit2, base: &str, head: &str) {
    let commit = |id: &str| repo.find_commit(git2::Oid::from_str(id).expect("an id")).expect("the commit is there");
    let (base, head) = (commit(base), commit(head));
    let mut index = repo.merge_commits(&base, &head, None).expect("they merge");
    let tree = repo.find_tree(index.write_tree_to(repo).expect("the tree is written")).expect("it is there");
    let diff = repo.diff_tree_to_tree(Some(&base.tree().expect("a tree")), Some(&tree), None).expect("they differ");
    let mut read = 0;
    for delta in diff.deltas() {
        for file in [delta.old_file(), delta.new_file()] {
            let object = repo.find_object(file.id(), Some(ObjectType::Blob)).expect("the file is there");
            read += usize::from(object.as_blob().is_some_and(|blob| !blob.content().is_empty()));
        }
    }
    assert_eq!(read, 2 * TOUCHED, "libgit2 finds the files");
}

/// A process that only plans: how long the first plan takes, and how much memory all of them need.
fn remembered(words: &[String]) {
    let planner = Planner::open(Path::new(&words[0]));
    let base = planner.commit("main");
    let head = |kind| planner.commit(&branch(kind, "trueup", 0));
    let before = Memory::own().peak;
    let started = Instant::now();
    plan(&planner, &base, &head("new"));
    let first = started.elapsed();
    for kind in ["push", "new", "push"] {
        plan(&planner, &base, &head(kind));
    }
    println!("{:.1} {} {before}", first.as_secs_f64() * 1000.0, Memory::own().peak);
}
