//! The command line. Each command is one call.

mod backup;
mod common;
mod edits;
mod failures;
mod operator;
mod payments;
mod sale;
mod settings;
mod status;
mod upgrade;

use common::print;
use failures::{FailuresCommand, failures};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::api::graphql::edge::documents::trusted;
use crate::api::graphql::schema;
use crate::app::{self, App, Observer, Reserved};
use crate::config::{self, Config, ConfigErrors, Flag, Layers, Sources};
use crate::demo;
use crate::kernel::{Clock, Rng};
use crate::lifecycle::{Shutdown, Signals, allow_open_files};
use crate::store::Database;
use crate::telemetry::{init_logging, say};

/// A backend for limited-time sales.
#[derive(Debug, Parser)]
#[command(name = "doorbuster", version, about, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub struct Settings {
    /// Configuration file (TOML). It only needs the keys that differ from the defaults.
    #[arg(long, value_name = "FILE", env = "DOORBUSTER_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Set one key, overriding the file and the environment. Can be repeated.
    #[arg(long, value_name = "SECTION.KEY=VALUE", global = true)]
    set: Vec<String>,
}

/// The command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(Serve),
    /// Run a sale with a simulated crowd of shoppers, and keep the shop open to try it out.
    Demo(Demo),
    /// Migrate the database schema to the latest version.
    Migrate,
    /// Finalise an upgrade of the program, or show what prevents that.
    #[command(subcommand)]
    Upgrade(upgrade::UpgradeCommand),
    /// Show the nodes, their jobs and the backlog.
    Status,
    /// Print the GraphQL schema.
    Schema,
    /// Print a manifest of the GraphQL documents in the given folders.
    #[command(hide = true)]
    Documents {
        /// Folders with `.graphql` files.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
    },
    /// Show or check the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Change settings while the nodes run.
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// Manage the accounts of operators, observers and support.
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    /// Verify the records of payments, refunds and points.
    #[command(subcommand)]
    Payments(payments::PaymentsCommand),
    /// Report on a sale.
    #[command(subcommand)]
    Sale(sale::SaleCommand),
    /// Back up the database, or check that a backup can be restored.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Restore a backup.
    Restore(backup::Restore),
    /// List edits of the catalog that were made in SQL.
    #[command(subcommand)]
    Edits(edits::EditsCommand),
    /// List or replay dead-letter messages.
    #[command(subcommand)]
    Failures(FailuresCommand),
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Address and port to listen on (short for `--set server.listen=…`).
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Comma-separated roles of this node (api, writer, relay, timeouts, jobs). Defaults to node.roles.
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub roles: Vec<String>,
    /// Pass over the settings that are stored in the database: for a start that one of them would prevent.
    #[arg(long)]
    pub without_stored_settings: bool,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Number of shoppers.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub crowd: u32,
    /// Number of units for sale.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub stock: u32,
    /// Port to listen on; 0 picks a free one.
    #[arg(long)]
    pub port: Option<u16>,
    /// Exit after the sale, with status 0 if all guarantees held.
    #[arg(long)]
    pub once: bool,
    /// Seconds until the sale opens, or longer if the shoppers need more time to sign up [default: 60, or 5 with --once].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub opens_in: Option<u64>,
    /// Seconds during which shoppers arrive.
    #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub rush: u64,
    /// How many times to kill the server (SIGKILL) and restart it during the sale.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub kills: u32,
    /// Another build of this program, with which the nodes start: at each kill, the node changes from one to the other, as in a
    /// rolling upgrade and back.
    #[arg(long, value_name = "PROGRAM", requires = "kills")]
    pub other_program: Option<PathBuf>,
    /// Number of nodes. More than one requires PostgreSQL, Redis and Pulsar; `./justw demo-cluster` starts them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
    pub nodes: u16,
    /// Random seed for the behaviour of the shoppers.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder for the demo's data. Data from an earlier demo is removed.
    #[arg(long, value_name = "FOLDER", default_value = "data/demo")]
    pub data: PathBuf,
}

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the effective configuration and the source of each value.
    Print,
    /// Check the configuration and list all problems.
    Check,
    /// Print the JSON Schema of the configuration file.
    Schema,
}

impl Cli {
    /// Runs the command and returns the exit code: 0 done, 1 it failed, 2 the command line is wrong (by clap).
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        // Reading the settings takes a moment, and a signal may come in it.
        let signals = matches!(self.command, Command::Serve(_)).then(Signals::hold).transpose()?;
        let layers = Layers::read(&self.sources());
        match self.command {
            Command::Config(command) => Box::pin(config_command(&command, &layers)).await,
            Command::Schema => print(&schema::sdl()),
            Command::Documents { folders } => {
                print(&format!("{}\n", serde_json::to_string_pretty(&trusted::collect(&folders)?)?))
            }
            command => match command.configuration(&layers) {
                // Of all commands together the future is too large for the stack of those who call.
                Ok(config) => Box::pin(command.run(config, signals)).await,
                Err(errors) => Ok(refuse(&errors)),
            },
        }
    }

    /// The configuration's sources as the flags say. Options of a command that are settings come after `--set`.
    fn sources(&self) -> Sources {
        let assigned =
            self.settings.set.iter().map(|assignment| Flag { name: "--set", assignment: assignment.clone() });
        let mut flags: Vec<Flag> = assigned.collect();
        match &self.command {
            Command::Serve(Serve { listen, roles, .. }) => {
                let listen = listen.map(|listen| ("--listen", format!("server.listen={listen}")));
                let roles = (!roles.is_empty()).then(|| ("--roles", format!("node.roles={}", roles.join(","))));
                let given = listen.into_iter().chain(roles);
                flags.extend(given.map(|(name, assignment)| Flag { name, assignment }));
            }
            Command::Demo(Demo { port: Some(port), .. }) => {
                flags.push(Flag { name: "--port", assignment: format!("server.listen=127.0.0.1:{port}") });
            }
            _ => {}
        }
        Sources::process(self.settings.config.clone(), flags)
    }
}

impl Command {
    /// The configuration, looked at as closely as the command will use it.
    fn configuration(&self, layers: &Layers) -> Result<Config, ConfigErrors> {
        let serves_or_acts = matches!(
            self,
            Self::Serve(_)
                | Self::Operator(_)
                | Self::Failures(FailuresCommand::Replay { .. })
                | Self::Payments(payments::PaymentsCommand::Reconcile(_))
        );
        if serves_or_acts { checked(layers) } else { layers.config() }
    }

    /// Runs a command that needs the configuration.
    async fn run(self, config: Config, signals: Option<Signals>) -> anyhow::Result<ExitCode> {
        init_logging(&config.log)?;
        match self {
            Self::Serve(options) => {
                let without_stored = options.without_stored_settings;
                Box::pin(serve(Config { without_stored, ..config }, signals)).await
            }
            Self::Migrate => migrate(config).await,
            Self::Upgrade(command) => Box::pin(upgrade::run(config, command)).await,
            Self::Status => {
                let clock = Clock::system();
                let seen = Observer::look(&config, &clock, &Rng::system()).await?;
                let report = status::report(&seen, &clock, *config.node.heartbeat).await;
                seen.close().await;
                print(&report?)
            }
            Self::Settings(command) => Box::pin(settings::run(config, command)).await,
            Self::Operator(command) => Box::pin(operator::run(config, command)).await,
            Self::Edits(command) => edits::run(config, command).await,
            Self::Failures(command) => Box::pin(failures(config, command)).await,
            Self::Payments(command) => Box::pin(payments::run(config, command)).await,
            Self::Sale(command) => Box::pin(sale::run(config, command)).await,
            Self::Backup(command) => Box::pin(backup::run(config, command)).await,
            Self::Restore(options) => Box::pin(backup::restore(config, options)).await,
            Self::Demo(options) => demo(config, options).await,
            Self::Schema | Self::Documents { .. } | Self::Config(_) => anyhow::bail!("not part of this build"),
        }
    }
}

async fn serve(mut config: Config, signals: Option<Signals>) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::new();
    if let Some(signals) = signals {
        shutdown.obey(signals, *config.server.shutdown_timeout);
    }
    // Before anything is migrated; nobody can connect yet.
    let addresses = Reserved::take(&config.server)?;
    config.store.server = format!("listening on {}", config.server.listen);
    warn_of_few_files(config.server.connections_max);
    let app = tokio::select! {
        built = App::build(config, Clock::system(), Rng::system()) => built?,
        () = shutdown.soft().cancelled() => return Ok(ExitCode::SUCCESS),
    };
    if let Err(error) = app.join().await {
        app.close().await;
        return Err(error);
    }
    let listeners = addresses.listen()?;
    app.start();
    app.serve(listeners, &shutdown).await;
    Ok(ExitCode::SUCCESS)
}

/// A connection that the system has no file for waits until another one ends.
fn warn_of_few_files(connections_max: usize) {
    let files = allow_open_files();
    if files.is_some_and(|files| files < connections_max as u64) {
        tracing::warn!(?files, connections_max, "the limit of open files is lower than server.connections_max");
    }
}

async fn demo(config: Config, options: Demo) -> anyhow::Result<ExitCode> {
    let embedded = config.store.url.scheme() == Some("sqlite");
    anyhow::ensure!(
        !embedded || options.nodes == 1,
        "several nodes can't share an SQLite file; use ./justw demo-cluster"
    );
    let mut addresses = vec![match config.server.listen {
        listen if listen.port() == 0 => demo::server::free_address()?,
        listen => listen,
    }];
    for _ in 1..options.nodes {
        addresses.push(demo::server::free_address()?);
    }
    let urls = [
        ("store.url", &config.store.url),
        ("gate.url", &config.gate.url),
        ("broker.url", &config.broker.url),
        ("broker.admin_url", &config.broker.admin_url),
    ];
    let shared = urls.into_iter().filter(|_| !embedded);
    let profile = shared.map(|(key, url)| (key.to_owned(), url.expose().to_owned())).collect();
    let Demo { crowd, stock, once, opens_in, rush, kills, other_program, seed, data, .. } = options;
    let opens_in = std::time::Duration::from_secs(opens_in.unwrap_or(if once { 5 } else { 60 }));
    let rush = std::time::Duration::from_secs(rush);
    let options =
        demo::run::Options { crowd, stock, once, opens_in, rush, kills, other_program, seed, addresses, profile, data };
    let kept = demo::run::run(options, Clock::system(), &Rng::system()).await?;
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn migrate(config: Config) -> anyhow::Result<ExitCode> {
    let db = Database::open(&config.store).await?;
    let applied = db.migrate().await;
    db.close().await;
    match applied?.as_slice() {
        [] => print("the schema is up to date\n"),
        applied => print(&format!("applied {}\n", applied.join(", "))),
    }
}

/// The configuration, if a server could run on it as far as can be checked in advance.
fn checked(layers: &Layers) -> Result<Config, ConfigErrors> {
    let config = layers.config()?;
    let objections = app::objections(&config);
    if objections.is_empty() { Ok(config) } else { Err(layers.refuse(objections)) }
}

async fn config_command(command: &ConfigCommand, layers: &Layers) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Schema => print(&format!("{:#}\n", config::schema::generate())),
        ConfigCommand::Print => match layers.config() {
            Ok(config) => print(&settings::with_stored(layers, &config).await),
            Err(errors) => Ok(refuse(&errors)),
        },
        ConfigCommand::Check => match checked(layers) {
            Ok(_) => print("the configuration is valid\n"),
            Err(errors) => Ok(refuse(&errors)),
        },
    }
}

/// Prints the problems as the program's output, without a log line around them.
fn refuse(errors: &ConfigErrors) -> ExitCode {
    say(&errors.to_string());
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_become_settings() {
        let cli =
            parse("doorbuster serve --listen [::1]:99 --set hub.stock_tick=5ms --set server.listen=1.1.1.1:1").unwrap();
        let Sources { flags, environment, .. } = cli.sources();
        assert!(!environment.is_empty());
        let config = config::Config::load(&Sources { flags, ..Sources::default() }).unwrap();
        assert_eq!(config.server.listen.to_string(), "[::1]:99");
        assert_eq!(config.hub.stock_tick.as_millis(), 5);
        let split = parse("doorbuster serve --roles api,relay").unwrap().sources().flags;
        let config = config::Config::load(&Sources { flags: split, ..Sources::default() }).unwrap();
        assert_eq!(config.node.roles, [config::Role::Api, config::Role::Relay]);
        let demo = parse("doorbuster --config a.toml demo --port 0 --once").unwrap();
        assert_eq!(demo.sources().file, Some("a.toml".into()));
        let config = config::Config::load(&Sources { flags: demo.sources().flags, ..Sources::default() }).unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:0");
        let Command::Demo(Demo { crowd: 2000, stock: 100, once: true, .. }) = demo.command else {
            panic!("{:?}", demo.command)
        };
    }

    #[test]
    fn wrong_command_lines_are_refused() {
        for line in ["doorbuster", "doorbuster serve --listen 80", "doorbuster demo --stock 0", "doorbuster config"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
