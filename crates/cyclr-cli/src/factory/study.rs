//! What a study file says of what is trained.

use super::TrainerArgs;
use crate::exit::Usage;

/// What a study may say where a COMMAND is trained.
const OF_COMMANDS: [&str; 5] = ["command", "child_timeout", "batch", "data_seed", "wrap"];

impl TrainerArgs {
    /// Refuses options that a study declares itself.
    pub(crate) fn check_with_study(&self) -> anyhow::Result<()> {
        // Options that do not suit a COMMAND are refused beside it without a study, too.
        let is_allowed = |option: &&String| !self.command.is_empty() || *option == "--data";
        match self.given.iter().find(|option| !is_allowed(option)) {
            None => Ok(()),
            Some(option) => Err(Usage::error(format!(
                "{option} cannot be combined with --study: write it into the study's [train] table"
            ))),
        }
    }

    /// Refuses options that say what is trained, where nothing is.
    pub(crate) fn check_with_curves(&self) -> anyhow::Result<()> {
        match self.given.first() {
            None => Ok(()),
            Some(option) => Err(Usage::error(format!(
                "{option} cannot be combined with --from: curves are read, and nothing is trained"
            ))),
        }
    }

    /// What a study trains: what its `[train]` table says, in the data folder that was given, or
    /// the COMMAND that was given, if the table says nothing else.
    pub(crate) fn of_study(&self, table: &toml::Table) -> anyhow::Result<Self> {
        if !self.command.is_empty() {
            return match table.keys().next() {
                None => Ok(self.clone()),
                Some(key) => Err(Usage::error(format!(
                    "the study declares what is trained (`{key}` in [train]): leave the COMMAND out, or remove that table from the study"
                ))),
            };
        }
        let mut table = table.clone();
        let is_of_commands = |key: &&String| OF_COMMANDS.contains(&key.as_str());
        if table.contains_key("command")
            && let Some(other) = table.keys().find(|key| !is_of_commands(key))
        {
            return Err(Usage::error(format!(
                "the study's [train]: `{other}` is an option of the embedded engine, not of a command"
            )));
        }
        let named = table.remove("data");
        let factory: Self = table
            .try_into()
            .map_err(|error| Usage::error(format!("the study's [train]: {error}")))?;
        let name = match &named {
            None => None,
            Some(toml::Value::String(name)) => Some(name.as_str()),
            Some(other) => {
                return Err(Usage::error(format!(
                    "the study's [train]: `data = {other}` is no name of a data set: write it in quotes"
                )));
            }
        };
        match name {
            Some(name) if name != "fashion" && self.data.is_none() => Err(Usage::error(format!(
                "the study needs the data set {name}: give its folder with --data DIR"
            ))),
            _ => Ok(Self {
                data: self.data.clone(),
                ..factory
            }),
        }
    }
}
