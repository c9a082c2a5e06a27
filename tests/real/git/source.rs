//! What a format may read, and every way out of it that is refused.

use super::scratch::{Put, Scratch};
use insta::assert_snapshot;
use trueup::{formats::Files, git::TreeFiles, ports::StateRepo};

/// Reads one path of the source `dns` and gives the text, or the refusal.
fn read(puts: &[Put<'_>], path: &str) -> String {
    let scratch = Scratch::new();
    let commit = scratch.commit("main", None, puts);
    let repo = scratch.open();
    let tree = repo.tree(&commit).unwrap();
    let files = TreeFiles::new(&repo, &tree, "dns", Vec::new()).limit(20);
    match files.bytes(path) {
        Ok(bytes) => String::from_utf8(bytes).unwrap(),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn a_file_inside_is_read_however_its_path_is_written() {
    let puts = [Put::File("dns/a/b.yaml", "text")];
    for path in ["a/b.yaml", "./a/b.yaml", "a/../a//b.yaml"] {
        assert_eq!(read(&puts, path), "text", "{path}");
    }
}

#[test]
fn paths_that_lead_out_are_refused() {
    let puts = [Put::File("secret", "text"), Put::File("dns/a", "text")];
    assert_snapshot!(read(&puts, "../secret"), @"dns/../secret: `../secret` leads out of the source's folder; name a file inside the source's folder");
    assert_snapshot!(read(&puts, "a/../../secret"), @"dns/a/../../secret: `a/../../secret` leads out of the source's folder; name a file inside the source's folder");
    assert_snapshot!(read(&puts, "/etc/passwd"), @"dns//etc/passwd: `/etc/passwd` is an absolute path; name a file inside the source's folder");
    assert_snapshot!(read(&puts, "a/.."), @"dns/a/..: `a/..` names no file; name a file inside the source's folder");
}

#[test]
fn links_are_refused_wherever_they_lead_and_wherever_on_the_way_they_are() {
    let puts = [Put::Link("dns/out", "../../etc/passwd"), Put::Link("dns/folder", "real"), Put::File("dns/real/a", "text")];
    assert_snapshot!(read(&puts, "out"), @"dns/out: `dns/out` is a symbolic link, which is never followed; put the file itself there");
    assert_snapshot!(read(&puts, "folder/a"), @"dns/folder: `dns/folder` is a symbolic link, which is never followed; put the file itself there");
}

#[test]
fn submodules_and_folders_are_refused() {
    let puts = [Put::Submodule("dns/sub"), Put::File("dns/real/a", "text")];
    assert_snapshot!(read(&puts, "sub"), @"dns/sub: `dns/sub` is a submodule, which is never read; put the files themselves there");
    assert_snapshot!(read(&puts, "sub/a"), @"dns/sub: `dns/sub` is a submodule, which is never read; put the files themselves there");
    assert_snapshot!(read(&puts, "real"), @"dns/real: `dns/real` is a folder; name a file in it");
}

#[test]
fn a_missing_file_and_one_that_is_too_large_are_refused() {
    let puts = [Put::File("dns/a", "a text of more than twenty bytes")];
    assert_snapshot!(read(&puts, "b"), @"dns/b: there is no such file; check the path; paths are relative to the source's folder");
    assert_snapshot!(read(&puts, "a"), @"dns/a: the file is 32 bytes; at most 20 are read; split it into several files");
}

#[test]
fn a_name_that_is_not_utf8_is_listed_but_never_read() {
    let scratch = Scratch::new();
    let commit = scratch.commit("main", None, &[Put::Bytes(b"dns/caf\xe9.yaml", b"text")]);
    let repo = scratch.open();
    let tree = repo.tree(&commit).unwrap();
    let listed: Vec<_> = repo.files(&tree, "dns").unwrap().iter().map(|entry| entry.path.to_string()).collect();
    assert_eq!(listed, ["dns/caf\\xe9.yaml"]);
    let refusal = TreeFiles::new(&repo, &tree, "dns", Vec::new()).bytes("caf\\xe9.yaml").unwrap_err();
    assert_snapshot!(refusal.to_string(), @r"dns/caf\xe9.yaml: the file's name is not UTF-8; rename the file");
}
