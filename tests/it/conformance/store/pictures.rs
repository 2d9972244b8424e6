//! Uploaded pictures: those that no product uses are removed after a while, on any database.

use std::io::Cursor;
use std::time::Duration;

use bytes::Bytes;
use doorbuster::catalog::{ActError, PriceInput, ProductChange, ProductInput, Reason};
use doorbuster::kernel::Currency;
use doorbuster::pictures::{Kind, Name, Pictures};
use image::{ImageFormat, Rgb, RgbImage};

use super::{Place, on_both};

on_both!(
    pictures_without_a_product_are_removed_when_their_time_is_over,
    a_picture_that_is_uploaded_again_is_new,
    a_picture_that_was_removed_is_refused_and_changes_nothing,
    many_pictures_are_looked_at_in_pages,
);

const KEPT: Duration = Duration::from_secs(3_600);

async fn upload(place: &Place, pictures: &Pictures, shade: u8) -> Name {
    let mut png = Cursor::new(Vec::new());
    RgbImage::from_pixel(200, 100, Rgb([shade, 1, 2])).write_to(&mut png, ImageFormat::Png).unwrap();
    pictures.upload(place.operator, Kind::Png, Bytes::from(png.into_inner())).await.unwrap()
}

fn product(name: &Name) -> ProductInput {
    ProductInput {
        name: "Lamp".into(),
        title: None,
        description: None,
        image_url: Some(name.widest().to_string()),
        price: PriceInput { amount: "19.90".into(), currency: Currency::Cny },
    }
}

fn pictured(name: Option<&Name>) -> ProductChange {
    ProductChange { image_url: Some(name.map(|name| name.widest().to_string())), ..ProductChange::default() }
}

/// Whether it is stored, asked without a cache.
async fn is_stored(place: &Place, name: &Name) -> bool {
    place.app.pictures().read(name.widest()).await.unwrap().is_some()
}

async fn pictures_without_a_product_are_removed_when_their_time_is_over(place: Place) {
    let (pictures, sales) = (place.app.pictures(), place.app.sales());
    let (used, unused, dropped) =
        (upload(&place, &pictures, 1).await, upload(&place, &pictures, 2).await, upload(&place, &pictures, 3).await);
    sales.product_create(place.operator, product(&used)).await.unwrap();
    let other = sales.product_create(place.operator, product(&dropped)).await.unwrap();
    place.clock.advance(KEPT);
    assert_eq!(pictures.remove_unused(KEPT).await.unwrap(), 0, "not older than that");
    place.clock.advance(Duration::from_millis(1));
    sales.product_update(place.operator, other.id, pictured(Some(&used))).await.unwrap();
    assert_eq!(pictures.remove_unused(KEPT).await.unwrap(), 1);
    assert!(!is_stored(&place, &unused).await);
    assert!(is_stored(&place, &used).await && is_stored(&place, &dropped).await, "it was only just taken off");

    place.clock.advance(KEPT + Duration::from_millis(1));
    assert_eq!(pictures.remove_unused(KEPT).await.unwrap(), 1);
    assert!(is_stored(&place, &used).await && !is_stored(&place, &dropped).await);
    assert_eq!(pictures.remove_unused(KEPT).await.unwrap(), 0);
}

async fn a_picture_that_is_uploaded_again_is_new(place: Place) {
    let pictures = place.app.pictures();
    let name = upload(&place, &pictures, 1).await;
    place.clock.advance(KEPT + KEPT);
    assert_eq!(upload(&place, &pictures, 1).await, name);
    assert_eq!(pictures.remove_unused(KEPT).await.unwrap(), 0);
    assert!(is_stored(&place, &name).await);
}

async fn a_picture_that_was_removed_is_refused_and_changes_nothing(place: Place) {
    let (pictures, sales) = (place.app.pictures(), place.app.sales());
    let (gone, used) = (upload(&place, &pictures, 1).await, upload(&place, &pictures, 2).await);
    let shown = sales.product_create(place.operator, product(&used)).await.unwrap();
    place.clock.advance(KEPT + KEPT);
    assert_eq!(pictures.remove_unused(KEPT).await.unwrap(), 1);
    let is_refused = |error: ActError| match error {
        ActError::Refused(problems) => assert_eq!(problems[0].reason, Reason::ImageUrlInvalid),
        other => panic!("{other:?}"),
    };
    is_refused(sales.product_create(place.operator, product(&gone)).await.unwrap_err());
    is_refused(sales.product_update(place.operator, shown.id, pictured(Some(&gone))).await.unwrap_err());
    assert_eq!(sales.find_product(shown.id).await.unwrap(), Some(shown.clone()));
    assert_eq!(pictures.remove_unused(KEPT).await.unwrap(), 0, "the one that is used is not a bit older");
    assert!(is_stored(&place, &used).await);
    let bare = sales.product_update(place.operator, shown.id, pictured(None)).await.unwrap();
    assert_eq!(bare.image_url, None);
}

async fn many_pictures_are_looked_at_in_pages(place: Place) {
    let (pictures, sales) = (place.app.pictures(), place.app.sales());
    let mut used = Vec::new();
    for shade in 0..=u8::MAX {
        let name = upload(&place, &pictures, shade).await;
        if shade % 2 == 0 {
            sales.product_create(place.operator, product(&name)).await.unwrap();
            used.push(name);
        }
    }
    place.clock.advance(KEPT + KEPT);
    assert_eq!(pictures.remove_unused(KEPT).await.unwrap(), 128);
    for name in used {
        assert!(is_stored(&place, &name).await);
    }
}
