//! The one place that hides and opens (I6): drivers see plain values, core and everything it writes never does.
//!
//! `desired` hides what the repository asks for before core sees it, `look` what drivers read, `hand` what they did; `scrub` keeps plain values out of
//! their sentences. What is hidden is compared by its mac. It is opened only for the call of a driver that needs it.

mod chest;
mod cover;
mod desired;
mod hand;
mod look;
mod scrub;
mod unread;

pub use chest::Safe;
pub use cover::Cover;
pub(super) use desired::{Hiding, Sides, Unresolved, lost};
pub use look::Look;
pub(super) use look::Opened;
pub use scrub::Scrub;
pub(super) use unread::unread;
