//! The face: made true, and nothing twice.

use super::house::House;
use trueup::{
    core::{
        model::User,
        review::{CommentId, Face, Label, Status, StatusState},
    },
    ports::{ForgeWriter, Shown},
};

async fn face(house: &House, comment: &str, state: StatusState, label: &str) -> Face {
    let status = Status { context: "trueup/plan".into(), state, text: "2 changes".into() };
    Face { head: house.tip("mr"), comment: comment.into(), plan: None, statuses: vec![status], labels: vec![Label(label.into())], deployments: Vec::new() }
}

/// Comments, statuses and labels in short.
async fn shown(house: &House, mr: &trueup::core::model::MrId) -> String {
    let page = house.forge.page(mr).await.unwrap();
    let comments: Vec<_> = page.comments.iter().map(|comment| format!("{}:{}:{}", comment.id.0, comment.by, comment.body)).collect();
    let statuses: Vec<_> = page.statuses.iter().map(|status| format!("{}={}", status.context, status.state)).collect();
    format!("{comments:?} {statuses:?} {:?}", page.labels)
}

#[tokio::test]
async fn a_face_is_one_comment_that_is_edited_in_place() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let last = house.forge.show(&mr, &face(&house, "planning", StatusState::Pending, "trueup: planning").await, &Shown::default()).await.unwrap();
    house.forge.comment(&User::new("grace"), &mr, "looks good").await.unwrap();
    let next = house.forge.show(&mr, &face(&house, "rolling", StatusState::Success, "trueup: rolling").await, &last).await.unwrap();
    assert_eq!(next.comment, last.comment);
    assert_eq!(shown(&house, &mr).await, r#"["1:trueup:rolling", "2:grace:looks good"] ["trueup/plan=success"] ["trueup: rolling"]"#);
    // Our own comment is never handed to the change.
    assert_eq!(house.look(&mr).await.comments.len(), 1);
}

#[tokio::test]
async fn the_same_face_again_writes_nothing_even_after_a_restart() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let wanted = face(&house, "planning", StatusState::Pending, "trueup: planning").await;
    house.forge.show(&mr, &wanted, &Shown::default()).await.unwrap();
    let before = house.kv.commits();
    house.forge.show(&mr, &wanted, &Shown::default()).await.unwrap();
    house.restarted().await.show(&mr, &wanted, &Shown::default()).await.unwrap();
    assert_eq!(house.kv.commits(), before);
}

#[tokio::test]
async fn faces_shown_at_once_leave_one_comment() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let faces = [face(&house, "a", StatusState::Pending, "x").await, face(&house, "b", StatusState::Pending, "x").await, face(&house, "c", StatusState::Pending, "x").await];
    let none = Shown::default();
    futures::future::join_all(faces.iter().map(|face| house.forge.show(&mr, face, &none))).await.into_iter().for_each(|shown| drop(shown.unwrap()));
    assert_eq!(house.forge.page(&mr).await.unwrap().comments.len(), 1);
}

#[tokio::test]
async fn an_answer_is_given_once() {
    let house = House::furnished().await;
    let mr = house.open("t").await;
    let to = house.forge.comment(&User::new("grace"), &mr, "/trueup help").await.unwrap();
    for _ in 0..2 {
        house.forge.reply(&mr, to, "the commands are").await.unwrap();
        house.restarted().await.reply(&mr, to, "the commands are").await.unwrap();
    }
    house.forge.reply(&mr, to, "something else").await.unwrap();
    let comments = house.forge.page(&mr).await.unwrap().comments;
    let told: Vec<_> = comments.iter().map(|comment| (comment.body.as_str(), comment.to)).collect();
    assert_eq!(told, [("/trueup help", None), ("the commands are", Some(CommentId(1))), ("something else", Some(CommentId(1)))]);
    assert_eq!(house.look(&mr).await.comments.len(), 1);
}
