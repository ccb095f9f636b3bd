//! What to do after a run: commands that would now work, by what came out.

use camino::Utf8Path;

use super::outcome::{Outcome, SuiteResult, SuiteRun};
use super::project::Project;
use crate::analysis::{CaseRow, CaseTable};
use crate::base::text;
use crate::record::{Arm, ArmHeader};
use crate::report::content::NextStep;
use crate::report::number::points;
use crate::store::runs;
use crate::verdict::{RuleResult, RuleVerdict, Verdict};

/// Adds what to do now to an outcome.
pub fn add(project: &Project, outcome: &mut Outcome) {
    let mut next = Vec::new();
    for suite in &outcome.suites {
        let SuiteResult::Ran(suite) = suite else {
            continue;
        };
        match suite.decision.verdict {
            Verdict::Fail => {
                let suite = Suite::of(project, suite);
                next.push(suite.look_at_a_lost_case());
                next.extend(suite.mend(project));
            }
            Verdict::Inconclusive => {
                let suite = Suite::of(project, suite);
                next.extend(suite.read_the_lost_cases());
                next.extend(suite.more_cases());
            }
            Verdict::Pass | Verdict::Skipped | Verdict::Error => {}
        }
    }
    for step in next {
        if !outcome.next.contains(&step) {
            outcome.next.push(step);
        }
    }
    super::prompt::promote::offer(project, outcome);
}

/// A run with what steps are made from.
struct Suite<'r> {
    ran: &'r SuiteRun,
    /// The run as a command names it.
    run: String,
    table: CaseTable<'r>,
}

impl<'r> Suite<'r> {
    fn of(project: &Project, ran: &'r SuiteRun) -> Self {
        let id = &ran.run.header.run_id;
        let is_newest = runs::list(&project.state).last() == Some(id);
        Self {
            ran,
            run: if is_newest {
                "last".to_owned()
            } else {
                id.to_string()
            },
            table: CaseTable::of_run(&ran.run),
        }
    }

    /// Whether a case has repeats, so that it can get worse without being lost.
    fn is_repeated(&self) -> bool {
        self.table.repeat > 1
    }

    /// How far a case fell: all the way where it is lost, by a share of its repeats where it has some.
    fn fall(&self, row: &CaseRow<'r>) -> Option<f64> {
        if row.is_held_out() {
            return None;
        }
        let now = row.candidate.pass_share()?;
        let before = match &row.baseline {
            Some(cell) => cell.pass_share()?,
            None => 1.0,
        };
        let counts = row.is_lost() || (self.is_repeated() && now < before);
        counts.then_some(before - now)
    }

    /// The cases that are lost, or got worse: those that can be typed first, of these those that fell
    /// furthest, else in the dataset's order.
    fn lost(&self) -> Vec<&CaseRow<'r>> {
        let rows = self.table.rows.iter();
        let mut fallen: Vec<(f64, &CaseRow<'r>)> = rows
            .filter_map(|row| Some((self.fall(row)?, row)))
            .collect();
        fallen.sort_by(|(one, a), (other, b)| {
            let typed = can_be_typed(b.id).cmp(&can_be_typed(a.id));
            typed.then(other.total_cmp(one))
        });
        fallen.into_iter().map(|(_, row)| row).collect()
    }

    fn show(&self, id: &str) -> String {
        format!("gate show {} {}", self.run, shell_word(id))
    }

    fn look_at_a_lost_case(&self) -> NextStep {
        let lost = self.lost();
        let rules = &self.ran.decision.rules;
        let must_pass = rules.iter().find(|rule| rule.id == "must-pass");
        let broken = must_pass.filter(|rule| rule.verdict == RuleVerdict::Fail);
        if let Some(id) = broken.and_then(|rule| rule.case_ids.iter().find(|id| can_be_typed(id))) {
            return step(self.show(id), "a case that must pass and does not");
        }
        let mut failed = rules
            .iter()
            .filter(|rule| rule.verdict == RuleVerdict::Fail);
        let segment = failed.find_map(|rule| rule.segment.as_deref());
        let is_there = |row: &&&CaseRow<'r>| {
            let mut pairs = row.segment.iter();
            segment.is_none_or(|segment| pairs.any(|(k, v)| segment == format!("{k}={v}")))
        };
        let there: Vec<_> = lost.iter().filter(is_there).collect();
        let first = there.first().copied().or(lost.first());
        let Some(first) = first.filter(|row| can_be_typed(row.id)) else {
            let command = format!("gate report {} --markdown report.md", self.run);
            return step(command, "every number, for reading");
        };
        let value = segment.and_then(|segment| segment.split_once('='));
        let place = value.map_or_else(String::new, |(_, value)| format!(" in {value}"));
        let more = match there.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(" ({more} more{place})"),
        };
        let sides = match (self.table.has_baseline, self.is_repeated()) {
            (true, false) => "a lost case, both answers side by side",
            (true, true) => "a case that got worse, all answers side by side",
            (false, false) => "a case that fails, with its answer",
            (false, true) => "a case that fails at times, with its answers",
        };
        step(self.show(first.id), &format!("{sides}{more}"))
    }

    /// The comparison that a mended version would take.
    fn mend(&self, project: &Project) -> Option<NextStep> {
        let header = &self.ran.run.header;
        if header.candidate_model.is_some() {
            return None;
        }
        let (baseline, candidate) = (header.arm(Arm::Baseline)?, header.arm(Arm::Candidate)?);
        let free = free_version(project, candidate)?;
        let command = format!(
            "mend the prompt as v{free}, then: gate compare {} v{free}",
            shell_word(&baseline.reference)
        );
        Some(step(command, ""))
    }

    fn read_the_lost_cases(&self) -> Option<NextStep> {
        const SHOWN: usize = 3;
        let lost = self.lost();
        let (first, others) = lost.split_first()?;
        if !can_be_typed(first.id) {
            return None;
        }
        let what = match (lost.len(), self.is_repeated()) {
            (1, false) => "the lost case".to_owned(),
            (1, true) => "the case that got worse".to_owned(),
            (count, false) => format!("the {} lost cases", text::thousands(count)),
            (count, true) => format!("the {} cases that got worse", text::thousands(count)),
        };
        let typed = others
            .iter()
            .map(|row| row.id)
            .filter(|id| can_be_typed(id));
        let named: Vec<&str> = typed.take(SHOWN).collect();
        let dots = if others.len() > named.len() {
            ", …"
        } else {
            ""
        };
        let also = if named.is_empty() {
            String::new()
        } else {
            format!(" ({}{dots})", named.join(", "))
        };
        let command = format!("read {what}: {}{also}", self.show(first.id));
        Some(step(command, ""))
    }

    /// How many cases would decide, where that is known.
    fn more_cases(&self) -> Option<NextStep> {
        let is_main = |rule: &&RuleResult| matches!(rule.id.as_str(), "pass-rate" | "score");
        let rule = self.ran.decision.rules.iter().find(is_main)?;
        let needed = usize::try_from(rule.cases_needed?).ok()?;
        let header = &self.ran.run.header;
        let (old, new) = (header.label(Arm::Baseline), header.label(Arm::Candidate));
        let find = rule.mde.map_or_else(String::new, |mde| {
            format!(
                "; {} find a drop of {} points, hardly a smaller one",
                rule.n,
                points(mde)
            )
        });
        let cases = text::count(needed, "case");
        let words = format!("about {cases} decide if {new} is as good as {old}{find}");
        Some(step(words, ""))
    }
}

/// Whether an id is shown as it is, so that it can be typed.
fn can_be_typed(id: &str) -> bool {
    text::visible_line(id) == id
}

fn step(command: String, note: &str) -> NextStep {
    NextStep {
        command,
        note: note.to_owned(),
    }
}

/// The first version above the candidate's that is not there yet.
fn free_version(project: &Project, candidate: &ArmHeader) -> Option<u32> {
    let folder = Utf8Path::new(&candidate.file).parent()?;
    let is_free = |number: &u32| {
        ["yaml", "md", "txt"]
            .iter()
            .all(|extension| !project.has(folder.join(format!("v{number}.{extension}")).as_str()))
    };
    let version = candidate.version?;
    (version.saturating_add(1)..=version.saturating_add(1_000)).find(is_free)
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@%+=,".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_a_shell_would_read_otherwise() {
        assert_eq!(shell_word("ent-004"), "ent-004");
        assert_eq!(shell_word("a b;c"), "'a b;c'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
    }
}
