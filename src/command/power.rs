//! `gate power`: what so many cases can show, how many a loss needs, and what repeats buy.

use super::error::CommandError;
use super::project::Project;
use crate::analysis::{CaseTable, Fill, Measure, Pairing};
use crate::record::Arm;
use crate::stats::mean::{self, Sample};
use crate::stats::paired::mcnemar_exact;
use crate::stats::power::{
    self, Price, RepeatPlan, Risk, SampleSize, VarianceComponents, clustered_cases, design_effect,
};
use crate::stats::{self};
use crate::store::runs;
use crate::verdict::PLANNED_CHURN;

/// What is compared, with how much it varies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Design {
    /// The same cases in both arms; the share of them that flips without any change.
    Paired {
        /// The churn without a change.
        churn: f64,
    },
    /// Independent samples with this pass rate in the baseline.
    Unpaired {
        /// The baseline's rate.
        rate: f64,
    },
    /// Paired scores whose differences have this standard deviation.
    Graded {
        /// The standard deviation.
        sd: f64,
    },
}

impl Default for Design {
    fn default() -> Self {
        Self::Paired {
            churn: PLANNED_CHURN,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// The least loss that so many cases find.
    Cases(u64),
    /// The cases that find a loss.
    Effect(f64),
}

/// Repeats against cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repeats {
    /// Most trials of a case.
    pub most: u16,
    /// Correlation of the differences of a case's trials.
    pub icc: f64,
    /// What a case costs whatever its trials, in trials of both arms.
    pub case_price: f64,
}

/// A whole question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// What is compared.
    pub design: Design,
    /// What is asked.
    pub goal: Goal,
    /// Cluster size and correlation, where cases are grouped.
    pub clusters: Option<(f64, f64)>,
    /// Repeats against cases, where asked.
    pub repeats: Option<Repeats>,
    /// One-sided level.
    pub alpha: f64,
    /// Allowed loss.
    pub margin: f64,
    /// Power.
    pub power: f64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What was asked.
    pub question: Question,
    /// The least loss found: of the cases asked about, or the one asked about; `None` if no loss
    /// can be found.
    pub mde: Option<f64>,
    /// The cases, asked about or needed.
    pub cases: u64,
    /// What the formula gives before rounding up, where cases are the answer.
    pub exact: Option<f64>,
    /// Cases that show an unchanged candidate to be within the margin; `None` where no case flips.
    pub noninferior: Option<u64>,
    /// By how much clusters blow up the number of cases; 1 without.
    pub design_effect: f64,
    /// What each number of trials buys for the price of the cases asked about.
    pub plans: Vec<RepeatPlan>,
}

impl Plan {
    /// The method in a word: the test that is planned for.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self.question.design {
            Design::Paired { .. } => "mcnemar",
            Design::Unpaired { .. } => "two-proportion-z",
            Design::Graded { .. } => "paired-t",
        }
    }
}

fn refused(error: &stats::Error) -> CommandError {
    CommandError::usage(
        error.to_string(),
        "see `gate power --help`; shares are fractions such as 0.05",
    )
}

/// Answers a question.
///
/// # Errors
/// When a number is impossible.
pub fn power(question: Question) -> Result<Plan, CommandError> {
    if let Goal::Effect(effect) = question.goal {
        check_effect(effect)?;
    }
    answer(question).map_err(|error| refused(&error))
}

fn check_effect(effect: f64) -> Result<(), CommandError> {
    let size = effect.abs();
    if size > 0.0 && size <= 1.0 {
        return Ok(());
    }
    let help = if size > 1.0 && size <= 100.0 {
        format!("it is a share: write {} for {size} points", size / 100.0)
    } else {
        "it is a share: write 0.05 for 5 points".to_owned()
    };
    let message = format!("--effect must be above 0 and at most 1, not {effect}");
    Err(CommandError::usage(message, help))
}

fn answer(question: Question) -> Result<Plan, stats::Error> {
    let risk = Risk::new(question.alpha, question.power)?;
    let (size, icc) = question.clusters.unwrap_or((1.0, 0.0));
    let blown_up = design_effect(size, icc)?;
    let clustered = |cases: SampleSize| clustered_cases(cases, size, icc);
    let (mde, cases, exact) = match question.goal {
        Goal::Cases(cases) => {
            let worth = independent_cases(cases, blown_up);
            (least_loss(question.design, worth, risk)?, cases, None)
        }
        Goal::Effect(effect) => {
            let needed = clustered(cases_for(question.design, effect.abs(), risk)?)?;
            (Some(effect.abs()), needed.cases, Some(needed.exact))
        }
    };
    let unchanged = match question.design {
        Design::Paired { churn } if churn > 0.0 => {
            Some(power::noninferior_cases(churn, question.margin, risk)?)
        }
        Design::Paired { .. } => None,
        Design::Unpaired { rate } => {
            let churn = 2.0 * rate * (1.0 - rate);
            (churn > 0.0)
                .then(|| power::noninferior_cases(churn, question.margin, risk))
                .transpose()?
        }
        Design::Graded { sd } => Some(power::graded_cases(sd, question.margin, risk)?),
    };
    let noninferior = unchanged.map(clustered).transpose()?.map(|size| size.cases);
    Ok(Plan {
        mde,
        cases,
        exact,
        noninferior,
        design_effect: blown_up,
        plans: plans(&question, risk)?,
        question,
    })
}

/// The independent cases that so many clustered ones are worth.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the value is at least 0"
)]
fn independent_cases(cases: u64, design_effect: f64) -> u64 {
    (cases as f64 / design_effect).floor() as u64
}

fn least_loss(design: Design, cases: u64, risk: Risk) -> Result<Option<f64>, stats::Error> {
    match design {
        Design::Paired { churn } => power::paired_mde(churn, cases, risk),
        Design::Unpaired { rate } => power::unpaired_mde(rate, cases, risk),
        Design::Graded { sd } => power::graded_mde(sd, cases, risk),
    }
}

/// A loss adds to the churn that is there without one, as in the least loss found.
fn cases_for(design: Design, effect: f64, risk: Risk) -> Result<SampleSize, stats::Error> {
    match design {
        Design::Paired { churn } => power::paired_cases(churn + effect, effect, risk),
        Design::Unpaired { rate } => power::unpaired_cases(rate, rate - effect, risk),
        Design::Graded { sd } => power::graded_cases(sd, effect, risk),
    }
}

fn plans(question: &Question, risk: Risk) -> Result<Vec<RepeatPlan>, stats::Error> {
    let (Some(repeats), Goal::Cases(cases)) = (question.repeats, question.goal) else {
        return Ok(Vec::new());
    };
    let sd = match question.design {
        Design::Paired { churn } => churn.max(0.0).sqrt(),
        Design::Graded { sd } => sd,
        Design::Unpaired { .. } => return Ok(Vec::new()),
    };
    let price = Price {
        case: repeats.case_price,
        trial: 1.0,
    };
    let budget = cases as f64 * (price.case + price.trial);
    let components = VarianceComponents::from_icc(sd, repeats.icc)?;
    let mut plans = power::repeat_plans(components, price, budget, repeats.most, risk)?;
    if let Design::Paired { churn } = question.design {
        for plan in &mut plans {
            // Repeats average out the flips by chance; the loss itself is the cases' own.
            let left = churn * (repeats.icc + (1.0 - repeats.icc) / plan.trials as f64);
            let found = power::paired_mde(left, plan.cases, risk)?;
            plan.mde = found.unwrap_or(1.0);
        }
    }
    Ok(plans)
}

/// What a stored run says for planning.
#[derive(Debug, Clone, PartialEq)]
pub struct Learnt {
    /// How much its cases differ.
    pub design: Design,
    /// How many there are.
    pub cases: u64,
    /// What to know before it is trusted.
    pub note: Option<String>,
}

/// What a stored run says for planning: how much its cases differ, and how many there are.
///
/// # Errors
/// When there is no such run, or it has no pairs.
pub fn of_run(project: &Project, wanted: &str) -> Result<Learnt, CommandError> {
    let id = runs::find(&project.state, wanted)?;
    let loaded = runs::load(&project.state, &id)?;
    let table = CaseTable::of_run(&loaded.run);
    let learnt = design_of(&table).ok_or_else(|| {
        CommandError::usage(
            format!("run {id} has no pairs to learn the churn from"),
            "name a run of `gate compare`, or give --churn",
        )
    })?;
    let (design, cases) = learnt;
    let note = shows_loss(&table).then(|| {
        let same = loaded.run.header.label(Arm::Baseline);
        format!(
            "run {id} shows a loss, so its churn holds the loss too; `gate compare {same} {same}` shows churn alone"
        )
    });
    Ok(Learnt {
        design,
        cases,
        note,
    })
}

/// Whether more cases were lost than chance explains.
fn shows_loss(table: &CaseTable<'_>) -> bool {
    const LEVEL: f64 = 0.05;
    let pairing = Pairing::new(table);
    let counts = pairing
        .pairs(&pairing.all, Measure::Pass, Fill::LeaveOut)
        .counts;
    mcnemar_exact(&counts).p_regression <= LEVEL
}

fn design_of(table: &CaseTable<'_>) -> Option<(Design, u64)> {
    let table = &*table.gated();
    let pairing = Pairing::new(table);
    let pairs = pairing.pairs(&pairing.all, Measure::Pass, Fill::LeaveOut);
    if !table.has_baseline || pairs.n() == 0 {
        return None;
    }
    if !pairing.repeated && pairs.clusters.is_none() {
        let churn = pairs.counts.planning_churn();
        return Some((Design::Paired { churn }, pairs.n()));
    }
    let sample: Sample = pairs.differences().ok()?;
    let error = mean::estimate(&sample).ok()?.standard_error;
    let sd = error * (pairs.n() as f64).sqrt();
    Some((Design::Graded { sd }, pairs.n()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(design: Design, goal: Goal) -> Question {
        Question {
            design,
            goal,
            clusters: None,
            repeats: None,
            alpha: 0.05,
            margin: 0.05,
            power: 0.8,
        }
    }

    #[test]
    fn cases_and_losses_are_those_of_the_worked_example() {
        let paired = Design::Paired { churn: 0.05 };
        let plan = power(question(paired, Goal::Effect(0.05))).unwrap();
        assert_eq!((plan.cases, plan.method()), (246, "mcnemar"));
        let plan = power(question(paired, Goal::Cases(200))).unwrap();
        assert!((plan.mde.unwrap() - 0.057_290).abs() < 1e-6);
        let unpaired = Design::Unpaired { rate: 0.9 };
        let plan = power(question(unpaired, Goal::Effect(0.05))).unwrap();
        assert_eq!(plan.cases, 540);
        let paired = Design::Paired { churn: 0.10 };
        let plan = power(question(paired, Goal::Cases(200))).unwrap();
        assert_eq!(plan.noninferior, Some(248));
    }

    #[test]
    fn clusters_cost_cases_and_hide_losses() {
        let mut asked = question(Design::Graded { sd: 0.3 }, Goal::Effect(0.05));
        let single = power(asked).unwrap();
        asked.clusters = Some((5.0, 0.25));
        let clustered = power(asked).unwrap();
        assert!((clustered.design_effect - 2.0).abs() < 1e-12);
        assert!(clustered.cases >= 2 * single.cases - 1);
        asked.goal = Goal::Cases(100);
        let hidden = power(asked).unwrap().mde;
        asked.clusters = None;
        assert!(hidden > power(asked).unwrap().mde);
    }

    #[test]
    fn repeats_pay_only_where_flips_are_chance_and_cases_cost() {
        let mut asked = question(Design::Paired { churn: 0.06 }, Goal::Cases(500));
        let mut repeats = Repeats {
            most: 3,
            icc: 0.0,
            case_price: 4.0,
        };
        asked.repeats = Some(repeats);
        let plans = power(asked).unwrap().plans;
        assert_eq!(plans.len(), 3);
        assert!(plans[2].mde < plans[0].mde);
        let same = power(asked).unwrap().mde;
        assert_eq!(Some(plans[0].mde), same);
        repeats.case_price = 0.0;
        repeats.icc = 0.5;
        asked.repeats = Some(repeats);
        let plans = power(asked).unwrap().plans;
        assert!(plans[2].mde > plans[0].mde);
    }

    #[test]
    fn an_effect_in_points_is_told_to_be_a_share() {
        let paired = Design::Paired { churn: 0.05 };
        let said = power(question(paired, Goal::Effect(5.0))).unwrap_err();
        let CommandError::Usage { message, help } = said else {
            panic!("{said}");
        };
        assert!(message.starts_with("--effect must be above 0"), "{message}");
        assert_eq!(help.unwrap(), "it is a share: write 0.05 for 5 points");
    }

    #[test]
    fn what_is_impossible_is_a_usage_error() {
        let paired = Design::Paired { churn: 0.05 };
        assert!(power(question(paired, Goal::Effect(0.0))).is_err());
        assert!(power(question(Design::Paired { churn: 2.0 }, Goal::Cases(5))).is_err());
        assert_eq!(power(question(paired, Goal::Cases(2))).unwrap().mde, None);
    }
}
