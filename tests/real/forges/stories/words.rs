//! The words of a story: one line, one act of a person or one thing to expect. What is none of them is refused with its place.

/// Who acts in stories.
const PEOPLE: [&str; 5] = ["ana", "ben", "cleo", "root", "mallory"];

/// One forge on which stories are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Local,
    Gitea,
    GitHub,
    GitLab,
}

impl Place {
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Gitea => "gitea",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Local, Self::Gitea, Self::GitHub, Self::GitLab].into_iter().find(|place| place.name() == name)
    }
}

/// A whole story.
#[derive(Debug)]
pub struct Story {
    pub name: String,
    /// Where it cannot be played, and why.
    pub not_on: Vec<(Place, String)>,
    /// Lines below `policy:` of the repository's first `trueup.yaml`.
    pub policy: Vec<String>,
    /// A health check fails until the story says that it passes.
    pub sick: bool,
    /// What happens, each with its line.
    pub lines: Vec<(usize, Line)>,
}

/// What a push makes of a file: names of the zone with their addresses, or what another file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edits(pub Vec<(String, String)>);

/// Whether a health check passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Passes,
    Fails,
}

/// Which request a line is about: the last one opened, or that of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    It,
    Branch(String),
}

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    // What people do.
    Opens {
        who: String,
        branch: String,
        edits: Edits,
        draft: bool,
        fork: bool,
    },
    Pushes {
        who: String,
        branch: String,
        edits: Edits,
        anew: bool,
    },
    Branches {
        who: String,
        branch: String,
        edits: Edits,
    },
    Renames {
        who: String,
        branch: String,
        to: String,
    },
    Approves {
        who: String,
        on: On,
    },
    Comments {
        who: String,
        on: On,
        text: String,
    },
    EditsComment {
        who: String,
        text: String,
    },
    DeletesOurs {
        who: String,
    },
    Reviews {
        who: String,
        on: On,
        good: bool,
    },
    Dismisses {
        who: String,
        whose: String,
    },
    Drafts {
        who: String,
        on: On,
        draft: bool,
    },
    Retargets {
        who: String,
        on: On,
        to: String,
    },
    Closes {
        who: String,
        on: On,
    },
    Reopens {
        who: String,
        on: On,
    },
    MergesByHand {
        who: String,
        on: On,
    },
    Depends {
        who: String,
        on: On,
        first: String,
    },
    Labels {
        who: String,
        on: On,
        label: String,
        set: bool,
    },
    Checks {
        who: String,
        on: On,
        context: String,
        state: String,
    },
    OnlyNewest {
        who: String,
    },
    /// Somebody changes the name server past everybody.
    ByHand {
        name: String,
        address: String,
    },
    Health(Health),
    // What is expected.
    Waits {
        on: On,
    },
    WaitsFor {
        on: On,
        text: String,
    },
    Is {
        on: On,
        phase: String,
    },
    Still {
        on: On,
        phase: String,
    },
    Merges {
        on: On,
    },
    Before {
        first: String,
        second: String,
    },
    Answers {
        on: On,
        text: String,
    },
    Says {
        on: On,
        text: String,
    },
    Tells {
        on: On,
        text: String,
    },
    Status {
        on: On,
        context: String,
        state: String,
    },
    Labelled {
        on: On,
        label: String,
    },
    Bind {
        name: String,
        address: String,
        still: bool,
    },
    Main {
        text: String,
        holds: bool,
    },
}

/// Reads a story; `file` is named where it says what nobody understands.
pub fn read(file: &str, text: &str) -> Result<Story, String> {
    let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".story").to_owned();
    let mut story = Story { name, not_on: Vec::new(), policy: Vec::new(), sick: false, lines: Vec::new() };
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        let fault = |why: String| format!("{file}:{}: {why}: `{line}`", n + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(rest) = line.strip_prefix("not on ") {
            let (place, why) = rest.split_once(": ").ok_or_else(|| fault("a story that is not for a forge says why (`not on local: …`)".into()))?;
            let place = Place::named(place).ok_or_else(|| fault(format!("there is no forge `{place}`")))?;
            story.not_on.push((place, why.to_owned()));
        } else if let Some(rest) = line.strip_prefix("policy ") {
            story.policy.push(rest.to_owned());
        } else if line == "a health check fails from the beginning" {
            story.sick = true;
        } else {
            let words = words(line).map_err(&fault)?;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            story.lines.push((n + 1, understood(&words).map_err(&fault)?));
        }
    }
    Ok(story)
}

/// The words of a line; what stands in quotes is one, with its first quote before it.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('"') {
            Some(inside) => inside.find('"').ok_or("a quote that nobody closes")? + 2,
            None => rest.find(' ').unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        rest = after.trim_start();
        if word.starts_with('"') {
            // Its last quote goes, its first one says what it was.
            all.push(word[..word.len() - 1].replace("\\n", "\n"));
            continue;
        }
        let bare = word.strip_suffix(',').unwrap_or(word);
        all.push(bare.to_owned());
        if bare != word {
            all.push(",".into());
        }
    }
    Ok(all)
}

fn understood(words: &[&str]) -> Result<Line, String> {
    let text = |word: &str| word.strip_prefix('"').map(str::to_owned).ok_or_else(|| format!("`{word}` should stand in quotes"));
    let on = |word: &str| if word == "it" { On::It } else { On::Branch(word.to_owned()) };
    let branch = |word: &str| word.strip_suffix(':').map(str::to_owned).ok_or_else(|| format!("`{word}` is followed by `:` and what is changed"));
    if let [who, does @ ..] = words
        && PEOPLE.contains(who)
    {
        let who = (*who).to_owned();
        return Ok(match does {
            ["opens", name, "as", "a", "draft:", rest @ ..] => Line::Opens { who, branch: (*name).into(), edits: edits(rest)?, draft: true, fork: false },
            ["opens", name, "from", "a", "fork:", rest @ ..] => Line::Opens { who, branch: (*name).into(), edits: edits(rest)?, draft: false, fork: true },
            ["opens", name, rest @ ..] => Line::Opens { who, branch: branch(name)?, edits: edits(rest)?, draft: false, fork: false },
            ["pushes", name, "anew:", rest @ ..] => Line::Pushes { who, branch: (*name).into(), edits: edits(rest)?, anew: true },
            ["pushes", name, rest @ ..] => Line::Pushes { who, branch: branch(name)?, edits: edits(rest)?, anew: false },
            ["makes", "the", "branch", name, rest @ ..] => Line::Branches { who, branch: branch(name)?, edits: edits(rest)? },
            ["renames", "the", "branch", name, "to", to] => Line::Renames { who, branch: (*name).into(), to: (*to).into() },
            ["approves", it] => Line::Approves { who, on: on(it) },
            ["comments", said] => Line::Comments { who, on: On::It, text: text(said)? },
            ["comments", "on", it, said] => Line::Comments { who, on: on(it), text: text(said)? },
            ["edits", "the", "comment:", said] => Line::EditsComment { who, text: text(said)? },
            ["deletes", "our", "comment"] => Line::DeletesOurs { who },
            ["reviews", it, "as", "good"] => Line::Reviews { who, on: on(it), good: true },
            ["asks", "for", "changes", "of", it] => Line::Reviews { who, on: on(it), good: false },
            ["dismisses", "the", "review", "of", whose] => Line::Dismisses { who, whose: (*whose).into() },
            ["makes", it, "a", "draft"] => Line::Drafts { who, on: on(it), draft: true },
            ["makes", it, "ready"] => Line::Drafts { who, on: on(it), draft: false },
            ["sends", it, "to", to] => Line::Retargets { who, on: on(it), to: (*to).into() },
            ["closes", it] => Line::Closes { who, on: on(it) },
            ["reopens", it] => Line::Reopens { who, on: on(it) },
            ["merges", it, "by", "hand"] => Line::MergesByHand { who, on: on(it) },
            ["makes", it, "depend", "on", first] => Line::Depends { who, on: on(it), first: (*first).into() },
            ["lets", "main", "take", "only", "what", "is", "up", "to", "date"] => Line::OnlyNewest { who },
            ["labels", it, label] => Line::Labels { who, on: on(it), label: (*label).into(), set: true },
            ["takes", label, "off", it] => Line::Labels { who, on: on(it), label: (*label).into(), set: false },
            ["sets", context, "of", it, "to", state @ ("pending" | "success" | "failure")] => Line::Checks { who, on: on(it), context: (*context).into(), state: (*state).into() },
            _ => return Err("nobody does that in stories".into()),
        });
    }
    Ok(match words {
        ["a", "hand", "sends", name, "to", address] => Line::ByHand { name: (*name).into(), address: (*address).into() },
        ["the", "health", "check", "passes"] => Line::Health(Health::Passes),
        ["the", "health", "check", "fails"] => Line::Health(Health::Fails),
        ["BIND", "answers", name, address] => Line::Bind { name: (*name).into(), address: (*address).into(), still: false },
        ["BIND", "still", "answers", name, address] => Line::Bind { name: (*name).into(), address: (*address).into(), still: true },
        ["main", "holds", said] => Line::Main { text: (*said).into(), holds: true },
        ["main", "lacks", said] => Line::Main { text: (*said).into(), holds: false },
        [first, "merges", "before", second] => Line::Before { first: (*first).into(), second: (*second).into() },
        [it, "waits", "for", "approval"] => Line::Waits { on: on(it) },
        [it, "waits", "for", said] => Line::WaitsFor { on: on(it), text: text(said)? },
        [it, "is", "still", phase] => Line::Still { on: on(it), phase: known(phase)? },
        [it, "is", phase] => Line::Is { on: on(it), phase: known(phase)? },
        [it, "merges"] => Line::Merges { on: on(it) },
        [it, "answers", said] => Line::Answers { on: on(it), text: text(said)? },
        [it, "says", said] => Line::Says { on: on(it), text: text(said)? },
        [it, "tells", said] => Line::Tells { on: on(it), text: text(said)? },
        [it, "shows", context, "as", state @ ("pending" | "success" | "failure")] => Line::Status { on: on(it), context: (*context).into(), state: (*state).into() },
        [it, "is", "labelled", label] => Line::Labelled { on: on(it), label: text(label)? },
        _ => return Err("no words of a story".into()),
    })
}

/// A phase as the server names it.
fn known(phase: &str) -> Result<String, String> {
    const PHASES: [&str; 15] = [
        "planning",
        "awaiting_approval",
        "queued",
        "rolling",
        "verifying",
        "merging",
        "merged",
        "empty",
        "refused",
        "conflicted",
        "paused",
        "failed",
        "restoring",
        "restored",
        "closed",
    ];
    if PHASES.contains(&phase) { Ok(phase.to_owned()) } else { Err(format!("there is no phase `{phase}`; there are {}", PHASES.join(", "))) }
}

/// `www = 192.0.2.7, mail = gone, README.md = "words"`
fn edits(words: &[&str]) -> Result<Edits, String> {
    let mut all = Vec::new();
    for edit in words.split(|word| *word == ",") {
        let [name, "=", value] = edit else { return Err(format!("`{}` is no `NAME = ADDRESS`", edit.join(" "))) };
        all.push(((*name).to_owned(), value.trim_start_matches('"').to_owned()));
    }
    Ok(Edits(all))
}
