//! Products, sessions, sales, and the acts of operators on them. What each act does in detail is tested beside the slice.

use doorbuster::catalog::{ActError, PriceInput, ProductChange, ProductInput, Reason};
use doorbuster::kernel::Currency;
use doorbuster::model::sales::SaleState;
use doorbuster::sales::StockAdd;
use futures_util::future::join_all;

use super::{Place, on, on_both, published};

on_both!(
    a_product_is_edited_from_its_version,
    acts_are_written_down_once_and_raise_the_revision,
    stock_is_added_once_per_key_however_often_it_is_asked_for,
    acts_of_two_nodes_take_turns,
);

fn lamp() -> ProductInput {
    ProductInput {
        name: "Lamp 灯".into(),
        title: Some("A lamp".into()),
        description: None,
        image_url: Some("/lamp.png".into()),
        price: PriceInput { amount: "19.90".into(), currency: Currency::Cny },
    }
}

fn named(name: &str, version: i64) -> ProductChange {
    ProductChange { name: Some(name.into()), version: Some(version), ..ProductChange::default() }
}

async fn a_product_is_edited_from_its_version(place: Place) {
    let sales = place.app.sales();
    let product = sales.product_create(place.operator, lamp()).await.unwrap();
    assert_eq!(sales.find_product(product.id).await.unwrap().as_deref(), Some(&*product));
    let edited = sales.product_update(place.operator, product.id, named("Torch", 1)).await.unwrap();
    assert_eq!((edited.name.as_str(), edited.version, edited.title.as_deref()), ("Torch", 2, Some("A lamp")));
    match sales.product_update(place.operator, product.id, named("Candle", 1)).await {
        Err(ActError::Refused(problems)) => assert_eq!(problems[0].reason, Reason::VersionConflict),
        other => panic!("{other:?}"),
    }
    assert_eq!(sales.find_product(product.id).await.unwrap().as_deref(), Some(&*edited));
}

async fn acts_are_written_down_once_and_raise_the_revision(place: Place) {
    let before = on!(place.db(), read, |conn| sql::catalog::revision(conn).await).unwrap();
    let offer = published(&place.app, place.operator, 10, 1).await;
    let after = on!(place.db(), read, |conn| sql::catalog::revision(conn).await).unwrap();
    assert_eq!(after, before + 4, "session, product, sale, publication");
    let subject = offer.sale.id.to_string();
    let acts = on!(place.db(), read, |conn| sql::catalog::acts_on(conn, &subject, 10).await).unwrap();
    let mut names: Vec<_> = acts.iter().map(|(who, act, _)| (*who, act.as_str())).collect();
    names.sort_unstable_by_key(|(_, act)| *act);
    assert_eq!(names, [(place.operator, "sale.create"), (place.operator, "sale.publish")]);
    assert_eq!(place.app.sales().find_offer(offer.sale.id).await.unwrap(), Some(offer));
}

async fn stock_is_added_once_per_key_however_often_it_is_asked_for(place: Place) {
    let sale = place.sale(10, 1).await;
    let other = place.other_node().await;
    let add = |key: &str| StockAdd { sale, units: 5, idempotency_key: key.into() };
    let tries = (0..6).map(|n| if n % 2 == 0 { place.app.sales() } else { other.sales() });
    let answers = join_all(tries.map(|sales| sales.sale_stock_add(place.operator, add("key-of-five")))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|offer| offer.stock.total == 15)), "{answers:?}");
    assert_eq!(place.units(sale).await, (15, 0));
    let reused = StockAdd { units: 6, ..add("key-of-five") };
    assert!(matches!(place.app.sales().sale_stock_add(place.operator, reused).await, Err(ActError::Refused(_))));
    place.app.sales().sale_stock_add(place.operator, add("another-key")).await.unwrap();
    assert_eq!(place.units(sale).await, (20, 0));
}

async fn acts_of_two_nodes_take_turns(place: Place) {
    let sale = place.sale(10, 1).await;
    let other = place.other_node().await;
    let pause = |n: usize| [place.app.sales(), other.sales()][n % 2].sale_pause(place.operator, sale);
    let answers = join_all((0..6).map(pause)).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    let refused = answers.into_iter().filter_map(Result::err);
    for refusal in refused {
        match refusal {
            ActError::Refused(problems) => assert_eq!(problems[0].reason, Reason::SaleAlreadyPaused),
            other => panic!("{other:?}"),
        }
    }
    place.app.sales().refresh().await.unwrap();
    let offer = place.app.sales().find_offer(sale).await.unwrap().unwrap();
    assert_eq!((offer.sale.state, offer.sale.version), (SaleState::Paused, 3));
}
