//! Builds nodes from the parser's events, counting what it builds.

use super::{Budget, Node, NodeKind, scalar, with_excerpt};
use crate::core::model::{Place, Refusal, RefusalKind, Str};
use granit_parser::{ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, Tag};
use std::collections::BTreeMap;

/// Reads a file that holds one document; an empty file is null.
pub fn load(file: &str, bytes: &[u8], budget: &Budget) -> Result<Node, Refusal> {
    let file: Str = file.into();
    let mut documents = documents(&file, bytes, &Budget { documents: 1, ..*budget })?;
    Ok(documents.pop().unwrap_or_else(|| Node::new(NodeKind::Null, Place::new(file, 1, 1))))
}

/// Reads a file of any number of documents.
pub fn load_all(file: &str, bytes: &[u8], budget: &Budget) -> Result<Vec<Node>, Refusal> {
    documents(&file.into(), bytes, budget)
}

fn documents(file: &Str, bytes: &[u8], budget: &Budget) -> Result<Vec<Node>, Refusal> {
    let text = text(file, bytes, budget).map_err(|refusal| with_excerpt(refusal, bytes))?;
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut builder = Builder { file, budget, open: Vec::new(), done: Vec::new(), anchors: BTreeMap::new(), nodes: 0, copied: 0 };
    for event in Parser::new_from_str_with_options(text, options) {
        let taken = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => Err(builder.broken(&error)),
        };
        taken.map_err(|refusal| with_excerpt(refusal, bytes))?;
    }
    Ok(builder.done)
}

/// The file as text: within budget, UTF-8, without a byte order mark.
fn text<'a>(file: &Str, bytes: &'a [u8], budget: &Budget) -> Result<&'a str, Refusal> {
    if bytes.len() > budget.bytes {
        let what = format!("the file has {} bytes; at most {} are read", bytes.len(), budget.bytes);
        return Err(Refusal::new(RefusalKind::Budget, what).at(Place::file(file.clone())).advice("split it into smaller files"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
        let what = format!("the file is not UTF-8: byte {} is 0x{:02x}", error.valid_up_to(), bytes[error.valid_up_to()]);
        Refusal::new(RefusalKind::Syntax, what).at(Place::new(file.clone(), count(line), count(column))).advice("save it as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

struct Builder<'a> {
    file: &'a Str,
    budget: &'a Budget,
    /// Lists and maps not yet closed, outermost first.
    open: Vec<Open>,
    done: Vec<Node>,
    /// Anchored values; `None` while the value is still open.
    anchors: BTreeMap<usize, Option<Node>>,
    nodes: usize,
    /// Bytes of text that aliases copied.
    copied: usize,
}

/// A list or map that is being filled.
struct Open {
    place: Place,
    anchor: usize,
    filling: Filling,
}

enum Filling {
    List(Vec<Node>),
    Map { pairs: Vec<(Node, Node)>, key: Option<Node>, seen: BTreeMap<(u8, Box<str>), Place>, merges: Vec<Node> },
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Refusal> {
        // Where a tag is at fault, the tag is what a person must look at.
        let tag_place = span.tag_span().map_or_else(|| self.place(&span.start), |tag| self.place(&tag.start));
        let place = self.place(&span.start);
        match event {
            Event::DocumentStart(..) if self.done.len() >= self.budget.documents => Err(self.too_many_documents(place)),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = scalar_node(&text, style, tag.as_deref(), place, &tag_place)?;
                self.put(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", &tag_place)?;
                self.begin(place, anchor, Filling::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "map", &tag_place)?;
                self.begin(place, anchor, Filling::Map { pairs: Vec::new(), key: None, seen: BTreeMap::new(), merges: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(id) => self.alias(id, place),
            // Stream marks and metadata that the options turn off.
            _ => Ok(()),
        }
    }

    fn place(&self, mark: &Marker) -> Place {
        Place::new(self.file.clone(), count(mark.line()), count(mark.col() + 1))
    }

    fn begin(&mut self, place: Place, anchor: usize, filling: Filling) -> Result<(), Refusal> {
        if self.open.len() >= self.budget.depth {
            return Err(self.too_deep(place));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open { place, anchor, filling });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refusal> {
        let Some(Open { place, anchor, filling }) = self.open.pop() else { return Ok(()) };
        let kind = match filling {
            Filling::List(items) => NodeKind::List(items),
            Filling::Map { pairs, key: _, seen, merges } => NodeKind::Map(merged(pairs, &seen, merges)?),
        };
        self.put(Node::new(kind, place), anchor)
    }

    /// Puts a finished value where it belongs: into the open list or map, or as a document.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Refusal> {
        self.count_nodes(1, &node.place)?;
        if anchor != 0 {
            let copy = self.copy(&node, &node.place)?;
            self.anchors.insert(anchor, Some(copy));
        }
        let Some(open) = self.open.last_mut() else {
            self.done.push(node);
            return Ok(());
        };
        match &mut open.filling {
            Filling::List(items) => items.push(node),
            Filling::Map { pairs, key, seen, merges } => match key.take() {
                None => {
                    let name = key_name(&node)?;
                    if let Some(first) = seen.get(&name) {
                        let what = format!("the key `{}` is there twice in one map", short(&name.1));
                        let refusal = Refusal::new(RefusalKind::Syntax, what).at(node.place).also(first.clone());
                        return Err(refusal.advice("keep one of the two"));
                    }
                    seen.insert(name, node.place.clone());
                    *key = Some(node);
                }
                Some(name) if is_merge(&name) => merges.push(node),
                Some(name) => pairs.push((name, node)),
            },
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<(), Refusal> {
        let stored = match self.anchors.remove(&id) {
            Some(Some(node)) => node,
            Some(None) | None => {
                return Err(Refusal::new(RefusalKind::Syntax, "the alias stands inside the value it repeats").at(place).advice("write the value out"));
            }
        };
        if self.open.len() + height(&stored) > self.budget.depth {
            return Err(self.too_deep(place));
        }
        let copy = self.copy(&stored, &place)?;
        self.anchors.insert(id, Some(stored));
        self.put(copy, 0)
    }

    /// Copies a value, having paid for it: this is what bounds alias bombs.
    fn copy(&mut self, node: &Node, at: &Place) -> Result<Node, Refusal> {
        let (nodes, bytes) = size(node);
        self.count_nodes(nodes, at)?;
        self.copied += bytes;
        if self.copied > self.budget.bytes {
            let what = format!("anchors and aliases copy more than {} bytes of text", self.budget.bytes);
            return Err(Refusal::new(RefusalKind::Budget, what).at(at.clone()).advice("write the values out, or split the file"));
        }
        Ok(node.clone())
    }

    fn count_nodes(&mut self, more: usize, at: &Place) -> Result<(), Refusal> {
        self.nodes += more;
        if self.nodes <= self.budget.nodes {
            return Ok(());
        }
        let what = format!("the file has more than {} values, those that aliases repeat included", self.budget.nodes);
        Err(Refusal::new(RefusalKind::Budget, what).at(at.clone()).advice("split it into smaller files, or write aliased values out"))
    }

    fn too_deep(&self, place: Place) -> Refusal {
        let what = format!("lists and maps are nested more than {} deep", self.budget.depth);
        Refusal::new(RefusalKind::Budget, what).at(place).advice("flatten the file")
    }

    fn too_many_documents(&self, place: Place) -> Refusal {
        match self.budget.documents {
            1 => Refusal::new(RefusalKind::Syntax, "a second document starts here").at(place).advice("this file holds one document: remove what follows `---`"),
            most => Refusal::new(RefusalKind::Budget, format!("the file has more than {most} documents")).at(place).advice("split it into smaller files"),
        }
    }

    fn broken(&self, error: &ScanError) -> Refusal {
        let place = self.place(error.marker());
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return self.too_deep(place);
        }
        let refusal = Refusal::new(RefusalKind::Syntax, format!("broken YAML: {}", error.info())).at(place);
        refusal.advice(advice(error.kind()))
    }
}

fn advice(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabInPlainScalar | ErrorKind::TabAtBlockScalarStart => {
            "indent with spaces; YAML takes no tabs there"
        }
        ErrorKind::UnknownAnchor => "define the anchor (`&name`) above the alias, or quote the text if `*` belongs to it",
        ErrorKind::UnclosedQuotedScalar => "close the quote",
        ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::UnexpectedEofFlowSequence | ErrorKind::UnexpectedEofFlowMapping => "close the bracket",
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => "match the brackets, or quote the text if the bracket belongs to it",
        ErrorKind::UnknownQuotedScalarEscape => "write the backslash twice, or use single quotes",
        ErrorKind::UnexpectedCharacter { .. } => "quote the text that starts with this character",
        _ => "check indentation, colons and quotes here and just above",
    }
}

fn scalar_node(text: &str, style: ScalarStyle, tag: Option<&Tag>, place: Place, tag_place: &Place) -> Result<Node, Refusal> {
    let plain = style == ScalarStyle::Plain && tag.is_none();
    let kind = match tag {
        None if plain => scalar::plain(text),
        None => NodeKind::Str(text.to_owned()),
        Some(tag) if tag.original() == "!" => NodeKind::Str(text.to_owned()),
        Some(tag) => match tag.core_suffix() {
            None | Some("seq" | "map") => return Err(unknown_tag(tag, tag_place.clone())),
            Some(name) => scalar::tagged(name, text).ok_or_else(|| {
                let what = format!("`{}` is no {name}, as its tag says", short(text));
                Refusal::new(RefusalKind::Syntax, what).at(tag_place.clone()).advice("remove the tag or mend the value")
            })?,
        },
    };
    let raw = matches!(kind, NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_)).then(|| text.into());
    Ok(Node { kind, place, raw, plain })
}

fn collection_tag(tag: Option<&Tag>, expected: &str, place: &Place) -> Result<(), Refusal> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema_tag(expected) => Err(unknown_tag(tag, place.clone())),
        Some(_) | None => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, place: Place) -> Refusal {
    let what = format!("the tag `{}` is not known here", short(&tag.original()));
    Refusal::new(RefusalKind::Syntax, what).at(place).advice("remove it: tags of the YAML core schema (`!!str`, `!!int`, …) alone are read")
}

/// A key's identity: `1` and `"1"` differ, `10` and `010` do not.
fn key_name(key: &Node) -> Result<(u8, Box<str>), Refusal> {
    match &key.kind {
        NodeKind::Null => Ok((0, "".into())),
        NodeKind::Bool(b) => Ok((1, b.to_string().into())),
        NodeKind::Int(n) => Ok((2, n.to_string().into())),
        NodeKind::Num(n) => Ok((3, n.as_str().into())),
        NodeKind::Str(text) if is_merge(key) => Ok((5, text.as_str().into())),
        NodeKind::Str(text) => Ok((4, text.as_str().into())),
        NodeKind::List(_) | NodeKind::Map(_) => Err(Refusal::new(RefusalKind::Syntax, format!("{} stands where a key must be", key.describe()))
            .at(key.place.clone())
            .advice("use text as the key; quote it if it starts with a bracket")),
    }
}

fn is_merge(key: &Node) -> bool {
    key.plain && key.as_str() == Some("<<")
}

/// Adds what `<<:` brings: the map's own keys win, then the first map named.
fn merged(mut pairs: Vec<(Node, Node)>, seen: &BTreeMap<(u8, Box<str>), Place>, merges: Vec<Node>) -> Result<Vec<(Node, Node)>, Refusal> {
    if merges.is_empty() {
        return Ok(pairs);
    }
    let mut taken: std::collections::BTreeSet<(u8, Box<str>)> = seen.keys().cloned().collect();
    for source in merges {
        let place = source.place.clone();
        let maps = match source.kind {
            NodeKind::List(items) => items,
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) | NodeKind::Map(_) => vec![source],
        };
        for map in maps {
            let NodeKind::Map(more) = map.kind else {
                return Err(Refusal::new(RefusalKind::Syntax, "`<<` takes a map or a list of maps").at(place).advice("name an anchored map, or quote the key"));
            };
            for (key, value) in more {
                if taken.insert(key_name(&key)?) {
                    pairs.push((key, value));
                }
            }
        }
    }
    Ok(pairs)
}

/// Values and bytes of text in a tree; the depth budget bounds the recursion.
fn size(node: &Node) -> (usize, usize) {
    let add = |(a, b): (usize, usize), (c, d): (usize, usize)| (a + c, b + d);
    match &node.kind {
        NodeKind::List(items) => items.iter().map(size).fold((1, 0), add),
        NodeKind::Map(pairs) => pairs.iter().map(|(key, value)| add(size(key), size(value))).fold((1, 0), add),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) => (1, node.text().map_or(0, str::len)),
    }
}

/// Lists and maps inside each other; the depth budget bounds the recursion.
fn height(node: &Node) -> usize {
    match &node.kind {
        NodeKind::List(items) => 1 + items.iter().map(height).max().unwrap_or(0),
        NodeKind::Map(pairs) => 1 + pairs.iter().map(|(_, value)| height(value)).max().unwrap_or(0),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) | NodeKind::Str(_) => 0,
    }
}

/// Text from the file, short enough for one line of an error.
fn short(text: &str) -> String {
    let clean: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > 60 { format!("{clean}…") } else { clean }
}
