//! Why a command failed, and with which exit code.

use std::error::Error as StdError;
use std::fmt;
use std::process::ExitCode;

use eventbus::ErrorKind;
use webhook_bridge::Error;

/// The exit codes, as the help has them.
pub(super) const CODES: &str = "\
Exit codes: 0 done · 1 failed · 2 the command line or the configuration is wrong · 3 the bridge or the broker \
refused it · 4 the bridge or the broker was not reached";

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Whatever is none of the others.
    Failed(String),
    /// The command line or the configuration is wrong.
    Usage(String),
    /// The bridge or the broker answered that it will not: the problem's title and detail.
    Refused(String),
    /// The bridge or the broker did not answer.
    Unreachable(String),
}

impl Failure {
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Unreachable(_) => 4,
        })
    }

    /// An error in the configuration.
    pub(super) fn configuration(error: &Error) -> Self {
        Self::Usage(chain(error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(chain(&error))
    }
}

impl From<eventbus::Error> for Failure {
    fn from(error: eventbus::Error) -> Self {
        let text = chain(&error);
        match error.kind() {
            ErrorKind::Invalid => Self::Usage(text),
            ErrorKind::NotSent => Self::Unreachable(text),
            ErrorKind::Unsupported | ErrorKind::Conflict | ErrorKind::Refused | ErrorKind::NotFound => {
                Self::Refused(text)
            }
            _ => Self::Failed(text),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(text) | Self::Usage(text) | Self::Refused(text) | Self::Unreachable(text)) = self;
        f.write_str(text)
    }
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &dyn StdError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
