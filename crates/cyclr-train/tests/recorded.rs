//! Curves that other tools recorded: those in testdata/curves-of-other-tools, whose README says
//! what is right, and small ones in every dialect.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;

use cyclr::range::{Bounds, NoAnswer, Rule, Sweep, SweepReading, read_bounds};
use cyclr_train::find::{Recorded, RecordedError, Smoothed, copies, read_recorded};

fn file(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    root.join("curves-of-other-tools").join(name)
}

fn files(names: &[&str], smoothed: Option<&str>) -> Result<Vec<Recorded>, RecordedError> {
    let paths: Vec<PathBuf> = names.iter().map(|name| file(name)).collect();
    read_recorded(
        &paths,
        smoothed.map(|text| text.parse::<Smoothed>().unwrap()),
    )
}

fn reading(recorded: &[Recorded]) -> SweepReading {
    let sweeps: Vec<Sweep> = recorded.iter().map(|r| r.sweep.clone()).collect();
    read_bounds(&sweeps, &Rule::default())
}

fn answer(names: &[&str], smoothed: Option<&str>) -> Result<Bounds, NoAnswer> {
    reading(&files(names, smoothed).unwrap()).answer
}

const RAW: [&str; 3] = ["raw-0.csv", "raw-1.csv", "raw-2.csv"];
const TORCH_LR_FINDER: [&str; 3] = [
    "torch-lr-finder-0.csv",
    "torch-lr-finder-1.csv",
    "torch-lr-finder-2.csv",
];
const LIGHTNING: [&str; 3] = ["lightning-0.csv", "lightning-1.csv", "lightning-2.csv"];

#[test]
fn averages_are_found_and_undone() {
    let raw = answer(&RAW, None).unwrap();
    let digits = |lr: f64| format!("{lr:.2e}");
    let max_lr = [
        raw.max_lr.value,
        raw.max_lr.interval.low,
        raw.max_lr.interval.high,
    ]
    .map(digits);
    assert_eq!(max_lr, ["2.85e-2", "2.06e-2", "3.96e-2"]);
    assert_eq!(digits(raw.base_lr.value), "8.01e-4");
    let known = [
        (
            TORCH_LR_FINDER,
            ["torch-lr-finder", "0.95", "torch-lr-finder=0.95"],
        ),
        (LIGHTNING, ["lightning", "0.98", "Lightning=0.98"]),
    ];
    for (names, ways) in known {
        let unknown = answer(&names, None);
        assert!(
            matches!(unknown, Err(NoAnswer::Smoothed { .. })),
            "{unknown:?}"
        );
        for way in ways {
            let undone = answer(&names, Some(way)).unwrap();
            let within = raw.max_lr.interval.low..raw.max_lr.interval.high;
            assert!(within.contains(&undone.max_lr.value), "{way}: {undone:?}");
            let base = (undone.base_lr.value / raw.base_lr.value).ln();
            assert!(base.abs() < 0.05, "{way}: {undone:?}");
        }
    }
    for name in [
        "smoothed-noise.csv",
        "lightning-0.csv",
        "torch-lr-finder-1.csv",
    ] {
        let alone = answer(&[name], None);
        assert!(
            matches!(alone, Err(NoAnswer::Smoothed { .. })),
            "{name}: {alone:?}"
        );
    }
    assert!(answer(&["smoothed-noise.csv"], Some("torch-lr-finder")).is_err());
    // An average that was not there, or another one.
    for (name, smoothed) in [
        ("raw-0.csv", "0.98"),
        ("raw-1.csv", "fastai"),
        ("raw-2.csv", "lightning"),
    ] {
        let error = files(&[name], Some(smoothed)).unwrap_err().to_string();
        assert!(
            error.contains(name) && error.contains("--smoothed 0"),
            "{error}"
        );
    }
    for wrong in ["1", "-0.1", "nan", "keras", ""] {
        assert!(wrong.parse::<Smoothed>().is_err(), "{wrong}");
    }
}

#[test]
fn every_export_gives_the_answer_of_its_sweep() {
    let expected = answer(&["exponential.csv"], None).unwrap();
    let digits = format!("{:.1e}", expected.max_lr.value);
    assert_eq!(digits, "2.5e-2");
    for name in [
        "bom.csv",
        "pandas.csv",
        "nan-as-pandas.csv",
        "wandb.csv",
        "semicolons.csv",
    ] {
        assert_eq!(answer(&[name], None), Ok(expected), "{name}");
    }
    // It alone has more digits than seven.
    let savetxt = answer(&["savetxt.csv"], None).unwrap();
    let ratio = savetxt.max_lr.value / expected.max_lr.value;
    assert!((ratio - 1.0).abs() < 1e-5, "{savetxt:?}");
    let pair = ["tensorboard-loss.csv", "tensorboard-lr.csv"];
    assert_eq!(answer(&pair, None), Ok(expected));
    assert_eq!(answer(&[pair[1], pair[0]], None), Ok(expected));
    let after_zero = answer(&["exponential-after-zero.csv"], None).unwrap();
    assert_eq!(format!("{:.1e}", after_zero.max_lr.value), digits);
}

#[test]
fn reasons_say_what_is_wrong() {
    let best = answer(&["best-at-first.csv"], None);
    assert!(
        matches!(best, Err(NoAnswer::BestAtFirst { .. })),
        "{best:?}"
    );
    let constant = answer(&["constant.csv"], None);
    assert_eq!(constant, Err(NoAnswer::Constant { value: 2.3 }));
    let high = [0, 1, 2].map(|n| format!("starts-too-high-{n}.csv"));
    let high = answer(&high.each_ref().map(String::as_str), None).unwrap_err();
    assert!(matches!(high, NoAnswer::StartsTooHigh { .. }), "{high:?}");
    assert!(high.to_string().contains("too high") && high.advice().contains("sweep lower"));
}

#[test]
fn copies_and_other_curves_are_not_repeats() {
    let thrice = files(&["raw-0.csv"; 3], None).unwrap();
    assert_eq!(copies(&thrice).len(), 2);
    assert_eq!(reading(&thrice).answer, answer(&["raw-0.csv"], None));
    let error = files(&["raw-0.csv", "raw-1.csv", "starts-too-high-0.csv"], None).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("raw-0.csv") && error.contains("starts-too-high-0.csv"),
        "{error}"
    );

    let recorded = "../range-curves/lenet-fashion-sgd/exp-0.csv";
    let error = files(&["raw-0.csv", recorded], None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("raw-0.csv") && error.contains("exp-0.csv"),
        "{error}"
    );
}

// ---- dialects, each of the same four points

/// Reads one text, or several as files of the names given.
fn texts(named: &[(&str, &str)]) -> Result<Vec<Recorded>, RecordedError> {
    let folder = tempfile::tempdir().unwrap();
    let path = |(name, text): &(&str, &str)| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let paths: Vec<PathBuf> = named.iter().map(path).collect();
    read_recorded(&paths, None)
}

fn points(recorded: &Recorded) -> Vec<(f64, Option<f64>)> {
    let points = &recorded.curve.points;
    points.iter().map(|p| (p.lr, p.loss)).collect()
}

#[test]
fn columns_are_found_by_name_in_every_dialect() {
    let same = [(0.001, Some(2.25)), (0.01, Some(1.5)), (0.1, Some(1.0))];
    for text in [
        "lr,loss\n0.001,2.25\n0.01,1.5\n0.1,1\n",
        "\u{feff}Loss,LR\r\n2.25,1e-3\r\n1.5,1e-2\r\n1,1e-1\r\n",
        "\n# lr loss\n1e-3 2.25\n1e-2 1.5\n1e-1 1\n",
        "learning_rate\tval_loss\ttrain_loss\n.001\t9\t2.25\n.01\t9\t1.5\n.1\t9\t1\n",
        "lr;loss;note\n0,001;2,25;a\n0,01;1,5;\"b;c\"\n0,1;1;d\n",
        "epoch,accuracy_val,loss,learning_rate\n0,0,2.25,0.001\n1,0,1.5,0.01\n2,0,1,0.1\n",
        "\"Step\",\"a - train/loss\",\"a - train/loss__MIN\",\"a - train/loss__MAX\",\"a - lr\"\n\
         0,2.25,2.25,2.25,0.001\n1,1.5,1.5,1.5,0.01\n2,1,1,1,0.1\n",
        "epoch,step,lr-Adam,train_loss_step\n0,0,0.001,\n0,0,,2.25\n0,1,0.01,\n0,1,,1.5\n0,2,0.1,\n0,2,,1\n",
        "  lr       loss\n 1e-3    2.25\n   0.01  1.5\n 1e-1    1\n",
        "sep=\t\nlr\tloss\n0.001\t2.25\n0.01\t1.5\n0.1\t1\n",
        "sep=;\r\nlr;loss\r\n0.001;2.25\r\n0.01;1.5\r\n0.1;1\r\n",
        "run_id,key,value,step,timestamp\nr,lr,0.001,0,1\nr,lr,0.01,1,2\nr,lr,0.1,2,3\n\
         r,train_loss,2.25,0,1\nr,train_loss,1.5,1,2\nr,val_loss,9,1,2\nr,train_loss,1,2,3\n",
        "run,tag,step,value\na,loss,0,2.25\na,lr,0,0.001\na,loss,1,1.5\na,lr,1,0.01\na,loss,2,1\na,lr,2,0.1\n",
        "[{\"key\": \"loss\", \"step\": 0, \"value\": 2.25}, {\"key\": \"loss\", \"step\": 1, \"value\": 1.5},\n\
         {\"key\": \"loss\", \"step\": 2, \"value\": 1}, {\"key\": \"lr\", \"step\": 0, \"value\": 0.001},\n\
         {\"key\": \"lr\", \"step\": 1, \"value\": 0.01}, {\"key\": \"lr\", \"step\": 2, \"value\": 0.1}]",
        "{\"lr\": [0.001, 0.01, 0.1], \"loss\": [2.25, 1.5, 1]}",
        "{\"losses\": [2.25, 1.5, 1.0], \"lrs\": [0.001, 0.01, 0.1], \"tool\": \"NaN, \\\"Infinity\\\"\"}",
        "{\"lr\":{\"0\":0.001,\"2\":0.1,\"1\":0.01},\"loss\":{\"0\":2.25,\"1\":1.5,\"2\":1}}",
        "[{\"lr\": 0.001, \"loss\": 2.25}, {\"lr\": 0.01, \"loss\": 1.5}, {\"loss\": 1, \"lr\": 0.1}]",
        "{\"lr\": 0.001, \"loss\": 2.25}\n{\"lr\": 0.01, \"loss\": 1.5}\n{\"lr\": 0.1, \"loss\": 1}\n",
    ] {
        let recorded = texts(&[("curve", text)]).unwrap_or_else(|e| panic!("{text}\n{e}"));
        assert_eq!(points(&recorded[0]), same, "{text}");
    }
}

#[test]
fn an_empty_or_bare_nan_at_the_end_is_a_loss_that_was_not_finite() {
    for text in [
        "lr,loss\n0.1,1\n0.2,\n0.3,\n",
        "lr,loss\n0.1,1\n0.2,nan\n0.3,NaN\n",
        "{\"lr\": [0.1, 0.2, 0.3], \"loss\": [1, NaN, Infinity]}",
        "{\"lr\": [0.1, 0.2, 0.3], \"loss\": [1, null, null]}",
    ] {
        let recorded = texts(&[("curve", text)]).unwrap();
        assert_eq!(recorded[0].curve.points.len(), 3, "{text}");
        assert_eq!(recorded[0].sweep.broke_at(), Some(0.2), "{text}");
    }
}

#[test]
fn accuracies_are_read_as_shares_or_as_counts() {
    let counts = "update,lr,loss,correct,count\n0,0.1,2,3,4\n1,0.2,1,4,4\n";
    let counts = &texts(&[("counts", counts)]).unwrap()[0].curve;
    assert_eq!(counts.points[0].figure, Some(0.75));
    assert_eq!(
        (counts.points[1].correct, counts.points[1].count),
        (Some(4), 4)
    );
    let shares = "lr,acc,loss\n0.1,0.75,2\n0.2,1,1\n";
    let shares = &texts(&[("shares", shares)]).unwrap()[0].curve;
    assert_eq!(shares.points[0].figure, Some(0.75));
    let lower = "update,lr,loss,lower,count\n0,0.1,,7.5,4\n1,0.2,,6,4\n";
    let lower = &texts(&[("lower", lower)]).unwrap()[0].curve;
    assert_eq!(
        (lower.points[0].figure, lower.points[0].loss),
        (Some(7.5), None)
    );
    assert_eq!(lower.direction, cyclr::trainer::Direction::Lower);
}

#[test]
fn rates_and_losses_in_two_files_are_joined_by_step() {
    let lr = ("lr.csv", "Step,Value\n0,0.1\n5,0.2\n10,0.3\n");
    let loss = ("loss.csv", "Wall time,Step,Value\n1,0,2\n3,10,1\n");
    let expected = [(0.1, Some(2.0)), (0.3, Some(1.0))];
    assert_eq!(points(&texts(&[lr, loss]).unwrap()[0]), expected);
    // By what the values do, if the names do not say.
    let unnamed = [("a.json", "[[1, 0, 2], [3, 10, 1]]"), ("b.csv", lr.1)];
    assert_eq!(points(&texts(&unnamed).unwrap()[0]), expected);
    // MLflow downloads one metric as a file.
    let keyed = [
        (
            "a.csv",
            "run_id,key,value,step\nr,lr,0.1,0\nr,lr,0.2,5\nr,lr,0.3,10\n",
        ),
        ("b.csv", "run_id,key,value,step\nr,loss,2,0\nr,loss,1,10\n"),
    ];
    assert_eq!(points(&texts(&keyed).unwrap()[0]), expected);
    // One file of rates serves several of losses.
    let other = ("loss-2.csv", "Step,run - loss\n0,3\n5,2.5\n10,2\n");
    let both = texts(&[loss, other, lr]).unwrap();
    assert_eq!(points(&both[1])[1], (0.2, Some(2.5)));
    let error = texts(&[lr, ("loss.csv", "Step,Value\n0,2\n7,1\n")])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("loss.csv: line 3: step 7 has no rate in"),
        "{error}"
    );
    let twice = ("loss.csv", "Step,Value\n0,2\n0,1\n");
    let error = texts(&[lr, twice]).unwrap_err().to_string();
    assert!(
        error.contains("step 0 is there already (line 2)"),
        "{error}"
    );
}

#[test]
fn ambiguous_or_damaged_curves_are_refused_with_the_file_and_what_to_do() {
    for (text, said) in [
        ("", "empty"),
        ("0.1,2\n0.2,1\n", "no names of columns"),
        ("a,b\n0.1,2\n", "its columns are `a`, `b`"),
        (
            "lr,loss,train_loss\n0.1,2,2\n",
            "`loss` and `train_loss` could both be the loss",
        ),
        ("a - lr,b - lr,loss\n0.1,0.1,2\n", "`a - lr` and `b - lr`"),
        (
            "lr,loss,lower,higher\n0.1,2,1,3\n",
            "`lower` and `higher` could both be the figure",
        ),
        ("step,lr\n0,0.1\n", "1 have only rates and 0 only losses"),
        ("lr\n0.1\n", "none is the loss"),
        ("loss\n0.1\n", "none is the learning rate"),
        ("lr,loss\n0.1,2\n0.2\n", "line 3 has 1 columns"),
        (
            "lr,loss\n0.1,2\n0.2,tensor(1.5)\n",
            "line 3, column `loss`: `tensor(1.5)`",
        ),
        ("lr;loss\n0,1;2.5\n0,2;1\n", "line 2, column `lr`: `0,1`"),
        (
            "lr,loss\n0.1,2\n0.2,\n0.3,1\n",
            "line 3: a loss or figure is missing",
        ),
        ("lr,loss\n0.1,2\n,1\n", "line 3: it has no rate"),
        ("lr,loss\n0.2,2\n0.1,1\n", "line 3: "),
        (
            "lr,loss,correct,count\n0.1,2,5,4\n",
            "line 2: correct is 5, and should be at most count, which is 4",
        ),
        (
            "lr,loss,correct,count\n0.1,2,0,0\n",
            "line 2: count is 0, and should be at least 1",
        ),
        ("lr,loss,correct\n0.1,2,5\n", "line 2: count is missing"),
        ("lr,loss,correct,count\n0.1,2,1.5,4\n", "correct is 1.5"),
        (
            "step,lr,loss\n0,0.1,2\n1,,\n0,0.2,3\n",
            "step 0 has two values",
        ),
        ("{\"lr\": [0.1, 0.2], \"loss\": [1]}", "has 1 values"),
        ("[[0.1, 0.2], [2, 1]]", "its lists have no names"),
        ("{\"lr\": [0.1", "not valid JSON"),
        (
            "{\"history\": {\"lr\": [0.1], \"loss\": [1]}, \"epochs\": 3}",
            "its table is within `history`: write",
        ),
        (
            "{\"log_history\": [{\"learning_rate\": 0.1, \"loss\": 1}], \"global_step\": 3}",
            "its table is within `log_history`: write",
        ),
        (
            "{\"lr\": 0.1, \"loss\": {\"a\": 1}}",
            "it has no lists: write them as",
        ),
        (
            "run_id,key,value,step\na,lr,0.1,0\nb,lr,0.1,0\n",
            "line 3, column `run_id`: it is of another run",
        ),
        (
            "key,value,step\nlr,0.1,0\nlr,0.2,0\n",
            "line 3, column `key`: step 0 has it twice",
        ),
        (
            "lr\tloss\n0.1\t2,224.7390\n",
            "`2,224.7390` should be a number with a decimal point, and without other separators",
        ),
        ("lr;loss\n0,1;2.224,739\n", "without other separators"),
        ("\u{0}\u{0}", "its columns are"),
    ] {
        let error = texts(&[("curve.csv", text)]).unwrap_err().to_string();
        assert!(
            error.contains("curve.csv") && error.contains(said),
            "{text:?}: {error}"
        );
    }
    let error = read_recorded(&[PathBuf::from("no such file")], None).unwrap_err();
    assert!(
        error.to_string().contains("no such file cannot be read"),
        "{error}"
    );
}

#[test]
fn files_that_are_no_text_have_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, said) in [
        (
            &b"\x93NUMPY\x01\0v\0{'descr'"[..],
            "it is no text: give a CSV or JSON file",
        ),
        (
            b"PK\x03\x04\x14\0\0\0\x08\0\xff",
            "it is no text: give a CSV or JSON file",
        ),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "Unpack archives"),
        (
            b"lr;loss;gr\xf6\xdfe\n1;2;3\n",
            "another encoding than UTF-8: save it as UTF-8",
        ),
        (b"\xff\xfel\0r\0", "UTF-16 text: save it as UTF-8"),
    ] {
        let path = folder.path().join("curve.npy");
        fs::write(&path, bytes).unwrap();
        let error = read_recorded(&[path], None).unwrap_err().to_string();
        assert!(
            error.contains("curve.npy") && error.contains(said),
            "{error}"
        );
    }
}
