//! Commands, board, comment.

mod board;
mod command;
mod escape;
