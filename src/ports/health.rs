//! What asks probes: health that no driver of a target measures.

use super::Fut;
use crate::core::model::{Probe, Saw};

/// Asks probes, each within its own time and inside the networks that the server allows.
pub trait Probes: Send + Sync {
    /// What it saw; whatever goes wrong on the way is part of that. Returns no later than the probe's timeout after its turn came.
    fn ask<'a>(&'a self, probe: &'a Probe) -> Fut<'a, Saw>;

    /// Why the server's configuration can never let it hold, known without asking: what, and what to do.
    fn fault(&self, probe: &Probe) -> Option<(String, String)>;
}
