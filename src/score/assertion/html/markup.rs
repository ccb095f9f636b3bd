//! The declared form of `is-html` and `contains-html`, and the reading of the markup.

use scraper::node::Node;
use scraper::{Html as Tree, Selector};

use super::super::super::answer::{Finding, quote};
use super::super::super::error::Fault;
use super::super::super::form::Form;
use super::super::super::spec::Kind;
use super::super::{Assertion, Input};
use crate::base::text;

const MOST_BYTES: usize = 1 << 20;
/// The standard's algorithm looks through all open elements at many a tag.
const MOST_TAGS: usize = 20_000;
/// What it opens anew in each block, times all tags: nodes that no tag of the text stands for.
const MOST_REPEATED: usize = 1_000_000;

const HTML: &str = "http://www.w3.org/1999/xhtml";

/// The elements that the algorithm opens anew after a block ended within them.
const FORMATTING: [&str; 14] = [
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];
/// Elements without an end tag.
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];
/// The other elements of the HTML standard, and those that it lists as obsolete but defines.
const ELEMENTS: [&str; 112] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "article",
    "aside",
    "audio",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "body",
    "button",
    "canvas",
    "caption",
    "center",
    "cite",
    "code",
    "colgroup",
    "data",
    "datalist",
    "dd",
    "del",
    "details",
    "dfn",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "em",
    "fieldset",
    "figcaption",
    "figure",
    "font",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hgroup",
    "html",
    "i",
    "iframe",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "main",
    "map",
    "mark",
    "marquee",
    "math",
    "menu",
    "meter",
    "nav",
    "noscript",
    "object",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "picture",
    "pre",
    "progress",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "script",
    "search",
    "section",
    "select",
    "slot",
    "small",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "svg",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "video",
    "nobr",
];

/// HTML that the answer must be or hold.
#[derive(Debug, Clone)]
pub struct Html {
    extent: Extent,
    selector: Option<(String, Selector)>,
}

#[derive(Debug, Clone, Copy)]
enum Extent {
    Whole,
    Within,
}

pub(super) fn decode_whole(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    decode(form, Extent::Whole)
}

pub(super) fn decode_within(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    decode(form, Extent::Within)
}

fn decode(form: &mut Form<'_, '_, '_>, extent: Extent) -> Option<Kind> {
    let selector = match form.get("selector") {
        None => None,
        Some(node) => {
            let source = form.reader.nonempty(node, "`selector`")?;
            match Selector::parse(text::byte_prefix(source, 300)) {
                Ok(selector) if source.len() <= 300 => Some((source.to_owned(), selector)),
                Ok(_) | Err(_) => {
                    let help =
                        "write a selector of at most 300 characters, such as `table > tr.total`";
                    let message = "`selector` is not a CSS selector";
                    form.reader.error(node.span, "selector", message, help);
                    return None;
                }
            }
        }
    };
    Some(Kind::Assertion(Assertion::Html(Html { extent, selector })))
}

impl Html {
    pub(in super::super) fn find(&self, input: &Input<'_>) -> Result<Finding, Fault> {
        let text = input.text.trim();
        let lower = text.to_ascii_lowercase();
        let tags = text.matches('<').count();
        let repeated: usize = FORMATTING
            .iter()
            .map(|name| lower.matches(&format!("<{name}")).count())
            .sum();
        if text.len() > MOST_BYTES || tags > MOST_TAGS || repeated * tags > MOST_REPEATED {
            return Err(Fault::Limit("the answer has too much markup".to_owned()));
        }
        let is_document = ["<!doctype", "<html", "<head", "<body"]
            .iter()
            .any(|start| lower.starts_with(start));
        let tree = if lower.starts_with("<!doctype") {
            Tree::parse_document(text)
        } else if is_document {
            // Without its doctype it is a document all the same.
            Tree::parse_document(&format!("<!doctype html>{text}"))
        } else {
            Tree::parse_fragment(text)
        };
        let wrong = match self.extent {
            Extent::Whole => fault(&tree, text, is_document),
            Extent::Within => {
                let mut names = elements(&tree);
                let is_there = names.any(|name| stands_in(name, &lower));
                (!is_there).then(|| "no element of HTML is in it".to_owned())
            }
        };
        if let Some(wrong) = wrong {
            let reason = match self.extent {
                Extent::Whole => format!("{} is not HTML: {wrong}", quote(text)),
                Extent::Within => format!("{}: {wrong}", quote(text)),
            };
            return Ok(Finding::binary(false, reason));
        }
        Ok(match &self.selector {
            Some((source, selector)) if tree.select(selector).next().is_none() => {
                let reason = format!("nothing in the HTML is {}", quote(source));
                Finding::binary(false, reason)
            }
            _ => Finding::binary(true, "the answer has HTML"),
        })
    }
}

/// Why a text is not HTML as a whole.
fn fault(tree: &Tree, text: &str, is_document: bool) -> Option<String> {
    if !text.starts_with('<') || !text.ends_with('>') {
        return Some("it does not begin and end with a tag".to_owned());
    }
    if let Some(error) = tree.errors.first() {
        let error = text::visible_line(text::byte_prefix(error, 300));
        return Some(text::shorten(&error, 100).into_owned());
    }
    let unknown = elements(tree).find(|name| !is_known(name));
    if let Some(name) = unknown {
        return Some(format!("there is no element {}", quote(name)));
    }
    let is_empty = !is_document
        && tree
            .root_element()
            .children()
            .all(|node| !node.value().is_element());
    is_empty.then(|| "it has no element".to_owned())
}

/// The names of the elements, but for the one that stands around a fragment or document.
fn elements(tree: &Tree) -> impl Iterator<Item = &str> {
    let nodes = tree.root_element().descendants().skip(1);
    nodes.filter_map(|node| match node.value() {
        Node::Element(element) => (&*element.name.ns == HTML).then(|| element.name()),
        Node::Document
        | Node::Fragment
        | Node::Doctype(_)
        | Node::Comment(_)
        | Node::Text(_)
        | Node::ProcessingInstruction(_) => None,
    })
}

/// An element of the standard, or a custom one, whose name has a hyphen. What stands in `svg` and
/// `math` has names of its own.
fn is_known(name: &str) -> bool {
    ELEMENTS.contains(&name) || VOID.contains(&name) || name.contains('-')
}

/// Whether an element is written out, with its end unless it needs none.
fn stands_in(name: &str, lower: &str) -> bool {
    let opens = lower.contains(&format!("<{name}"));
    let closes = lower.contains(&format!("</{name}"));
    opens && is_known(name) && (closes || VOID.contains(&name))
}
