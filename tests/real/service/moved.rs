//! A store that was moved elsewhere, as the program serves it: not at all, until somebody says so.

use super::world::{TRUEUP, World};
use std::{fs, process::Command};

#[test]
fn a_store_that_was_moved_is_refused_to_the_program_until_it_is_told_to_serve_from_it_again() {
    let mut world = World::start();
    let number = world.propose("move", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.kill();
    // The same repositories, and a store in another folder.
    let text = fs::read_to_string(world.config()).expect("it is there");
    let to = world.dir.path().join("to.yaml");
    let (from, new) = (world.dir.path().join("data"), world.dir.path().join("new"));
    assert!(text.contains(&format!("data: {}\n", from.display())), "{text}");
    fs::write(&to, text.replace(&format!("data: {}\n", from.display()), &format!("data: {}\n", new.display()))).expect("the folder is writable");
    let config = world.config().display().to_string();
    let run = |args: &[&str]| Command::new(TRUEUP).args(args).output().expect("the program runs");
    let moved = run(&["store", "migrate", "--from", &config, "--to", &to.display().to_string()]);
    assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stderr));
    let refused = run(&["serve", "--config", &config]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("was moved to redb in") && said.contains("--reopen"), "{said}");
    // Said once it holds from then on: the second start is a plain one.
    world.serve_with(&["--reopen"]);
    assert!(world.log().contains("is served from again"), "{}", world.log());
    world.wait(number, "awaiting_approval");
    world.kill();
    world.serve();
    world.approve(number);
    world.wait(number, "merged");
}
