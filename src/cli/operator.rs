//! Those who work in the shop: operators, observers, support.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::common::{print, with_app};
use crate::accounts::StaffRefusal;
use crate::app::App;
use crate::config::Config;
use crate::model::accounts::Role;
use crate::store::Database;
use crate::telemetry::{self, say};

/// Commands about staff.
#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Create an operator, or somebody else of the staff. Prompts for the password.
    Create(OperatorCreate),
    /// Give a user another role and end all their sessions. Servers that share no broker with this command follow within
    /// `accounts.token_cache_ttl`. Audited.
    Role(OperatorRole),
    /// Manage second factors.
    #[command(subcommand)]
    SecondFactor(SecondFactorCommand),
}

/// Options of `operator create`.
#[derive(Debug, Args)]
pub struct OperatorCreate {
    /// The username to sign in with.
    #[arg(long)]
    pub username: String,
    /// The display name.
    #[arg(long)]
    pub display_name: String,
    /// The role: OPERATOR (everything), OBSERVER (sees everything, changes nothing), SUPPORT (looks up buyers, refunds up to
    /// `accounts.support_refund_max_minor`).
    #[arg(long, default_value = "OPERATOR", value_parser = role)]
    pub role: Role,
    /// Read the password from standard input without a prompt.
    #[arg(long)]
    pub password_stdin: bool,
}

/// Options of `operator role`.
#[derive(Debug, Args)]
pub struct OperatorRole {
    /// The username.
    pub username: String,
    /// The new role: OPERATOR, OBSERVER, SUPPORT or BUYER.
    #[arg(value_parser = role)]
    pub role: Role,
    /// The username of the operator who makes the change, for the audit log. Defaults to the user.
    #[arg(long = "as", value_name = "OPERATOR")]
    pub operator: Option<String>,
}

/// Commands about second factors.
#[derive(Debug, Subcommand)]
pub enum SecondFactorCommand {
    /// Remove a user's second factor and recovery codes, for a lost phone, and end all their sessions. Audited.
    Reset {
        /// The username.
        username: String,
        /// The username of the operator who makes the change, for the audit log. Defaults to the user.
        #[arg(long = "as", value_name = "OPERATOR")]
        operator: Option<String>,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(&text.to_ascii_uppercase()).ok_or_else(|| {
        let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("there are the roles {}", roles.join(", "))
    })
}

/// Carries out the command.
pub async fn run(config: Config, command: OperatorCommand) -> anyhow::Result<ExitCode> {
    match command {
        OperatorCommand::Create(options) => Box::pin(create(config, options)).await,
        OperatorCommand::Role(options) => {
            Database::must_exist(&config.store)?;
            let OperatorRole { username, role, operator } = options;
            let changed = with_app(config, async |app: &App| {
                Ok(app.accounts().change_role(&username, role, operator.as_deref()).await?)
            });
            match changed.await? {
                Ok(change) => print(&format!(
                    "{}: {} instead of {}; sessions ended: {}\n",
                    change.user.username,
                    change.user.role.as_str(),
                    change.old.as_str(),
                    change.ended
                )),
                Err(refusal) => Ok(refused(refusal.message())),
            }
        }
        OperatorCommand::SecondFactor(SecondFactorCommand::Reset { username, operator }) => {
            Database::must_exist(&config.store)?;
            let reset = with_app(config, async |app: &App| {
                Ok(app.accounts().reset_second_factor(&username, operator.as_deref()).await?)
            });
            match reset.await? {
                Ok(user) => print(&format!("{} has no second factor any more\n", user.username)),
                Err(refusal) => Ok(refused(refusal.message())),
            }
        }
    }
}

fn refused(why: &str) -> ExitCode {
    say(why);
    ExitCode::FAILURE
}

async fn create(config: Config, options: OperatorCreate) -> anyhow::Result<ExitCode> {
    let password = read_password(options.password_stdin)?;
    let OperatorCreate { username, display_name, role, .. } = options;
    let made = with_app(config, async |app: &App| {
        anyhow::ensure!(app.accounts().knows(role).await?, StaffRefusal::NotFinalised.message());
        Ok(app.accounts().create_staff(&username, &password, &display_name, role).await?)
    });
    match made.await? {
        Ok(user) => print(&format!("created {} {} ({})\n", role.as_str().to_lowercase(), user.username, user.id)),
        Err(refusals) => {
            for refusal in refusals {
                say(refusal.message());
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The first line of standard input; asked for unless `quiet`.
fn read_password(quiet: bool) -> anyhow::Result<String> {
    if !quiet {
        telemetry::prompt("Password (input is visible): ");
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
