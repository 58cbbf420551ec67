//! Makes the corpus: small good inputs of every kind, which mutation starts from.
//!
//! `CYCLR_WRITE_CORPUS=1 cargo test -p cyclr-cli --test fuzz has_its_files` writes it, where a format has changed. Inputs
//! that were added by hand, such as those that once failed, stay.

use std::fs;
use std::path::Path;

use cyclr_train::compare::{BoundsSource, Plan, Settings, compare};
use cyclr_train::noisy_quadratic::NoisyQuadratic;
use cyclr_train::{Interrupt, Watch};

use super::place::Place;
use super::{nets, runs};

const BETWEEN: &[u8] = b"\n=====\n";

/// Writes the corpus into the folder `corpus` of `fuzz`.
///
/// # Panics
/// If a file cannot be read or written, or an input cannot be made.
pub fn write(fuzz: &Path) {
    let inputs = [
        texts(),
        recorded(fuzz),
        tables(),
        images(fuzz),
        data(),
        trained(),
        compared(fuzz),
    ];
    for (target, name, content) in inputs.into_iter().flatten() {
        let folder = fuzz.join("corpus").join(target);
        fs::create_dir_all(&folder).expect("a folder can be made");
        fs::write(folder.join(name), content).expect("a file can be written");
    }
}

/// The target, the name of the file, and the input.
type Input = (&'static str, String, Vec<u8>);

fn texts() -> Vec<Input> {
    let specs = SPECS.lines().enumerate();
    let specs = specs.map(|(n, spec)| ("spec", format!("{n:02}"), spec.into()));
    let answers = ANSWERS.lines().enumerate();
    let answers = answers.map(|(n, line)| ("protocol", format!("{n:02}"), line.into()));
    specs
        .chain(answers)
        .chain([("study", String::from("small.toml"), STUDY.into())])
        .collect()
}

const SPECS: &str = "\
fixed(lr=0.1)
triangular(base=0.001, max=0.006, step=2000)
triangular2(base=0.01, max=0.1, step=2ep, momentum=0.95..0.85)
exp_range(base=0.001, max=0.006, step=5%, gamma=0.9994)
one_cycle(max=0.1, warmup=30%, div=25, final_div=1e4)
one_cycle_smith(base=0.08, max=0.8, step=41%)
warmup(5%) then cosine(lr=0.1, min=1e-5)
cosine_restarts(max=0.1, min=0, period=10ep, mult=2)
wsd(lr=1, warmup=3%, cooldown=20%) weight_decay=1e-4
fixed(lr=0.1) for 30ep then fixed(lr=0.01) for 100 then linear(lr=0.001)
warmup(10%) then multistep(lr=1, gamma=0.1, at=[50%, 75%])
inverse_sqrt(lr=0.001, warmup=400)
poly(lr=0.1, power=0.9)
rex(lr=0.1)
step(lr=0.1, gamma=0.1, every=30ep)
sigmoid(lr=0.1, gamma=-0.01, step=100)
inv(lr=0.01, gamma=1e-4, power=0.75)
exponential(lr=0.1, gamma=0.999)";

const ANSWERS: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocol":1,"examples":1000,"batch":50,"validation":7,"test":7,"momentum":true,"weight_decay":false,"snapshots":true,"given_weights":false}}
{"jsonrpc":"2.0","id":1,"result":{"protocol":1,"examples":10,"batch":1,"validation":1,"test":0,"momentum":false,"weight_decay":false,"snapshots":false,"given_weights":false,"objective":{"name":"f1","direction":"higher","unit":"own"}}}
{"jsonrpc":"2.0","id":2,"result":{"metrics":[[{"name":"loss","value":0.5,"count":50,"direction":"lower"}],[{"name":"loss","value":null,"count":50,"direction":"lower"}]]}}
{"jsonrpc":"2.0","id":3,"result":{"metrics":[{"name":"accuracy","value":0.42857142857142855,"count":7,"correct":3,"direction":"higher"}],"correct":"0101010"}}
{"jsonrpc":"2.0","id":4,"result":{}}
{"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"no method state"}}"#;

const STUDY: &str = r#"title = "Small"

[train]
net = "mlp"
batch = 50

[[comparison]]
name = "small"
updates = 240
reference = "fixed"
seeds = [1, 2, 3]
margin = 0.5
budgets = [0.25, 1.0]
multiples = [0.25, 0.5, 1.0]
base_lr = 0.02
max_lr = 0.2

[[comparison.arm]]
label = "fixed"
policy = "fixed"

[[comparison.arm]]
label = "stages"
policy = "triangular2(base=0.001, max=0.005, step=20) for 160 then fixed(lr=0.001)"
updates = 200
tuned = false
published = 81.4
note = "as published"
"#;

/// Tables of results in every shape, after the byte that says what is known about them.
fn tables() -> Vec<Input> {
    let input = |(name, content): (&str, &str)| ("judge", String::from(name), content.into());
    TABLES.into_iter().map(input).collect()
}

const TABLES: [(&str, &str); 7] = [
    (
        "long",
        "\u{14}arm,seed,acc\na,1,84.1\na,2,85\nb,1,86\nb,2,86.7\nc,1,70\n",
    ),
    (
        "tasks",
        "\u{9}env,method,run,loss\nx,a,1,1.5\nx,b,1,2\nx,a,2,1.7\nx,b,2,nan\ny,a,1,3\ny,b,1,4\n",
    ),
    (
        "arm-columns",
        "\u{12}seed;a;b\n1;0,84;0,86\n2;0,85;\n3;0,83;0,9\n",
    ),
    (
        "seed-columns",
        "\u{9}arm\tseed_1\tseed_2\tseed_3\na\t1\t2\t3\nb\t2\t2\t4\n",
    ),
    (
        "figures",
        "\u{12}arm,seed,metric,value\na,1,acc,0.5\na,2,acc,0.6\nb,1,acc,0.7\nb,2,acc,0.9\n",
    ),
    (
        "lines",
        "\u{9}{\"arm\":\"a\",\"seed\":1,\"value\":1}\n{\"arm\":\"b\",\"seed\":1,\"value\":2.5}\n",
    ),
    ("unpaired", ")arm,value\na,1\na,1\nb,3\nb,3\nb,3.5\n"),
];

/// The first rows of curves as tools write them, after the byte that says what is known about the average.
fn recorded(fuzz: &Path) -> Vec<Input> {
    let folder = fuzz.join("../testdata/curves-of-other-tools");
    let read = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).expect("a recorded curve");
        let rows: Vec<&str> = text.lines().step_by(12).take(14).collect();
        let header = text.lines().next().into_iter();
        header
            .chain(rows.into_iter().skip(1))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let one = |(name, way): (&str, u8)| {
        let content = [&[way], read(name).as_bytes()].concat();
        ("curves", String::from(name), content)
    };
    let files = [
        ("raw-0.csv", 0),
        ("pandas.csv", 1),
        ("wandb.csv", 0),
        ("semicolons.csv", 0),
        ("savetxt.csv", 0),
        ("torch-lr-finder-0.csv", 2),
        ("lightning-0.csv", 3),
        ("nan-as-pandas.csv", 0),
        ("bom.csv", 0),
    ];
    let (lr, loss) = (read("tensorboard-lr.csv"), read("tensorboard-loss.csv"));
    let pair = [b"\0", lr.as_bytes(), BETWEEN, loss.as_bytes()].concat();
    let raw = read("raw-0.csv");
    let repeats = [b"\0", raw.as_bytes(), BETWEEN, raw.as_bytes()].concat();
    let json =
        br#"0{"lr": [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0], "loss": [2.3, 2.2, 1.9, 1.2, 0.9, null]}"#;
    let own = b"0update,lr,loss,correct,count\n0,0.001,2.3,5,50\n1,0.002,2.1,9,50\n2,0.004,,12,50\n3,0.008,inf,0,50\n";
    let long = b"0run_id,key,value,step,timestamp\nr,lr,1e-5,0,1\nr,lr,1e-3,1,2\nr,lr,0.1,2,3\nr,train_loss,2.3,0,1\nr,train_loss,1.9,1,2\nr,val_loss,2,1,2\nr,train_loss,,2,3\n";
    let others = [
        ("long", long.to_vec()),
        ("pair", pair),
        ("repeats", repeats),
        ("json", json.to_vec()),
        ("own", own.to_vec()),
    ];
    let others = others.map(|(name, content)| ("curves", String::from(name), content));
    files.into_iter().map(one).chain(others).collect()
}

fn images(fuzz: &Path) -> Vec<Input> {
    let folder = fuzz.join("../crates/cyclr-engine/tests/data_golden");
    let names = [
        "bits.png",
        "gray_alpha.png",
        "palette_clear.png",
        "rgb.png",
        "turned_6.png",
        "cmyk.jpg",
        "gray.jpg",
        "progressive.jpg",
        "turned_8.jpg",
    ];
    let image = |name: &str| {
        let content = fs::read(folder.join(name)).expect("an image of the engine's tests");
        (
            "image",
            String::from(name),
            [b"1", content.as_slice()].concat(),
        )
    };
    names.into_iter().map(image).collect()
}

fn data() -> Vec<Input> {
    let images = |count: u8| {
        let head = [[0, 0, 8, 3], [0, 0, 0, count], [0, 0, 0, 3], [0, 0, 0, 2]];
        [head.concat(), (0..count * 6).collect()].concat()
    };
    let labels = |count: u8| {
        let head = [[0, 0, 8, 1], [0, 0, 0, count]];
        [head.concat(), (0..count).map(|n| n % 2).collect()].concat()
    };
    let idx = [images(6), labels(6), images(2), labels(2)].join(BETWEEN);
    // Two records of CIFAR-10 and one of CIFAR-100, which the target fills up from a few bytes.
    let cifar10 = [&[b'0'][..], &6146_u16.to_le_bytes(), &[3, 1, 4]].concat();
    let cifar100 = [&[b'1'][..], &6148_u16.to_le_bytes(), &[3, 1, 4]].concat();
    vec![
        ("idx", String::from("two-classes"), idx),
        ("cifar", String::from("10"), cifar10),
        ("cifar", String::from("100"), cifar100),
    ]
}

fn trained() -> Vec<Input> {
    let [state, small, model] = nets::headers();
    let [header, state_of_run, whole] = runs::checkpoint_parts();
    let checkpoint = [header, state_of_run].join(BETWEEN);
    vec![
        ("state", String::from("header"), state),
        ("weights", String::from("header"), small),
        ("predictor", String::from("header"), model),
        ("checkpoint", String::from("parts"), checkpoint),
        ("checkpoint", String::from("whole"), whole),
        (
            "records",
            String::from("stopped"),
            runs::records_of_run(false),
        ),
        (
            "records",
            String::from("finished"),
            runs::records_of_run(true),
        ),
    ]
}

fn compared(fuzz: &Path) -> Vec<Input> {
    let place = Place::new();
    let mut plan = Plan::new(240);
    plan.arms.truncate(2);
    plan.seeds = vec![1, 2];
    plan.bounds = BoundsSource::Found {
        updates: 130,
        seed: 2001,
    };
    let folder = place.path().join("comparison");
    let settings = Settings::default();
    let factory = NoisyQuadratic::default();
    let compared = compare(
        &factory,
        &plan,
        &folder,
        &settings,
        Watch {
            observer: &mut |_| {},
            interrupt: &Interrupt::new(),
        },
    );
    compared.expect("the comparison can be made");
    let read = |name: &str| fs::read(folder.join(name)).expect("the comparison wrote it");
    let begun = ["comparison.json", "begin.json", "range.json"]
        .map(read)
        .join(BETWEEN);
    let old = fuzz.join("../testdata/comparison-v1/result.json");
    vec![
        ("comparison", String::from("begun"), begun),
        ("report", String::from("version-2"), read("result.json")),
        (
            "report",
            String::from("version-1"),
            fs::read(old).expect("a record of version 1"),
        ),
        ("winner", String::from("winner.toml"), read("winner.toml")),
    ]
}
