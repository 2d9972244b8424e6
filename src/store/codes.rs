//! The codes of errors that diesel has no kind for: SQLite's result codes and PostgreSQL's SQLSTATEs.
//!
//! Both drivers keep the code to themselves: of SQLite's errors diesel passes on the text of `sqlite3_errmsg`, of PostgreSQL's
//! diesel-async the fields of the error without its SQLSTATE. So the code is looked up by its text here, once, and only in errors of
//! no kind. SQLite's texts are constants of its API (`sqlite3_errstr`), in English always; PostgreSQL's are those of its message catalog,
//! of sessions whose language is set to English when they begin (`store/postgres/session.rs`). A text is compared as a whole or from its
//! beginning, so what it quotes (a name, a value) can't be taken for another error.

use tokio_postgres::error::SqlState;

/// Whether the text stands for a code that means "not now", as opposed to "never".
pub(super) fn mean_not_now(message: &str) -> bool {
    sqlite_code(message).is_some() || sql_state(message).is_some()
}

/// SQLite's result codes that mean "not now".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultCode {
    Busy,
    Locked,
    NoMemory,
    ReadOnly,
    InputOutput,
    Corrupt,
    Full,
    CannotOpen,
    Protocol,
    NotADatabase,
}

fn sqlite_code(message: &str) -> Option<ResultCode> {
    Some(match message {
        "database is locked" => ResultCode::Busy,
        "database table is locked" => ResultCode::Locked,
        "out of memory" => ResultCode::NoMemory,
        "attempt to write a readonly database" => ResultCode::ReadOnly,
        "disk I/O error" => ResultCode::InputOutput,
        "database disk image is malformed" => ResultCode::Corrupt,
        "database or disk is full" => ResultCode::Full,
        "unable to open database file" => ResultCode::CannotOpen,
        "locking protocol" => ResultCode::Protocol,
        "file is not a database" => ResultCode::NotADatabase,
        // These two say which.
        _ if message.starts_with("database table is locked: ")
            || message.starts_with("database schema is locked: ") =>
        {
            ResultCode::Locked
        }
        _ if message.starts_with("unable to open database: ") => ResultCode::CannotOpen,
        _ => return None,
    })
}

/// Which part of a message of PostgreSQL identifies its SQLSTATE.
enum Text {
    Whole(&'static str),
    Begins(&'static str),
    /// The message ends with the text of the operating system.
    Ends(&'static str),
}

/// SQLSTATEs of classes 40, 53, 55, 57 and 58 with their messages.
const SQL_STATES: [(Text, SqlState); 14] = [
    (Text::Whole("deadlock detected"), SqlState::T_R_DEADLOCK_DETECTED),
    (Text::Begins("could not serialize access"), SqlState::T_R_SERIALIZATION_FAILURE),
    (Text::Ends("No space left on device"), SqlState::DISK_FULL),
    (Text::Whole("out of memory"), SqlState::OUT_OF_MEMORY),
    (Text::Whole("out of shared memory"), SqlState::OUT_OF_MEMORY),
    (Text::Begins("sorry, too many clients"), SqlState::TOO_MANY_CONNECTIONS),
    (Text::Begins("remaining connection slots are reserved"), SqlState::TOO_MANY_CONNECTIONS),
    (Text::Begins("too many connections for "), SqlState::TOO_MANY_CONNECTIONS),
    (Text::Begins("could not obtain lock on "), SqlState::LOCK_NOT_AVAILABLE),
    (Text::Whole("canceling statement due to lock timeout"), SqlState::LOCK_NOT_AVAILABLE),
    (Text::Begins("canceling statement due to "), SqlState::QUERY_CANCELED),
    // Also ended by a timeout in an idle transaction (25P03), a crash of another session (57P02) and the like.
    (Text::Begins("terminating connection "), SqlState::ADMIN_SHUTDOWN),
    (Text::Begins("the database system is "), SqlState::CANNOT_CONNECT_NOW),
    (Text::Ends("Input/output error"), SqlState::IO_ERROR),
];

fn sql_state(message: &str) -> Option<&'static SqlState> {
    let is_it = |text: &Text| match text {
        Text::Whole(whole) => message == *whole,
        Text::Begins(begins) => message.starts_with(begins),
        Text::Ends(ends) => message.ends_with(ends),
    };
    SQL_STATES.iter().find(|(text, _)| is_it(text)).map(|(_, state)| state)
}
