//! Estimates and fits without real data: bounds, unknown features, hostile tables, size.

use std::fmt::Write as _;

use caldp_core::dataset::Dataset;
use caldp_core::resources::fit::{self, Runs};
use caldp_core::resources::judge::{Knowledge, PRICES, judge};
use caldp_core::resources::{Features, LONGEST, Model, Run, SHORTEST};
use proptest::prelude::*;

fn features(name: &str) -> Features {
    Features::of_name(Dataset::parse(name).unwrap())
}

fn sized(name: &str, files: u32, mb: f64) -> Features {
    Features {
        files: Some(files),
        input_mb: Some(mb),
        ..features(name)
    }
}

#[test]
fn published_runs_larger_than_any_measured_one_fit_their_estimates() {
    let model = Model::shipped().unwrap();
    let full = |name, files, mb| Features {
        subarray: Some(false),
        cte: Some(true),
        ..sized(name, files, mb)
    };
    // Associations of ACS and WFC3: files, MB of full frames, GiB, seconds.
    for (name, files, mb, gib, seconds) in [
        ("jcnw14010", 61, 950.0, 17.5, 79_010.0),
        ("ieib04010", 29, 450.0, 8.6, 15_356.0),
    ] {
        let estimate = model.estimate(&full(name, files, mb));
        assert!(estimate.memory_bin.usable_gib() >= gib, "{estimate:?}");
        assert!(estimate.timeout_seconds >= seconds, "{estimate:?}");
    }
}

#[test]
fn kinds_that_were_not_measured_get_wide_limits_and_say_why() {
    let model = Model::shipped().unwrap();
    for (name, bin, least_limit) in [
        ("octka6010", 0, 7_200.0),
        ("lbgu17qnq", 1, 14_400.0),
        ("lbgu17010", 1, 14_400.0),
        ("acs_8ph_01", 1, 43_200.0),
        ("skycell-p1234x05y06", 2, 172_800.0),
    ] {
        let estimate = model.estimate(&features(name));
        assert_eq!(estimate.memory_bin.number(), bin, "{name}");
        assert!(estimate.timeout_seconds >= least_limit, "{name}");
        assert!(
            format!("{:?}", estimate.basis).contains("limits are wide"),
            "{name}"
        );
    }
}

#[test]
fn fewer_vcpus_than_the_measured_runs_had_lengthen_the_limit_of_threaded_programs() {
    let plain = Model::shipped().unwrap();
    let mut groups = plain.groups.clone();
    for group in &mut groups {
        group.vcpus = Some(4.0);
    }
    let four = plain.with_groups(plain.origin.clone(), groups);
    let of = |subarray, cte, mb| {
        let features = Features {
            subarray: Some(subarray),
            cte: Some(cte),
            drizzle: Some(true),
            ..sized("ieib04ylq", 2, mb)
        };
        let before = plain.estimate(&features);
        let after = four.estimate(&features);
        assert_eq!(before.memory_bin.vcpus(), 1);
        after.timeout_seconds / before.timeout_seconds
    };
    assert!((of(false, true, 35.0) - 4.0).abs() < 1e-9);
}

#[test]
fn hostile_rows_are_reported_and_left_out() {
    let text = "dataset,n_files,total_mb,subarray,memory_gb,wallclock_s\n\
        j8cb010b0,2,10,0,1.5,900\nj8cb010b0,2,10,0,1.5,900\n../../etc/passwd,2,10,0,1,9\n\
        jcnw14060,1000000000,10,0,1,9\njcnw14061,2,-1,0,1,9\njcnw14062,2,1,0,nan,9\n\
        jcnw14063,2,1,0,1,-5\njcnw14064,2,1e300,0,1,5\njcnw14065,2,1,0,inf,5\n\u{0},,,,,\n\"";
    let mut runs = Runs::default();
    runs.add_table(text.as_bytes(), "runs.csv").unwrap();
    assert_eq!(runs.all().len(), 1);
    let left_out = runs.left_out();
    assert!(left_out.count() >= 9, "{left_out:?}");
    assert!(left_out.first[0].0.ends_with(":3"), "{left_out:?}");
    assert_eq!(left_out.reasons["the dataset was there before"], 1);
    assert_eq!(left_out.reasons["n_files cannot be true"], 1);
}

#[test]
fn a_group_of_few_new_runs_does_not_replace_one_of_many() {
    let shipped = Model::shipped().unwrap();
    let run = |name: &str, seconds| Run {
        features: Features {
            drizzle: Some(true),
            cte: Some(true),
            subarray: Some(false),
            large_detector: Some(true),
            ..sized(name, 5, 69.0)
        },
        peak_gib: 0.5,
        seconds,
        vcpus: Some(2.0),
    };
    let few = [run("jcnw14010", 10.0), run("lbgu17010", 150.0)];
    let all: Vec<&Run> = few.iter().collect();
    let fitted = fit::fit(&all, "two runs", &shipped);
    assert_eq!(fitted.groups.len(), shipped.groups.len() + 1);
    let acs = &few[0].features;
    assert_eq!(fitted.estimate(acs), shipped.estimate(acs));
    let cos = fitted.estimate(&few[1].features);
    assert!(format!("{:?}", cos.basis).contains("runs: 1"), "{cos:?}");
    assert!(cos.timeout_seconds >= 3600.0);
}

#[test]
fn a_hundred_thousand_rows_are_fitted_and_judged() {
    let mut text = String::from(
        "dataset,n_files,total_mb,drizcorr,pctecorr,crsplit,subarray,large_detector,memory_gb,wallclock_s\n",
    );
    for i in 0..100_000_u32 {
        let (files, last) = (2 + i % 9, if i % 3 == 0 { 'q' } else { '0' });
        let mb = files * 17;
        let wobble = f64::from(i * 7919 % 1000) / 1000.0;
        let gb = (0.7 + 0.02 * f64::from(mb)) * (0.95 + 0.1 * wobble);
        let seconds = 100.0 * f64::from(files) * (0.7 + wobble);
        writeln!(
            text,
            "j{i:07}{last},{files},{mb},PERFORM,OMIT,1,0,1,{gb},{seconds}"
        )
        .unwrap();
    }
    let mut runs = Runs::default();
    runs.add_table(text.as_bytes(), "runs.csv").unwrap();
    assert_eq!(runs.all().len(), 100_000);
    let all: Vec<&Run> = runs.all().iter().collect();
    let model = fit::fit(&all, "synthetic", &Model::shipped().unwrap());
    assert_eq!(
        Model::parse(model.to_json().unwrap().as_bytes()).unwrap(),
        model
    );
    let judged = judge(&model, runs.all(), Knowledge::Features, PRICES).unwrap();
    assert_eq!(judged.killed, 0);
    assert!(judged.cost_ratio < 1.1, "{judged:?}");
}

proptest! {
    #[test]
    fn any_features_give_an_estimate_within_bounds(
        name in "(j|i|o|l)[a-z0-9]{8}", files in any::<Option<u32>>(),
        mb in proptest::option::of(any::<f64>()), switches in any::<[Option<bool>; 4]>(),
    ) {
        let [drizzle, cte, subarray, large_detector] = switches;
        let estimate = Model::shipped().unwrap().estimate(&Features {
            files, input_mb: mb, drizzle, cte, subarray, large_detector, ..features(&name)
        });
        prop_assert!((SHORTEST..=LONGEST).contains(&estimate.timeout_seconds));
    }

    #[test]
    fn what_is_not_known_never_shortens_a_limit(
        group in 0_usize..9, at in 0.0..=1.0_f64, forget in any::<[bool; 6]>(),
    ) {
        let model = Model::shipped().unwrap();
        let group = &model.groups[group % model.groups.len()];
        let key = group.key;
        let letter = if key.family == caldp_core::resources::Family::Acs { "j" } else { "i" };
        let last = if key.association == Some(true) { "0" } else { "q" };
        let files = group.files.least + (group.files.most - group.files.least) * at;
        let files = files.round();
        let mb = (files * group.mb_per_file.median).clamp(group.input_mb.least, group.input_mb.most);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and whole")]
        let known = Features {
            files: Some(files as u32),
            input_mb: Some(mb),
            drizzle: key.drizzle,
            cte: key.cte,
            subarray: key.subarray,
            large_detector: key.large_detector,
            ..features(&format!("{letter}abc0101{last}"))
        };
        let mut less = known.clone();
        let [no_files, no_mb, no_drizzle, no_cte, no_subarray, no_detector] = forget;
        if no_files { less.files = None; }
        if no_mb { less.input_mb = None; }
        if no_drizzle { less.drizzle = None; }
        if no_cte { less.cte = None; }
        if no_subarray { less.subarray = None; }
        if no_detector { less.large_detector = None; }
        let (known, less) = (model.estimate(&known), model.estimate(&less));
        prop_assert!(less.timeout_seconds >= known.timeout_seconds * 0.999, "{known:?} {less:?}");
    }
}
