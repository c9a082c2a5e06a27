//! What a button of a page sends, as a command.

use crate::core::{model::StepId, review::Command};

/// Why a form is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the form names no known command; reload the page")]
    Unknown,
    #[error("say why the step is skipped")]
    NoReason,
    #[error("the form has no digest; reload the page and read the plan that it shows")]
    NoDigest,
}

/// Reads the fields `command`, `digest`, `step` and `reason` of a posted form.
///
/// A button approves exactly the plan its page showed, so an approval without a digest is refused.
pub fn command(fields: &[(String, String)]) -> Result<Command, FormError> {
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty());
    let verb = field("command").ok_or(FormError::Unknown)?;
    let known = Command::all().find(|command| command.verb() == verb).ok_or(FormError::Unknown)?;
    match known {
        Command::Approve { .. } => {
            let digest = field("digest").filter(|digest| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())).ok_or(FormError::NoDigest)?;
            Ok(Command::Approve { digest: Some(digest.to_lowercase()), steps: Vec::new() })
        }
        Command::Skip { .. } => {
            let step = field("step").and_then(|step| step.parse().ok()).map(StepId).ok_or(FormError::Unknown)?;
            Ok(Command::Skip { step, until: field("until").map(str::to_owned), reason: field("reason").ok_or(FormError::NoReason)?.to_owned() })
        }
        // The change itself says when a reason is needed.
        Command::Free { .. } => Ok(Command::Free { reason: field("reason").unwrap_or_default().to_owned() }),
        Command::Halt { .. } => Ok(Command::Halt { on: field("lift").is_none() }),
        Command::Plan | Command::Start | Command::Pause | Command::Resume | Command::Retry | Command::Abort | Command::Restore | Command::Take | Command::Help => Ok(known),
        // Claimed from the page of drift, by resource.
        Command::Override { .. } | Command::PlanAgain | Command::Unknown { .. } => Err(FormError::Unknown),
    }
}
