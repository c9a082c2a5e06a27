//! Gitea fails, at every call of our driver, in every way: a porter before the real one answers in its place.

use super::house::House;
use crate::forges::{
    failing::{Failing as _, each_call_fails, every_call_fails},
    fake::Fault,
    world::{ForgeWorld, face, run},
};
use trueup::{
    app::Forge,
    core::{
        model::{Str, User},
        review::{CommentId, StatusState},
        run::MergeAnswer,
    },
    ports::{ForgeError, ForgeErrorKind, Shown},
};

/// A driver that knows who it is and nothing more.
async fn fresh(world: &House) -> Box<dyn Forge> {
    let hub = world.restarted();
    // Ana is asked about, and what she may do is remembered; who we are is asked at the first face.
    hub.right(&world.repo(), &User::new("cleo")).await.expect("nothing fails yet");
    hub
}

fn every(house: &House, does: impl AsyncFn(&dyn Forge) -> Result<Vec<Str>, ForgeError>, forgives: &[(&str, u16)]) {
    run(every_call_fails(&house.porter, async || fresh(house).await, does, forgives));
}

#[test]
fn a_look_says_what_failed_and_invents_nothing() {
    let house = House::new();
    let world: &dyn ForgeWorld = &house;
    let (number, _) = world.request("one");
    world.comment(number, "ben", "hello");
    world.request_changes(number, "cleo");
    let mr = world.mr(number);
    // Nobody of that name, or not for us to know: then the server's own lists hold.
    every(&house, async |hub| Ok(hub.look(&mr, None).await?.unread), &[("/permission", 404), ("/permission", 403)]);
}

#[test]
fn a_sweep_says_what_failed_and_takes_nothing_for_closed() {
    let house = House::new();
    let world: &dyn ForgeWorld = &house;
    let (number, _) = world.request("one");
    run(world.driver().sweep(&world.repo(), 0)).expect("nothing fails yet");
    let repo = world.repo();
    let sweeps = async |hub: &dyn Forge| {
        let (found, _) = hub.sweep(&repo, 0).await?;
        assert!(found.iter().any(|found| found.open && found.mr.number == number));
        Ok(Vec::new())
    };
    every(&house, sweeps, &[]);
}

#[test]
fn showing_a_face_says_what_failed_and_ends_in_one_face() {
    let house = House::new();
    let world: &dyn ForgeWorld = &house;
    let (number, head) = world.request("one");
    let mr = world.mr(number);
    let shows = async |hub: &dyn Forge, says: &str| hub.show(&mr, &face(&head, says, says, StatusState::Pending), &Shown::default()).await;
    // Something else each time, so that there is something to write.
    let turn = std::cell::Cell::new(0);
    let anew = async |hub: &dyn Forge| {
        turn.set(turn.get() + 1);
        shows(hub, &format!("turn {}", turn.get())).await?;
        Ok(Vec::new())
    };
    // What somebody else took away is away: labels, and a comment that is made anew.
    every(&house, anew, &[("/labels/", 404), ("/labels/", 422), ("/issues/comments/", 404)]);
    run(shows(&*world.restarted(), "the end")).expect("nothing fails any more");
    let ours = world.ours(number, "");
    assert!(ours.iter().filter(|(_, body)| body.contains("the end")).count() == 1, "{ours:?}");
    assert_eq!(world.labels(number), ["trueup: the end".to_owned()].into());
}

#[test]
fn an_answer_and_news_are_said_once_whatever_failed() {
    let house = House::new();
    let world: &dyn ForgeWorld = &house;
    let (number, _) = world.request("one");
    let mr = world.mr(number);
    let turn = std::cell::Cell::new(0);
    let says = async |hub: &dyn Forge| {
        turn.set(turn.get() + 1);
        hub.reply(&mr, CommentId(1_000_000 + turn.get()), &format!("answer {}.", turn.get())).await?;
        hub.tell(&mr, &format!("news {}", turn.get()), &format!("news {}.", turn.get())).await?;
        Ok(Vec::new())
    };
    every(&house, says, &[]);
    for n in 1..=turn.get() {
        for text in [format!("answer {n}."), format!("news {n}.")] {
            assert!(world.ours(number, &text).len() <= 1, "{text}");
        }
    }
    // The answer that says that it was said is lost.
    house.porter.fail(Fault::status(502).on("POST", "/comments").once().done_first());
    let hub = world.restarted();
    assert_eq!(run(hub.reply(&mr, CommentId(7), "only once")).expect_err("it is lost").kind, ForgeErrorKind::Unavailable);
    run(world.restarted().reply(&mr, CommentId(7), "only once")).expect("it is there");
    assert_eq!(world.ours(number, "only once").len(), 1);
}

#[test]
fn a_merge_that_fails_anywhere_is_no_merge_and_one_whose_answer_is_lost_is_told_once() {
    let house = House::new();
    let world: &dyn ForgeWorld = &house;
    let (number, _) = world.request("one");
    let ticket = world.ticket(number);
    let base = world.tip("main").expect("it is there");
    let judged = |failed: &crate::forges::fake::Call, answer: Result<MergeAnswer, ForgeError>| match answer {
        Ok(MergeAnswer::Refused { .. } | MergeAnswer::Moved { .. } | MergeAnswer::Waits { .. }) | Err(_) => {}
        Ok(merged @ (MergeAnswer::Merged { .. } | MergeAnswer::Elsewhere { .. })) => panic!("{} at {} {}: {merged:?}", failed.status, failed.method, failed.path),
    };
    let again = async |hub: &dyn Forge| {
        // A merge that goes through ends the story, so that what is sent last fails always.
        house.porter.fail(Fault::status(405).on("POST", "/merge"));
        hub.merge(ticket.clone()).await
    };
    run(each_call_fails(&house.porter, async || fresh(&house).await, again, judged));
    assert_eq!(world.tip("main").as_deref(), Some(&*base), "nothing was merged");
    house.porter.mend();
    house.porter.fail(Fault::status(502).on("POST", "/merge").once().done_first());
    let told = world.merged(number, ticket.clone());
    assert!(matches!(told, MergeAnswer::Merged { .. }), "{told:?}");
    assert_eq!(run(world.restarted().merge(ticket)).expect("it answers"), told, "and again after a crash");
}

#[test]
fn a_limit_is_kept_until_it_is_over_and_nothing_more_is_asked() {
    let house = House::new();
    let world: &dyn ForgeWorld = &house;
    let (number, _) = world.request("one");
    for limited in [Fault::too_fast(3600), Fault::status(429)] {
        let hub = world.restarted();
        run(hub.look(&world.mr(number), None)).expect("nothing fails yet");
        house.porter.fail(limited.once());
        assert_eq!(run(hub.look(&world.mr(number), None)).expect_err("it waits").kind, ForgeErrorKind::Limited);
        house.porter.calls();
        assert_eq!(run(hub.look(&world.mr(number), None)).expect_err("it waits").kind, ForgeErrorKind::Limited);
        assert_eq!(house.porter.calls().len(), 0, "it was asked all the same");
    }
}
