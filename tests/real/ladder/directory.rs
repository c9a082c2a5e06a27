//! A folder of this machine on the ladder, and what only folders can get wrong.

use super::{
    climb::{act, apply, assert_settled, cx, live, observe, plan, try_observe},
    keys::{key_value, put_or_delete},
    ladder,
    world::{Lost, World},
};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use trueup::{
    core::{
        model::{Kind as _, Reading, ResourceId, Unit, Value},
        plan::{Act, Undo, Write},
        run::Item,
    },
    drivers::config::directory::{Config, Directory},
    kinds::config::{KEYS, key_id, value},
    ports::{Cx, Driver, Found, ObserveErrorKind, Precondition},
};

struct Folder {
    dir: TempDir,
    driver: Directory,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(dir.path().join("keys")).expect("it is writable");
        fs::create_dir(dir.path().join("outside")).expect("it is writable");
        fs::write(dir.path().join("outside/file"), "theirs").expect("it is writable");
        symlink("../outside", dir.path().join("keys/link")).expect("links can be made");
        let driver = Directory::new(Config { target: "files".into(), path: dir.path().join("keys"), mode: 0o644 });
        Self { dir, driver }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.path().join("keys").join(key)
    }
}

fn id(key: &str) -> ResourceId {
    key_id("files", key)
}

/// Every file and folder, links as links.
fn tree(folder: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        let kind = fs::symlink_metadata(&path).expect("it is there").file_type();
        match (kind.is_symlink(), kind.is_dir()) {
            (true, _) => lines.push(format!("{} -> {}", path.display(), fs::read_link(&path).expect("it is a link").display())),
            (false, true) => {
                lines.push(format!("{}/", path.display()));
                tree(&path, lines);
            }
            (false, false) => lines.push(format!("{} = {:?}", path.display(), fs::read(&path).expect("it can be read"))),
        }
    }
}

impl World for Folder {
    fn name(&self) -> &'static str {
        "a folder"
    }

    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn unit(&self) -> Unit {
        KEYS.unit(&id("a"))
    }

    fn id(&self, n: usize) -> ResourceId {
        let folder = ["", "app/", "app/db/", "gr\u{fc}n und blau/", "x.d/"][n % 5];
        id(&format!("{folder}k{n}"))
    }

    fn value(&self, n: usize, v: usize) -> Value {
        key_value(n, v, 100_000)
    }

    fn by_hand(&self, id: &ResourceId, value: Option<&Value>) {
        let put = |key: &str, bytes: &[u8]| {
            let path = self.path(key);
            fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
            fs::write(path, bytes).expect("it is writable");
        };
        put_or_delete(id, value, put, |key| fs::remove_file(self.path(key)).expect("it is there"));
    }

    fn raw(&self) -> Vec<String> {
        let mut lines = Vec::new();
        tree(self.dir.path(), &mut lines);
        lines.sort();
        lines
    }

    fn can_lose(&self) -> bool {
        false
    }

    fn lose(&self, what: Lost) {
        panic!("{what:?} of a system call cannot be lost");
    }

    fn effects(&self) -> u64 {
        self.driver.writes()
    }

    fn forbidden(&self) -> Option<(ResourceId, Value)> {
        None
    }

    fn unholdable(&self) -> Vec<(ResourceId, Value)> {
        let one = || Value::str("1");
        vec![
            (id("/etc/passwd"), one()),
            (id("app/../../outside/file"), one()),
            (id("link/file"), one()),
            (id("link"), one()),
            (id("a//b"), one()),
            (id(&"n".repeat(256)), one()),
            (id("large"), value(&vec![b'x'; (1 << 20) + 1])),
        ]
    }

    fn server_takes(&self, _: &ResourceId, _: &Value) -> Option<bool> {
        None
    }
}

ladder!(Folder::new());

#[test]
fn it_says_that_it_reads_and_then_writes() {
    assert_eq!(Folder::new().driver.precondition(), Precondition::ReadThenWrite);
}

#[tokio::test]
async fn a_link_that_appears_after_the_plan_is_not_followed() {
    let world = Folder::new();
    let writes = plan(&world, &vec![(id("app/host"), Some(Value::str("a"))), (id("host"), Some(Value::str("a")))]).await;
    symlink("../outside", world.path("app")).expect("links can be made");
    symlink("../outside/file", world.path("host")).expect("links can be made");
    let before = world.raw();
    for item in act(&world, &writes).await.items {
        assert!(matches!(&item, Item::Refused(refusal) if refusal.advice.is_some()), "{item:?}");
    }
    assert_eq!(world.raw(), before, "neither the link nor what it leads to was touched");
}

#[tokio::test]
async fn only_folders_that_a_delete_leaves_empty_go() {
    let world = Folder::new();
    fs::create_dir_all(world.path("app/kept-empty")).expect("it is writable");
    let before = world.raw();
    apply(&world, &vec![(id("app/deep/er/a"), Some(Value::str("1"))), (id("app/deep/b"), Some(Value::str("1")))]).await;
    apply(&world, &vec![(id("app/deep/er/a"), None)]).await;
    assert!(!world.path("app/deep/er").exists() && world.path("app/deep/b").exists());
    apply(&world, &vec![(id("app/deep/b"), None)]).await;
    assert_eq!(world.raw(), before, "the folders that were there stay, empty or not");
}

#[tokio::test]
async fn a_file_makes_room_for_the_folder_of_its_name_and_back() {
    let world = Folder::new();
    let file = vec![(id("db"), Some(Value::str("whole"))), (id("db/host"), None)];
    let folder = vec![(id("db"), None), (id("db/host"), Some(Value::str("db1")))];
    for desired in [&file, &folder, &file] {
        apply(&world, desired).await;
        assert_settled(&world, desired).await;
    }
    let seen = try_observe(&world, &vec![(id("db/host"), Some(Value::str("db1")))]).await.expect("it can be read");
    let Reading::Seen { merged: Err(refusal), .. } = &seen[0].reading else { panic!("the file is in the way") };
    assert!(refusal.what.contains("`db` is a file") && refusal.advice.is_some(), "{refusal}");
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_no_key_and_goes_with_the_next_write_beside_it() {
    let world = Folder::new();
    let desired = vec![(id("app/a"), Some(Value::str("1")))];
    apply(&world, &desired).await;
    let leftover = world.path("app/.trueup-0123456789abcdef01234567");
    fs::write(&leftover, "half").expect("it is writable");
    let census = world.driver.census().expect("folders can be listed");
    let listed = census.list(&cx(), &world.unit()).await.expect("it can be listed");
    assert_eq!(listed.iter().map(|one| &*one.id.name).collect::<Vec<_>>(), ["app/a"]);
    apply(&world, &vec![(id("app/a"), Some(Value::str("2")))]).await;
    let names: Vec<_> = fs::read_dir(world.path("app")).expect("it is there").map(|entry| entry.expect("it is there").file_name()).collect();
    assert_eq!(names, ["a"], "a write leaves nothing behind, and takes away what nobody is at any more");
}

#[tokio::test]
async fn a_file_that_is_written_over_keeps_who_may_read_it() {
    let world = Folder::new();
    apply(&world, &vec![(id("a"), Some(Value::str("1")))]).await;
    fs::set_permissions(world.path("a"), fs::Permissions::from_mode(0o640)).expect("it is ours");
    apply(&world, &vec![(id("a"), Some(Value::str("2")))]).await;
    assert_eq!(fs::metadata(world.path("a")).expect("it is there").permissions().mode() & 0o777, 0o640);
}

#[tokio::test]
async fn a_file_that_is_written_over_keeps_owner_and_group() {
    let world = Folder::new();
    apply(&world, &vec![(id("a"), Some(Value::str("1")))]).await;
    let path = world.path("a");
    // Only root may give files away; anybody may give them to a group of theirs.
    let groups = rustix::process::getgroups().expect("they can be read");
    let (user, group) = match rustix::process::geteuid().is_root() {
        true => (Some(4242), Some(4343)),
        false => (None, groups.last().map(|group| group.as_raw())),
    };
    chown(&path, user, group).expect("it may be given to them");
    let of = |path: &Path| fs::metadata(path).map(|stat| (stat.uid(), stat.gid(), stat.mode() & 0o7777)).expect("it is there");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours, or we are root");
    let before = of(&path);
    apply(&world, &vec![(id("a"), Some(Value::str("2")))]).await;
    assert_eq!((fs::read(&path).expect("it can be read"), of(&path)), (b"2".to_vec(), before));
}

#[tokio::test]
async fn new_files_are_for_whom_the_operators_say_and_sensitive_ones_never_for_others() {
    let world = Folder::new();
    let closed = Directory::new(Config { target: "files".into(), path: world.path(""), mode: 0o640 });
    let write = |key: &str| Write { id: id(key), from: None, to: Some(Value::str("1")), undo: Undo::To(None) };
    let open = [write("d/plain"), write("d/secret")];
    let outcome = world.driver.act(&Cx { sensitive: &[1], ..cx() }, &Act::Write(open.into()), &BTreeSet::new(), &[]).await;
    assert_eq!(outcome.items, [Item::Done, Item::Done]);
    let outcome = closed.act(&cx(), &Act::Write(vec![write("e/plain")]), &BTreeSet::new(), &[]).await;
    assert_eq!(outcome.items, [Item::Done]);
    let modes = ["d", "d/plain", "d/secret", "e", "e/plain"].map(|key| fs::metadata(world.path(key)).expect("it is there").mode() & 0o777);
    assert_eq!(modes.map(|mode| format!("{mode:o}")), ["755", "644", "640", "750", "640"]);
    // What is there keeps what it had, whatever becomes of its value.
    let over = Write { from: Some(Value::str("1")), to: Some(Value::str("2")), ..write("d/plain") };
    world.driver.act(&Cx { sensitive: &[0], ..cx() }, &Act::Write(vec![over]), &BTreeSet::new(), &[]).await;
    assert_eq!(fs::metadata(world.path("d/plain")).expect("it is there").mode() & 0o777, 0o644);
}

#[tokio::test]
async fn a_list_looks_below_its_prefix_alone_and_names_what_it_cannot_read_there() {
    let world = Folder::new();
    for key in ["app/a", "app/ab/c", "apple", "other/x"] {
        world.by_hand(&id(key), Some(&Value::str("1")));
    }
    for key in ["other/big", "other/bigger"] {
        fs::write(world.path(key), vec![b'x'; (1 << 20) + 1]).expect("it is writable");
    }
    let census = world.driver.census().expect("folders can be listed");
    let names = async |prefix: &str| {
        let listed = census.list_below(&cx(), &world.unit(), prefix).await?;
        Ok::<_, trueup::ports::ObserveError>(listed.into_iter().map(|one| one.id.name.to_string()).collect::<Vec<_>>())
    };
    for (prefix, found) in [
        ("app/", &["app/a", "app/ab/c"][..]),
        ("app", &["app/a", "app/ab/c", "apple"]),
        ("app/a", &["app/a", "app/ab/c"]),
        ("none/", &[]),
        ("link/", &[]),
        ("app/../other/", &[]),
        ("/", &[]),
    ] {
        assert_eq!(names(prefix).await.expect(prefix), found, "{prefix}");
    }
    for prefix in ["", "other/"] {
        let error = names(prefix).await.expect_err("half a list is none");
        assert_eq!(error.about, [id("other/big"), id("other/bigger")]);
        assert!(error.what.contains("`other/big` has 1048577 bytes") && error.what.ends_with("nor can `other/bigger` be read"), "{error}");
    }
    // A folder gives way to a file when all it holds goes, whatever else cannot be read.
    let desired = vec![(id("app"), Some(Value::str("file"))), (id("app/a"), None), (id("app/ab/c"), None)];
    apply(&world, &desired).await;
    assert_settled(&world, &desired).await;
    // Doctor looks at what is granted.
    let probe = world.driver.prober().expect("folders can be examined");
    let failed =
        async |granted: &str| probe.probe(&cx(), &[], &[granted.into()]).await.into_iter().filter(|exam| exam.found == Found::Fail).map(|exam| exam.said).collect::<Vec<_>>();
    assert_eq!(failed("app*").await, [""; 0]);
    assert_eq!(failed("other/*").await.len(), 2);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_said_with_what_to_do() {
    let driver = Directory::new(Config { target: "files".into(), path: "/nonexistent/keys".into(), mode: 0o644 });
    let wants = super::climb::wants(&vec![(id("a"), None)]);
    let error = driver.observe(&cx(), &wants, &[]).await.expect_err("it is not there");
    assert_eq!(error.kind, ObserveErrorKind::Missing);
    assert!(error.to_string().contains("/nonexistent/keys; make it"), "{error}");
}

#[tokio::test]
async fn a_value_larger_than_is_read_is_refused_instead_of_cut() {
    let world = Folder::new();
    fs::write(world.path("big"), vec![b'x'; (1 << 20) + 1]).expect("it is writable");
    let seen = observe(&world, &vec![(id("big"), Some(Value::str("1")))]).await;
    assert_eq!(live(&seen[0]), None);
    assert!(matches!(&seen[0].reading, Reading::Seen { merged: Err(refusal), .. } if refusal.what.contains("1048577 bytes")), "{:?}", seen[0].reading);
}
