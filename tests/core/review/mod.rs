//! Commands, board, comment.
