//! Settings that are stored, and their history.

use doorbuster::config::{SettingAct, SettingChange};
use doorbuster::kernel::{UserId, Wanted};

use super::*;

pub(super) async fn all(db: &Database, recorder: &Recorder) {
    let operator = UserId::from_bytes([1; 16]);
    let change = |revision, new: Option<&str>| SettingChange {
        revision,
        key: "points.welcome".into(),
        scope: "*".into(),
        old: None,
        new: new.map(str::to_owned),
        act: if new.is_some() { SettingAct::Set } else { SettingAct::Unset },
        operator: None,
        username: None,
        via: "cli".into(),
        reason: "a test".into(),
        at: NOW,
        undoes: None,
        confirm_before: None,
    };
    let changes = [change(1_000_001, Some("1")), change(1_000_002, None)];
    let wanted = |from_end| Wanted { after: Some(500), before: Some(2), limit: 20, from_end, count: true };
    let (forward, backward) = (wanted(false), wanted(true));
    recorded!(db, recorder, |conn| {
        sql::settings::revision(conn);
        sql::settings::take_turn(conn);
        sql::settings::all(conn);
        sql::settings::names(conn, vec![operator]);
        sql::settings::record(conn, &changes);
        sql::settings::find(conn, 7);
        sql::settings::list(conn, None, &forward);
        sql::settings::list(conn, Some("points.welcome"), &backward);
        sql::settings::after(conn, 7, 100);
        sql::settings::newest_of(conn, "points.welcome", "*");
        sql::settings::made_since(conn, operator, EARLIER);
        sql::settings::unconfirmed(conn);
    });
}
