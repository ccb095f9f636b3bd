//! Reading `fixtures/stats/reference.json` in tests: values from other software, by group.
//!
//! How each group was made stands in the file and in `fixtures/stats/README.md`.

use serde_json::Value;

const TEXT: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/fixtures/stats/reference.json"
));

/// One case: inputs and expected outputs by name.
pub(super) struct Case(Value);

/// The cases of a group.
pub(super) fn cases(group: &str) -> Vec<Case> {
    let file: Value = serde_json::from_str(TEXT).unwrap();
    let cases = file[group]["cases"].as_array().unwrap();
    assert!(!cases.is_empty(), "no case in {group}");
    cases.iter().cloned().map(Case).collect()
}

impl Case {
    pub(super) fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap_or_else(|| panic!("no {key}"))
    }

    pub(super) fn count(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_else(|| panic!("no {key}"))
    }

    pub(super) fn numbers(&self, key: &str) -> Vec<f64> {
        list(&self.0[key], |value| value.as_f64().unwrap())
    }

    pub(super) fn counts(&self, key: &str) -> Vec<u64> {
        list(&self.0[key], |value| value.as_u64().unwrap())
    }

    pub(super) fn number_rows(&self, key: &str) -> Vec<Vec<f64>> {
        list(&self.0[key], |row| {
            list(row, |value| value.as_f64().unwrap())
        })
    }

    pub(super) fn count_rows(&self, key: &str) -> Vec<Vec<u64>> {
        list(&self.0[key], |row| {
            list(row, |value| value.as_u64().unwrap())
        })
    }

    pub(super) fn is(&self, key: &str) -> bool {
        self.0[key].as_bool().unwrap()
    }
}

fn list<T>(value: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(read).collect()
}

/// Asserts a relative error of at most 1e-9 (absolute 1e-12 where 0 is expected).
#[track_caller]
pub(super) fn assert_close(actual: f64, expected: f64) {
    assert_within(
        actual,
        expected,
        (1e-9 * expected.abs()).max(f64::MIN_POSITIVE.max(if expected == 0.0 {
            1e-12
        } else {
            0.0
        })),
    );
}

/// Asserts agreement with a value printed to six decimals.
#[track_caller]
pub(super) fn assert_printed(actual: f64, printed: f64) {
    assert_within(actual, printed, 5.001e-7);
}

/// Asserts an absolute error of at most `tolerance`.
#[track_caller]
pub(super) fn assert_within(actual: f64, expected: f64, tolerance: f64) {
    assert!(
        (actual - expected).abs() <= tolerance,
        "{actual:e} is not {expected:e} within {tolerance:e}"
    );
}
