//! One zone's files to its resources, every fault with its place.

use super::{
    checks,
    fields::{Shape, TYPES, at, fault, known_keys, rdata, shape, short, values},
    scalar::Scalar,
    txt,
};
use crate::{
    core::model::{Desired, Kind, Late, Piece, Place, Refusal, RefusalKind, ResourceId, Str, Value, Wanted, Why, nearest},
    formats::{
        Scope, references,
        yaml::{Budget, Node, NodeKind, load},
    },
    kinds::dns::{DNS, DnsName, RType, rrset_id},
};

/// The TTL of a record that says none, as octoDNS has it.
pub(super) const DEFAULT_TTL: i64 = 3600;

/// What a record may hold beside its type.
const KEYS: [&str; 8] = ["type", "ttl", "value", "values", "octodns", "geo", "dynamic", "lenient"];

/// A longer line is data, not something a person reads in an error.
const LONGEST: u32 = 200;

/// Reads files into one zone.
pub(super) struct Reader<'a> {
    pub zone: DnsName,
    pub scope: &'a Scope,
    /// Whether `${…}` in a value refers to another resource.
    pub references: bool,
    /// Whether `octodns.healthcheck` is asked.
    pub healthchecks: bool,
    pub desired: Desired,
    pub faults: Vec<Refusal>,
}

/// A record's `octodns:` section.
#[derive(Default)]
struct Wishes {
    ignored: bool,
    lenient: bool,
    included: Vec<String>,
    excluded: Vec<String>,
}

impl Reader<'_> {
    /// Reads one file; `name` is its path in the repository.
    pub fn file(&mut self, name: &str, bytes: &[u8]) {
        let before = self.faults.len();
        match load(name, bytes, &Budget::default()) {
            Ok(node) => self.names(&node, self.references.then(|| references::Lines::of(bytes)).as_ref()),
            Err(refusal) => self.faults.push(refusal),
        }
        for fault in &mut self.faults[before..] {
            show_line(fault, bytes);
        }
    }

    fn names(&mut self, node: &Node, lines: Option<&references::Lines<'_>>) {
        if node.is_null() {
            return;
        }
        let Some(pairs) = node.as_map() else {
            return self.faults.push(fault(node, format!("{} stands where the names of the zone must be", node.describe()), "write `name: {type: …, value: …}`"));
        };
        for (key, entry) in pairs {
            let owner = match self.owner(key) {
                Ok(owner) => owner,
                Err(refusal) => {
                    self.faults.push(refusal);
                    continue;
                }
            };
            match entry.as_list() {
                Some(records) => records.iter().for_each(|record| self.record(&owner, record, &record.place, lines)),
                None => self.record(&owner, entry, &key.place, lines),
            }
        }
    }

    /// The owner a key names: text as Python makes it of YAML 1.1, below the zone; `''` is the zone itself.
    pub fn owner(&self, key: &Node) -> Result<DnsName, Refusal> {
        let Some(scalar) = Scalar::of(key) else {
            return Err(fault(key, format!("{} stands where a name must be", key.describe()), "write the name, `''` for the zone itself"));
        };
        let name = scalar.python();
        if name.is_empty() {
            return Ok(self.zone.clone());
        }
        if name == "@" {
            return Err(fault(key, "`@` is no name to octoDNS", "write `''` for the zone itself"));
        }
        if !self.scope.policy.lenient && name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(fault(key, format!("the name `{}` holds blanks", short(&name)), "remove them"));
        }
        if name.ends_with('.') {
            return Err(fault(
                key,
                format!("the name `{}` ends with a dot, but names here stand below `{}`", short(&name), self.zone),
                "write it without the zone and without the dot",
            ));
        }
        DnsName::parse_under(&name, &self.zone).map_err(|refusal| refusal.at(key.place.clone()))
    }

    fn record(&mut self, owner: &DnsName, record: &Node, place: &Place, lines: Option<&references::Lines<'_>>) {
        if let Err(refusal) = self.try_record(owner, record, place, lines) {
            self.faults.push(refusal);
        }
    }

    fn try_record(&mut self, owner: &DnsName, record: &Node, place: &Place, lines: Option<&references::Lines<'_>>) -> Result<(), Refusal> {
        let Some(pairs) = record.as_map() else {
            return Err(fault(record, format!("{} stands where a record must be", record.describe()), "write `type:` and `value:`"));
        };
        let kind = record
            .get("type")
            .filter(|kind| !kind.is_null())
            .ok_or_else(|| Refusal::new(RefusalKind::Schema, format!("the record `{owner}` has no type")).at(place.clone()).advice("add `type:`, as in `type: A`"))?;
        let name = kind.as_str().ok_or_else(|| fault(kind, format!("{} stands where a type must be", kind.describe()), "write it as in `type: A`"))?;
        if let Some(skip) = self.scope.policy.skip.iter().find(|skip| *skip.r#type == *name) {
            let reason: Str = if skip.reason.is_empty() { name.into() } else { format!("{name}: {}", skip.reason).into() };
            *self.desired.skipped.entry(reason).or_default() += 1;
            return Ok(());
        }
        let mut wishes = wishes(record)?;
        wishes.lenient |= self.scope.policy.lenient;
        if wishes.ignored {
            *self.desired.skipped.entry("octodns.ignored".into()).or_default() += 1;
            let rtype = RType::parse(name).ok();
            rtype.into_iter().for_each(|rtype| self.leave(owner, rtype, place, |_| true));
            return Ok(());
        }
        let Some(shape) = shape(name) else { return Err(unknown_type(name, kind)) };
        for key in ["geo", "dynamic"] {
            if let Some((key, _)) = record.entry(key) {
                let what = format!("`{}` answers differ by who asks, which a name server with plain zones cannot do", key.text().unwrap_or_default());
                return Err(fault(key, what, "write one plain `values:`, or leave the record to a provider that has it with `octodns: {ignored: true}`"));
            }
        }
        if !wishes.lenient {
            known_keys(pairs, KEYS.into_iter())?;
        }
        let rtype = RType::parse(name).map_err(|refusal| refusal.at(kind.place.clone()))?;
        let ttl = ttl(record)?;
        let check = checks::read(owner, rtype, record, self.healthchecks)?;
        let (mut texts, mut late) = (Vec::new(), Late::default());
        let mut failed = false;
        for value in values(record, shape, place)? {
            let read = match lines.map_or(Ok(Written::Plain), |lines| written(shape, value, lines, wishes.lenient)) {
                Ok(Written::Plain) => rdata(rtype, shape, value, wishes.lenient).map(Value::str).map_err(|refusal| vec![refusal]),
                Ok(Written::Literal(node)) => rdata(rtype, shape, &node, wishes.lenient).map(Value::str).map_err(|refusal| vec![refusal]),
                Ok(Written::Refers(pieces)) => {
                    late.pieces.extend((!late.pieces.is_empty()).then_some(Piece::Next));
                    late.pieces.extend(pieces);
                    Ok(Value::Unknown(Why("a reference that is not resolved".into())))
                }
                Err(refusals) => Err(refusals),
            };
            match read {
                Ok(value) => texts.push(value),
                Err(refusals) => {
                    failed = true;
                    self.faults.extend(refusals);
                }
            }
        }
        if failed {
            return Ok(());
        }
        let raw = Value::map([("ttl", Value::Int(ttl)), ("values", Value::List(texts))]);
        let targets: Vec<Str> = self.scope.targets.iter().filter(|target| wishes.goes_to(target)).cloned().collect();
        for target in targets {
            let id = rrset_id(&target, &self.zone, owner, rtype).map_err(|refusal| refusal.at(place.clone()))?;
            self.desired.checks.extend(check.clone().map(|check| (id.clone(), check)));
            if !late.pieces.is_empty() {
                // Its form is known once the references are.
                self.put(id.clone(), raw.clone(), place)?;
                self.desired.late.insert(id, late.clone());
                continue;
            }
            let value = DNS.canon(&id, raw.clone()).map_err(|refusal| refusal.at(place.clone()))?;
            self.put(id, value, place)?;
        }
        self.leave(owner, rtype, place, |target| !wishes.goes_to(target));
        Ok(())
    }

    /// Names an RRset as one to leave alone on the targets that `on` says: octoDNS neither creates nor deletes it there, whatever is live.
    fn leave(&mut self, owner: &DnsName, rtype: RType, place: &Place, on: impl Fn(&str) -> bool) {
        let ids = self.scope.targets.iter().filter(|target| on(target)).filter_map(|target| rrset_id(target, &self.zone, owner, rtype).ok());
        self.desired.left.extend(ids.map(|id| (id, place.clone())));
    }

    fn put(&mut self, id: ResourceId, value: Value, place: &Place) -> Result<(), Refusal> {
        if let Some(first) = self.desired.resources.get(&id) {
            let refusal = Refusal::new(RefusalKind::Overlap, format!("{} is asked for twice", DNS.title(&id)));
            return Err(refusal.at(place.clone()).also(first.place.clone()).advice("put all values into one record"));
        }
        self.desired.resources.insert(id, Wanted { value, place: place.clone(), after: Vec::new() });
        Ok(())
    }
}

/// How a value is written.
enum Written {
    /// There is no `${` in it.
    Plain,
    /// It only holds escaped ones: the same without the escapes.
    Literal(Node),
    Refers(Vec<Piece>),
}

/// Looks for references in a value: in addresses, names and texts, and nowhere else.
fn written(shape: Shape, value: &Node, lines: &references::Lines<'_>, lenient: bool) -> Result<Written, Vec<Refusal>> {
    let refused = |refusal: Refusal| vec![Refusal { place: refusal.place.or_else(|| Some(value.place.clone())), ..refusal }];
    match shape {
        Shape::Address | Shape::Target { .. } | Shape::Text => {}
        Shape::Map(_) | Shape::Service | Shape::Key if !holds(value) => return Ok(Written::Plain),
        Shape::Map(_) | Shape::Service | Shape::Key => {
            return Err(vec![fault(value, "references stand in values of A, AAAA, CNAME, DNAME, NS, PTR, TXT and SPF records alone", "write the value itself")]);
        }
    }
    let text = value.as_str().unwrap_or_default();
    let Some(read) = references::read(text, lines, &value.place)? else { return Ok(Written::Plain) };
    if read.refers().next().is_none() {
        return Ok(Written::Literal(Node::new(NodeKind::Str(read.around()), value.place.clone())));
    }
    let is_text = matches!(shape, Shape::Text);
    if is_text && text.starts_with('"') {
        return Err(vec![fault(value, "a text with references starts with a quote of its own", "write it without quotes inside of YAML's")]);
    }
    let plain = |piece: Piece| match piece {
        Piece::Text(text) if is_text => txt::characters(&text, lenient).map(|text| Piece::Text(text.into())),
        Piece::Text(_) | Piece::Refers(_) | Piece::Next => Ok(piece),
    };
    read.pieces.into_iter().map(plain).collect::<Result<_, _>>().map(Written::Refers).map_err(refused)
}

/// Whether `${` stands anywhere in a value.
fn holds(node: &Node) -> bool {
    match &node.kind {
        NodeKind::List(items) => items.iter().any(holds),
        NodeKind::Map(pairs) => pairs.iter().any(|(key, value)| holds(key) || holds(value)),
        NodeKind::Str(text) => text.contains("${"),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Num(_) => false,
    }
}

impl Wishes {
    /// As octoDNS asks: `included` names the only targets, then `excluded` names those left out.
    fn goes_to(&self, target: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == target);
        (self.included.is_empty() || named(&self.included)) && !named(&self.excluded)
    }
}

/// Adds the line a fault is on. What a zone publishes is no secret, so `_domainkey` is shown like any other name.
fn show_line(fault: &mut Refusal, bytes: &[u8]) {
    let Some(place) = fault.place.as_ref().filter(|place| place.line > 0 && place.column <= LONGEST && fault.excerpt.is_none()) else { return };
    let line = bytes.split(|byte| *byte == b'\n').nth(place.line as usize - 1).unwrap_or_default();
    let shown: String = String::from_utf8_lossy(line).trim_end().chars().take(LONGEST as usize).collect();
    if !shown.is_empty() {
        fault.excerpt = Some(shown);
    }
}

fn unknown_type(name: &str, kind: &Node) -> Refusal {
    if name == "SOA" {
        return fault(kind, "the SOA record is the name server's own", "remove it; the server writes it");
    }
    if let Some(near) = nearest(name, TYPES) {
        return fault(kind, format!("`{}` is no record type", short(name)), format!("did you mean `{near}`?"));
    }
    let own = name.contains('/') || matches!(name, "ALIAS" | "URLFWD");
    let what = if own { format!("`{}` is a provider's own type, which a name server cannot hold", short(name)) } else { format!("`{}` is no record type", short(name)) };
    fault(kind, what, format!("use a standard type, or leave the type out by name: `policy: {{skip: [{{type: {}, reason: …}}]}}`", short(name)))
}

fn ttl(record: &Node) -> Result<i64, Refusal> {
    let Some(node) = record.get("ttl") else { return Ok(DEFAULT_TTL) };
    let number = match Scalar::of(node) {
        Some(Scalar::Int(number)) => i64::try_from(number).ok(),
        Some(Scalar::Text(text)) => text.trim().parse().ok(),
        Some(Scalar::Null | Scalar::Bool(_) | Scalar::Float(_)) | None => None,
    };
    let fits = number.filter(|ttl| (0..=i64::from(i32::MAX)).contains(ttl));
    fits.ok_or_else(|| fault(node, "the ttl is no number from 0 to 2147483647", "write it in seconds: `ttl: 300`"))
}

fn wishes(record: &Node) -> Result<Wishes, Refusal> {
    let mut wishes = Wishes::default();
    let Some(section) = record.get("octodns").filter(|section| !section.is_null()) else { return Ok(wishes) };
    let Some(pairs) = section.as_map() else {
        return Err(fault(section, format!("{} stands where a map must be", section.describe()), "write `octodns: {excluded: [target]}`"));
    };
    for (key, value) in pairs {
        match key.text().unwrap_or_default() {
            "ignored" => wishes.ignored = truth(value)?,
            "lenient" => wishes.lenient = truth(value)?,
            "included" => wishes.included = targets(value)?,
            "excluded" => wishes.excluded = targets(value)?,
            // Each provider's own settings: other programs' words, which say nothing about what is served. `healthcheck` is read apart.
            _ => {}
        }
    }
    Ok(wishes)
}

fn truth(node: &Node) -> Result<bool, Refusal> {
    match Scalar::of(node) {
        Some(Scalar::Bool(truth)) => Ok(truth),
        Some(Scalar::Null | Scalar::Int(_) | Scalar::Float(_) | Scalar::Text(_)) | None => {
            Err(fault(node, format!("{} stands where true or false must be", node.describe()), "write `true` or `false`"))
        }
    }
}

fn targets(node: &Node) -> Result<Vec<String>, Refusal> {
    let items = node.as_list().ok_or_else(|| fault(node, format!("{} stands where a list of targets must be", node.describe()), "write `[target]`"))?;
    items
        .iter()
        .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| at(&item.place, format!("{} stands where a target's name must be", item.describe()), "write the name")))
        .collect()
}
