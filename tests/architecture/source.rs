//! Rust source as text: tokens, the items that only tests compile, and the paths that code names.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    pub segments: Vec<String>,
    pub line: usize,
    pub alias: Option<String>,
    /// The inline modules around it, within its file.
    pub inside: Vec<String>,
}

impl NamedPath {
    /// The name an import brings into scope.
    pub fn name(&self) -> Option<&str> {
        self.alias
            .as_deref()
            .or(self.segments.last().map(String::as_str))
    }
}

/// Every leaf of every `use`, groups opened.
pub fn imports(tokens: &[Token]) -> Vec<NamedPath> {
    let inside = inline_modules(tokens);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        // `impl Trait + use<'a>` is no import.
        if token.is("use") && !tokens.get(at + 1).is_some_and(|next| next.is("<")) {
            let around = inside.get(at).cloned().unwrap_or_default();
            open_tree(tokens, at + 1, &[], &around, &mut found);
        }
    }
    found
}

/// Opens one tree of a `use` from `at`; returns where it ends.
fn open_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    inside: &[String],
    found: &mut Vec<NamedPath>,
) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    let mut alias = None;
    let mut names_itself = false;
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            at += 1;
            while tokens.get(at).is_some_and(|token| !token.is("}")) {
                at = open_tree(tokens, at, &segments, inside, found);
                if tokens.get(at).is_some_and(|token| token.is(",")) {
                    at += 1;
                }
            }
            return at + 1;
        }
        if token.is(",") || token.is("}") || token.is(";") {
            break;
        }
        if token.is("as") {
            at += 1;
            alias = tokens.get(at).map(|name| name.text.clone());
        } else if token.is("self") && !segments.is_empty() {
            names_itself = true;
        } else if token.is("*") || token.kind == Kind::Word {
            segments.push(token.text.clone());
        }
        at += 1;
    }
    if names_itself || segments.len() > prefix.len() {
        found.push(NamedPath {
            segments,
            line,
            alias,
            inside: inside.to_vec(),
        });
    }
    at
}

/// Every path of two or more segments outside `use`.
pub fn inline_paths(tokens: &[Token]) -> Vec<NamedPath> {
    let inside = inline_modules(tokens);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is("use") && !tokens.get(at + 1).is_some_and(|next| next.is("<")) {
            while tokens.get(at).is_some_and(|token| !token.is(";")) {
                at += 1;
            }
            continue;
        }
        let start = at;
        at += 1;
        if token.kind != Kind::Word {
            continue;
        }
        let mut segments = vec![token.text.clone()];
        while let (Some(colons), Some(word)) = (tokens.get(at), tokens.get(at + 1)) {
            if !colons.is("::") || word.kind != Kind::Word {
                break;
            }
            segments.push(word.text.clone());
            at += 2;
        }
        if segments.len() > 1 {
            let inside = inside.get(start).cloned().unwrap_or_default();
            found.push(NamedPath {
                segments,
                line: token.line,
                alias: None,
                inside,
            });
        }
    }
    found
}

/// For each token, the names of the inline modules around it.
fn inline_modules(tokens: &[Token]) -> Vec<Vec<String>> {
    let mut open: Vec<Option<String>> = Vec::new();
    let mut pending = None;
    let mut around = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        around.push(open.iter().flatten().cloned().collect());
        if token.is("mod") {
            pending = tokens
                .get(at + 1)
                .filter(|next| next.kind == Kind::Word)
                .map(|next| next.text.clone());
        } else if token.is("{") {
            open.push(pending.take());
        } else if token.is("}") {
            open.pop();
        } else if token.is(";") {
            pending = None;
        }
    }
    around
}

/// Whether a token is part of `pub`, `pub(crate)`, `pub(super)` or `pub(in …)`.
pub fn is_visibility(token: &Token) -> bool {
    matches!(token.text.as_str(), "pub" | "crate" | "super" | "in")
}

const ITEMS: &[&str] = &[
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "union",
    "unsafe",
    "use",
];

pub struct Split {
    pub code: Vec<Token>,
    /// Names of modules in other files that are declared for tests alone.
    pub modules: Vec<String>,
    pub whole_file: bool,
}

/// Takes out the items that only a test build compiles.
pub fn without_tests(tokens: &[Token]) -> Split {
    let mut split = Split {
        code: Vec::new(),
        modules: Vec::new(),
        whole_file: false,
    };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if !token.is("#") {
            split.code.push(token.clone());
            at += 1;
            continue;
        }
        let end = attribute_end(tokens, at);
        let attribute = tokens.get(at..end).unwrap_or_default();
        if !is_for_tests(attribute) {
            split.code.extend_from_slice(attribute);
            at = end;
        } else if attribute.get(1).is_some_and(|token| token.is("!")) {
            split.whole_file = true;
            at = end;
        } else {
            let mut start = end;
            while tokens.get(start).is_some_and(|token| token.is("#")) {
                start = attribute_end(tokens, start);
            }
            at = item_end(tokens, start);
            let item = tokens.get(start..at).unwrap_or_default();
            if item.last().is_some_and(|last| last.is(";")) {
                let name = item.iter().skip_while(|token| !token.is("mod")).nth(1);
                split.modules.extend(name.map(|name| name.text.clone()));
            }
        }
    }
    split
}

/// Whether an attribute leaves its item to test builds: `cfg(test)`, `cfg(all(test, …))`, `test`, `tokio::test`.
fn is_for_tests(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute
        .iter()
        .filter(|token| token.kind == Kind::Word)
        .map(|token| token.text.as_str())
        .collect();
    match words.as_slice() {
        ["cfg", "test"] | ["test"] | ["tokio", "test", ..] => true,
        ["cfg", "all", rest @ ..] => {
            rest.contains(&"test") && !rest.contains(&"not") && !rest.contains(&"any")
        }
        _ => false,
    }
}

/// The index after the attribute that begins at `at` with `#`.
pub fn attribute_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        if token.is("[") {
            depth += 1;
        } else if token.is("]") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index + 1;
            }
        }
    }
    tokens.len()
}

/// The index after the item (or field, variant, arm, statement) that begins at `at`.
pub fn item_end(tokens: &[Token], at: usize) -> usize {
    let words: Vec<&str> = tokens
        .iter()
        .skip(at)
        .filter(|token| token.kind == Kind::Word && !is_visibility(token))
        .map(|token| token.text.as_str())
        .take(2)
        .collect();
    let first = words.first().copied().unwrap_or_default();
    let is_item = ITEMS.contains(&first);
    let is_value = matches!(first, "use" | "static" | "type" | "let")
        || (first == "const"
            && !matches!(words.get(1), Some(&("fn" | "unsafe" | "async" | "extern"))));
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        if token.is("(") || token.is("[") || token.is("{") {
            depth += 1;
        } else if token.is(")") || token.is("]") || token.is("}") {
            if depth == 0 {
                return index;
            }
            depth -= 1;
            if depth == 0 && token.is("}") && !is_value {
                return index + 1;
            }
        } else if depth == 0 && (token.is(";") || (token.is(",") && !is_item)) {
            return index + 1;
        }
    }
    tokens.len()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Word,
    Literal,
    Sign,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    pub line: usize,
    pub last_line: usize,
}

impl Token {
    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }
}

/// Cuts a source into words, literals (without their content) and signs; comments and white space go.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = next_token(rest, first);
        let (text, tail) = rest.split_at(length);
        let last_line = line + text.matches('\n').count();
        if let Some(kind) = kind {
            let text = if kind == Kind::Literal { "" } else { text }.to_owned();
            found.push(Token {
                kind,
                text,
                line,
                last_line,
            });
        }
        line = last_line;
        rest = tail;
    }
    found
}

/// Kind (`None`: white space or comment) and length in bytes of what `rest`, which begins with `first`, begins with.
fn next_token(rest: &str, first: char) -> (Option<Kind>, usize) {
    if rest.starts_with("//") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, block_comment(rest));
    }
    if let Some(length) = text_literal(rest) {
        return (Some(Kind::Literal), length);
    }
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    let word = |from: &str| from.find(|c| !is_word(c)).unwrap_or(from.len());
    match first {
        '\'' => (
            Some(Kind::Literal),
            1 + word(rest.get(1..).unwrap_or_default()),
        ),
        '0'..='9' => (Some(Kind::Literal), word(rest)),
        _ if rest.starts_with("r#") => (
            Some(Kind::Word),
            2 + word(rest.get(2..).unwrap_or_default()),
        ),
        _ if is_word(first) => (Some(Kind::Word), word(rest)),
        _ if first.is_whitespace() => (None, first.len_utf8()),
        _ if rest.starts_with("::") => (Some(Kind::Sign), 2),
        _ => (Some(Kind::Sign), first.len_utf8()),
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Length of the string or character literal that `rest` begins with. A lifetime is none.
fn text_literal(rest: &str) -> Option<usize> {
    let bare = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - bare.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = bare.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let body = raw.get(hashes..)?.strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let length = body
            .find(&close)
            .map_or(body.len(), |end| end + close.len());
        return Some(prefix + 2 + hashes + length);
    }
    let (quote, body) = match bare.chars().next()? {
        '"' => ('"', bare.get(1..)?),
        '\'' => ('\'', bare.get(1..)?),
        _ => return None,
    };
    let mut characters = body.char_indices();
    if quote == '\'' {
        let mut ahead = body.chars();
        let (one, two) = (ahead.next()?, ahead.next());
        if one != '\\' && two != Some('\'') {
            return None;
        }
    }
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return Some(prefix + 1 + at + 1);
        }
    }
    Some(rest.len())
}
