//! Conditions of policy in CEL, bounded before they are parsed and before they are evaluated.

use crate::core::{
    model::{Refusal, RefusalKind, Str, nearest},
    plan::{Conditions, PlanFacts},
};
use cel::{
    Context, ExecutionError, IdedExpr, Program, Value,
    common::ast::{ComprehensionExpr, EntryExpr, Expr, LiteralValue},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A condition is a line or two; the parser's memory grows with length and nesting together.
const CHARACTERS: usize = 1000;

/// Opening brackets in the whole text, so that no quoting trick hides nesting from the count; a long rule of ten calls has a dozen.
const BRACKETS: usize = 24;

/// Operators in the whole text, `in` included: they bound how deep a tree without brackets can be (`a.b.c…`, `!!!…`, `1+1+…`).
const OPERATORS: usize = 128;

/// Evaluated nodes and compared words: a second at most in a slow build, and ten times what one pass over 100,000 resources costs.
const WORK: u64 = 10_000_000;

/// Compiling one regular expression costs about this many evaluated nodes.
const REGEX: u64 = 10_000;

/// The stack of the thread a condition is read on. Slow builds need 180 KiB a bracket and 50 KiB an operator: at most 11 MiB within the bounds above.
/// Only what is touched takes memory.
const STACK: usize = 64 << 20;

/// The numbers, then the lists a condition may name, in the order `seen` fills them.
const FIELDS: [&str; 13] = ["creates", "updates", "deletes", "adopts", "releases", "moves", "drifts", "writes", "targets", "kinds", "units", "resources", "files"];

/// Evaluates conditions written in CEL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cel;

impl Cel {
    /// Refuses a condition that could not be evaluated for any plan, so that it is found when the file is read.
    pub fn check(&self, condition: &str) -> Result<(), Refusal> {
        read(condition, &PlanFacts::default(), Until::Checked).map(|_| ())
    }
}

/// How far a condition is taken.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// Every name and type is known; faults that depend on a plan's numbers (a division by none) do not count.
    Checked,
    Known,
}

impl Conditions for Cel {
    fn holds(&self, condition: &str, facts: &PlanFacts) -> Result<bool, Refusal> {
        read(condition, facts, Until::Known)
    }
}

fn read(condition: &str, facts: &PlanFacts, until: Until) -> Result<bool, Refusal> {
    bounded(condition)?;
    // The parser recurses a dozen frames a bracket, more than a worker's stack may hold; a panic in it ends this thread alone.
    let read = || {
        let program = parse(condition)?;
        names(condition, program.expression(), &mut Vec::new())?;
        evaluate(condition, &program, facts, until)
    };
    let ended = std::thread::scope(|scope| std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read).map(|thread| thread.join()));
    match ended {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(refusal(RefusalKind::Syntax, condition, "cannot be read", "write it in a simpler way")),
        Err(error) => Err(refusal(RefusalKind::Budget, condition, format!("could not be evaluated: {}", error.kind()), "try again when the server has room for a thread")),
    }
}

fn refusal(kind: RefusalKind, condition: &str, what: impl std::fmt::Display, advice: impl Into<String>) -> Refusal {
    Refusal::new(kind, format!("the condition `{}` {what}", short(condition))).advice(advice)
}

/// Refuses what is too large to be given to the parser.
fn bounded(condition: &str) -> Result<(), Refusal> {
    let brackets = condition.chars().filter(|c| matches!(c, '(' | '[' | '{')).count();
    let operators =
        condition.chars().filter(|c| matches!(c, '!' | '-' | '+' | '*' | '/' | '%' | '.' | '?' | '<' | '>' | '=' | '&' | '|')).count() + condition.matches("in").count();
    for (what, found, most) in [("characters", condition.chars().count(), CHARACTERS), ("opening brackets", brackets, BRACKETS), ("operators", operators, OPERATORS)] {
        if found > most {
            return Err(refusal(RefusalKind::Budget, condition, format!("has {found} {what}; at most {most} are read"), "split it into several rules"));
        }
    }
    Ok(())
}

fn parse(condition: &str) -> Result<Program, Refusal> {
    Program::compile(condition).map_err(|errors| {
        let first = errors.errors.first().map(|error| format!("at column {}: {}", error.pos.1, short(plain(&error.msg))));
        let what = format!("does not parse{}", first.map(|first| format!(", {first}")).unwrap_or_default());
        refusal(RefusalKind::Syntax, condition, what, "write it in CEL: `plan.deletes > 0 && \"dns-outside\" in plan.targets`")
    })
}

fn evaluate(condition: &str, program: &Program, facts: &PlanFacts, until: Until) -> Result<bool, Refusal> {
    let work = Cost::of(program.expression(), facts, &mut BTreeMap::new()).work;
    if work > WORK {
        let what = format!("would take {work} steps for this plan; at most {WORK} are done");
        return Err(refusal(RefusalKind::Budget, condition, what, "do not go through a list inside a list, and use `in` where it says the same"));
    }
    let mut context = Context::default();
    let added = context.add_variable("plan", seen(facts));
    added.map_err(|error| refusal(RefusalKind::Value, condition, format!("cannot see the plan: {}", short(&error.to_string())), "report this: it is a fault of trueup"))?;
    match program.execute(&context) {
        Ok(Value::Bool(holds)) => Ok(holds),
        Ok(other) => Err(refusal(RefusalKind::Value, condition, format!("is {}, neither true nor false", told_type(&other)), "compare it with something: `plan.deletes > 0`")),
        Err(error) if until == Until::Checked && !matches!(error, ExecutionError::NoSuchOverload(_) | ExecutionError::UndeclaredReference(_)) => Ok(false),
        Err(error) => Err(refusal(RefusalKind::Value, condition, format!("fails: {}", short(&told(&error))), "mend the condition")),
    }
}

/// One field as a condition sees it.
#[derive(Serialize)]
#[serde(untagged)]
enum Seen<'a> {
    /// Signed, so that arithmetic with the numbers people write (`plan.deletes * 2`) has one type.
    Number(i64),
    List(&'a BTreeSet<Str>),
}

fn seen(facts: &PlanFacts) -> BTreeMap<&'static str, Seen<'_>> {
    let PlanFacts { creates, updates, deletes, adopts, releases, moves, drifts, writes, targets, kinds, units, resources, files } = facts;
    let numbers = [creates, updates, deletes, adopts, releases, moves, drifts, writes].map(|n| Seen::Number(i64::try_from(*n).unwrap_or(i64::MAX)));
    let lists = [targets, kinds, units, resources, files].map(Seen::List);
    FIELDS.into_iter().zip(numbers.into_iter().chain(lists)).collect()
}

fn told_type(value: &Value) -> &'static str {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) | Value::Bytes(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        _ => "something else",
    }
}

fn told(error: &ExecutionError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Refuses names that no plan has, wherever they stand, so that no branch hides them.
fn names(condition: &str, node: &IdedExpr, bound: &mut Vec<String>) -> Result<(), Refusal> {
    let unknown = |name: &str, known: &[&str], what: &str| {
        let advice = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        refusal(RefusalKind::Schema, condition, format!("names `{what}{name}`, which is not there"), advice)
    };
    match &node.expr {
        Expr::Ident(name) if name == "plan" || bound.contains(name) || name.starts_with('@') => Ok(()),
        // A type by its name (`type(x) == int`) is a word of the language.
        Expr::Ident(name) if ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"].contains(&name.as_str()) => Ok(()),
        Expr::Ident(name) => Err(unknown(name, &["plan"], "")),
        Expr::Select(select) => match &select.operand.expr {
            Expr::Ident(name) if name == "plan" && !bound.contains(name) && !FIELDS.contains(&select.field.as_str()) => Err(unknown(&select.field, &FIELDS, "plan.")),
            _ => names(condition, &select.operand, bound),
        },
        Expr::Call(call) => call.target.iter().map(|target| &**target).chain(&call.args).try_for_each(|part| names(condition, part, bound)),
        Expr::List(list) => list.elements.iter().try_for_each(|part| names(condition, part, bound)),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| entry_parts(&entry.expr).into_iter().try_for_each(|part| names(condition, part, bound))),
        Expr::Struct(of) => of.entries.iter().try_for_each(|entry| entry_parts(&entry.expr).into_iter().try_for_each(|part| names(condition, part, bound))),
        Expr::Comprehension(each) => {
            names(condition, &each.iter_range, bound)?;
            let before = bound.len();
            bound.extend([each.iter_var.clone(), each.accu_var.clone()]);
            bound.extend(each.iter_var2.clone());
            let inner = [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result];
            let ended = inner.into_iter().try_for_each(|part| names(condition, part, bound));
            bound.truncate(before);
            ended
        }
        Expr::Literal(_) | Expr::Unspecified => Ok(()),
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// What evaluating an expression costs at most, and how large its value is at most: `len` elements of `each` in size.
#[derive(Clone, Copy, Debug)]
struct Cost {
    work: u64,
    len: u64,
    each: u64,
}

impl Cost {
    const ONE: Cost = Cost { work: 1, len: 1, each: 1 };

    fn size(self) -> u64 {
        self.len.saturating_mul(self.each)
    }

    fn of(node: &IdedExpr, facts: &PlanFacts, bound: &mut BTreeMap<String, (u64, u64)>) -> Cost {
        match &node.expr {
            Expr::Unspecified => Self::ONE,
            Expr::Literal(LiteralValue::String(text)) => Cost { each: text.inner().len() as u64, ..Self::ONE },
            Expr::Literal(_) => Self::ONE,
            Expr::Ident(name) => match bound.get(name) {
                Some((len, each)) => Cost { work: 1, len: *len, each: *each },
                None if name == "plan" => {
                    let fields = FIELDS.map(|field| Self::field(field, facts));
                    Cost { work: 1, len: 1, each: fields.iter().fold(0, |sum, field| sum.saturating_add(field.size())) }
                }
                None => Self::ONE,
            },
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if name == "plan" && !bound.contains_key(name) => Self::field(&select.field, facts),
                _ => {
                    let operand = Self::of(&select.operand, facts, bound);
                    Cost { work: operand.work.saturating_add(1), ..operand }
                }
            },
            Expr::List(list) => Self::list(list.elements.iter(), facts, bound),
            Expr::Map(map) => Self::list(map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)), facts, bound),
            Expr::Struct(of) => Self::list(of.entries.iter().flat_map(|entry| entry_parts(&entry.expr)), facts, bound),
            Expr::Call(call) => {
                let parts: Vec<Cost> = call.target.iter().map(|target| &**target).chain(&call.args).map(|part| Self::of(part, facts, bound)).collect();
                Self::call(&call.func_name, &parts)
            }
            Expr::Comprehension(each) => Self::comprehension(each, facts, bound),
        }
    }

    fn field(name: &str, facts: &PlanFacts) -> Cost {
        let list = match name {
            "targets" => &facts.targets,
            "kinds" => &facts.kinds,
            "units" => &facts.units,
            "resources" => &facts.resources,
            "files" => &facts.files,
            _ => return Cost { work: 2, ..Self::ONE },
        };
        Cost { work: 2, len: list.len() as u64, each: list.iter().map(|text| text.len()).max().unwrap_or(0) as u64 }
    }

    fn list<'a>(parts: impl Iterator<Item = &'a IdedExpr>, facts: &PlanFacts, bound: &mut BTreeMap<String, (u64, u64)>) -> Cost {
        parts.fold(Cost { work: 1, len: 0, each: 0 }, |sum, part| {
            let part = Self::of(part, facts, bound);
            Cost { work: sum.work.saturating_add(part.work), len: sum.len + 1, each: sum.each.max(part.size()) }
        })
    }

    fn call(name: &str, parts: &[Cost]) -> Cost {
        let work = parts.iter().fold(1u64, |sum, part| sum.saturating_add(part.work));
        // Comparing and copying go a word at a time.
        let touched = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.size())) / 8;
        let work = work.saturating_add(touched).saturating_add(if name == "matches" { REGEX } else { 0 });
        let yes_or_no = ["_&&_", "_||_", "!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "size", "startsWith", "endsWith", "contains", "matches"];
        if yes_or_no.contains(&name) {
            return Cost { work, ..Self::ONE };
        }
        let len = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.len));
        Cost { work, len, each: parts.iter().map(|part| part.each).max().unwrap_or(1) }
    }

    fn comprehension(each: &ComprehensionExpr, facts: &PlanFacts, bound: &mut BTreeMap<String, (u64, u64)>) -> Cost {
        let range = Self::of(&each.iter_range, facts, bound);
        let outer = bound.clone();
        bound.insert(each.iter_var.clone(), (range.each, 1));
        bound.extend(each.iter_var2.clone().map(|name| (name, (range.each, 1))));
        // What is gathered is counted below, once for all rounds.
        bound.insert(each.accu_var.clone(), (0, 0));
        let init = Self::of(&each.accu_init, facts, bound);
        let round = [&each.loop_cond, &each.loop_step].map(|part| Self::of(part, facts, bound));
        let result = Self::of(&each.result, facts, bound);
        *bound = outer;
        let one = round.iter().fold(1u64, |sum, part| sum.saturating_add(part.work));
        let work = range.work.saturating_add(init.work).saturating_add(result.work).saturating_add(range.len.saturating_mul(one));
        Cost { work, len: range.len.saturating_mul(round[1].len.max(1)), each: round[1].each.max(1) }
    }
}

/// The parser's message without its list of everything it would have taken.
fn plain(message: &str) -> &str {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    message.split(" expecting ").next().unwrap_or(message)
}

/// Text for one line of an error.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
