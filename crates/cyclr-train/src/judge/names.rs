//! The names that columns of results have in tables of many tools.

/// Names of a column, those that can mean nothing else first. Of two names in one list either could
/// be meant.
pub(super) type Names = [&'static [&'static str]];

/// What a column can be.
pub(super) struct Role {
    pub(super) what: &'static str,
    pub(super) names: &'static Names,
    /// The option that says which column it is.
    pub(super) option: Option<&'static str>,
}

pub(super) const ARM: Role = Role {
    what: "arm",
    option: Some("--arm-column"),
    names: &[
        &["arm", "arms"],
        &[
            "method",
            "model",
            "algorithm",
            "algo",
            "optimizer",
            "policy",
            "variant",
            "treatment",
            "approach",
            "system",
            "schedule",
            "scheduler",
            "condition",
        ],
        &[
            "config",
            "configuration",
            "experiment",
            "setting",
            "group",
            "name",
            "label",
        ],
    ],
};

pub(super) const SEED: Role = Role {
    what: "seed",
    option: Some("--seed-column"),
    names: &[
        &["seed", "seeds"],
        &["random_seed", "rng_seed", "train_seed", "seed_id"],
        &[
            "run",
            "run_id",
            "rep",
            "repeat",
            "repetition",
            "replicate",
            "trial",
            "fold",
        ],
    ],
};

pub(super) const TASK: Role = Role {
    what: "task",
    option: None,
    names: &[
        &["task", "tasks"],
        &[
            "dataset",
            "data_set",
            "env",
            "environment",
            "env_id",
            "env_name",
            "benchmark",
            "problem",
            "game",
            "domain",
        ],
    ],
};

pub(super) const FIGURE: Role = Role {
    what: "name of the figure",
    option: None,
    names: &[&["metric", "metric_name", "measure", "figure"]],
};

pub(super) const STATE: &Names = &[&["state", "status"]];

pub(super) const VALUE: &Names = &[
    &["value", "values", "score", "scores", "result", "results"],
    &[
        "accuracy",
        "acc",
        "test_accuracy",
        "test_acc",
        "accuracy_test",
        "acc_test",
        "final_accuracy",
        "final_acc",
        "top1",
        "top_1",
        "f1",
        "auc",
        "reward",
        "return",
        "episode_return",
        "episodic_return",
        "loss",
        "test_loss",
        "final_loss",
        "error",
        "test_error",
        "rmse",
        "mae",
        "perplexity",
        "ppl",
        "bleu",
        "wer",
        "test",
    ],
];

/// The columns with the most telling of the known names.
pub(super) fn find(names: &[String], known: &Names) -> Vec<usize> {
    let with = |list: &&[&str]| -> Vec<usize> {
        let is = |n: &usize| list.contains(&names[*n].as_str());
        (0..names.len()).filter(is).collect()
    };
    let found = known.iter().map(with).find(|found| !found.is_empty());
    // None of the lists is among the names.
    found.unwrap_or_default()
}
