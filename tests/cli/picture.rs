//! The picture in the README, and the excerpt in `docs/reading-a-verdict.md`, are what the demo prints.
//! With `UPDATE_DOCS=1` the test draws the picture anew.

use std::fmt::Write as _;

use crate::demo::demo;

const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/img/compare.svg");
const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reading-a-verdict.md");

/// Width of a character, height of a line, and what is left free around the text, in pixels.
const CHARACTER: f64 = 8.43;
const LINE: usize = 20;
const MARGIN: usize = 24;
const TOP: usize = 64;

const STYLE: &str = "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",\"Liberation Mono\",monospace;font-size:14px;fill:#d6deeb;white-space:pre}.b{font-weight:bold}.r{fill:#ff7b72}.g{fill:#7ee787}.y{fill:#f2cc60}.d{fill:#8b98a9}";

/// A piece of a line in one style.
struct Piece {
    column: usize,
    text: String,
    classes: String,
}

/// The pieces of a line with the escapes of `anstyle`: bold, dimmed and the colours that we use.
fn pieces(line: &str) -> Vec<Piece> {
    let (mut found, mut column, mut classes) = (Vec::new(), 0, Vec::new());
    for (number, part) in line.split('\u{1b}').enumerate() {
        let text = if number == 0 {
            part
        } else {
            let (code, text) = part[1..].split_once('m').unwrap();
            match code {
                "0" => classes.clear(),
                "1" => classes.push("b"),
                "2" => classes.push("d"),
                "31" => classes.push("r"),
                "32" => classes.push("g"),
                _ => classes.push("y"),
            }
            assert!(["0", "1", "2", "31", "32", "33"].contains(&code), "{code}");
            text
        };
        // Words that stand apart are placed apart: browsers do not agree on the width of spaces.
        let mut rest = text;
        while !rest.is_empty() {
            let start = rest.len() - rest.trim_start_matches(' ').len();
            let (gap, tail) = rest.split_at(start);
            column += gap.chars().count();
            let end = tail.find("  ").unwrap_or(tail.len());
            let (word, tail) = tail.split_at(end);
            if !word.is_empty() {
                found.push(Piece {
                    column,
                    text: word.to_owned(),
                    classes: classes.join(" "),
                });
            }
            column += word.chars().count();
            rest = tail;
        }
    }
    found
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn draw(screen: &str) -> String {
    let lines: Vec<Vec<Piece>> = screen.lines().map(pieces).collect();
    let end = |piece: &Piece| piece.column + piece.text.chars().count();
    let columns = lines.iter().flatten().map(end).max().unwrap_or(0);
    let across = |columns: usize| MARGIN as f64 + columns as f64 * CHARACTER;
    let width = (across(columns) + MARGIN as f64).ceil();
    let height = TOP + LINE * lines.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">gate compare v7 v8, in a terminal</title>\n<desc id=\"desc\">The verdict is FAIL: of 200 cases v8 loses 10 that v7 gets right and wins 2; 9 of the 10 are in tier=enterprise. A table gives pass rates, the change, its 90 % interval and p for all cases and for each tier.</desc>\n<style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"#0d1520\"/>\n<circle cx=\"24\" cy=\"22\" r=\"6\" fill=\"#ff5f57\"/><circle cx=\"44\" cy=\"22\" r=\"6\" fill=\"#febc2e\"/><circle cx=\"64\" cy=\"22\" r=\"6\" fill=\"#28c840\"/>\n"
    );
    for (number, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let _ = write!(svg, "<text y=\"{}\">", TOP + LINE * number);
        for piece in line {
            let class = match piece.classes.as_str() {
                "" => String::new(),
                classes => format!(" class=\"{classes}\""),
            };
            let _ = write!(
                svg,
                "<tspan x=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\"{class}>{}</tspan>",
                across(piece.column),
                piece.text.chars().count() as f64 * CHARACTER,
                escaped(&piece.text),
            );
        }
        svg.push_str("</text>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

#[test]
fn the_picture_of_the_readme_and_the_excerpt_of_the_guide_are_what_the_demo_prints() {
    let sandbox = demo();
    let plain = sandbox.gate(&["compare", "v7", "v8"]);
    let plain = plain.exits(1).stdout.as_str();
    let colored = sandbox.gate(&["compare", "v7", "v8", "--color", "always"]);
    let screen = format!("\u{1b}[2m$\u{1b}[0m gate compare v7 v8\n{}", colored.stdout);
    let drawn = draw(&screen);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PICTURE, &drawn).unwrap();
    }
    let how = "UPDATE_DOCS=1 cargo test --test cli picture draws it anew";
    let picture = std::fs::read_to_string(PICTURE)
        .unwrap()
        .replace("\r\n", "\n");
    assert!(
        picture == drawn,
        "docs/img/compare.svg is not what the demo prints; {how}"
    );
    let guide = std::fs::read_to_string(GUIDE)
        .unwrap()
        .replace("\r\n", "\n");
    let excerpt = guide.split("```console\n$ gate compare v7 v8\n").nth(1);
    let excerpt = excerpt.and_then(|text| text.split("```").next()).unwrap();
    assert!(
        excerpt == plain,
        "docs/reading-a-verdict.md shows\n{excerpt}\nand the demo prints\n{plain}"
    );
}
