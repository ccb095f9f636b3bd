//! Reads the token counts that mock rules, cassettes and the replies of a command may state.

use crate::base::decode::Reader;
use crate::base::{Node, Table};
use crate::chat::Usage;

/// Reads a `usage` map; a count that is left out or null is unknown.
pub(super) fn read_usage(reader: &mut Reader<'_>, node: &Node) -> Option<Usage> {
    let mut table = Table::new(reader, node, "`usage`")?;
    let mut count = |key: &'static str| {
        let node = table.get(key)?;
        reader.whole(node, &format!("`{key}`"), 0)
    };
    let usage = Usage {
        input_tokens: count("input_tokens"),
        cached_input_tokens: count("cached_input_tokens"),
        cache_write_tokens: count("cache_write_tokens"),
        output_tokens: count("output_tokens"),
        reasoning_tokens: count("reasoning_tokens"),
    };
    table.finish(reader);
    Some(usage)
}
