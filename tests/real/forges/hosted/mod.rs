//! The drivers of hosted forges over fakes: what they read, what they write, and what they do when the forge fails; one story for all of them.

mod apps;
mod doctor;
mod faults;
mod look;
mod merge;
mod office;
mod owners;
mod propose;
mod setup;
mod stories;
mod sweep;
mod table;
pub mod town;
mod world;
mod write;
mod yard;

pub use yard::FakeYard;

/// Makes a test of each story for each forge.
macro_rules! on_both {
    ($($story:ident,)*) => {
        mod github {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story(super::Wire::GitHub).await;
            })*
        }
        mod gitlab {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story(super::Wire::GitLab).await;
            })*
        }
    };
}
use on_both;

/// The same for stories of the whole program, which wait themselves.
macro_rules! told_on_both {
    ($($story:ident,)*) => {
        mod github {
            $(#[test]
            fn $story() {
                super::$story(super::Wire::GitHub);
            })*
        }
        mod gitlab {
            $(#[test]
            fn $story() {
                super::$story(super::Wire::GitLab);
            })*
        }
    };
}
pub(crate) use told_on_both;
