//! Commands, board, comment, and plans on paper.

mod board;
mod command;
mod escape;
mod face;
mod fixture;
mod hostile;
mod journal;
mod paper;
mod preview;
mod refusal;
