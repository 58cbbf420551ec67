//! What a study file says of what is trained.

use super::TrainerArgs;
use crate::exit::Usage;

/// What a study may say, or be combined with, where a COMMAND is trained.
const OF_COMMANDS: [&str; 5] = ["command", "child_timeout", "batch", "data_seed", "wrap"];

impl TrainerArgs {
    /// Refuses options that a study declares itself.
    pub(crate) fn check_with_study(&self) -> anyhow::Result<()> {
        let allowed: &[&str] = if self.command.is_empty() {
            &["data"]
        } else {
            &OF_COMMANDS
        };
        let allowed = |name: &str| allowed.contains(&name);
        let (given, usual) = (
            serde_json::to_value(self)?,
            serde_json::to_value(Self::default())?,
        );
        let (Some(given), Some(usual)) = (given.as_object(), usual.as_object()) else {
            return Ok(());
        };
        match given
            .iter()
            .find(|(name, value)| !allowed(name) && usual.get(*name) != Some(value))
        {
            None => Ok(()),
            Some((name, _)) => Err(Usage::error(format!(
                "--{} cannot be combined with --study: write it into the study's [train] table",
                name.replace('_', "-")
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
                    "the study says itself what is trained (`{key}` in [train]): leave the COMMAND out, or take the table out of the study"
                ))),
            };
        }
        let mut table = table.clone();
        let is_of_commands = |key: &&String| OF_COMMANDS.contains(&key.as_str());
        if table.contains_key("command")
            && let Some(other) = table.keys().find(|key| !is_of_commands(key))
        {
            return Err(Usage::error(format!(
                "the study's [train]: `{other}` is of the embedded engine and means nothing to a command"
            )));
        }
        let named = table.remove("data");
        let factory: Self = table
            .try_into()
            .map_err(|error| Usage::error(format!("the study's [train]: {error}")))?;
        match named.as_ref().and_then(toml::Value::as_str) {
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
