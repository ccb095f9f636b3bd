//! Which tables and columns statements name, against lists of those allowed. What can not be told
//! apart from a column counts as one: a list that lets something through by mistake is no list.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SelectItem, Statement, TableAlias, TableFactor, Visit,
    Visitor,
};
use sqlparser::tokenizer::Span;

use super::super::super::answer::quote;

/// Why statements are refused by the lists, in lower case, if they are.
pub(super) fn refused(
    statements: &[Statement],
    tables: Option<&[String]>,
    columns: Option<&[String]>,
) -> Option<String> {
    if tables.is_none() && columns.is_none() {
        return None;
    }
    if !statements.iter().all(is_readable) {
        let reason =
            "with `tables` or `columns` only SELECT, INSERT, UPDATE, DELETE and MERGE pass";
        return Some(reason.to_owned());
    }
    let mut names = Names::default();
    for statement in statements {
        let _ = statement.visit(&mut names);
    }
    let outside = |named: &BTreeSet<String>, list: Option<&[String]>| {
        let list = list?;
        named.iter().find(|name| !is_listed(name, list)).cloned()
    };
    if let Some(table) = outside(&names.tables, tables) {
        return Some(format!("the table {} is not allowed", quote(&table)));
    }
    let column = outside(&names.columns, columns)?;
    Some(format!("the column {} is not allowed", quote(&column)))
}

/// Whether the names of a statement are all looked at: not so where it makes, changes or drops.
fn is_readable(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Query(_)
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::Merge(_)
    )
}

/// A name with a table before it is listed as it stands, or by its last part alone.
fn is_listed(name: &str, list: &[String]) -> bool {
    let last = name.rsplit_once(Names::BEFORE_COLUMN).map(|(_, last)| last);
    let written = name.replace(Names::BEFORE_COLUMN, ".");
    list.iter()
        .any(|listed| *listed == written || Some(listed.as_str()) == last)
}

#[derive(Default)]
struct Names {
    tables: BTreeSet<String>,
    columns: BTreeSet<String>,
    /// Names that `WITH` gives, for each query around the place.
    scopes: Vec<BTreeSet<String>>,
    /// Places of identifiers that are no columns.
    others: BTreeSet<Place>,
}

type Place = (u64, u64);

fn place(span: Span) -> Place {
    (span.start.line, span.start.column)
}

impl Names {
    /// Stands between table and column, where a dot could be part of a name.
    const BEFORE_COLUMN: char = '\u{1}';

    fn is_other(&mut self, ident: &Ident) {
        // What has no place can not be told from others without.
        if ident.span != Span::empty() {
            self.others.insert(place(ident.span));
        }
    }

    fn is_alias(&mut self, alias: &TableAlias) {
        self.is_other(&alias.name);
        for column in &alias.columns {
            self.is_other(&column.name);
        }
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut scope = BTreeSet::new();
        if let Some(with) = &query.with {
            let given = |cte: &sqlparser::ast::Cte| cte.alias.name.value.to_lowercase();
            scope.extend(with.cte_tables.iter().map(given));
            for (index, cte) in with.cte_tables.iter().enumerate() {
                self.is_alias(&cte.alias);
                if with.recursive {
                    continue;
                }
                // Before it is there, and within itself, such a name is that of a table.
                let mut used = Relations::default();
                let _ = cte.query.visit(&mut used);
                for later in with.cte_tables.iter().skip(index).map(given) {
                    if used.0.contains(&later) {
                        scope.remove(&later);
                    }
                }
            }
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        for ident in relation.0.iter().filter_map(|part| part.as_ident()) {
            self.is_other(ident);
        }
        let name = written(relation);
        if !self.scopes.iter().any(|scope| scope.contains(&name)) {
            self.tables.insert(name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => {
                if let Some(alias) = alias {
                    self.is_alias(alias);
                }
            }
            // The names of rarer forms count as columns.
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => self.is_other(alias),
                SelectItem::ExprWithAliases { aliases, .. } => {
                    for alias in aliases {
                        self.is_other(alias);
                    }
                }
                SelectItem::Wildcard(_) => {
                    self.columns.insert("*".to_owned());
                }
                SelectItem::QualifiedWildcard(kind, _) => {
                    if let sqlparser::ast::SelectItemQualifiedWildcardKind::ObjectName(name) = kind
                    {
                        for ident in name.0.iter().filter_map(|part| part.as_ident()) {
                            self.is_other(ident);
                        }
                    }
                    self.columns.insert("*".to_owned());
                }
                SelectItem::UnnamedExpr(_) => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                for ident in function.name.0.iter().filter_map(|part| part.as_ident()) {
                    self.is_other(ident);
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let [before @ .., last] = parts.as_slice() {
                    let mut name: Vec<String> = Vec::new();
                    for ident in before {
                        self.is_other(ident);
                        name.push(ident.value.to_lowercase());
                    }
                    self.is_other(last);
                    let column = last.value.to_lowercase();
                    let table = name.join(".");
                    self.columns
                        .insert(format!("{table}{}{column}", Self::BEFORE_COLUMN));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_ident(&mut self, ident: &Ident) -> ControlFlow<()> {
        if !self.others.contains(&place(ident.span)) {
            self.columns.insert(ident.value.to_lowercase());
        }
        ControlFlow::Continue(())
    }
}

/// The names of all relations.
#[derive(Default)]
struct Relations(BTreeSet<String>);

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.0.insert(written(relation));
        ControlFlow::Continue(())
    }
}

/// A name as it is written, in lower case and without quotes.
fn written(name: &ObjectName) -> String {
    let parts = name.0.iter().map(|part| match part.as_ident() {
        Some(ident) => ident.value.to_lowercase(),
        None => part.to_string().to_lowercase(),
    });
    parts.collect::<Vec<_>>().join(".")
}
