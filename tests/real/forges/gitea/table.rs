//! The rules that hold on every forge, on a real Gitea.

use super::house::House;
use crate::forges::world::{ForgeWorld, face, run};
use trueup::{core::review::StatusState, ports::Shown};

crate::forges::table::table!(House::new());

#[test]
fn a_status_leads_to_the_request_and_its_comment() {
    let house = House::new();
    let world: &dyn ForgeWorld = &house;
    let (number, head) = world.request("one");
    let mr = world.mr(number);
    let shown = run(world.driver().show(&mr, &face(&head, "one", "one", StatusState::Pending), &Shown::default())).expect("it is shown");
    let link =
        || house.yard.ask("root", "GET", &format!("/commits/{head}/status?limit=50"), serde_json::Value::Null)["statuses"][0]["target_url"].as_str().expect("a link").to_owned();
    assert!(link().ends_with(&format!("{}/pulls/{number}", world.path())), "{}", link());
    run(world.driver().show(&mr, &face(&head, "two", "two", StatusState::Success), &shown)).expect("it is shown");
    let comment = shown.comment.expect("there is one").0;
    assert!(link().ends_with(&format!("{}/pulls/{number}#issuecomment-{comment}", world.path())), "{}", link());
}
