//! Tasks and rules: what policy asks of a merge request besides its plan, and where people find what it is for.

use super::world::World;

/// What of a change waits for the author, once it is approved.
fn waits(world: &World, number: u64) -> String {
    world.show(number)["waits_for"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_merge_request_waits_until_it_names_its_task_and_keeps_the_rules_of_base() {
    let policy = "  links:\n    - { pattern: '[A-Z]+-[0-9]+', url: 'https://tasks.example.com/{task}' }\n  require: { task: true, branch: '^feature/', commits: '^[a-z]+: ', max_commits: 2 }\n";
    let world = World::start_with(policy);
    let number = world.propose("move-www", |world| {
        world.edit_zone("192.0.2.1\n", "192.0.2.77\n");
        // It judges itself by base: loosening the rules here loosens nothing.
        world.write("trueup.yaml", &world.read("trueup.yaml").replace("task: true, branch: '^feature/', ", ""));
    });
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.until(|world| world.show(number)["phase"] == "queued");
    let said = waits(&world, number);
    assert!(said.contains("policy wants source branches like `^feature/`, and this is `move-www`") && said.contains("a task named"), "{said}");
    assert!(!world.live().iter().any(|line| line.ends_with("192.0.2.77")), "nothing is written before");
    // The same from a branch of the right name, whose commit names the task.
    let number = world.propose("feature/www", |world| world.edit_zone("192.0.2.1\n", "192.0.2.77\n"));
    world.wait(number, "awaiting_approval");
    world.approve(number);
    world.until(|world| waits(world, number).contains("one begins"));
    world.git(&world.work(), &["-c", "user.name=ana", "-c", "user.email=ana@example.com", "commit", "-q", "--amend", "-m", "dns: www moves\n\nRefs: WEB-7"]).ok();
    world.push("feature/www");
    world.wait(number, "merged");
    let shown = world.show(number);
    assert_eq!(shown["tasks"], serde_json::json!([{ "name": "WEB-7", "url": "https://tasks.example.com/WEB-7" }]));
    let page = world.page_as("ana", &format!("http://127.0.0.1:{}/changes/dns/{number}", world.port)).1;
    assert!(
        page.contains(r#"<a href="https:&#x2f;&#x2f;tasks.example.com&#x2f;WEB-7" rel="noreferrer">WEB-7</a>"#)
            || page.contains(r#"<a href="https://tasks.example.com/WEB-7" rel="noreferrer">WEB-7</a>"#),
        "{page}"
    );
}
