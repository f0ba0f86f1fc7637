//! `newswire token`

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Args;
use eventsourcing::UserId;
use service_kit::{auth::Tokens, output, settings};

use crate::settings::{TokenSettings, complete_auth};

/// What is asked for.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The user whom the token is for
    #[arg(long, value_name = "NAME")]
    pub user: UserId,
    /// A role of the user, such as editor; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// How long the token is valid, in hours
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8760))]
    pub hours: u64,
}

/// Prints a token, alone, on standard output.
pub fn run(config: Option<&Path>, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let token = mint(config, arguments)?;
    output::line(token)?;
    Ok(ExitCode::SUCCESS)
}

/// A token for whom `arguments` name, signed with the key of the settings.
pub(crate) fn mint(config: Option<&Path>, arguments: &Arguments) -> anyhow::Result<String> {
    let mut settings: TokenSettings = settings::load(config)?;
    complete_auth(&mut settings.auth, &settings.data_dir)?;
    Tokens::new(&settings.auth)?
        .mint(arguments.user.as_str(), &arguments.roles, Duration::from_hours(arguments.hours))
        .context("signing the token failed")
}
