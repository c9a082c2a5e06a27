//! The GitHub driver over a fake GitHub: what it reads, what it writes, and what it does when GitHub fails.

mod faults;
mod look;
mod merge;
mod office;
mod propose;
mod sweep;
mod write;
