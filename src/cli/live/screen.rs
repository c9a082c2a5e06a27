//! Where the picture goes: on a terminal it is drawn again and again in its place, elsewhere every news is a line, once.

use super::frame::{Frame, Paint};
use crate::core::review::{Phase, escape::plain};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{IsTerminal as _, Write as _},
};

/// Which stream it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => std::io::stdout().is_terminal(),
            Self::Stderr => std::io::stderr().is_terminal(),
        }
    }

    fn line(self, line: &str) {
        // Who reads may have gone; what is followed goes on.
        let _ = match self {
            Self::Stdout => writeln!(std::io::stdout(), "{line}"),
            Self::Stderr => writeln!(std::io::stderr(), "{line}"),
        };
    }
}

/// A place to draw on.
pub struct Screen {
    out: Out,
    frame: Option<Frame>,
    /// What stands below the picture on a terminal: the demo's traffic.
    below: Option<Box<dyn FnMut() -> String + Send>>,
}

enum Out {
    Quiet,
    Terminal { multi: MultiProgress, rows: Vec<ProgressBar>, paint: Paint },
    Lines { to: Stream, indent: &'static str, told: BTreeSet<String>, phase: Option<Phase>, gists: BTreeSet<String> },
}

impl Screen {
    /// Draws nothing.
    pub fn quiet() -> Self {
        Self { out: Out::Quiet, frame: None, below: None }
    }

    /// Draws on a stream; `indent` stands before each line where it is no terminal.
    pub fn new(to: Stream, color: bool, indent: &'static str) -> Self {
        let target = || match to {
            Stream::Stdout => ProgressDrawTarget::stdout(),
            Stream::Stderr => ProgressDrawTarget::stderr(),
        };
        let out = if to.is_terminal() {
            Out::Terminal { multi: MultiProgress::with_draw_target(target()), rows: Vec::new(), paint: Paint(color) }
        } else {
            Out::Lines { to, indent, told: BTreeSet::new(), phase: None, gists: BTreeSet::new() }
        };
        Self { out, frame: None, below: None }
    }

    /// Draws one more line below the picture, asked for again at every turn; only on a terminal.
    pub fn with_below(mut self, below: impl FnMut() -> String + Send + 'static) -> Self {
        self.below = Some(Box::new(below));
        self
    }

    /// Whether a picture is worth asking the server for.
    pub fn draws(&self) -> bool {
        !matches!(self.out, Out::Quiet)
    }

    /// Whether it is drawn again and again.
    pub fn moves(&self) -> bool {
        matches!(self.out, Out::Terminal { .. })
    }

    /// The change's card: phase and sentence.
    pub fn card(&mut self, phase: Phase, waits_for: &str) {
        let waits_for = plain(waits_for);
        match &mut self.out {
            Out::Quiet => {}
            Out::Terminal { .. } => {
                let mut frame = self.frame.take().unwrap_or_default();
                (frame.phase, frame.waits_for) = (Some(phase), waits_for);
                self.frame = Some(frame);
                self.draw();
            }
            Out::Lines { to, indent, told: _, phase: last, gists } => {
                // What it waits for may go to and fro; a phase that comes again is told again.
                if last.replace(phase) != Some(phase) {
                    gists.clear();
                }
                let line = format!("{phase}: {waits_for}");
                if gists.insert(gist(&line)) {
                    to.line(&format!("{indent}{line}"));
                }
            }
        }
    }

    /// The whole change.
    pub fn change(&mut self, change: &Value) {
        let frame = Frame::of(change);
        if let Out::Lines { to, indent, told, .. } = &mut self.out {
            for line in news(&frame, told) {
                to.line(&format!("{indent}{line}"));
            }
        }
        if let Some(phase) = frame.phase {
            self.card(phase, &frame.waits_for);
        }
        self.frame = Some(frame);
        self.draw();
    }

    /// Draws again what is known, with what is below it.
    pub fn draw(&mut self) {
        let Out::Terminal { multi, rows, paint } = &mut self.out else { return };
        // Before the first answer there is only a phase, which is no picture.
        let known = self.frame.as_ref().filter(|frame| !frame.title.is_empty());
        let mut lines = known.map_or_else(Vec::new, |frame| frame.lines(*paint));
        lines.extend(self.below.as_mut().map(|below| format!("  {}", below())));
        while rows.len() > lines.len() {
            if let Some(row) = rows.pop() {
                multi.remove(&row);
            }
        }
        for (at, line) in lines.into_iter().enumerate() {
            if at == rows.len() {
                let row = multi.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                    row.set_style(style);
                }
                rows.push(row);
            }
            rows[at].set_message(line);
            rows[at].tick();
        }
    }

    /// Prints a line that stays, above the picture.
    pub fn say(&mut self, line: &str) {
        match &self.out {
            Out::Quiet => {}
            // A terminal that is gone shows nothing.
            Out::Terminal { multi, .. } => drop(multi.println(format!("   {line}"))),
            Out::Lines { to, indent, .. } => to.line(&format!("{indent}{line}")),
        }
    }

    /// Ends the drawing; `keep`: the last picture stays on the screen.
    pub fn end(mut self, keep: bool) {
        self.draw();
        if let Out::Terminal { multi, rows, paint } = &mut self.out {
            for row in rows.iter() {
                row.finish_and_clear();
            }
            // Where it cannot be cleared there was nothing drawn.
            let _ = multi.clear();
            if keep {
                for line in self.frame.iter().flat_map(|frame| frame.lines(*paint)) {
                    let _ = multi.println(line);
                }
            }
        }
    }
}

/// What was not told yet: each state of each step once, of each plan.
fn news(frame: &Frame, told: &mut BTreeSet<String>) -> Vec<String> {
    let mut lines = Vec::new();
    for row in &frame.steps {
        // What has not begun is in the plan, which was shown.
        if matches!(row.state.as_str(), "planned" | "waiting" | "ready") && !row.timed {
            continue;
        }
        let line = match row.state.as_str() {
            "waiting" | "ready" | "planned" => format!("step {} waits: {}", row.id, row.note),
            "failed" if !row.note.is_empty() => format!("step {} {}: failed: {}", row.id, row.words, row.note),
            state => format!("step {} {}: {state}", row.id, row.words),
        };
        if told.insert(format!("{} {line}", frame.digest)) {
            lines.push(line);
        }
    }
    lines
}

/// A sentence without its numbers: a count that goes up is no news for a log.
fn gist(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Frame, gist, news};
    use crate::cli::live::frame::Row;
    use std::collections::BTreeSet;

    #[test]
    fn a_count_that_goes_up_is_no_news() {
        assert_eq!(gist("rolling: 1 of 10 done"), gist("rolling: 2 of 10 done"));
        assert_ne!(gist("rolling: 1 of 10 done"), gist("failed: 1 item failed"));
    }

    #[test]
    fn every_state_of_a_step_is_told_once_and_what_has_not_begun_is_not() {
        let mut told = BTreeSet::new();
        let frame = |state: &str, note: &str| Frame {
            steps: vec![Row { id: 1, words: "dns, 1 write".into(), state: state.into(), note: note.into(), timed: note.ends_with("later") }],
            ..Frame::default()
        };
        let seen: Vec<Vec<String>> =
            [("waiting", ""), ("acting", ""), ("acting", ""), ("proven", ""), ("proven", ""), ("failed", "gone")].map(|(state, note)| news(&frame(state, note), &mut told)).into();
        let expected: [&[&str]; 6] = [&[], &["step 1 dns, 1 write: acting"], &[], &["step 1 dns, 1 write: proven"], &[], &["step 1 dns, 1 write: failed: gone"]];
        assert_eq!(seen, expected);
        assert_eq!(news(&frame("waiting", "after step 0: gone, 2s later"), &mut told), ["step 1 waits: after step 0: gone, 2s later"]);
    }
}
