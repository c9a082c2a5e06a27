//! What all network forges share: how they are asked, in which pace, what of their repositories is mirrored, and how our own comments are known again.

mod badge;
mod client;
mod config;
mod depends;
mod deploy;
mod etags;
mod fault;
mod fresh;
mod known;
mod lengths;
mod marker;
mod mirror;
mod need;
mod pace;
mod proposal;
mod teams;
mod unread;
mod written;

pub use badge::{Badge, Token};
pub use client::{Answer, Client, Entrance, MOST_BODY, MOST_PAGES, encoded, sign};
pub use config::{ConfigError, ForgeConfig, Project, SignIn};
pub use depends::{Described, dependencies};
pub use deploy::{shown, undeployed};
pub use fault::NetError;
pub use fresh::Fresh;
pub use known::Known;
pub use lengths::Lengths;
pub use marker::{Marked, marked, replied, told, with_marker};
pub use mirror::{Mirror, Mirrors, Want};
pub use need::{Furnishes, Mend, Need, furnish, hook_by_hand};
pub use pace::{Pace, Turn, Weight};
pub use proposal::{Mine, ProposalNote, only_ours};
pub use teams::{KnownTeams, MEMBER_PAGES, Teamed, members, parts, right_by_teams};
pub use unread::{Unread, too_much_talk};
pub use written::{Written, forged, says, whole};
