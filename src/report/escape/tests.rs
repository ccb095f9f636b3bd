//! Attacks by name, and properties over arbitrary text.

use proptest::prelude::*;

use super::*;

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("]]>".to_owned()),
        Just("</testcase><testcase name=\"x\"/>".to_owned()),
        Just("\u{1b}[31m".to_owned()),
        Just("\u{1b}]52;c;aGk=\u{7}".to_owned()),
        Just("```".to_owned()),
        Just("\n::error::x".to_owned()),
        Just("##[add-mask]x".to_owned()),
        Just("@team #1 ![x](http://y)".to_owned()),
        Just("\r\n".to_owned()),
        Just("\0\u{fffe}\u{ffff}\u{202e}\u{9b}".to_owned()),
        any::<String>(),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[test]
fn drops_terminal_sequences_from_xml() {
    assert_eq!(xml_text("a\u{1b}[1;31mb\u{1b}[0mc"), "abc");
    assert_eq!(xml_text("a\u{1b}]8;;http://x\u{1b}\\b"), "ab");
    assert_eq!(xml_text("a\u{1b}]never ends\nb"), "anever ends\nb");
    assert_eq!(xml_text("a\u{9b}2Jb\u{1b}"), "ab");
    assert_eq!(xml_text("\0\u{fffe}\r\nx\ry"), "\u{fffd}\u{fffd}\nx\ny");
    assert_eq!(xml_line("a\nb\tc"), "a b c");
}

#[test]
fn cuts_the_middle_and_says_how_much() {
    let text = "\u{e4}".repeat(1000);
    let cut = cut_middle(&text, 101);
    assert!(cut.contains("[\u{2026} 1,900 bytes cut \u{2026}]"), "{cut}");
    assert_eq!(cut_middle("short", 5), "short");
}

#[test]
fn neutralises_markdown() {
    assert_eq!(
        markdown("@team #1 <b> a|b [x](http://y) `c` ![i](j)"),
        "@\u{200b}team #\u{200b}1 &lt;b&gt; a\\|b \\[x\\]\\(http:\u{200b}//y\\) \\`c\\` \\!\\[i\\]\\(j\\)"
    );
    assert_eq!(markdown("GH-1 www.x.y"), "GH\u{200b}-1 www\u{200b}.x.y");
    assert_eq!(markdown_code("a``b"), "```a``b```");
    assert_eq!(markdown_code("`"), "`` ` ``");
    assert_eq!(markdown_code(""), "` `");
    assert_eq!(markdown_block("````"), "`````text\n````\n`````\n");
}

#[test]
fn encodes_workflow_commands() {
    assert_eq!(workflow_message("50%\r\nb\rc"), "50%25%0Ab%0Ac");
    assert_eq!(workflow_property("a:b,c"), "a%3Ab%2Cc");
    assert_eq!(
        workflow_lines("ok\n  ::stop-commands::x\n##[group]"),
        "ok\n\u{2502}   ::stop-commands::x\n##\u{200b}[group]"
    );
}

#[test]
fn quotes_formulas() {
    for cell in ["=1+1", "+1", "-1", "@x", "\tx", "\rx"] {
        assert_eq!(csv_cell(cell), format!("'{cell}"));
    }
    assert_eq!(csv_cell("a=1"), "a=1");
}

proptest! {
    #[test]
    fn terminal_text_has_no_deceptive_character(text in hostile()) {
        prop_assert!(!terminal(&text).contains(is_deceptive));
        prop_assert!(!terminal_line(&text).contains(['\n', '\t']));
    }

    #[test]
    fn xml_text_is_of_allowed_characters(text in hostile()) {
        let clean = xml_text(&text);
        prop_assert!(clean.chars().all(is_xml), "{clean:?}");
        prop_assert!(!xml_line(&text).contains(['\n', '\t']));
        prop_assert!(xml_text(&clean) == clean);
    }

    #[test]
    fn a_fence_ends_only_where_it_should(text in hostile()) {
        let block = markdown_block(&text);
        let fence = block.trim_start_matches('\n').split('t').next().unwrap().to_owned();
        let body = block.strip_suffix(&format!("{fence}\n")).unwrap();
        let body = body.strip_prefix(&format!("{fence}text\n")).unwrap();
        prop_assert!(!body.contains(&fence));
        let span = markdown_code(&text);
        let ticks = span.chars().take_while(|c| *c == '`').count();
        prop_assert!(longest_run(span.trim_matches('`')) < ticks);
        prop_assert!(!span.contains(['|', '\n']));
    }

    #[test]
    fn markdown_text_stays_on_its_line_without_markup(text in hostile()) {
        let safe = markdown(&text);
        prop_assert!(!safe.contains(['\n', '<', '>']));
        let mut before = ' ';
        let mut escaped = false;
        for c in safe.chars() {
            if matches!(c, '|' | '`' | '[' | ']' | '*' | '_' | '~') {
                prop_assert!(escaped, "{c} in {safe:?}");
            }
            if c != '\u{200b}' {
                prop_assert!(!matches!(before, '@' | '#'), "{safe:?}");
            }
            escaped = c == '\\' && !escaped;
            before = c;
        }
    }

    #[test]
    fn html_has_no_markup(text in hostile()) {
        prop_assert!(!html(&text).contains(['<', '>', '"', '\'']));
    }

    #[test]
    fn no_line_is_a_command_to_the_runner(text in hostile()) {
        for line in workflow_lines(&text).split(['\n', '\r']) {
            prop_assert!(!line.trim_start().starts_with("::"));
            prop_assert!(!line.contains("##["));
        }
        prop_assert!(!workflow_message(&text).contains(['\n', '\r']));
        prop_assert!(!workflow_property(&text).contains([':', ',']));
    }

    #[test]
    fn json_reads_back(text in hostile()) {
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, JsonFormatter);
        serde::Serialize::serialize(&text, &mut serializer).unwrap();
        let written = String::from_utf8(bytes).unwrap();
        prop_assert!(!written.contains(is_deceptive));
        prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}

#[test]
fn a_file_printed_in_a_workflow_holds_no_command() {
    let hostile = "a\n::error file=x::y\n  ::add-mask::z\n##[group]g\n&lt;";
    let content = xml_content(hostile);
    for text in [markdown_block(hostile), content.clone()] {
        for line in text.lines() {
            assert!(!line.trim_start().starts_with("::"), "{line}");
            assert!(!line.contains("##["), "{line}");
        }
    }
    let back = quick_xml::escape::unescape(&content).unwrap();
    assert_eq!(back, hostile);
}
