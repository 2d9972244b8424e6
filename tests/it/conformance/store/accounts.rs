//! Users, tokens, the login log.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use doorbuster::accounts::{SignInRefusal, SignUpRefusal};
use futures_util::future::join_all;

use super::{Place, on_both};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const PASSWORD: &str = "correct horse";

on_both!(
    a_name_is_given_once_however_many_want_it,
    signing_in_and_out,
    a_renewed_token_lives_on_and_an_expired_one_is_removed,
    names_and_texts_come_back_as_they_were,
);

async fn a_name_is_given_once_however_many_want_it(place: Place) {
    let accounts = place.app.accounts();
    let tries = join_all((0..8).map(|_| accounts.sign_up("alice", PASSWORD, "Alice", HOME))).await;
    let (won, lost): (Vec<_>, Vec<_>) = tries.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(lost.iter().all(|refused| refused.as_ref().unwrap_err() == &[SignUpRefusal::UsernameTaken]));
    let user = &won[0].as_ref().unwrap().user;
    assert_eq!(accounts.user(user.id).await.unwrap().as_ref(), Some(user));
}

async fn signing_in_and_out(place: Place) {
    let accounts = place.app.accounts();
    let signed_up = accounts.sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap();
    let wrong = accounts.sign_in("alice", "wrong password", HOME).await.unwrap();
    assert_eq!(wrong.unwrap_err(), SignInRefusal::InvalidCredentials);
    let signed_in = accounts.sign_in("Alice", PASSWORD, HOME).await.unwrap().unwrap();
    assert_eq!(signed_in.user, signed_up.user);
    // Another node has it from the database.
    let other = place.other_node().await;
    let viewer = other.accounts().viewer(&signed_in.access_token.token).await.unwrap().unwrap();
    assert_eq!(viewer.id, signed_up.user.id);
    assert!(accounts.sign_out(&signed_in.access_token.token).await.unwrap());
    assert!(!accounts.sign_out(&signed_in.access_token.token).await.unwrap());
    assert!(accounts.viewer(&signed_in.access_token.token).await.unwrap().is_none());
    assert!(accounts.viewer(&signed_up.access_token.token).await.unwrap().is_some(), "the other token is good");
}

async fn a_renewed_token_lives_on_and_an_expired_one_is_removed(place: Place) {
    let accounts = place.app.accounts();
    let (kept, left) = ("kept_buyer", "left_buyer");
    let kept = accounts.sign_up(kept, PASSWORD, "Kept", HOME).await.unwrap().unwrap().access_token.token;
    let left = accounts.sign_up(left, PASSWORD, "Left", HOME).await.unwrap().unwrap().access_token.token;
    let life = *place.config.accounts.token_lifetime;
    place.clock.advance(life - Duration::from_secs(60));
    assert!(accounts.viewer(&kept).await.unwrap().is_some());
    accounts.flush().await;
    place.clock.advance(Duration::from_secs(120));
    assert_eq!(accounts.purge_expired().await.unwrap(), 1);
    let other = place.other_node().await;
    assert!(other.accounts().viewer(&kept).await.unwrap().is_some());
    assert!(other.accounts().viewer(&left).await.unwrap().is_none());
}

async fn names_and_texts_come_back_as_they_were(place: Place) {
    let accounts = place.app.accounts();
    for (n, name) in ["限时抢购", "O'Brien \\ \"quoted\"", "Ωmega %_ $1", "emoji 🛒"].into_iter().enumerate() {
        let user = accounts.sign_up(&format!("person{n}"), PASSWORD, name, HOME).await.unwrap().unwrap().user;
        let found = accounts.user(user.id).await.unwrap().unwrap();
        assert_eq!((found.display_name.as_str(), &found), (name, &user));
    }
}
