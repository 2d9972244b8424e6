//! Second factors, recovery codes and roles.

use super::*;

pub(super) async fn all(db: &Database, recorder: &Recorder) {
    let user = data::user(7);
    let (secret, code) = ([0; 21], [7; 32]);
    recorded!(db, recorder, |conn| {
        conn.batch_execute("BEGIN");
        sql::second_factors::begin(conn, user, &secret, NOW);
        sql::second_factors::find(conn, user);
        sql::second_factors::confirm(conn, user, &secret, 7, NOW);
        sql::second_factors::use_step(conn, user, 8);
        sql::second_factors::replace_recovery_codes(conn, user, &[code]);
        sql::second_factors::recovery_codes_left(conn, user);
        sql::second_factors::use_recovery_code(conn, user, &code, NOW);
        sql::second_factors::change_role(conn, user, Role::Buyer, Role::Support);
        sql::second_factors::remove(conn, user);
        conn.batch_execute("ROLLBACK");
    });
}
