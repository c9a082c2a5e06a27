//! Planning: diff, order, batching, digest, way back, lint.

mod atomic;
mod diff;
mod digest;
mod earlier;
mod golden;
mod health;
mod laws;
mod left;
mod lint;
mod remembered;
mod resolve;
mod safety;
mod systems;
mod toy;
mod waves;
mod way_back;
