//! Where settings come from: a file, over it the environment, over it flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::{Config, SETTINGS, Setting};
use crate::error::{Error, Result};

/// What the names of all variables begin with.
pub(super) const PREFIX: &str = "WEBHOOK_BRIDGE_";

/// The variable that names the file.
const FILE: &str = "WEBHOOK_BRIDGE_CONFIG";

/// Variables of the command line, which are no settings.
const OTHERS: &[&str] = &[FILE, "WEBHOOK_BRIDGE_URL", "WEBHOOK_BRIDGE_KEY"];

/// A setting of the command line: its row, and what was given.
pub type Flag = (&'static Setting, String);

impl Config {
    /// What a file says, over it the environment, over it flags. Where no file is named, `WEBHOOK_BRIDGE_CONFIG` names it.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming file, variable or flag, and the rule.
    pub fn load(file: Option<PathBuf>, flags: &[Flag]) -> Result<Self> {
        let variables = variables(std::env::vars_os())?;
        let named = || variables.iter().find(|(name, _)| name == FILE).map(|(_, path)| path.into());
        let mut config = Self::default();
        if let Some(path) = file.or_else(named) {
            config.read_file(&path)?;
        }
        config.read_variables(&variables)?;
        for (setting, text) in flags {
            config.set(setting, text, &format!("--{}", setting.flag()))?;
        }
        Ok(config)
    }

    /// The defaults, changed by what the environment says, and by the file that it names.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_env() -> Result<Self> {
        Self::load(None, &[])
    }

    fn read_file(&mut self, path: &Path) -> Result<()> {
        let name = path.display();
        let read = std::fs::read_to_string(path);
        let text =
            read.map_err(|cause| Error::invalid(format!("{name}: cannot be read")).with_source(cause))?;
        self.read_toml(&name.to_string(), &text)
    }

    pub(super) fn read_toml(&mut self, name: &str, text: &str) -> Result<()> {
        let table = DeTable::parse(text).map_err(|error| Error::invalid(format!("{name}: {error}")))?;
        for (key, value) in table.into_inner() {
            let line = 1 + text[..key.span().start].matches('\n').count();
            let from = format!("{name}, line {line}: {}", key.get_ref());
            let setting = find(key.get_ref()).ok_or_else(|| unknown(&from))?;
            let value = value.get_ref();
            let text = scalar(value).or_else(|| list(value)).or_else(|| object(value));
            let text = text.ok_or_else(|| {
                Error::invalid(format!("{from}: must be a text, a whole number, true, false or a list"))
            })?;
            self.set(setting, &text, &from)?;
        }
        Ok(())
    }

    pub(super) fn read_variables(&mut self, variables: &[(String, String)]) -> Result<()> {
        for (name, text) in variables.iter().filter(|(name, _)| !OTHERS.contains(&name.as_str())) {
            let setting = SETTINGS.iter().find(|setting| setting.variable() == *name);
            self.set(setting.ok_or_else(|| unknown(name))?, text, name)?;
        }
        Ok(())
    }

    fn set(&mut self, setting: &Setting, text: &str, from: &str) -> Result<()> {
        (setting.set)(self, text).map_err(|rule| Error::invalid(format!("{from}: {rule}")))
    }
}

fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

fn unknown(from: &str) -> Error {
    let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
    Error::invalid(format!("{from}: there is no such setting; there are {}", names.join(", ")))
}

/// Those of the environment that are meant for a bridge.
fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>> {
    let ours = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = ours.filter(|(name, _)| name.starts_with(PREFIX));
    let text = |(name, value): (String, OsString)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(Error::invalid(format!("{name}: must be UTF-8"))),
    };
    ours.map(text).collect()
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn list(value: &DeValue<'_>) -> Option<String> {
    let texts = value.as_array()?.iter().map(|one| scalar(one.get_ref())).collect::<Option<Vec<_>>>()?;
    Some(texts.join(","))
}

/// A table, as JSON.
fn object(value: &DeValue<'_>) -> Option<String> {
    value.as_table().and_then(|_| json(value)).map(|value| value.to_string())
}

fn json(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()?.into(),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Array(list) => {
            list.iter().map(|one| json(one.get_ref())).collect::<Option<Vec<_>>>()?.into()
        }
        DeValue::Table(table) => {
            let fields =
                table.iter().map(|(name, value)| Some((name.get_ref().to_string(), json(value.get_ref())?)));
            Value::Object(fields.collect::<Option<Map<_, _>>>()?)
        }
        DeValue::Float(_) | DeValue::Datetime(_) => return None,
    })
}
