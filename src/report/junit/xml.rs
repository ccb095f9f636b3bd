//! Elements as a stream. Every attribute and text is made safe here, so no caller can forget it.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::report::escape::{cut_middle, xml_content, xml_line, xml_text};

/// The largest text of one element.
const TEXT_LIMIT: usize = 64 * 1024 - 64;

/// A file under way.
pub struct Xml<'a> {
    writer: Writer<&'a mut dyn Write>,
}

/// Names and values of attributes.
pub type Attributes<'a> = [(&'a str, String)];

impl<'a> Xml<'a> {
    /// Begins a file.
    pub fn new(into: &'a mut dyn Write) -> Self {
        Self {
            writer: Writer::new_with_indent(into, b' ', 1),
        }
    }

    /// `<?xml version="1.0" encoding="UTF-8"?>`
    pub fn declaration(&mut self) -> io::Result<()> {
        let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
        self.writer.write_event(Event::Decl(declaration))
    }

    fn tag<'n>(name: &'n str, attributes: &Attributes<'_>) -> BytesStart<'n> {
        let mut tag = BytesStart::new(name);
        for (key, value) in attributes {
            tag.push_attribute((*key, xml_line(value).as_ref()));
        }
        tag
    }

    /// `<name …>`
    pub fn start(&mut self, name: &str, attributes: &Attributes<'_>) -> io::Result<()> {
        self.writer
            .write_event(Event::Start(Self::tag(name, attributes)))
    }

    /// `<name …/>`
    pub fn empty(&mut self, name: &str, attributes: &Attributes<'_>) -> io::Result<()> {
        self.writer
            .write_event(Event::Empty(Self::tag(name, attributes)))
    }

    /// `</name>`
    pub fn end(&mut self, name: &str) -> io::Result<()> {
        self.writer.write_event(Event::End(BytesEnd::new(name)))
    }

    /// `<name …>text</name>`, without a text `<name …/>`.
    pub fn element(
        &mut self,
        name: &str,
        attributes: &Attributes<'_>,
        text: &str,
    ) -> io::Result<()> {
        if text.is_empty() {
            return self.empty(name, attributes);
        }
        self.start(name, attributes)?;
        let text = xml_text(text);
        let text = cut_middle(&text, TEXT_LIMIT);
        let content = xml_content(&text);
        self.writer
            .write_event(Event::Text(BytesText::from_escaped(content)))?;
        self.end(name)
    }

    /// `<properties>` with those that have a value.
    pub fn properties(&mut self, properties: Vec<(String, Option<String>)>) -> io::Result<()> {
        if properties.iter().all(|(_, value)| value.is_none()) {
            return Ok(());
        }
        self.start("properties", &[])?;
        for (name, value) in properties {
            if let Some(value) = value {
                self.empty("property", &[("name", name), ("value", value)])?;
            }
        }
        self.end("properties")
    }

    /// Ends the file with a newline.
    pub fn finish(self) -> io::Result<()> {
        self.writer.into_inner().write_all(b"\n")
    }
}
