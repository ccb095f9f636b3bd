//! A scale of numbers on a line of pixels, with round ticks.

/// A line from `from` to `to`, `width` units long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    from: f64,
    to: f64,
    width: f64,
}

/// The room at both ends, for the labels of the outermost ticks.
const EDGE: f64 = 16.0;

impl Axis {
    /// The line that holds all of some values; `None` where none of them is a number.
    pub fn over(values: impl IntoIterator<Item = f64>, width: f64) -> Option<Self> {
        let values = values.into_iter().filter(|value| value.is_finite());
        let range = values.fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
        });
        let (low, high) = range?;
        let room = if high > low {
            (high - low) * 0.04
        } else {
            low.abs().max(1.0) * 0.1
        };
        Some(Self {
            from: low - room,
            to: high + room,
            width,
        })
    }

    /// Where a value stands; one beyond an end stands at that end.
    pub fn x(self, value: f64) -> f64 {
        let share = (value - self.from) / (self.to - self.from);
        EDGE + share.clamp(0.0, 1.0) * (self.width - 2.0 * EDGE)
    }

    /// About `most` round values on the line, in order.
    pub fn ticks(self, most: u32) -> Vec<f64> {
        let step = step((self.to - self.from) / f64::from(most.max(1)));
        let first = (self.from / step).ceil();
        let ticks = (0..=u64::from(most) * 2).map(|index| (first + index as f64) * step);
        ticks.take_while(|tick| *tick <= self.to).collect()
    }
}

/// The least of 1, 2, 5 times a power of ten that is no smaller.
fn step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let fits = steps.into_iter().find(|step| *step >= least * 0.999_999);
    fits.filter(|step| step.is_normal()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_on_the_line() {
        let axis = Axis::over([-0.073, 0.013, -0.05, 0.0], 240.0).unwrap();
        let ticks = axis.ticks(5);
        let shown: Vec<String> = ticks.iter().map(|tick| format!("{tick:.2}")).collect();
        assert_eq!(shown, ["-0.06", "-0.04", "-0.02", "0.00"]);
        assert!(
            ticks
                .iter()
                .all(|tick| (16.0..=224.0).contains(&axis.x(*tick)))
        );
    }

    #[test]
    fn a_single_value_and_no_value_are_no_division_by_zero() {
        let axis = Axis::over([0.0, f64::NAN], 100.0).unwrap();
        assert!((axis.x(0.0) - 50.0).abs() < 1e-9);
        assert!(!axis.ticks(4).is_empty());
        assert_eq!(Axis::over([f64::INFINITY], 100.0), None);
        assert!(Axis::over([1e300, -1e300], 100.0).unwrap().ticks(3).len() < 8);
    }
}
