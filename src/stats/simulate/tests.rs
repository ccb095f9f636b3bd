//! Tests of `simulate`.

use super::super::mean::sign_flip;
use super::super::reference::assert_within;
use super::*;

fn design(cases: u32, trials: u32, drop: f64) -> Design {
    Design {
        cases,
        trials,
        rate: 0.9,
        drop,
        correlation: 0.6,
    }
}

fn usual(margin: f64) -> Criteria {
    Criteria {
        alpha: 0.05,
        margin,
        threshold: 0.03,
    }
}

fn share(runs: usize, simulation: &Simulation) -> f64 {
    runs as f64 / simulation.draws as f64
}

#[test]
fn the_paired_test_finds_what_the_unpaired_one_misses() {
    let simulation = simulate(&design(200, 1, 0.05), usual(0.05), 4000, 1).unwrap();
    assert_within(simulation.rejection_rate(Test::MidP).unwrap(), 0.78, 0.02);
    assert_within(
        simulation.rejection_rate(Test::TwoProportion).unwrap(),
        0.42,
        0.02,
    );
    assert_eq!(simulation.rejection_rate(Test::Mean), None);
    assert_eq!(
        simulation.pass + simulation.fail + simulation.inconclusive,
        4000
    );
}

#[test]
fn an_unchanged_candidate_rarely_fails() {
    for cases in [50, 200, 1000] {
        let simulation = simulate(&design(cases, 1, 0.0), usual(0.05), 20_000, 2).unwrap();
        let level = simulation.rejection_rate(Test::MidP).unwrap();
        assert!(level <= 0.055, "{level} at {cases} cases");
        assert!(share(simulation.fail, &simulation) <= 0.055);
    }
}

#[test]
fn repeats_find_more_than_single_trials() {
    let once = simulate(&design(50, 1, 0.05), usual(0.10), 1500, 3).unwrap();
    let thrice = simulate(&design(50, 3, 0.05), usual(0.10), 1500, 3).unwrap();
    assert!(thrice.fail > once.fail);
    assert_within(share(thrice.fail, &thrice), 0.58, 0.05);
}

#[test]
fn the_model_has_the_rates_and_correlation_asked_for() {
    let mut stream = Stream::new(4, 0);
    let design = Design {
        cases: 40_000,
        trials: 1,
        rate: 0.8,
        drop: 0.1,
        correlation: 0.5,
    };
    let counts = single(&design, &mut stream);
    assert_within(counts.baseline().rate().unwrap(), 0.8, 0.01);
    assert_within(counts.candidate().rate().unwrap(), 0.7, 0.01);
    assert_within(counts.correlation().unwrap(), 0.5, 0.02);
    for drop in [0.1, -0.1] {
        let design = Design {
            trials: 3,
            drop,
            ..design
        };
        let sums = repeated(&design, &mut stream);
        let mean = sums.iter().sum::<i64>() as f64 / (3.0 * 40_000.0);
        assert_within(mean, -drop, 0.01);
    }
}

#[test]
fn an_urn_correlates_the_trials_of_a_case() {
    let mut stream = Stream::new(5, 0);
    let mut both = 0;
    for _ in 0..40_000 {
        let mut urn = Urn::new(0.9, 0.6);
        both += i32::from(urn.draw(&mut stream) && urn.draw(&mut stream));
    }
    assert_within(f64::from(both) / 40_000.0, 0.81 + 0.6 * 0.09, 0.01);
    let mut fixed = Urn::new(0.5, 1.0);
    let first = fixed.draw(&mut stream);
    assert!((0..50).all(|_| fixed.draw(&mut stream) == first));
}

#[test]
fn the_result_depends_on_the_seed_and_not_on_the_threads() {
    let run = |seed, threads| {
        simulate_on(&design(40, 1, 0.03), usual(0.05), 1000, seed, threads).unwrap()
    };
    assert_eq!(run(1, 1), run(1, 3));
    assert_ne!(run(1, 1), run(2, 1));
}

#[test]
fn impossible_designs_are_errors() {
    let valid = design(50, 1, 0.05);
    let perfect = Design {
        rate: 1.0,
        drop: 0.0,
        ..valid
    };
    let allowed = [
        valid,
        Design {
            correlation: 0.0,
            ..perfect
        },
    ];
    let refused = [
        perfect,
        Design { drop: 0.8, ..valid },
        Design {
            correlation: -0.9,
            ..valid
        },
        Design {
            trials: 2,
            correlation: -0.1,
            ..valid
        },
        Design { cases: 0, ..valid },
        Design { trials: 0, ..valid },
        Design {
            rate: f64::NAN,
            ..valid
        },
        Design {
            drop: -0.2,
            ..valid
        },
    ];
    let run = |design: &Design| simulate(design, usual(0.05), 10, 1);
    assert!(allowed.iter().all(|design| run(design).is_ok()));
    assert!(refused.iter().all(|design| run(design).is_err()));
    assert!(matches!(
        run(&perfect),
        Err(Error::ImpossibleCorrelation { .. })
    ));
    assert!(
        simulate(
            &valid,
            Criteria {
                alpha: 0.0,
                ..usual(0.05)
            },
            10,
            1
        )
        .is_err()
    );
    assert!(simulate(&valid, usual(0.05), 0, 1).is_err());
    assert!(simulate(&valid, usual(0.05), usize::MAX, 1).is_err());
}

#[test]
fn few_cases_flip_signs_exactly() {
    let sums = [-2, -1, 0, 1, -3, -1, 0, -2];
    let values: Vec<f64> = sums.iter().map(|&sum| f64::from(sum) / 3.0).collect();
    let exact = sign_flip(&Sample::independent(&values).unwrap(), 1).unwrap();
    let wide: Vec<i64> = sums.iter().map(|&sum| i64::from(sum)).collect();
    assert_within(sign_flip_of_integers(&wide), exact.p_regression, 1e-12);
    let simulation = simulate(&design(10, 3, 0.3), usual(0.10), 200, 1).unwrap();
    assert!(simulation.fail > 20 && simulation.pass == 0);
}

#[test]
fn a_naive_fixed_threshold_blocks_an_unchanged_candidate_in_three_of_ten_runs() {
    let naive = |cases, correlation, threshold| {
        let design = Design {
            correlation,
            ..design(cases, 1, 0.0)
        };
        let criteria = Criteria {
            threshold,
            ..usual(0.05)
        };
        let simulation = simulate(&design, criteria, 4000, 6).unwrap();
        simulation.rejection_rate(Test::FixedThreshold).unwrap()
    };
    assert_within(naive(50, 0.0, 0.03), 0.30, 0.02);
    assert_within(naive(100, 0.6, 0.01), 0.29, 0.02);
    assert!(naive(50, 0.0, 0.10) < naive(50, 0.0, 0.03));
}
