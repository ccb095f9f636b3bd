//! The checks that need suite, prompts and cases together: every case has what the prompts and the
//! scorers use. All findings come at once, each at the case's line.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, Source, Span, text};
use crate::dataset::Case;
use crate::prompt::{MessageTemplate, PromptVersion};
use crate::score::ScorerSpec;

/// A case's scorers: the suite's, with the case's own added or in place of those of the same name.
#[derive(Debug, Clone)]
pub struct CaseScorers<'a> {
    suite: &'a [ScorerSpec],
    own: &'a [ScorerSpec],
}

impl<'a> CaseScorers<'a> {
    /// The scorers of a case.
    #[must_use]
    pub fn new(suite: &'a [ScorerSpec], own: &'a [ScorerSpec]) -> Self {
        Self { suite, own }
    }

    /// The scorers in order: the suite's first.
    pub fn iter(&self) -> impl Iterator<Item = &'a ScorerSpec> {
        let (suite, own) = (self.suite, self.own);
        let replaced = move |scorer: &ScorerSpec| own.iter().find(|o| o.name == scorer.name);
        let added = own
            .iter()
            .filter(move |o| suite.iter().all(|scorer| scorer.name != o.name));
        suite
            .iter()
            .map(move |scorer| replaced(scorer).unwrap_or(scorer))
            .chain(added)
    }
}

/// Checks each case against each arm's prompt and against its scorers. `dataset` is the dataset's
/// path as shown; `own` gives the decoded scorers of a case that has some.
pub fn validate<'c>(
    dataset: &str,
    cases: &'c [Case],
    prompts: &[&PromptVersion],
    scorers: &[ScorerSpec],
    own: impl Fn(usize) -> &'c [ScorerSpec],
    diagnostics: &mut Diagnostics,
) {
    check_messages(prompts, diagnostics);
    check_use(dataset, cases, prompts, diagnostics);
    let mut used: BTreeSet<String> = BTreeSet::new();
    for (index, case) in cases.iter().enumerate() {
        check_variables(dataset, case, prompts, diagnostics);
        for scorer in CaseScorers::new(scorers, own(index)).iter() {
            let lacks = scorer.missing(case).next().is_some();
            if let Some(error) = scorer.check_case(case).filter(|_| !lacks) {
                let message = error.to_string();
                let help = "change the value in the case, or use another scorer";
                diagnostics.push(at_case("unusable-value", message, dataset, case).help(help));
            }
            for reference in scorer.missing(case) {
                let message = format!(
                    "case `{}`: scorer `{}` uses `{{{{{reference}}}}}`, which the case does not have",
                    text::visible_line(case.id.as_str()),
                    scorer.name
                );
                let help = "add it to the case, or use a scorer that does not need it";
                diagnostics.push(at_case("missing-reference", message, dataset, case).help(help));
            }
        }
        used.extend(
            CaseScorers::new(scorers, own(index))
                .iter()
                .flat_map(|scorer| {
                    let references = scorer.references().iter();
                    references.filter_map(|reference| Some(reference.variable()?.to_owned()))
                }),
        );
    }
    check_unused(dataset, cases, prompts, &used, diagnostics);
}

/// Variables of the cases that neither these prompts nor the scorers use: one finding for all.
fn check_unused(
    dataset: &str,
    cases: &[Case],
    prompts: &[&PromptVersion],
    used: &BTreeSet<String>,
    diagnostics: &mut Diagnostics,
) {
    const MOST: usize = 10;
    let idle = |name: &str| {
        !used.contains(name) && prompts.iter().all(|prompt| prompt.variable(name).is_none())
    };
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut first = None;
    for case in cases {
        for (name, _) in case.vars.iter().filter(|(name, _)| idle(name)) {
            names.insert(name);
            first.get_or_insert(case);
        }
    }
    let Some(case) = first else {
        return;
    };
    let mut listed: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.len() > MOST {
        listed.push(format!("{} more", names.len() - MOST));
    }
    let users: BTreeSet<String> = prompts.iter().map(|prompt| shown(prompt)).collect();
    let users: Vec<String> = users.into_iter().collect();
    let message = format!(
        "{} of the cases that neither {} nor a scorer uses: {}",
        text::count(names.len(), "variable"),
        users.join(" nor "),
        listed.join(", ")
    );
    let mut warning = at_case("unused-case-variable", message, dataset, case);
    warning.severity = crate::base::Severity::Warning;
    let help = "a misspelt name, or a leftover; keep what another version uses, or what a value was computed from";
    diagnostics.push(warning.help(help));
}

fn check_variables(
    dataset: &str,
    case: &Case,
    prompts: &[&PromptVersion],
    diagnostics: &mut Diagnostics,
) {
    let mut said: Vec<(String, &'static str)> = Vec::new();
    for prompt in prompts {
        for (name, fault) in prompt.check(&case.vars) {
            if said.contains(&(name.clone(), fault.rule)) {
                continue;
            }
            let message = format!(
                "case `{}`: variable `{name}` of {} {}",
                text::visible_line(case.id.as_str()),
                shown(prompt),
                fault.message
            );
            diagnostics.push(at_case(fault.rule, message, dataset, case).help(fault.help));
            said.push((name, fault.rule));
        }
    }
}

/// A prompt as its author knows it: by its number, else by its file.
fn shown(prompt: &PromptVersion) -> String {
    match prompt.number {
        None if !prompt.source.name.is_empty() => text::visible_line(&prompt.source.name),
        _ => prompt.label(),
    }
}

/// A prompt that says nothing can not be asked.
fn check_messages(prompts: &[&PromptVersion], diagnostics: &mut Diagnostics) {
    for prompt in prompts {
        if prompt.messages.iter().all(MessageTemplate::is_blank) {
            let message = format!("{} says nothing: its messages are blank", shown(prompt));
            let diagnostic = Diagnostic::error("empty-prompt", message);
            let diagnostic = diagnostic.at(&prompt.source, Span::default());
            diagnostics.push(diagnostic.help("write what the model is told"));
        }
    }
}

/// A prompt that uses none of the variables of the cases, though another does, says the same to every
/// case.
fn check_use(
    dataset: &str,
    cases: &[Case],
    prompts: &[&PromptVersion],
    diagnostics: &mut Diagnostics,
) {
    let uses = |prompt: &PromptVersion| {
        let mut names = cases
            .iter()
            .flat_map(|case| case.vars.iter())
            .map(|(name, _)| name);
        names.any(|name| prompt.variable(name).is_some())
    };
    let (using, blind): (Vec<&PromptVersion>, Vec<_>) =
        prompts.iter().partition(|prompt| uses(prompt));
    let Some(case) = cases.first().filter(|_| !using.is_empty()) else {
        return;
    };
    for prompt in blind {
        let message = format!("{} uses none of the cases' variables", shown(prompt));
        let mut warning = at_case("unused-case-variable", message, dataset, case);
        warning.severity = crate::base::Severity::Warning;
        diagnostics.push(
            warning.help("use one in the prompt, written `{{name}}`: now every case asks the same"),
        );
    }
}

/// A finding at a case's line; the snippet shows the case's id.
pub(super) fn at_case(
    rule: &'static str,
    message: String,
    dataset: &str,
    case: &Case,
) -> Diagnostic {
    let line = usize::try_from(case.line).unwrap_or(1);
    let shown = format!(
        "{{\"id\": \"{}\", …}}",
        text::visible_line(&text::shorten(case.id.as_str(), 60))
    );
    let source: Arc<Source> = Source::row(dataset, &shown, line);
    let span = Span {
        start: 0,
        end: shown.len(),
    };
    Diagnostic::error(rule, message).at(&source, span)
}
