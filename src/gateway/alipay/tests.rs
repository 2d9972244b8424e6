//! The core against vectors made by the vendor's Python SDK (`alipay-sdk-python` 3.7.1411) with keys made for this purpose, and
//! against what goes wrong on the wire.

use serde_json::Value;

use super::bill::BillError;
use super::keys::{KeyError, SANDBOX_MARK, SigningKey, VerifyingKey};
use super::merchant::{Merchant, MerchantError, SANDBOX_APP_ID};
use super::wire::{
    Parameters, ParametersError, RawParameters, amount_text, masked, parse_amount, parse_time, time_text,
};
use super::{answers, bill, messages};
use crate::gateway::{BadMessage, Closed, Outcome, PageRequest, RefundFound, TradeStatus};
use crate::kernel::errors::chain;
use crate::kernel::{Currency, Money, Timestamp};

fn golden() -> Value {
    serde_json::from_str(include_str!("tests/golden.json")).unwrap()
}

fn text<'a>(golden: &'a Value, path: &str) -> &'a str {
    golden.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}"))
}

fn merchant(golden: &Value) -> Merchant {
    Merchant {
        gateway_url: "http://127.0.0.1:1/gateway.do".to_owned(),
        app_id: SANDBOX_APP_ID.to_owned(),
        seller_id: "2088000000000001".to_owned(),
        key: SigningKey::parse(text(golden, "/app_pkcs1")).unwrap(),
        alipay_keys: vec![VerifyingKey::parse(text(golden, "/alipay_public")).unwrap()],
        notify_url: "https://shop.example/payments/alipay/notify".to_owned(),
        return_url: "https://shop.example/payments/alipay/return".to_owned(),
    }
}

fn parameters(golden: &Value, path: &str) -> Parameters {
    let mut all = Parameters::default();
    for (name, value) in golden.pointer(path).unwrap()["parameters"].as_object().unwrap() {
        all.set(name, value.as_str().unwrap());
    }
    all
}

/// The notification of the vectors, changed, and signed again if `key` says so.
fn notification(golden: &Value, changes: &[(&str, &str)], key: Option<&SigningKey>) -> String {
    let mut all = parameters(golden, "/notification");
    for (name, value) in changes {
        all.set(name, *value);
    }
    let sign = match key {
        Some(key) => key.sign(&all.canonical(&[])).unwrap(),
        None => text(golden, "/notification/sign").to_owned(),
    };
    all.set("sign", sign);
    all.set("sign_type", "RSA2");
    all.encode(|_| true)
}

#[test]
fn strings_and_signatures_are_the_sdks() {
    let golden = golden();
    for (case, key) in [("query", "/app_pkcs1"), ("page", "/app_pkcs8"), ("notification", "/alipay_pkcs1")] {
        let content = parameters(&golden, &format!("/{case}")).canonical(&["sign"]);
        assert_eq!(content, text(&golden, &format!("/{case}/content")));
        let sign = SigningKey::parse(text(&golden, key)).unwrap().sign(&content).unwrap();
        assert_eq!(sign, text(&golden, &format!("/{case}/sign")), "{case}");
    }
}

#[test]
fn a_page_and_a_call_are_what_the_sdk_would_send() {
    let golden = golden();
    let merchant = merchant(&golden);
    let at = Timestamp::parse_rfc3339("2026-11-23T10:00:00Z").unwrap();
    let request = PageRequest {
        number: "p1".to_owned(),
        amount: Money { minor: 990, currency: Currency::Cny },
        subject: "《限时》100% off + \"quotes\" 🎉".to_owned(),
        at,
        expires_at: Timestamp::parse_rfc3339("2026-11-23T10:15:00Z").unwrap(),
    };
    let url = merchant.page_url(&request).unwrap();
    let sent = Parameters::parse(url.split_once('?').unwrap().1.as_bytes()).unwrap();
    assert_eq!(sent.canonical(&["sign"]), text(&golden, "/page/content"));
    assert_eq!(sent.get("sign"), Some(text(&golden, "/page/sign")));
    assert_eq!(merchant.page_url(&request).unwrap(), url, "the same request, the same URL");

    let business = serde_json::json!({ "out_trade_no": "p0123456789abcdef" });
    let call = merchant.call("alipay.trade.query", &business, at).unwrap();
    let query = call.url.split_once('?').unwrap().1;
    let sent = Parameters::parse_all(&[query.as_bytes(), call.body.as_bytes()]).unwrap();
    assert_eq!(sent.get("sign"), Some(text(&golden, "/query/sign")));
    assert!(call.body.starts_with("biz_content=") && !query.contains("biz_content"));

    let odd = PageRequest { subject: "a/b=c&d\n".to_owned(), ..request.clone() };
    assert!(merchant.page_url(&odd).unwrap().contains("a+b+c+d+"));
    let dollars = PageRequest { amount: Money { minor: 990, currency: Currency::Usd }, ..request };
    assert!(merchant.page_url(&dollars).is_err());
}

#[test]
fn keys_come_in_any_dress_and_short_ones_are_refused() {
    let golden = golden();
    let (one, eight) = (text(&golden, "/app_pkcs1"), text(&golden, "/app_pkcs8"));
    let armour = |label: &str, body: &str, end: &str| {
        let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----{end}{}{end}-----END {label}-----{end}", lines.join(end))
    };
    let forms = [
        one.to_owned(),
        eight.to_owned(),
        armour("RSA PRIVATE KEY", one, "\n"),
        armour("PRIVATE KEY", eight, "\r\n"),
        format!("  {eight}\r\n"),
        // As env files and secret stores have it, in one line.
        armour("RSA PRIVATE KEY", one, "\\n"),
        armour("PRIVATE KEY", eight, "\\r\\n"),
        format!("\"{}\"\r", armour("PRIVATE KEY", eight, "\\n")),
        format!("\u{feff}'{eight}\\n'"),
    ];
    let signatures: Vec<_> = forms.iter().map(|form| SigningKey::parse(form).unwrap().sign("x").unwrap()).collect();
    assert!(signatures.iter().all(|signature| *signature == signatures[0]));
    let public = text(&golden, "/app_public");
    let own = SigningKey::parse(one).unwrap().public().unwrap();
    let armoured = ["\n", "\r\n", "\\n"].map(|end| armour("PUBLIC KEY", public, end));
    for form in armoured.into_iter().chain([public.to_owned(), format!("\"{public}\\n\"\n")]) {
        assert_eq!(VerifyingKey::parse(&form).unwrap(), own);
    }
    let both = armour("PUBLIC KEY", public, "\n") + &armour("PUBLIC KEY", text(&golden, "/alipay_public"), "\n");
    assert_eq!(VerifyingKey::parse_all(&both).unwrap().len(), 2);
    assert_eq!(VerifyingKey::parse_all(&format!("{public}\n{public}")).unwrap().len(), 2);
    for one_line in [format!("'{}'", both.replace('\n', "\\n")), format!("{public}\\n{public}\\n")] {
        assert_eq!(VerifyingKey::parse_all(&one_line).unwrap().len(), 2);
    }
    assert_eq!(SigningKey::parse(text(&golden, "/short_private")).unwrap_err(), KeyError::TooShort);
    assert_eq!(VerifyingKey::parse(text(&golden, "/short_public")).unwrap_err(), KeyError::TooShort);
    assert_eq!(SigningKey::parse(public).unwrap_err(), KeyError::Kind);
    assert_eq!(VerifyingKey::parse(one).unwrap_err(), KeyError::Kind);
    for bad in ["", "nonsense!", "-----BEGIN PRIVATE KEY-----", "AAAA"] {
        assert!(SigningKey::parse(bad).is_err() && VerifyingKey::parse(bad).is_err(), "{bad}");
    }
    let shown = format!("{:?} {:?} {:?}", SigningKey::parse(one).unwrap(), own, merchant(&golden));
    assert!(!shown.contains(&one[40..80]) && !shown.contains(&public[60..100]));
}

#[test]
fn settings_that_anybody_could_forge_for_are_refused() {
    let golden = golden();
    let good = merchant(&golden);
    assert!(good.clone().check().is_ok());
    let own = good.key.public().unwrap();
    let swapped = Merchant { alipay_keys: vec![own], ..good.clone() };
    assert_eq!(swapped.check().unwrap_err(), MerchantError::SwappedKeys);
    let production = "https://openapi.alipay.com/gateway.do".to_owned();
    let sandbox = Merchant { gateway_url: production.clone(), ..good.clone() };
    assert_eq!(sandbox.clone().check().unwrap_err(), MerchantError::SandboxInProduction);
    let real = Merchant { app_id: "2021000000000001".to_owned(), ..sandbox };
    assert!(real.clone().check().is_ok());
    let marked = format!(
        "{SANDBOX_MARK}\n-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        text(&golden, "/alipay_public")
    );
    let key = VerifyingKey::parse(&marked).unwrap();
    let forged = Merchant { alipay_keys: vec![key], ..real.clone() };
    assert_eq!(forged.check().unwrap_err(), MerchantError::SandboxInProduction);
    let plain = Merchant { gateway_url: "http://openapi.alipay.com/gateway.do".to_owned(), ..real.clone() };
    assert_eq!(plain.check().unwrap_err(), MerchantError::Plain);
    let none = Merchant { gateway_url: "ftp://openapi.alipay.com".to_owned(), ..real };
    assert_eq!(none.check().unwrap_err(), MerchantError::Url);
    let made = SigningKey::generate().unwrap();
    let read = SigningKey::parse(&made.to_sandbox_pem().unwrap()).unwrap();
    assert_eq!(read.public().unwrap(), VerifyingKey::parse(&made.public().unwrap().to_sandbox_pem().unwrap()).unwrap());
    assert!(read.public().unwrap().is_from_sandbox());
}

#[test]
fn a_genuine_notification_says_what_it_says() {
    let golden = golden();
    let merchant = merchant(&golden);
    let found = messages::notification(&merchant, notification(&golden, &[], None).as_bytes()).unwrap();
    assert_eq!((found.id.as_str(), found.status.as_str()), ("n-1", "TRADE_SUCCESS"));
    assert_eq!((found.snapshot.number.as_str(), found.snapshot.status), ("p1", TradeStatus::Paid));
    assert_eq!(found.snapshot.amount, Some(Money { minor: 990, currency: Currency::Cny }));
    assert_eq!(found.snapshot.refund, None);
    assert!(!found.masked.contains("2088000000000002") && !found.masked.contains("sign="), "{}", found.masked);
    let empty = notification(&golden, &[], None) + "&extra=";
    assert!(messages::notification(&merchant, empty.as_bytes()).is_ok(), "empty values are not signed");
    let key = SigningKey::parse(text(&golden, "/alipay_pkcs1")).unwrap();
    let changes = [("refund_fee", "9.9"), ("out_biz_no", "r1"), ("trade_status", "TRADE_CLOSED")];
    let refund = messages::notification(&merchant, notification(&golden, &changes, Some(&key)).as_bytes()).unwrap();
    let facts = refund.snapshot.refund.unwrap();
    assert_eq!((facts.number.as_deref(), facts.total.map(|total| total.minor)), (Some("r1"), Some(990)));
}

/// A notification in this charset whose signature takes empty values along, as that of the vendor's older libraries does.
fn signed_whole(golden: &Value, charset: &'static encoding_rs::Encoding, changes: &[(&str, &str)]) -> Vec<u8> {
    let mut all = parameters(golden, "/notification");
    for (name, value) in [("charset", charset.name()), ("sign_type", "RSA2")].iter().chain(changes) {
        all.set(name, *value);
    }
    all.set("sign", "");
    let form = form_urlencoded::Serializer::new(String::new())
        .encoding_override(Some(&|text| charset.encode(text).0))
        .extend_pairs(all.iter().chain([("body", ""), ("zero", "")]))
        .finish();
    let content = RawParameters::parse_all(&[form.as_bytes()]).unwrap().canonical(&["sign", "sign_type"], true);
    assert!(content.starts_with(b"app_id=") && content.ends_with(b"&zero="), "{}", content.escape_ascii());
    let sign = SigningKey::parse(text(golden, "/alipay_pkcs1")).unwrap().sign(&content).unwrap();
    let sign: String = form_urlencoded::byte_serialize(sign.as_bytes()).collect();
    format!("{form}&sign={sign}").into_bytes()
}

#[test]
fn parameters_are_written_and_signed_in_their_own_charset() {
    for (name, lamp, charset) in [
        ("utf-8", "%E5%8F%B0%E7%81%AF", encoding_rs::UTF_8),
        ("GBK", "%CC%A8%B5%C6", encoding_rs::GBK),
        ("gb2312", "%CC%A8%B5%C6", encoding_rs::GBK),
    ] {
        let mut all = Parameters::default();
        all.set("charset", name);
        all.set("subject", "台灯");
        let form = all.encode(|_| true);
        assert_eq!(form, format!("charset={name}&subject={lamp}"));
        let raw = RawParameters::parse_all(&[form.as_bytes()]).unwrap();
        assert_eq!(raw.charset(), Ok(charset));
        assert_eq!(raw.canonical(&[], false), all.canonical_bytes(&[]), "{name}");
        assert_eq!(raw.decode(), Ok(all));
    }
    let raw = RawParameters::parse_all(&[b"charset=shift_jis&a=b"]).unwrap();
    assert_eq!(raw.decode(), Err(ParametersError::Charset));
}

#[test]
fn notifications_of_other_libraries_are_understood() {
    let golden = golden();
    let merchant = merchant(&golden);
    let heard = |form: &[u8]| messages::notification(&merchant, form).map(|heard| heard.masked);
    let utf8 = signed_whole(&golden, encoding_rs::UTF_8, &[]);
    assert!(heard(&utf8).is_ok(), "empty values are signed");
    let more = [utf8.as_slice(), b"&more="].concat();
    assert_eq!(heard(&more), Err(BadMessage::Signature), "an empty value that is not signed, beside those that are");
    let odd = signed_whole(&golden, encoding_rs::UTF_8, &[("subject", "lamp \u{fffd} 灯")]);
    assert!(heard(&odd).unwrap().contains("subject=lamp \u{fffd} 灯"), "a character like others");
    for charset in [encoding_rs::GBK, encoding_rs::GB18030] {
        let gbk = signed_whole(&golden, charset, &[("subject", "台灯 + 100%")]);
        assert!(gbk.windows(12).any(|part| part == b"%CC%A8%B5%C6"), "{}", gbk.escape_ascii());
        assert!(heard(&gbk).unwrap().contains("subject=台灯 + 100%"));
        let forged = String::from_utf8(gbk).unwrap().replace("%CC%A8", "%CC%A9");
        assert_eq!(heard(forged.as_bytes()), Err(BadMessage::Signature));
    }
    let broken = String::from_utf8(signed_whole(&golden, encoding_rs::GBK, &[])).unwrap() + "&x=%FF%FF";
    assert_eq!(heard(broken.as_bytes()), Err(BadMessage::Malformed), "no text in this charset");
}

#[test]
fn forged_notifications_are_refused() {
    let golden = golden();
    let merchant = merchant(&golden);
    let check = |form: &str| messages::notification(&merchant, form.as_bytes()).map(|_| ());
    let good = notification(&golden, &[], None);
    for (name, value) in parameters(&golden, "/notification").iter() {
        let mut changed = value.to_owned().into_bytes();
        let last = changed.last_mut().unwrap();
        *last = if *last == b'1' { b'2' } else { b'1' };
        let changed = String::from_utf8_lossy(&changed).into_owned();
        assert!(check(&notification(&golden, &[(name, &changed)], None)).is_err(), "{name}");
    }
    assert_eq!(check(&format!("{good}&total_amount=9.90")), Err(BadMessage::Malformed));
    assert_eq!(check(&format!("{good}&new=1")), Err(BadMessage::Signature));
    assert_eq!(check(&good.replace("sign_type=RSA2", "sign_type=RSA")), Err(BadMessage::Signature));
    assert_eq!(check(&good.replace("&sign_type=RSA2", "")), Err(BadMessage::Signature));
    let with_sign = |sign: &str| {
        let mut all = parameters(&golden, "/notification");
        all.set("sign", sign);
        all.set("sign_type", "RSA2");
        all.encode(|_| true)
    };
    let right = text(&golden, "/notification/sign");
    let content = text(&golden, "/notification/content");
    let application = SigningKey::parse(text(&golden, "/app_pkcs1")).unwrap().sign(content).unwrap();
    let wrong =
        ["", "!!", &right[..340], text(&golden, "/notification_sha1"), text(&golden, "/notification_v2"), &application];
    for sign in wrong {
        assert_eq!(check(&with_sign(sign)), Err(BadMessage::Signature), "{sign}");
    }
    let key = SigningKey::parse(text(&golden, "/alipay_pkcs1")).unwrap();
    for (name, value, verdict) in [
        ("app_id", "2021000000000009", BadMessage::App),
        ("seller_id", "2088000000000009", BadMessage::Seller),
        ("seller_id", "", BadMessage::Seller),
        ("charset", "EUC-JP", BadMessage::Malformed),
        ("total_amount", "1e1", BadMessage::Malformed),
        ("total_amount", "-0.10", BadMessage::Malformed),
        ("total_amount", "9.900", BadMessage::Malformed),
        ("trade_status", "TRADE_NICE", BadMessage::Malformed),
        ("out_trade_no", "", BadMessage::Malformed),
    ] {
        assert_eq!(check(&notification(&golden, &[(name, value)], Some(&key))), Err(verdict), "{name}={value}");
    }
    assert_eq!(check(""), Err(BadMessage::Malformed));
    assert_eq!(check("{\"a\":1}"), Err(BadMessage::Signature));
    assert_eq!(check("subject=%C4%E3%BA%C3"), Err(BadMessage::Malformed));
    let rotated =
        Merchant { alipay_keys: vec![merchant.key.public().unwrap(), merchant.alipay_keys[0].clone()], ..merchant };
    assert!(messages::notification(&rotated, good.as_bytes()).is_ok());
}

#[test]
fn an_answer_is_read_from_the_text_that_was_signed() {
    let golden = golden();
    let keys = merchant(&golden).alipay_keys;
    let (inner, sign) = (text(&golden, "/response/inner"), text(&golden, "/response/sign"));
    let name = "alipay_trade_query_response";
    let query = |body: &str| answers::query(body.as_bytes(), &keys, "p1");
    let good = format!("{{\"{name}\":{inner},\"sign\":\"{sign}\"}}");
    assert!(matches!(query(&good), Outcome::Succeeded(snapshot) if snapshot.status == TradeStatus::Paid));
    let flipped = good.replace("9.90", "9.91");
    let unsigned = format!("{{\"{name}\":{inner}}}");
    let doubled = format!("{{\"{name}\":{inner},\"{name}\":{inner},\"sign\":\"{sign}\"}}");
    let other = good.replace(name, "alipay_trade_close_response");
    for body in [flipped.as_str(), &unsigned, &doubled, &other, "", "<html>", "[]", "{}", "\u{feff}{}"] {
        assert!(matches!(query(body), Outcome::Unknown { .. }), "{body}");
    }
    assert!(matches!(answers::query(good.as_bytes(), &keys, "p2"), Outcome::Unknown { .. }));
    let key = SigningKey::parse(text(&golden, "/alipay_pkcs1")).unwrap();
    let sign = key.sign(&inner.replace("\\/", "/")).unwrap();
    let escaped = format!("{{\"{name}\":{inner},\"sign\":\"{sign}\"}}");
    assert!(matches!(query(&escaped), Outcome::Succeeded(_)), "slashes escaped after signing");
}

#[test]
fn each_code_has_its_outcome() {
    let golden = golden();
    let keys = merchant(&golden).alipay_keys;
    let key = SigningKey::parse(text(&golden, "/alipay_pkcs1")).unwrap();
    let answer = |method: &str, inner: &str, signed: bool| {
        let sign = if signed { format!(",\"sign\":\"{}\"", key.sign(inner).unwrap()) } else { String::new() };
        format!("{{\"{method}_response\":{inner}{sign}}}").into_bytes()
    };
    let refund = |inner: &str, signed| answers::refund(&answer("alipay_trade_refund", inner, signed), &keys, "p1");
    let code = |code: &str, sub: &str| format!("{{\"code\":\"{code}\",\"msg\":\"x\",\"sub_code\":\"{sub}\"}}");
    assert_eq!(refund(r#"{"code":"10000","out_trade_no":"p1","fund_change":"Y"}"#, true), Outcome::Succeeded(()));
    for inner in
        [r#"{"code":"10000","out_trade_no":"p1","fund_change":"N"}"#, r#"{"code":"10000","out_trade_no":"p1"}"#]
    {
        assert!(matches!(refund(inner, true), Outcome::Pending { .. }), "{inner}");
    }
    assert!(matches!(
        refund(r#"{"code":"10000","out_trade_no":"p2","fund_change":"Y"}"#, true),
        Outcome::Unknown { .. }
    ));
    assert!(matches!(refund(&code("20000", "isp.unknow-error"), true), Outcome::Unknown { .. }));
    assert!(matches!(refund(&code("40004", "ACQ.SYSTEM_ERROR"), true), Outcome::Unknown { .. }));
    assert!(matches!(refund(&code("40004", "ACQ.NEVER_HEARD_OF"), true), Outcome::Unknown { .. }));
    assert!(matches!(refund(&code("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH"), true), Outcome::Pending { .. }));
    assert!(matches!(refund(&code("40005", "isv.app-call-limited"), true), Outcome::Pending { .. }));
    assert!(matches!(refund(&code("10003", ""), true), Outcome::Pending { .. }));
    let no = Outcome::Rejected { code: "ACQ.DISCORDANT_REPEAT_REQUEST".to_owned() };
    assert_eq!(refund(&code("40004", "ACQ.DISCORDANT_REPEAT_REQUEST"), true), no);
    assert!(matches!(refund(&code("40004", "ACQ.TRADE_HAS_FINISHED"), false), Outcome::Unknown { .. }));
    assert!(matches!(refund(&code("40002", "isv.invalid-app-id"), false), Outcome::Misconfigured { .. }));
    let error = br#"{"error_response":{"code":"40002","msg":"x","sub_code":"isv.invalid-app-id"}}"#;
    assert!(matches!(answers::refund(error, &keys, "p1"), Outcome::Misconfigured { .. }));

    let close = |inner: &str| answers::close(&answer("alipay_trade_close", inner, true), &keys, "p1");
    assert_eq!(close(r#"{"code":"10000","out_trade_no":"p1"}"#), Outcome::Succeeded(Closed::Closed));
    assert_eq!(close(&code("40004", "ACQ.TRADE_NOT_EXIST")), Outcome::Succeeded(Closed::Absent));
    assert_eq!(close(&code("40004", "ACQ.TRADE_STATUS_ERROR")), Outcome::Succeeded(Closed::NotWaiting));
    let absent =
        answers::query(&answer("alipay_trade_query", &code("40004", "ACQ.TRADE_NOT_EXIST"), true), &keys, "p1");
    assert!(matches!(absent, Outcome::Succeeded(snapshot) if snapshot.status == TradeStatus::Absent));
    let found = |inner: &str| {
        answers::query_refund(&answer("alipay_trade_fastpay_refund_query", inner, true), &keys, "p1", "r1")
    };
    let done = r#"{"code":"10000","out_trade_no":"p1","out_request_no":"r1","refund_amount":"1.5","refund_status":"REFUND_SUCCESS"}"#;
    assert_eq!(found(done), Outcome::Succeeded(RefundFound::Done(Money { minor: 150, currency: Currency::Cny })));
    assert_eq!(found(r#"{"code":"10000"}"#), Outcome::Succeeded(RefundFound::NotFound));
    assert!(matches!(found(&done.replace("r1", "r2")), Outcome::Unknown { .. }));
}

#[test]
fn times_amounts_and_names_are_as_on_the_wire() {
    let at = Timestamp::parse_rfc3339("2026-12-31T16:30:00Z").unwrap();
    assert_eq!(time_text(at), "2027-01-01 00:30:00");
    assert_eq!(parse_time("2027-01-01 00:30:00"), Some(at));
    assert_eq!(parse_time("2027-01-01T00:30:00Z"), None);
    assert_eq!((amount_text(990).as_str(), amount_text(-5).as_str()), ("9.90", "-0.05"));
    assert_eq!((parse_amount("0.1"), parse_amount("0.10"), parse_amount("1e1")), (Some(10), Some(10), None));
    assert_eq!(
        (masked("2088000000000002").as_str(), masked("ab").as_str(), masked("").as_str()),
        ("***0002", "***b", "***")
    );
}

#[test]
fn a_bill_is_read_by_its_headings() {
    let headings = bill::HEADINGS.join(",");
    let text = format!(
        "#comment\n备注,{headings}\nx,T1,p1,交易,2026-11-23 18:00:00,9.90,\nx,T1,p1,退款,2026-11-23 19:00:00,-1.50,r1\n#sum\n"
    );
    let rows = bill::parse(text.as_bytes()).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].amount.minor, rows[0].refund_number.as_deref()), (990, None));
    assert_eq!((rows[1].amount.minor, rows[1].refund_number.as_deref()), (150, Some("r1")));
    let sums = "#sums\n业务类型,笔数\n交易,1\n".to_owned();
    let archive = bill::pack(&[("sums.csv".to_owned(), sums), ("rows.csv".to_owned(), text.clone())]).unwrap();
    assert_eq!(bill::parse(&archive).unwrap(), rows, "zipped, in GBK, beside another file");
    let cut = bill::parse(&archive[..archive.len() / 2]).unwrap_err();
    assert!(matches!(cut, BillError::Archive(_)), "{cut:?}");
    assert!(chain(&cut).starts_with("the bill's archive can't be read: "), "the cause is kept: {}", chain(&cut));
    assert!(matches!(bill::parse(&[0xff, 0xff, b'\n']), Err(BillError::Encoding)));
    let comma = text.replace("x,T1,p1,交易", "a lamp, red,T1,p1,交易");
    assert!(matches!(bill::parse(comma.as_bytes()), Err(BillError::Line(3))));
    assert_eq!(bill::parse(b"").unwrap(), Vec::new());
    assert!(matches!(bill::parse(b"a,b\n"), Err(BillError::Columns)));
    assert!(matches!(bill::parse(format!("{headings}\nT1\n").as_bytes()), Err(BillError::Line(2))));
}

proptest::proptest! {
    #[test]
    fn what_is_encoded_is_read_back(pairs in proptest::collection::btree_map("[a-z_]{1,9}", "\\PC{0,20}", 0..20)) {
        let mut all = Parameters::default();
        for (name, value) in &pairs {
            all.set(name, value.as_str());
        }
        proptest::prop_assert_eq!(Parameters::parse(all.encode(|_| true).as_bytes()).unwrap(), all);
    }

    #[test]
    fn no_body_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let golden = golden();
        let merchant = merchant(&golden);
        proptest::prop_assert!(messages::notification(&merchant, &body).is_err());
        let unknown = matches!(answers::query(&body, &merchant.alipay_keys, "p1"), Outcome::Unknown { .. });
        proptest::prop_assert!(unknown);
    }
}
