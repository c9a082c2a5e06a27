//! The units a merge request touches, each read once for the same inputs.

use super::scratch::{Put, Scratch};
use insta::assert_snapshot;
use std::sync::atomic::{AtomicUsize, Ordering};
use trueup::{
    core::model::{CommitId, Desired, Kind, Late, Mention, Place, Policy, Refusal, RefusalKind, ResourceId, Str, Unit, Value, Wanted},
    formats::{Files, Format, Home, Scope, UnitFiles},
    git::{GitRepo, Pointers, Source, Touched, UnitCache},
    kinds::dns::DNS,
    ports::StateRepo,
};

/// A format of the tests: each line of `ZONE.txt` or of a file below `ZONE/` is a resource; `+path` reads another file.
#[derive(Default)]
struct Lines {
    reads: AtomicUsize,
}

impl Format for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn kind(&self) -> &'static dyn Kind {
        &DNS
    }

    fn unit_of(&self, path: &str) -> Option<Unit> {
        match path.split_once('/') {
            Some((folder, _)) => Some(Unit::new(folder)),
            None => path.strip_suffix(".txt").map(Unit::new),
        }
    }

    fn homes(&self, unit: &Unit) -> Option<Vec<Home>> {
        Some(vec![Home::File(format!("{unit}.txt").into()), Home::Folder(unit.0.clone())])
    }

    fn reads_beyond(&self) -> bool {
        true
    }

    fn read(&self, unit: &Unit, files: &dyn Files, _: &Scope) -> Result<Desired, Vec<Refusal>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let mut desired = Desired::default();
        let mut waiting: Vec<Str> = files.list();
        while let Some(path) = waiting.pop() {
            let text = String::from_utf8(files.bytes(&path).map_err(|refusal| vec![refusal])?).unwrap();
            for line in text.lines() {
                match line.strip_prefix('+') {
                    Some(other) => waiting.push(other.into()),
                    None if line == "bad" => return Err(vec![Refusal::new(RefusalKind::Syntax, "a bad line").at(Place::file(files.in_repository(&path)))]),
                    None => {
                        let wanted = Wanted { value: Value::Null, place: Place::file(files.in_repository(&path)), after: Vec::new() };
                        desired.resources.insert(ResourceId::new("t", "line", format!("{unit}/{line}")), wanted);
                    }
                }
            }
        }
        Ok(desired)
    }

    fn write(&self, _: &Unit, _: &Desired, _: &UnitFiles) -> Result<UnitFiles, Vec<Refusal>> {
        Err(vec![Refusal::new(RefusalKind::Unknown, "this format is not written")])
    }
}

/// A repository, its cache and its format.
struct World {
    scratch: Scratch,
    repo: GitRepo,
    cache: UnitCache,
    format: Lines,
    scope: Scope,
}

impl World {
    fn new() -> Self {
        let scratch = Scratch::new();
        let repo = scratch.open();
        Self { scratch, repo, cache: UnitCache::default(), format: Lines::default(), scope: Scope { targets: vec!["t".into()], policy: Policy::default() } }
    }

    fn touched(&self, base: &CommitId, head: &CommitId) -> Touched {
        let source = Source { folder: "dns", format: &self.format, scope: &self.scope };
        let (base, head) = (self.repo.tree(base).unwrap(), self.repo.tree(head).unwrap());
        let changed = self.repo.changed(&base, &head).unwrap();
        self.cache.touched(&self.repo, &source, &base, &head, &changed).unwrap()
    }

    /// The touched units as `unit: base -> merged`, and the refusals.
    fn told(&self, base: &CommitId, head: &CommitId) -> String {
        let touched = self.touched(base, head);
        let side = |side: &trueup::git::UnitSide| match &**side {
            Ok(read) => read.desired.resources.keys().map(|id| id.name.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>().join(","),
            Err(refusals) => refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        let units = touched.units.iter().map(|pair| format!("{}: [{}] -> [{}]", pair.unit, side(&pair.base), side(&pair.merged)));
        units.chain(touched.refusals.iter().map(ToString::to_string)).collect::<Vec<_>>().join("\n")
    }

    fn reads(&self) -> usize {
        self.format.reads.swap(0, Ordering::SeqCst)
    }
}

#[test]
fn only_the_units_of_changed_paths_are_read_and_each_once() {
    let world = World::new();
    let base = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "1\n"), Put::File("dns/b.txt", "1\n"), Put::File("dns/c/x", "1\n"), Put::File("other/d.txt", "1\n")]);
    let head = world.scratch.commit("mr", Some(&base), &[Put::File("dns/a.txt", "1\n2\n"), Put::File("dns/c/y", "2\n"), Put::File("other/d.txt", "2\n")]);
    assert_snapshot!(world.told(&base, &head), @r"
    a: [1] -> [1,2]
    c: [1] -> [1,2]
    ");
    // Three units once, for who includes what; then two units on two sides.
    assert_eq!(world.reads(), 3 + 4);
    world.told(&base, &head);
    assert_eq!(world.reads(), 0, "nothing changed, so nothing is read again");
}

#[test]
fn a_new_unit_and_a_deleted_one_ask_for_nothing_on_the_other_side() {
    let world = World::new();
    let base = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "1\n")]);
    let head = world.scratch.commit("mr", Some(&base), &[Put::Gone("dns/a.txt"), Put::File("dns/b.txt", "1\n")]);
    assert_snapshot!(world.told(&base, &head), @r"
    a: [1] -> []
    b: [] -> [1]
    ");
}

#[test]
fn a_change_of_an_included_file_touches_the_units_that_read_it() {
    let world = World::new();
    let base = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "+common.inc\n"), Put::File("dns/b.txt", "1\n"), Put::File("dns/common.inc", "1\n")]);
    let head = world.scratch.commit("mr", Some(&base), &[Put::File("dns/common.inc", "2\n")]);
    assert_snapshot!(world.told(&base, &head), @"a: [1] -> [2]");
    world.reads();
    // The next base: `b` starts to include, `a` stops; only what differs is read again.
    let base = world.scratch.commit("main", None, &[Put::File("dns/b.txt", "+common.inc\n"), Put::File("dns/a.txt", "3\n")]);
    let head = world.scratch.commit("next", Some(&base), &[Put::File("dns/common.inc", "4\n")]);
    assert_snapshot!(world.told(&base, &head), @"b: [1] -> [4]");
    assert_eq!(world.reads(), 2 + 2);
}

#[test]
fn a_file_that_appears_where_one_was_missing_is_read() {
    let world = World::new();
    let base = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "+common.inc\n")]);
    let head = world.scratch.commit("mr", Some(&base), &[Put::File("dns/common.inc", "2\n")]);
    assert_snapshot!(world.told(&base, &head), @"a: [dns/common.inc: there is no such file; check the path; paths are relative to the source's folder] -> [2]");
}

#[test]
fn a_unit_that_does_not_read_keeps_its_faults_per_side() {
    let world = World::new();
    let base = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "bad\n")]);
    let head = world.scratch.commit("mr", Some(&base), &[Put::File("dns/a.txt", "1\n")]);
    assert_snapshot!(world.told(&base, &head), @"a: [dns/a.txt: a bad line] -> [1]");
}

#[test]
fn a_link_or_submodule_inside_a_source_is_refused_even_where_it_hides_a_whole_unit() {
    let world = World::new();
    let base = world.scratch.commit("main", None, &[Put::File("dns/a/x", "1\n")]);
    let gone = world.scratch.commit("mr", Some(&base), &[Put::Gone("dns/a/x")]);
    let head = world.scratch.commit("mr", Some(&gone), &[Put::Link("dns/a", "../../elsewhere"), Put::Submodule("dns/b")]);
    assert_snapshot!(world.told(&base, &head), @r"
    a: [1] -> []
    dns/a: `dns/a` is a symbolic link, which is never followed; put the file itself there
    dns/b: `dns/b` is a submodule, which is never read; put the files themselves there
    ");
}

#[test]
fn a_link_in_place_of_the_sources_folder_is_refused() {
    let world = World::new();
    let base = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "1\n"), Put::File("keep", "1\n")]);
    let gone = world.scratch.commit("mr", Some(&base), &[Put::Gone("dns/a.txt")]);
    let head = world.scratch.commit("mr", Some(&gone), &[Put::Link("dns", "elsewhere")]);
    assert_snapshot!(world.told(&base, &head), @r"
    a: [1] -> []
    dns: `dns` is a symbolic link, which is never followed; put the file itself there
    ");
    let file = world.scratch.commit("other", Some(&gone), &[Put::File("dns", "text")]);
    assert_snapshot!(world.told(&base, &file), @r"
    a: [1] -> []
    dns: `dns` is a file where the source `dns` has its folder; put the folder back, or take the source out of trueup.yaml
    ");
}

#[test]
fn a_file_that_becomes_a_link_with_the_same_bytes_is_not_taken_from_the_cache() {
    let world = World::new();
    let base = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "1")]);
    let head = world.scratch.commit("mr", Some(&base), &[Put::Link("dns/a.txt", "1")]);
    assert_snapshot!(world.told(&base, &head), @r"
    a: [1] -> [dns/a.txt: `dns/a.txt` is a symbolic link, which is never followed; put the file itself there]
    dns/a.txt: `dns/a.txt` is a symbolic link, which is never followed; put the file itself there
    ");
}

#[test]
fn a_cache_without_room_reads_again_and_gives_the_same() {
    let world = World { cache: UnitCache::new(0), ..World::new() };
    let base = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "1\n")]);
    let head = world.scratch.commit("mr", Some(&base), &[Put::File("dns/a.txt", "2\n")]);
    assert_eq!(world.told(&base, &head), world.told(&base, &head));
    assert_eq!(world.told(&base, &head), "a: [1] -> [2]");
    assert!(world.reads() > 2);
}

/// Who speaks of a word, as `unit/line at file`: in this format every line speaks of itself.
fn pointing(world: &World, pointers: &Pointers, commit: &CommitId, keys: &[&str]) -> Vec<String> {
    let source = Source { folder: "dns", format: &world.format, scope: &world.scope };
    let keys = keys.iter().map(|key| Str::from(*key)).collect();
    let speaks = |id: &ResourceId, _: &Value, _: Option<&Late>| {
        id.name.rsplit('/').next().map(|line| Mention { key: line.into(), rule: "a line speaks of itself".into(), guess: false }).into_iter().collect()
    };
    let found = pointers.at(&world.cache, &world.repo, &source, &world.repo.tree(commit).unwrap(), &keys, &speaks).unwrap().expect("the source is small");
    found.iter().map(|pointer| format!("{} at {}", pointer.id.name, pointer.place)).collect()
}

#[test]
fn the_reverse_index_names_everyone_who_speaks_of_a_key_and_follows_the_branch_by_what_differs() {
    let world = World::new();
    let pointers = Pointers::default();
    let puts = [
        Put::File("dns/a.txt", "x\n"),
        Put::File("dns/b.txt", "x\ny\n"),
        Put::File("dns/c.txt", "+common.inc\n"),
        Put::File("dns/common.inc", "z\n"),
        Put::File("dns/d.txt", "bad\n"),
    ];
    let first = world.scratch.commit("main", None, &puts);
    assert_eq!(pointing(&world, &pointers, &first, &["x"]), ["a/x at dns/a.txt", "b/x at dns/b.txt"]);
    assert_eq!(pointing(&world, &pointers, &first, &["y", "z"]), ["b/y at dns/b.txt", "c/z at dns/common.inc"]);
    world.reads();
    assert_eq!(pointing(&world, &pointers, &first, &["x", "y"]), ["a/x at dns/a.txt", "b/x at dns/b.txt", "b/y at dns/b.txt"]);
    assert_eq!(world.reads(), 0, "the source is read once");
    let second = world.scratch.commit("main", None, &[Put::File("dns/a.txt", "y\n"), Put::File("dns/common.inc", "x\n"), Put::Gone("dns/b.txt")]);
    assert_eq!(pointing(&world, &pointers, &second, &["x", "y"]), ["c/x at dns/common.inc", "a/y at dns/a.txt"]);
    assert_eq!(world.reads(), 4 + 2, "who includes what, once, and the two units that differ; the deleted one is not read");
}
