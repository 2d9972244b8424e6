//! The gate's terms of a sale, and callers that know newer ones.

use super::*;

/// Whatever the gate keeps of a sale can be read back, so that it can be compared with the database.
pub(super) async fn terms_are_told_as_they_are_held(case: &Case<'_>, _: &[UserId]) {
    assert_eq!(case.gate.terms(case.sale).await.unwrap(), None);
    let mut held = SaleTerms { epoch: 2, version: 3, ..case.terms(4) };
    case.gate.rebuild(held.clone(), Vec::new()).await.unwrap();
    assert_eq!(case.gate.terms(case.sale).await.unwrap().as_ref(), Some(&held));
    let changes: [fn(&mut SaleTerms); 6] = [
        |terms| terms.starts_at = terms.starts_at.minus(HOUR),
        |terms| terms.ends_at = terms.ends_at.plus(HOUR),
        |terms| terms.limit_per_buyer = 1,
        |terms| terms.stock_total = u32::MAX,
        |terms| terms.paused = true,
        |terms| terms.ended = true,
    ];
    for change in changes {
        // What was edited without an act has the same version.
        change(&mut held);
        case.gate.update(held.clone()).await.unwrap();
        assert_eq!(case.gate.terms(case.sale).await.unwrap().as_ref(), Some(&held));
        held.version += 1;
        case.gate.update(held.clone()).await.unwrap();
        assert_eq!(case.gate.terms(case.sale).await.unwrap().as_ref(), Some(&held));
    }
    for ignored in [SaleTerms { version: 3, ..case.terms(9) }, SaleTerms { epoch: 1, version: 99, ..case.terms(9) }] {
        case.gate.update(ignored).await.unwrap();
        assert_eq!(case.gate.terms(case.sale).await.unwrap().as_ref(), Some(&held));
    }
    case.gate.forget(case.sale).await.unwrap();
    assert_eq!(case.gate.terms(case.sale).await.unwrap(), None);
}

/// A gate that has not heard of an act admits nobody for a caller that has; keys that were used before still get their tickets.
pub(super) async fn nothing_is_admitted_by_terms_older_than_the_callers(case: &Case<'_>, buyers: &[UserId]) {
    case.open(4).await;
    let first = admitted(&case.buy(buyers[0], "key-0000", 1).await);
    let ask = async |epoch, version| {
        let attempts = vec![
            attempt(buyers[0], "key-0000", 1),
            attempt(buyers[0], "key-0000", 2),
            attempt(buyers[0], "key-0001", 1),
            attempt(buyers[1], "key-0000", 9),
            attempt(buyers[2], "key-0000", 1),
        ];
        case.gate.admit(case.sale, SaleVersion { epoch, version }, attempts).await.unwrap()
    };
    let behind = ask(1, 2).await;
    assert_eq!(replayed(&behind[0]), (first, true));
    assert_eq!(behind[1..], [Decision::KeyReused, Decision::Behind, Decision::Behind, Decision::Behind]);
    assert_eq!(ask(2, 2).await[4], Decision::WrongEpoch, "the epoch is looked at before the version");
    case.assert_counts(3, 1, 0, 1, 1).await;
    case.gate.update(SaleTerms { version: 3, ..case.terms(4) }).await.unwrap();
    // By now it knows more than the caller.
    let ahead = ask(1, 2).await;
    assert_eq!(ahead[2..4], [Decision::AlreadyBought, Decision::OverLimit]);
    assert_eq!(admitted(&ahead[4]).seq, 2);
}
