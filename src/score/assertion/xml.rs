//! XML in the answer: `is-xml`, `contains-xml`. Entities are never expanded and nothing outside the
//! answer is read.

use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::answer::{Finding, quote};
use super::super::error::Fault;
use super::super::form::{Form, ScorerType};
use super::super::spec::Kind;
use super::super::template::Operand;
use super::{Assertion, Input};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[
    ScorerType::new("is-xml", &["elements"], |form| decode(form, Extent::Whole)),
    ScorerType::new("contains-xml", &["elements"], |form| {
        decode(form, Extent::Within)
    }),
];

/// XML that the answer must be or hold.
#[derive(Debug, Clone)]
pub struct Xml {
    extent: Extent,
    elements: Option<Operand>,
}

#[derive(Debug, Clone, Copy)]
enum Extent {
    Whole,
    Within,
}

fn decode(form: &mut Form<'_, '_, '_>, extent: Extent) -> Option<Kind> {
    let elements = match form.get("elements") {
        Some(_) => Some(form.texts("elements")?),
        None => None,
    };
    Some(Kind::Assertion(Assertion::Xml(Xml { extent, elements })))
}

impl Xml {
    pub(super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let wanted = self.elements.as_ref();
        let wanted = wanted
            .map(|elements| elements.texts(input.context.case))
            .transpose()?
            .unwrap_or_default();
        let wanted: Vec<&str> = wanted.iter().map(AsRef::as_ref).collect();
        match self.extent {
            Extent::Whole => Ok(check_whole(input.text, &wanted)),
            Extent::Within => check_within(input.text, &wanted),
        }
    }
}

fn check_whole(text: &str, wanted: &[&str]) -> Finding {
    match read(text) {
        Err(error) => {
            let answer = quote(text);
            Finding::binary(false, format!("{answer} is not XML: {error}"))
        }
        Ok(names) => match wanted.iter().find(|name| !names.contains(**name)) {
            None => Finding::binary(true, "the answer is XML"),
            Some(name) => Finding::binary(false, format!("the XML has no element {}", quote(name))),
        },
    }
}

fn check_within(text: &str, wanted: &[&str]) -> Result<Finding, Fault> {
    let mut scan = Scan {
        last: vec![0; wanted.len()],
        wanted,
        count: 0,
        found: false,
    };
    if scan.run(text)? {
        return Ok(Finding::binary(true, "the answer contains XML"));
    }
    let answer = quote(text);
    let reason = if scan.found {
        let names = wanted.join(", ");
        format!("no XML element in {answer} has {}", quote(&names))
    } else {
        format!("no XML element in {answer}")
    };
    Ok(Finding::binary(false, reason))
}

/// A search for an element that is complete. What ends in an error is open at that place, so each
/// place is read once, but for the tags in which an error stands.
struct Scan<'w> {
    wanted: &'w [&'w str],
    /// The number of the last element of each wanted name.
    last: Vec<usize>,
    count: usize,
    found: bool,
}

impl Scan<'_> {
    fn run(&mut self, text: &str) -> Result<bool, Fault> {
        const MOST_BYTES: usize = 64 << 20;
        let (mut at, mut work) = (0, 0usize);
        while let Some(start) = text.get(at..).and_then(|rest| rest.find('<')) {
            let rest = text.get(at + start..).unwrap_or_default();
            at += start + 1;
            let is_start = rest
                .get(1..)
                .is_some_and(|name| name.starts_with(is_name_start));
            if !is_start {
                continue;
            }
            if !rest.contains('>') {
                return Ok(false);
            }
            match self.read(rest) {
                Ended::Found => return Ok(true),
                Ended::AtEnd => return Ok(false),
                Ended::After { next, read } => {
                    at += next.saturating_sub(1);
                    work = work.saturating_add(read);
                }
            }
            if work > MOST_BYTES {
                let limit = "the answer has too many tags that are not closed".to_owned();
                return Err(Fault::Limit(limit));
            }
        }
        Ok(false)
    }

    /// Reads from a tag on, until an element is complete that has what is wanted.
    fn read(&mut self, text: &str) -> Ended {
        let mut reader = Reader::from_str(text);
        let mut open = Vec::new();
        loop {
            let before = position(&reader);
            let event = reader.read_event();
            let after = Ended::After {
                next: before + 1,
                read: position(&reader) - before,
            };
            let complete = match event {
                Ok(Event::Eof) => return Ended::AtEnd,
                Ok(Event::Start(tag)) if check_tag(&tag).is_ok() => {
                    open.push(self.begin(tag.name().as_ref()));
                    continue;
                }
                Ok(Event::Empty(tag)) if check_tag(&tag).is_ok() => self.begin(tag.name().as_ref()),
                Err(_) | Ok(Event::Start(_) | Event::Empty(_)) => return after,
                Ok(Event::GeneralRef(found)) if check_entity(found.as_ref()).is_err() => {
                    return after;
                }
                Ok(Event::End(_)) => match open.pop() {
                    Some(number) => number,
                    None => return after,
                },
                Ok(_) => continue,
            };
            self.found = true;
            if self.last.iter().all(|last| *last >= complete) {
                return Ended::Found;
            }
            if open.is_empty() {
                let next = position(&reader);
                return Ended::After { next, read: 0 };
            }
        }
    }

    fn begin(&mut self, name: &str) -> usize {
        self.count += 1;
        for (wanted, last) in self.wanted.iter().zip(&mut self.last) {
            if *wanted == name {
                *last = self.count;
            }
        }
        self.count
    }
}

/// How the reading from a tag on ended.
enum Ended {
    /// With an element that has what is wanted.
    Found,
    /// At the end of the text.
    AtEnd,
    /// At a place from which to go on, with bytes that will be read again.
    After { next: usize, read: usize },
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == ':'
}

/// Reads a document, and gives the names of its elements.
fn read(text: &str) -> Result<BTreeSet<String>, String> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut names = BTreeSet::new();
    let (mut depth, mut roots) = (0usize, 0usize);
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => {
                check_tag(&tag)?;
                names.insert(tag.name().as_ref().to_owned());
                roots += usize::from(depth == 0);
                depth += 1;
            }
            Event::Empty(tag) => {
                check_tag(&tag)?;
                names.insert(tag.name().as_ref().to_owned());
                roots += usize::from(depth == 0);
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(found) => {
                let found: &str = found.as_ref();
                if depth == 0 && found.contains(|c: char| !c.is_ascii_whitespace()) {
                    return Err("text outside the root element".to_owned());
                }
            }
            Event::CData(_) | Event::GeneralRef(_) if depth == 0 => {
                return Err("text outside the root element".to_owned());
            }
            Event::GeneralRef(found) => check_entity(found.as_ref())?,
            Event::Eof if depth > 0 => return Err("an element is not closed".to_owned()),
            Event::Eof if roots == 0 => return Err("there is no element".to_owned()),
            Event::Eof => return Ok(names),
            Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
        if roots > 1 {
            return Err("more than one root element".to_owned());
        }
    }
}

fn check_tag(tag: &quick_xml::events::BytesStart<'_>) -> Result<(), String> {
    let tag_name = tag.name();
    let tag_name: &str = tag_name.as_ref();
    let good = tag_name.starts_with(is_name_start)
        && tag_name
            .chars()
            .all(|c| c.is_alphanumeric() || "_:-.\u{b7}".contains(c));
    if !good {
        return Err("a tag has no name".to_owned());
    }
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.value.contains('<') {
            return Err("an attribute holds `<`".to_owned());
        }
    }
    Ok(())
}

/// Only the five entities that every document has, and references to characters.
fn check_entity(found: &str) -> Result<(), String> {
    let known = ["lt", "gt", "amp", "apos", "quot"].contains(&found);
    let character = found.strip_prefix('#').and_then(|code| {
        let number = match code.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => code.parse().ok()?,
        };
        char::from_u32(number)
    });
    if known || character.is_some() {
        Ok(())
    } else {
        Err(format!("unknown entity {}", quote(found)))
    }
}
