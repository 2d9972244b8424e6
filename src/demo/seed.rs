//! Sets up the demo's shop over the API, as an operator would.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Fault};
use super::wire;
use crate::kernel::{SaleId, Timestamp};

/// What the shop sells: name, advertising, description, picture, price.
const PRODUCTS: [(&str, &str, &str, &str, &str); 8] = [
    (
        "Nightfall headphones",
        "Silence, then music",
        "Over-ear, noise cancelling, forty hours.",
        "headphones",
        "1299.00",
    ),
    (
        "Tempo sneakers",
        "Made for the last kilometre",
        "Knitted upper, foam sole, sizes 36 to 46.",
        "sneakers",
        "699.00",
    ),
    ("Lumen camera", "Sees in the dark", "Full-frame, two card slots, a shutter you can feel.", "camera", "8999.00"),
    ("Still kettle", "Boils without a sound", "1.2 litres, five temperatures, keeps warm.", "kettle", "329.00"),
    ("Ridge backpack", "Twenty litres of order", "Waterproof, with a place for everything.", "backpack", "459.00"),
    ("Meridian watch", "Two hands, ten years", "Solar, sapphire glass, 38 millimetres.", "watch", "1899.00"),
    ("Halo lamp", "Daylight on a desk", "Dims to a candle, warms to a sunset.", "lamp", "279.00"),
    ("Arcade console", "The living room is open", "Two controllers and a terabyte.", "console", "3299.00"),
];

/// Sales: session, product, price, units. The first one is the crowd's.
const SALES: [(usize, usize, &str, u32); 10] = [
    (0, 0, "499.00", 0),
    (0, 1, "199.00", 50),
    (0, 2, "4999.00", 5),
    (0, 3, "99.00", 200),
    (1, 4, "159.00", 80),
    (1, 5, "999.00", 30),
    (1, 6, "79.00", 120),
    (2, 7, "1999.00", 20),
    (2, 0, "549.00", 100),
    (2, 3, "89.00", 60),
];

/// How long a session lasts.
const SESSION: Duration = Duration::from_secs(2 * 3600);

/// What one sale is to be like.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Price of a unit, in yuan.
    pub price: &'a str,
    /// Units.
    pub stock: u32,
    /// Units one buyer may hold.
    pub limit_per_buyer: u32,
    /// How long an order waits for its payment.
    pub pay_within: Duration,
}

/// An operator at work.
pub struct Operator {
    client: Client,
}

impl Operator {
    /// Signed in by a token.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self { client: Client::new(address, Duration::from_secs(30)).with_token(token) }
    }

    /// The server's time.
    pub async fn server_time(&mut self) -> Result<Timestamp, Fault> {
        let text: Option<String> = self.client.call(wire::SERVER_TIME, &json!({})).await?;
        let text = text.unwrap_or_default();
        Timestamp::parse_rfc3339(&text).ok_or(Fault::Malformed(text))
    }

    /// Creates a product and returns its id.
    pub async fn product(
        &mut self,
        name: &str,
        title: &str,
        about: &str,
        image: &str,
        price: &str,
    ) -> Result<String, Fault> {
        let input = json!({
            "name": name, "title": title, "description": about, "imageUrl": image,
            "price": { "amount": price, "currencyCode": "CNY" },
        });
        self.act("productCreate", "ProductCreateInput", "product", input).await
    }

    /// Creates a session and returns its id.
    pub async fn session(&mut self, name: &str, starts_at: Timestamp, ends_at: Timestamp) -> Result<String, Fault> {
        let input = json!({ "name": name, "startsAt": starts_at.to_rfc3339(), "endsAt": ends_at.to_rfc3339() });
        self.act("saleSessionCreate", "SaleSessionCreateInput", "session", input).await
    }

    /// Creates and publishes a sale.
    pub async fn sale(&mut self, session: &str, product: &str, terms: Terms<'_>) -> Result<SaleId, Fault> {
        let input = json!({
            "sessionId": session, "productId": product,
            "price": { "amount": terms.price, "currencyCode": "CNY" },
            "pointsPrice": points_price(terms.price), "stock": terms.stock, "limitPerBuyer": terms.limit_per_buyer,
            "payWithinSeconds": terms.pay_within.as_secs(), "returnsOnRefund": true,
        });
        let id = self.act("saleCreate", "SaleCreateInput", "sale", input).await?;
        self.act("salePublish", "SalePublishInput", "sale", json!({ "saleId": id })).await?;
        id.parse().map_err(|_| Fault::Malformed(id))
    }

    /// One mutation that answers `{ <what> { id } userErrors }`; returns the id.
    async fn act(&mut self, mutation: &str, input_type: &str, what: &str, input: Value) -> Result<String, Fault> {
        let document = format!(
            "mutation Act($input: {input_type}!) {{ it: {mutation}(input: $input) \
             {{ {what} {{ id }} userErrors {{ code message field }} }} }}"
        );
        let answer: Option<Value> = self.client.call(&document, &json!({ "input": input })).await?;
        let answer = answer.unwrap_or_default();
        match answer[what]["id"].as_str() {
            Some(id) => Ok(id.to_owned()),
            None => Err(Fault::Malformed(format!("{mutation}: {answer}"))),
        }
    }
}

/// Sets up the demo's shop: three sessions, of which the first opens after `opens_in`, eight products, and sales in each.
/// Returns the crowd's sale and when it opens.
pub async fn shop(
    operator: &mut Operator,
    opens_in: Duration,
    stock: u32,
    pay_within: Duration,
) -> Result<(SaleId, Timestamp), Fault> {
    let opens = operator.server_time().await?.plus(opens_in);
    let mut sessions = Vec::new();
    for number in 0..3 {
        let starts_at = opens.plus(SESSION * number);
        let name = format!("{} UTC", &starts_at.to_rfc3339()[11..16]);
        sessions.push(operator.session(&name, starts_at, starts_at.plus(SESSION)).await?);
    }
    let mut products = Vec::new();
    for (name, title, about, picture, price) in PRODUCTS {
        products.push(operator.product(name, title, about, &format!("/pictures/{picture}.svg"), price).await?);
    }
    let mut crowds = None;
    for (session, product, price, units) in SALES {
        let units = if crowds.is_none() { stock } else { units };
        let terms = Terms { price, stock: units, limit_per_buyer: 1, pay_within };
        let sale = operator.sale(&sessions[session], &products[product], terms).await?;
        crowds.get_or_insert(sale);
    }
    let sale = crowds.ok_or_else(|| Fault::Malformed("no sale".into()))?;
    Ok((sale, opens))
}

/// Ten points for each whole unit of money.
fn points_price(price: &str) -> i64 {
    let whole = price.split('.').next().and_then(|whole| whole.parse::<i64>().ok());
    (whole.unwrap_or_default() * 10).max(1)
}
