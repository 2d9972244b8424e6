use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::accounts::testing::{HOME, PASSWORD, Shop};
use crate::accounts::{Credentials, SignInRefusal};
use crate::config::{self, Secret};
use crate::model::accounts::Role;
use crate::model::rights::Right;

const STEP: Duration = Duration::from_secs(30);

/// Somebody of the staff with an authenticator app.
struct Phone {
    shop: Shop,
    token: String,
    secret: Vec<u8>,
    recovery_codes: Vec<String>,
}

fn home<'a>() -> Origin<'a> {
    HOME.into()
}

impl Phone {
    async fn with(role: Role, change: impl FnOnce(&mut config::Accounts)) -> Self {
        let shop = Shop::with(change).await;
        shop.accounts.create_staff("boss", PASSWORD, "Boss", role).await.unwrap().unwrap();
        let mut phone = Self { shop, token: String::new(), secret: Vec::new(), recovery_codes: Vec::new() };
        phone.token = phone.sign_in(None).await.unwrap().access_token.token;
        phone
    }

    /// With the second factor set up.
    async fn set_up() -> Self {
        let mut phone = Self::with(Role::Operator, |_| {}).await;
        phone.enrol().await;
        phone
    }

    async fn viewer(&self) -> Viewer {
        self.shop.accounts.viewer(&self.token).await.unwrap().expect("signed in")
    }

    async fn begin(&mut self) -> Result<Begun, FactorRefusal> {
        let begun = self.shop.accounts.begin_second_factor(self.viewer().await, PASSWORD, "Shop", home()).await;
        let begun = begun.unwrap().unwrap()?;
        self.secret = data_encoding::BASE32_NOPAD.decode(begun.secret.as_bytes()).unwrap();
        Ok(begun)
    }

    async fn confirm(&mut self, code: &str) -> Result<(), FactorRefusal> {
        let confirmed = self.shop.accounts.confirm_second_factor(self.viewer().await, code, home()).await;
        let Confirmed { signed_in, recovery_codes } = confirmed.unwrap().unwrap()?;
        self.token = signed_in.access_token.token;
        self.recovery_codes = recovery_codes;
        Ok(())
    }

    async fn enrol(&mut self) {
        self.begin().await.unwrap();
        self.confirm(&self.code(0)).await.unwrap();
    }

    /// The code that the app shows so many steps from now.
    fn code(&self, steps: i64) -> String {
        totp::code(&self.secret, totp::step_of(self.shop.clock.clock().now()) + steps)
    }

    async fn sign_in(&self, code: Option<&str>) -> Result<SignedIn, SignInRefusal> {
        let credentials = Credentials { username: "boss", password: PASSWORD, code };
        self.shop.accounts.sign_in_with(credentials, HOME).await.unwrap()
    }

    /// What the audit log has of them, sorted: the clock stands still.
    async fn acts(&self) -> Vec<String> {
        let id = self.viewer().await.id.to_string();
        let acts = store::read!(&self.shop.db, |conn| sql::catalog::acts_on(conn, &id, 100).await).unwrap();
        let mut acts: Vec<String> = acts.into_iter().map(|(_, act, _)| act).collect();
        acts.sort();
        acts
    }
}

#[tokio::test]
async fn who_has_a_second_factor_signs_in_with_a_code() {
    let mut phone = Phone::with(Role::Operator, |_| {}).await;
    let other = phone.sign_in(None).await.unwrap().access_token.token;
    phone.begin().await.unwrap();
    phone.sign_in(None).await.expect("it is not in force before it is confirmed");
    assert_eq!(phone.confirm("000000").await, Err(FactorRefusal::CodeInvalid));
    let begun = phone.token.clone();
    phone.confirm(&phone.code(0)).await.unwrap();
    for ended in [&other, &begun] {
        assert_eq!(phone.shop.accounts.viewer(ended).await.unwrap(), None, "earlier sessions ended");
    }
    assert_eq!(phone.viewer().await.proof, Proof::SecondFactor);
    assert_eq!(phone.recovery_codes.len(), 10);
    assert_eq!(phone.begin().await, Err(FactorRefusal::AlreadyEnabled));

    assert_eq!(phone.sign_in(None).await, Err(SignInRefusal::SecondFactorRequired));
    assert_eq!(phone.sign_in(Some(" ")).await, Err(SignInRefusal::SecondFactorRequired));
    assert_eq!(phone.sign_in(Some("000000")).await, Err(SignInRefusal::SecondFactorInvalid));
    assert_eq!(
        phone.sign_in(Some(&phone.code(0))).await,
        Err(SignInRefusal::SecondFactorInvalid),
        "used by the confirmation"
    );
    let next = phone.code(1);
    let wrong = Credentials { username: "boss", password: "another password", code: Some(&next) };
    let refused = phone.shop.accounts.sign_in_with(wrong, HOME).await.unwrap();
    assert_eq!(refused.unwrap_err(), SignInRefusal::InvalidCredentials, "a wrong password does not use the code up");
    let spaced = format!("{} {}", &next[..3], &next[3..]);
    let signed_in = phone.sign_in(Some(&spaced)).await.unwrap();
    let viewer = phone.shop.other_node().viewer(&signed_in.access_token.token).await.unwrap().unwrap();
    assert_eq!(viewer.proof, Proof::SecondFactor, "another node reads it from the database");
}

#[tokio::test]
async fn no_code_is_accepted_twice_nor_an_earlier_one_after_a_later_one() {
    let phone = Phone::set_up().await;
    phone.shop.clock.advance(10 * STEP);
    let (early, now, late) = (phone.code(-1), phone.code(0), phone.code(1));
    assert_eq!(phone.sign_in(Some(&phone.code(-2))).await, Err(SignInRefusal::SecondFactorInvalid));
    assert_eq!(phone.sign_in(Some(&phone.code(2))).await, Err(SignInRefusal::SecondFactorInvalid));
    phone.sign_in(Some(&now)).await.unwrap();
    for used in [&now, &early] {
        assert_eq!(phone.sign_in(Some(used)).await, Err(SignInRefusal::SecondFactorInvalid));
        // Nor on another node.
        let credentials = Credentials { username: "boss", password: PASSWORD, code: Some(used) };
        let refused = phone.shop.other_node().sign_in_with(credentials, HOME).await.unwrap();
        assert_eq!(refused.unwrap_err(), SignInRefusal::SecondFactorInvalid);
    }
    phone.sign_in(Some(&late)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sign_ins_with_the_same_code_at_the_same_time_one_wins() {
    let phone = Phone::set_up().await;
    let nodes = [phone.shop.accounts.clone(), phone.shop.other_node()];
    for code in [phone.code(1), phone.recovery_codes[0].clone()] {
        let credentials = Credentials { username: "boss", password: PASSWORD, code: Some(&code) };
        let all = join_all((0..8).map(|number| nodes[number % 2].sign_in_with(credentials, HOME))).await;
        let (won, lost): (Vec<_>, Vec<_>) = all.into_iter().map(Result::unwrap).partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 7), "{code}");
        assert!(lost.into_iter().all(|lost| lost == Err(SignInRefusal::SecondFactorInvalid)));
    }
}

#[tokio::test]
async fn recovery_codes_work_once_each_and_new_ones_replace_them() {
    let mut phone = Phone::set_up().await;
    let codes = phone.recovery_codes.clone();
    phone.sign_in(Some(&codes[0].to_lowercase())).await.unwrap();
    assert_eq!(phone.sign_in(Some(&codes[0])).await, Err(SignInRefusal::SecondFactorInvalid));
    let state = phone.shop.accounts.factor_state(phone.viewer().await).await.unwrap().unwrap();
    assert_eq!((state.recovery_codes_left, state.policy), (9, SecondFactor::Optional));
    assert!(state.enabled_at.is_some());

    let viewer = phone.viewer().await;
    let renew = async |password: &str, code: &str| {
        phone.shop.accounts.renew_recovery_codes(viewer, (password, code), home()).await.unwrap().unwrap()
    };
    let code = phone.code(1);
    assert_eq!(renew("another password", &code).await, Err(FactorRefusal::InvalidCredentials));
    assert_eq!(renew(PASSWORD, &codes[0]).await, Err(FactorRefusal::CodeInvalid));
    let new = renew(PASSWORD, &code).await.unwrap();
    assert_eq!(renew(PASSWORD, &code).await, Err(FactorRefusal::CodeInvalid), "the code is used up");
    assert_eq!(phone.sign_in(Some(&codes[1])).await, Err(SignInRefusal::SecondFactorInvalid), "an earlier code");
    phone.sign_in(Some(&new[9])).await.unwrap();

    let acts = phone.acts().await;
    let used = "second_factor.recovery_code_used";
    assert_eq!(acts, ["second_factor.enable", used, used, "second_factor.recovery_codes"]);
    phone.recovery_codes = new;
}

#[tokio::test]
async fn switching_it_off_needs_the_password_and_a_code() {
    let mut phone = Phone::set_up().await;
    let (viewer, code) = (phone.viewer().await, phone.code(1));
    let disable = async |password: &str, code: &str| {
        phone.shop.accounts.disable_second_factor(viewer, (password, code), home()).await.unwrap().unwrap()
    };
    assert_eq!(disable("another password", &code).await.unwrap_err(), FactorRefusal::InvalidCredentials);
    assert_eq!(disable(PASSWORD, "000000").await.unwrap_err(), FactorRefusal::CodeInvalid);
    assert_eq!(phone.sign_in(None).await, Err(SignInRefusal::SecondFactorRequired), "still in force");
    let signed_in = disable(PASSWORD, &code).await.unwrap();
    assert_eq!(phone.shop.accounts.viewer(&phone.token).await.unwrap(), None, "earlier sessions ended");
    phone.token = signed_in.access_token.token;
    assert_eq!(phone.viewer().await.proof, Proof::Password);
    phone.sign_in(None).await.unwrap();
    let again = phone.shop.accounts.disable_second_factor(phone.viewer().await, (PASSWORD, &code), home()).await;
    assert_eq!(again.unwrap().unwrap().unwrap_err(), FactorRefusal::NotEnabled);
    assert_eq!(phone.acts().await, ["second_factor.disable", "second_factor.enable"]);
    phone.enrol().await;
}

#[tokio::test]
async fn where_it_is_required_staff_has_no_rights_without_it() {
    for role in [Role::Support, Role::Observer, Role::Operator] {
        let mut phone = Phone::with(role, |config| config.second_factor = config::SecondFactor::Required).await;
        let before = phone.viewer().await;
        assert_eq!(before.proof, Proof::Wanting);
        assert!(Right::ALL.into_iter().all(|right| before.may(right).is_err()));
        phone.enrol().await;
        let after = phone.viewer().await;
        assert!(after.may(Right::SeeBuyers).is_ok());
        let elsewhere = phone.shop.other_node().viewer(&phone.token).await.unwrap();
        assert_eq!(elsewhere, Some(after));
        let optional = phone.shop.other_node_with(|config| config.second_factor = config::SecondFactor::Optional);
        assert_eq!(optional.viewer(&phone.token).await.unwrap(), Some(after));
    }
}

#[tokio::test]
async fn buyers_are_never_asked_and_nobody_is_where_it_is_off() {
    let phone = Phone::set_up().await;
    let off = phone.shop.other_node_with(|config| config.second_factor = config::SecondFactor::Off);
    let signed_in = off.sign_in("boss", PASSWORD, HOME).await.unwrap().unwrap();
    let viewer = off.viewer(&signed_in.access_token.token).await.unwrap().unwrap();
    let begun = off.begin_second_factor(viewer, PASSWORD, "Shop", home()).await.unwrap().unwrap();
    assert_eq!(begun, Err(FactorRefusal::SwitchedOff));
    let required = phone.shop.other_node_with(|config| config.second_factor = config::SecondFactor::Required);
    let buyer = required.sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap();
    let buyer = required.viewer(&buyer.access_token.token).await.unwrap().unwrap();
    assert_eq!((buyer.proof, required.factor_state(buyer).await.unwrap()), (Proof::Password, None));
}

#[tokio::test]
async fn wrong_codes_count_like_wrong_passwords() {
    let mut phone = Phone::with(Role::Operator, |config| config.sign_ins_per_account_per_minute = 3).await;
    phone.enrol().await;
    for _ in 0..10 {
        assert_eq!(phone.sign_in(None).await, Err(SignInRefusal::SecondFactorRequired), "no code is no guess");
    }
    for _ in 0..3 {
        assert_eq!(phone.sign_in(Some("000000")).await, Err(SignInRefusal::SecondFactorInvalid));
    }
    let credentials = Credentials { username: "boss", password: PASSWORD, code: Some(&phone.code(1)) };
    let throttled = phone.shop.accounts.sign_in_with(credentials, HOME).await;
    assert!(matches!(throttled, Err(AccountsError::Throttled { .. })), "{throttled:?}");
    let viewer = phone.viewer().await;
    let disabled = phone.shop.accounts.disable_second_factor(viewer, (PASSWORD, "000000"), home()).await;
    assert!(matches!(disabled, Err(AccountsError::Throttled { .. })), "{disabled:?}");
    phone.shop.accounts.flush().await;
    let outcomes: Vec<_> = phone.shop.broker.login_events().into_iter().map(|event| event.outcome).collect();
    let count = |outcome| outcomes.iter().filter(|known| **known == outcome).count();
    assert_eq!((count(LoginOutcome::SecondFactorRequired), count(LoginOutcome::SecondFactorInvalid)), (10, 3));
}

#[tokio::test]
async fn wrong_codes_have_a_tighter_limit_of_their_own() {
    let mut phone = Phone::with(Role::Operator, |config| config.wrong_codes_per_account_per_5_minutes = 3).await;
    phone.enrol().await;
    let device = phone.sign_in(Some(&phone.code(1))).await.unwrap().device.0;
    let sign_in = async |password: &str, code: &str, origin: Origin<'_>| {
        let credentials = Credentials { username: "boss", password, code: Some(code) };
        phone.shop.accounts.sign_in_with(credentials, origin).await
    };
    for _ in 0..10 {
        let refused = sign_in("another password", "000000", home()).await.unwrap();
        assert_eq!(
            refused,
            Err(SignInRefusal::InvalidCredentials),
            "wrong passwords do not use up the limit for codes"
        );
    }
    // From wherever they come, and whether it is the code of an app or a recovery code.
    for (code, from) in [("000000", "192.0.2.1"), ("aaaa-aaaa-aaaa-aaaa", "198.51.100.1"), ("000000", "203.0.113.1")] {
        let refused = sign_in(PASSWORD, code, from.parse::<IpAddr>().unwrap().into()).await.unwrap();
        assert_eq!(refused, Err(SignInRefusal::SecondFactorInvalid), "{code}");
    }
    phone.shop.clock.advance(STEP * 2);
    let right = phone.code(0);
    let throttled = sign_in(PASSWORD, &right, home()).await;
    let Err(AccountsError::Throttled { retry_after }) = throttled else { panic!("{throttled:?}") };
    assert!(retry_after > Duration::from_secs(90) && retry_after <= Duration::from_secs(100), "{retry_after:?}");
    assert_eq!(phone.sign_in(None).await, Err(SignInRefusal::SecondFactorRequired));
    // A session does not help a thief: it is the same count.
    let disabled = phone.shop.accounts.disable_second_factor(phone.viewer().await, (PASSWORD, &right), home()).await;
    assert!(matches!(disabled, Err(AccountsError::Throttled { .. })), "{disabled:?}");
    // The owner's device is not kept out, and has no more tries than that.
    let at_home = Origin { address: HOME, device: Some(&device) };
    sign_in(PASSWORD, &right, at_home).await.unwrap().expect("the owner");
    let viewer = phone.viewer().await;
    for wrong in ["000000", "aaaa-aaaa-aaaa-aaaa", &right] {
        let renewed = phone.shop.accounts.renew_recovery_codes(viewer, (PASSWORD, wrong), at_home).await;
        assert_eq!(renewed.unwrap().unwrap(), Err(FactorRefusal::CodeInvalid), "{wrong}");
    }
    let throttled = sign_in(PASSWORD, "000000", at_home).await;
    assert!(matches!(throttled, Err(AccountsError::Throttled { .. })), "{throttled:?}");
    phone.shop.accounts.flush().await;
    let outcomes: Vec<_> = phone.shop.broker.login_events().into_iter().map(|event| event.outcome).collect();
    let told = outcomes.iter().filter(|known| **known == LoginOutcome::SecondFactorInvalid).count();
    assert_eq!(told, 8, "each wrong code, and what came after too many");
}

#[tokio::test]
async fn neither_secrets_nor_recovery_codes_are_stored_as_they_are() {
    let key = data_encoding::BASE64.encode(&[7; 32]);
    let mut phone = Phone::with(Role::Operator, |config| config.second_factor_key = Secret::new(&key)).await;
    phone.enrol().await;
    phone.sign_in(Some(&phone.code(1))).await.unwrap();
    let id = phone.viewer().await.id;
    let stored = store::read!(&phone.shop.db, |conn| sql::second_factors::find(conn, id).await).unwrap().unwrap();
    assert!(!stored.secret.windows(8).any(|eight| phone.secret.starts_with(eight)));
    let keyless = phone.shop.other_node_with(|config| config.second_factor_key = Secret::new(""));
    let credentials = Credentials { username: "boss", password: PASSWORD, code: Some(&phone.code(0)) };
    assert!(matches!(keyless.sign_in_with(credentials, HOME).await, Err(AccountsError::SecondFactor(_))));
    let recovery = Credentials { code: Some(&phone.recovery_codes[0]), ..credentials };
    keyless.sign_in_with(recovery, HOME).await.unwrap().expect("recovery codes need no key");
    let Some(folder) = phone.shop.database.folder() else { return };
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        files.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let contains = |needle: &[u8]| files.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"second_factor.enable"));
    for code in &phone.recovery_codes {
        let plain = code.replace('-', "");
        let bytes = data_encoding::BASE32_NOPAD.decode(plain.as_bytes()).unwrap();
        assert!(!contains(code.as_bytes()) && !contains(plain.as_bytes()) && !contains(&bytes));
    }
    assert!(!contains(&phone.secret));
}

#[tokio::test]
async fn a_second_factor_waits_for_the_upgrade_to_be_finalised() {
    let mut phone = Phone::with(Role::Operator, |_| {}).await;
    let version = Feature::SecondFactors.since();
    store::write!(&phone.shop.db, |conn| sql::upgrade::finalise(conn, version - 1).await).unwrap();
    assert_eq!(phone.begin().await, Err(FactorRefusal::NotFinalised));
    assert_eq!(phone.confirm("123456").await, Err(FactorRefusal::NotEnabled), "nothing was begun");
    store::write!(&phone.shop.db, |conn| sql::upgrade::finalise(conn, version).await).unwrap();
    phone.enrol().await;
}
