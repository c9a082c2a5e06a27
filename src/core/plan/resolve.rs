//! References between values: what each `${…}` stands for, from the desired state of its own side.

use crate::core::model::{Desired, Kind, Late, Piece, Place, Refers, Refusal, RefusalKind, ResourceId, Str, Value, nearest};
use std::collections::BTreeMap;

/// So far a reference leads over others: a longer way is a mistake that nobody could follow.
const WAY: usize = 32;

/// So large is a text made of references at most, in bytes.
const TEXT: usize = 1 << 20;

/// So much text references put in altogether, in bytes: small files that name large ones many times must not fill the memory.
const ALL: usize = 64 << 20;

/// For so many unknown names the nearest one is looked for.
const LOOKED: usize = 20;

/// What a side asks of a resource, as it is written; a refusal: why nobody may refer to it.
pub type Asked = Result<Option<(Value, Option<Late>)>, Refusal>;

/// One side of a merge request, as far as references ask for it.
pub trait SideOf {
    /// The world's own errors, which are nobody's fault.
    type Error;

    /// What the side asks of a resource, wherever it stands.
    fn asks(&mut self, id: &ResourceId) -> Result<Asked, Self::Error>;

    /// Names that `id` may have meant, as `target/kind/name`.
    fn near(&mut self, id: &ResourceId) -> Result<Vec<String>, Self::Error>;

    fn kind(&self, id: &ResourceId) -> &'static dyn Kind;
}

/// Writes what references stand for into `desired`. What cannot be resolved is taken out of it and told.
pub fn resolve<S: SideOf>(desired: &mut Desired, side: &mut S) -> Result<Vec<Refusal>, S::Error> {
    let shape = |id: &ResourceId| desired.get(id).map_or(Value::Null, |wanted| wanted.value.clone());
    let late: Vec<(ResourceId, Value, Late)> = desired.late.iter().map(|(id, late)| (id.clone(), shape(id), late.clone())).collect();
    let mut walk = Walk { side, known: BTreeMap::new(), way: Vec::new(), put_in: 0, looked: 0, faults: Vec::new() };
    for (id, shape, late) in late {
        match walk.value(&id, &shape, &late)? {
            Some((value, _)) => {
                if let Some(wanted) = desired.resources.get_mut(&id) {
                    wanted.value = value;
                }
            }
            None => {
                desired.resources.remove(&id);
                desired.late.remove(&id);
            }
        }
    }
    Ok(walk.faults)
}

struct Walk<'a, S> {
    side: &'a mut S,
    /// What was resolved, and over how many references; `None`: it was told why it cannot be.
    known: BTreeMap<ResourceId, Option<(Value, usize)>>,
    /// What is being resolved, each with the place that asked for the next.
    way: Vec<(ResourceId, Place)>,
    put_in: usize,
    /// How often a name was looked for.
    looked: usize,
    faults: Vec<Refusal>,
}

impl<S: SideOf> Walk<'_, S> {
    /// The value of `id`, and over how many references it was found; `None`: it is told why there is none. `shape` is what is known of it.
    fn value(&mut self, id: &ResourceId, shape: &Value, late: &Late) -> Result<Option<(Value, usize)>, S::Error> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let (mut texts, mut longest) = (Vec::new(), 0);
        for one in late.pieces.split(|piece| *piece == Piece::Next) {
            texts.push(self.text(id, one, &mut longest)?);
        }
        let value = texts.into_iter().collect::<Option<Vec<Str>>>().and_then(|texts| self.filled(id, shape, texts, late));
        let value = value.map(|value| (value, longest));
        self.known.insert(id.clone(), value.clone());
        Ok(value)
    }

    /// One text; `None`: it is told why there is none.
    fn text(&mut self, id: &ResourceId, pieces: &[Piece], longest: &mut usize) -> Result<Option<Str>, S::Error> {
        let mut text = Some(String::new());
        for piece in pieces {
            let more = match piece {
                Piece::Text(plain) => Some(plain.clone()),
                Piece::Refers(refers) => {
                    self.way.push((id.clone(), refers.place.clone()));
                    let found = self.one(refers)?;
                    self.way.pop();
                    found.filter(|(found, way)| self.fits(text.as_ref(), found, *way, refers)).map(|(found, way)| {
                        *longest = (*longest).max(way);
                        found
                    })
                }
                Piece::Next => None,
            };
            text = text.zip(more).map(|(text, more)| text + &more);
        }
        Ok(text.map(Str::from))
    }

    /// The texts where the value has nothing known yet, each in the form that the kind gives it.
    fn filled(&mut self, id: &ResourceId, shape: &Value, texts: Vec<Str>, late: &Late) -> Option<Value> {
        let Value::Map(fields) = shape else { return texts.into_iter().next().map(Value::Str) };
        let kind = self.side.kind(id);
        let refused = |why: Refusal| {
            let places: Vec<Place> = late.refers().map(|refers| refers.place.clone()).collect();
            let fault = Refusal::new(RefusalKind::Value, format!("what `{id}` refers to does not fit it: {}", why.what));
            Refusal {
                place: places.first().cloned(),
                also: why.place,
                ..fault.advice(why.advice.unwrap_or_else(|| "mend what it refers to, or write the value itself".to_owned()))
            }
        };
        let mut texts = texts.into_iter();
        let mut fill = |value: &Value| -> Result<Value, Refusal> {
            match value {
                Value::Unknown(_) => kind.written(id, &texts.next().unwrap_or_default()).map(Value::str),
                known => Ok(known.clone()),
            }
        };
        let mut filled = BTreeMap::new();
        for (name, value) in fields {
            let value = match value {
                Value::List(items) => items.iter().map(&mut fill).collect::<Result<_, _>>().map(Value::List),
                other => fill(other),
            };
            match value {
                Ok(value) => drop(filled.insert(name.clone(), value)),
                Err(why) => {
                    self.faults.push(refused(why));
                    return None;
                }
            }
        }
        kind.canon(id, Value::Map(filled)).map_err(|why| self.faults.push(refused(why))).ok()
    }

    fn fits(&mut self, text: Option<&String>, found: &str, way: usize, refers: &Refers) -> bool {
        // Whichever of them was resolved first.
        if way > WAY {
            self.too_far(refers);
            return false;
        }
        self.put_in = self.put_in.saturating_add(found.len());
        let fits = text.map_or(0, String::len) + found.len() <= TEXT && self.put_in <= ALL;
        if !fits {
            let what = format!("`{refers}` makes this value, or all that references stand for, too large: {TEXT} bytes are allowed for one and {ALL} for all");
            self.fault(RefusalKind::Budget, refers, what, "refer to something smaller");
        }
        fits
    }

    fn too_far(&mut self, refers: &Refers) {
        self.fault(RefusalKind::Budget, refers, format!("`{refers}` leads on over more than {WAY} references"), "refer to what holds the value itself");
    }

    fn fault(&mut self, kind: RefusalKind, refers: &Refers, what: String, advice: impl Into<String>) {
        self.faults.push(Refusal::new(kind, what).at(refers.place.clone()).advice(advice));
    }

    /// What one reference stands for, and over how many it leads.
    fn one(&mut self, refers: &Refers) -> Result<Option<(Str, usize)>, S::Error> {
        if let Some(at) = self.way.iter().position(|(id, _)| *id == refers.id) {
            self.cycle(at);
            return Ok(None);
        }
        if self.way.len() > WAY {
            self.too_far(refers);
            return Ok(None);
        }
        let (value, late) = match self.side.asks(&refers.id)? {
            Ok(Some(asked)) => asked,
            Ok(None) => {
                self.unknown(refers)?;
                return Ok(None);
            }
            Err(why) => {
                self.faults.push(Refusal { place: Some(refers.place.clone()), also: why.place, ..why });
                return Ok(None);
            }
        };
        let (value, way) = match late {
            Some(late) => match self.value(&refers.id, &value, &late)? {
                Some((value, way)) => (value, way + 1),
                None => return Ok(None),
            },
            None => (value, 1),
        };
        let kind = self.side.kind(&refers.id);
        if matches!(value, Value::Secret(_) | Value::Hidden(_)) {
            let what = format!("`{refers}` is sensitive, and a reference would write it in the clear");
            self.fault(RefusalKind::Grant, refers, what, "write the same `secret://…` here instead");
            return Ok(None);
        }
        let fields = match kind.canon(&refers.id, value) {
            Ok(value) => kind.fields(&value),
            Err(why) => {
                self.fault(RefusalKind::Value, refers, format!("`{refers}` cannot be read: {}", why.what), "mend that first");
                return Ok(None);
            }
        };
        match fields.iter().find(|(name, _)| *name == refers.field) {
            Some((_, text)) => Ok(Some((text.clone(), way))),
            None => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
                let advice = match (names.as_slice(), nearest(&refers.field, names.iter().copied())) {
                    ([], _) => "it is no text; refer to something that is".to_owned(),
                    (_, Some(near)) if !near.is_empty() => format!("did you mean `.{near}`?"),
                    (names, _) if names.contains(&"") => "leave the field out".to_owned(),
                    (names, _) => format!("it has {}", names.iter().map(|name| format!("`.{name}`")).collect::<Vec<_>>().join(", ")),
                };
                let what = match &*refers.field {
                    "" => format!("`{refers}` names no field"),
                    field => format!("`{}` has no field `{field}`", refers.id),
                };
                self.fault(RefusalKind::Unknown, refers, what, advice);
                Ok(None)
            }
        }
    }

    fn unknown(&mut self, refers: &Refers) -> Result<(), S::Error> {
        if let Some(why) = self.side.kind(&refers.id).made_elsewhere(&refers.id) {
            let what = format!("`{refers}` is known only after something was written: {why}");
            self.fault(RefusalKind::Unknown, refers, what, "refer to what a file of this repository asks for");
            return Ok(());
        }
        self.looked += 1;
        let names = if self.looked > LOOKED { Vec::new() } else { self.side.near(&refers.id)? };
        let said = refers.id.to_string();
        let advice = match meant(&said, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name one that its files ask for: `TARGET/rrset/ZONE/OWNER/TYPE` or `TARGET/key/KEY`".to_owned(),
        };
        self.fault(RefusalKind::Unknown, refers, format!("nothing in this repository asks for `{said}`"), advice);
        Ok(())
    }

    /// Every reference of a loop is told once, where the loop was entered.
    fn cycle(&mut self, at: usize) {
        let around = &self.way[at..];
        let ids: Vec<String> = around.iter().chain(around.first()).map(|(id, _)| format!("`{id}`")).collect();
        let mut fault = Refusal::new(RefusalKind::Cycle, format!("references that lead back to where they start: {}", ids.join(" refers to ")))
            .at(around[0].1.clone())
            .advice("write one of these values itself");
        if let Some((_, second)) = around.get(1) {
            fault = fault.also(second.clone());
        }
        self.faults.push(fault);
    }
}

/// The name that is nearest in the parts in which it differs: of two long names that share a zone, the owners are compared.
fn meant<'n>(said: &str, names: &'n [String]) -> Option<&'n str> {
    let mut by_rest: BTreeMap<(usize, String), Vec<(String, &'n str)>> = BTreeMap::new();
    for name in names {
        let (a, b): (Vec<&str>, Vec<&str>) = (said.split('/').collect(), name.split('/').collect());
        let front = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        let back = a[front..].iter().rev().zip(b[front..].iter().rev()).take_while(|(a, b)| a == b).count();
        let rest = |parts: &[&str]| parts[front..parts.len() - back].join("/");
        let own = rest(&a);
        by_rest.entry((own.len(), own)).or_default().push((rest(&b), name));
    }
    by_rest.iter().filter(|((len, _), _)| *len > 0).find_map(|((_, own), names)| {
        let near = nearest(own, names.iter().map(|(rest, _)| rest.as_str()).filter(|rest| !rest.is_empty()))?;
        names.iter().find(|(rest, _)| rest == near).map(|(_, name)| *name)
    })
}
