//! Unicode simple case folding: one character to one, so that a text keeps its length.

/// The character that stands for all its cases.
#[must_use]
pub fn fold_char(c: char) -> char {
    match c {
        'A'..='Z' => c.to_ascii_lowercase(),
        '\0'..='\u{7f}' | '\u{131}' => c,
        // Equal by simple folding, though their capitals are several characters.
        '\u{fb05}' => '\u{fb06}',
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        _ => {
            let upper = single(c, c.to_uppercase());
            single(upper, upper.to_lowercase())
        }
    }
}

/// The character of a mapping to one character, else `c` itself.
fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// The text with every character folded.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().map(fold_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_simple_folding_of_the_regex_crate_on_every_cased_character() {
        let cased = regex::Regex::new(r"^[\p{CWCM}\p{CWCF}\p{Cased}]$").unwrap();
        // The regex crate may know an older Unicode than the standard library.
        let unassigned = regex::Regex::new(r"^\p{Cn}$").unwrap();
        let mut groups = std::collections::BTreeMap::<char, Vec<char>>::new();
        for c in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let mut buffer = [0; 4];
            if cased.is_match(c.encode_utf8(&mut buffer)) {
                groups.entry(fold_char(c)).or_default().push(c);
            } else if !unassigned.is_match(c.encode_utf8(&mut [0; 4])) {
                assert_eq!(fold_char(c), c, "U+{:04X}", u32::from(c));
            }
        }
        let all: String = groups.values().flatten().collect();
        for (folded, members) in &groups {
            let pattern = format!("(?i){}", regex::escape(&folded.to_string()));
            let found = regex::Regex::new(&pattern).unwrap();
            let mut found: Vec<char> = found
                .find_iter(&all)
                .filter_map(|m| m.as_str().chars().next())
                .collect();
            let mut members = members.clone();
            found.sort_unstable();
            members.sort_unstable();
            assert_eq!(found, members, "U+{:04X}", u32::from(*folded));
        }
    }
}
