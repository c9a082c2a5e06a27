//! User stories, one file each, in plain words, played on all four forges: the local one, a real Gitea, and fakes of GitHub and GitLab.

mod local;
mod play;
mod stage;
mod tests;
mod words;
