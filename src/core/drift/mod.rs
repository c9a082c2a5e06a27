//! Drift: where what is live is not what the effective base asks for, told one by one; and overrides, which are drift on purpose.

mod compare;
mod overrides;
mod paper;
mod row;
mod swept;

pub use compare::{Verdict, Writer, compare};
pub use overrides::{Ended, Ending, LONGEST, LeftUndone, Override, OverrideAsk, OverrideEvent, OverrideFault, Overrides, WrittenOver, terms};
pub use paper::{FoundShape, Heading, closing, found_lines, found_markdown, json, part_line};
pub use row::{Ahead, Covered, Fault, Found, How, Part, Row, Tally};
pub use swept::{FoundIn, Stray, Stretch, Swept, Told};
