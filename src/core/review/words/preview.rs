//! What a preview says of itself.

use super::{code, short};
use crate::core::model::{CommitId, MrId, User};

/// What stands before the paths that keep a preview from being made.
pub const CONFLICTS: &str = "It does not merge, so there is no plan: rebase, or merge the base branch, and push again. Paths in conflict";

/// What is compared with what.
pub fn compared(mr: Option<&MrId>, base_branch: &str, base: &CommitId, head: &CommitId) -> String {
    let of = mr.map_or_else(String::new, |mr| format!("{}, ", code(&mr.to_string())));
    format!("{of}what merging {} into {} ({}) gives.", code(short(head)), code(base_branch), code(short(base)))
}

/// Why nothing was observed where no server was asked.
pub const ALONE: &str = "No server and no live system was asked: this compares the two sides of the repository only, and what is live may differ from both.";

/// Why nothing was observed of what an author brings who may not write (I10).
pub fn untrusted(author: &User) -> String {
    format!(
        "{} may not write this repository, so no live system was asked: this compares the two sides of the repository only. A member's `/trueup plan` has it observed.",
        code(author.as_str())
    )
}

/// What stands beside a preview for which nothing was observed and that changes nothing: nobody has looked (I12).
pub const UNPROVEN: &str = "Nothing changes between the two sides; whether the live systems are so was not looked at.";

/// Where a preview leads.
pub fn leads_to(page: &str) -> String {
    format!("[The change's page]({page}): approving and running happen there or in the merge request, never by a preview.")
}
