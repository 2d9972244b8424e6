//! Input for products, and its validation.

use super::problem::{Problem, Reason};
use crate::kernel::money::InvalidMoney;
use crate::kernel::{Currency, Money, ProductId, Timestamp, text};
use crate::model::catalog::Product;

/// Characters of a name or title at most.
pub const LINE_MAX: usize = 200;
/// Characters of a description at most.
pub const DESCRIPTION_MAX: usize = 10_000;
/// Bytes of an image URL at most.
pub const IMAGE_URL_MAX: usize = 2_048;

/// A price as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceInput {
    /// Major units, such as `19.90`.
    pub amount: String,
    /// Of what.
    pub currency: Currency,
}

impl From<Money> for PriceInput {
    fn from(money: Money) -> Self {
        Self { amount: money.amount(), currency: money.currency }
    }
}

/// A new product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductInput {
    /// Short name, 1 to [`LINE_MAX`] characters.
    pub name: String,
    /// One line of advertising; blank means none.
    pub title: Option<String>,
    /// Longer text; blank means none.
    pub description: Option<String>,
    /// `http(s)` URL or absolute path; blank means none.
    pub image_url: Option<String>,
    /// The ordinary price, above zero.
    pub price: PriceInput,
}

/// An edit of a product: `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductChange {
    /// The version the edit was made from; `None` to overwrite whatever is there.
    pub version: Option<i64>,
    /// See [`ProductInput::name`].
    pub name: Option<String>,
    /// See [`ProductInput::title`].
    pub title: Option<Option<String>>,
    /// See [`ProductInput::description`].
    pub description: Option<Option<String>>,
    /// See [`ProductInput::image_url`].
    pub image_url: Option<Option<String>>,
    /// See [`ProductInput::price`].
    pub price: Option<PriceInput>,
}

impl ProductInput {
    /// The product, or everything that is wrong with the input.
    pub fn check(self, id: ProductId, now: Timestamp) -> Result<Product, Vec<Problem>> {
        let mut problems = Vec::new();
        let (title, description, image_url) =
            (absent_if_blank(self.title), absent_if_blank(self.description), absent_if_blank(self.image_url));
        if !is_line(&self.name) {
            problems.push(Problem::new(
                Reason::NameInvalid,
                &["input", "name"],
                "The name must have 1 to 200 characters on one line, with at least one visible character.",
            ));
        }
        if title.as_deref().is_some_and(|title| !is_line(title)) {
            let message = "The title must be one line of at most 200 characters, with at least one visible character.";
            problems.push(Problem::new(Reason::TitleInvalid, &["input", "title"], message));
        }
        if description.as_ref().is_some_and(|text| !text::is_block(text, DESCRIPTION_MAX)) {
            let message = "The description must have at most 10000 characters and no control characters except line breaks and tabs.";
            problems.push(Problem::new(Reason::DescriptionInvalid, &["input", "description"], message));
        }
        if image_url.as_deref().is_some_and(|url| !is_image_url(url)) {
            let message = "The image must be an http or https URL, or a path that begins with a slash.";
            problems.push(Problem::new(Reason::ImageUrlInvalid, &["input", "imageUrl"], message));
        }
        match price(&self.price) {
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
            Ok(_) if !problems.is_empty() => Err(problems),
            Ok(price) => {
                let name = self.name.trim().to_owned();
                Ok(Product {
                    id,
                    name,
                    title,
                    description,
                    image_url,
                    price,
                    version: 1,
                    created_at: now,
                    updated_at: now,
                })
            }
        }
    }
}

impl ProductChange {
    /// The product after the edit, or everything that is wrong with it.
    pub fn apply(self, old: &Product, now: Timestamp) -> Result<Product, Vec<Problem>> {
        if self.version.is_some_and(|version| version != i64::from(old.version)) {
            let message =
                format!("The product has been updated and is now at version {}. Please reload it.", old.version);
            return Err(vec![Problem::new(Reason::VersionConflict, &["input", "version"], message)]);
        }
        let whole = ProductInput {
            name: self.name.unwrap_or_else(|| old.name.clone()),
            title: self.title.unwrap_or_else(|| old.title.clone()),
            description: self.description.unwrap_or_else(|| old.description.clone()),
            image_url: self.image_url.unwrap_or_else(|| old.image_url.clone()),
            price: self.price.unwrap_or_else(|| old.price.into()),
        };
        let product = whole.check(old.id, now)?;
        Ok(Product { version: old.version + 1, created_at: old.created_at, ..product })
    }
}

/// Whether the text can be shown on one line.
pub fn is_line(text: &str) -> bool {
    text::is_line(text, LINE_MAX)
}

/// The trimmed text; `None` when nothing is left of it.
pub fn absent_if_blank(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The price, which must be above zero.
pub fn price(input: &PriceInput) -> Result<Money, Problem> {
    let refused = |reason, message: &str| Err(Problem::new(reason, &["input", "price", "amount"], message));
    match Money::parse(&input.amount, input.currency) {
        Ok(Money { minor: 0, .. }) | Err(InvalidMoney::Range) => {
            refused(Reason::PriceOutOfRange, "The price must be above zero and at most 10000000000.00.")
        }
        Ok(price) => Ok(price),
        Err(InvalidMoney::Scale) => {
            refused(Reason::PriceScaleInvalid, "The price has more decimal places than its currency.")
        }
        Err(InvalidMoney::Number | InvalidMoney::Currency) => {
            refused(Reason::PriceInvalid, "The price must be a plain decimal number, such as 19.90.")
        }
    }
}

fn is_image_url(url: &str) -> bool {
    if url.len() > IMAGE_URL_MAX || url.contains('\\') {
        return false;
    }
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) => !authority.host().is_empty() && !authority.as_str().contains('@'),
        // Two slashes would name another host.
        (None, None) => url.starts_with('/') && !url.starts_with("//"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> ProductInput {
        ProductInput {
            name: " Lamp ".into(),
            title: Some("Bright".into()),
            description: Some("  ".into()),
            image_url: Some("/images/lamp.svg".into()),
            price: PriceInput { amount: "19.9".into(), currency: Currency::Cny },
        }
    }

    fn check(input: ProductInput) -> Result<Product, Vec<Reason>> {
        let checked = input.check(ProductId::from_bytes([1; 16]), Timestamp::from_millis(5));
        checked.map_err(|problems| problems.iter().map(|problem| problem.reason).collect())
    }

    #[test]
    fn texts_are_trimmed_and_blank_ones_are_absent() {
        let product = check(good()).unwrap();
        assert_eq!((product.name.as_str(), product.description, product.price.minor), ("Lamp", None, 1990));
    }

    #[test]
    fn each_field_is_refused_for_its_own_reason() {
        let cases: Vec<(&dyn Fn(&mut ProductInput), Reason)> = vec![
            (&|p| p.name = "  ".into(), Reason::NameInvalid),
            (&|p| p.name = "x".repeat(201), Reason::NameInvalid),
            (&|p| p.name = "two\nlines".into(), Reason::NameInvalid),
            (&|p| p.title = Some("x".repeat(201)), Reason::TitleInvalid),
            (&|p| p.description = Some("x".repeat(10_001)), Reason::DescriptionInvalid),
            (&|p| p.price.amount = "abc".into(), Reason::PriceInvalid),
            (&|p| p.price.amount = "1.999".into(), Reason::PriceScaleInvalid),
            (&|p| p.price.amount = "0.00".into(), Reason::PriceOutOfRange),
            (&|p| p.price.amount = "-1".into(), Reason::PriceOutOfRange),
            (&|p| p.price.amount = "99999999999".into(), Reason::PriceOutOfRange),
        ];
        for (spoil, reason) in cases {
            let mut input = good();
            spoil(&mut input);
            assert_eq!(check(input.clone()), Err(vec![reason]), "{input:?}");
        }
        let mut input = good();
        input.name = "人".repeat(200);
        assert!(check(input).is_ok(), "characters are counted, not bytes");
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut input = good();
        input.name = String::new();
        input.image_url = Some("javascript:alert(1)".into());
        input.price.amount = "free".into();
        assert_eq!(check(input), Err(vec![Reason::NameInvalid, Reason::ImageUrlInvalid, Reason::PriceInvalid]));
    }

    #[test]
    fn image_urls() {
        for good in ["/a.svg", "https://cdn.example/a.png?x=1", "http://localhost:8080/a"] {
            assert!(is_image_url(good), "{good}");
        }
        for bad in [
            "a.svg",
            "//evil.example/a",
            "/\\evil.example",
            "javascript:alert(1)",
            "data:image/png;base64,AA",
            "ftp://h/a",
        ] {
            assert!(!is_image_url(bad), "{bad}");
        }
        for bad in ["https://", "https://user@host/a", "/a b", "https://h/\n", &format!("/{}", "x".repeat(2048))] {
            assert!(!is_image_url(bad), "{bad}");
        }
    }

    #[test]
    fn an_edit_keeps_what_it_does_not_name() {
        let old = check(good()).unwrap();
        let now = Timestamp::from_millis(9);
        let change = ProductChange { title: Some(None), version: Some(1), ..ProductChange::default() };
        let new = change.apply(&old, now).unwrap();
        assert_eq!(new, Product { title: None, version: 2, updated_at: now, ..old.clone() });
        let stale = ProductChange { version: Some(7), ..ProductChange::default() };
        assert_eq!(stale.apply(&old, now).unwrap_err()[0].reason, Reason::VersionConflict);
    }
}
