//! What the order writer is compared with, on the real tables with the real durability: the least that recording orders costs,
//! many at once on one connection; and what it costs when each order has a transaction of its own, on many connections.

use std::error::Error;

use bytes::BytesMut;
use futures_util::future::try_join_all;
use tokio_postgres::Client;
use tokio_postgres::types::{IsNull, ToSql, Type, accepts, to_sql_checked};

use doorbuster::kernel::{SaleId, TicketId, Timestamp, UserId};
use doorbuster::store::StoreError;
use doorbuster::store::postgres::dial::Dialler;

/// How long an order waits for its payment.
const PAY_WITHIN: std::time::Duration = std::time::Duration::from_secs(3_600);
/// Bytes of the event that announces an order.
const EVENT: usize = 400;

/// One statement for a batch: orders, an event for each, and the stock, last and guarded.
const BATCH: &str = "WITH batch AS (
        INSERT INTO orders (id, sale_id, sale_number, buyer_id, quantity, idempotency_key, status, product_name, price_minor,
                            currency, created_at, decided_at, pay_before, version)
        SELECT id, $1::UUID, 1, buyer, 1, key, 'AWAITING_PAYMENT', 'Lamp', 1000, 'CNY', $2::BIGINT, $2, $3::BIGINT, 2
        FROM UNNEST ($4::BYTEA[], $5::UUID[], $6::TEXT[]) AS asked (id, buyer, key)
        ON CONFLICT DO NOTHING RETURNING quantity
    ), announced AS (
        INSERT INTO outbox (topic, key, payload, created_at)
        SELECT 'purchase-results', 'bench', payload, $2 FROM UNNEST ($7::BYTEA[]) AS event (payload)
    )
    UPDATE sales SET stock_left = stock_left - taken, stock_version = stock_version + 1
    FROM (SELECT COALESCE(SUM(quantity), 0)::BIGINT AS taken FROM batch) AS units
    WHERE id = $1 AND stock_left >= taken";

const READ: &str = "SELECT epoch, stock_left, price_minor FROM sales WHERE id = $1";
const ORDER: &str =
    "INSERT INTO orders (id, sale_id, sale_number, buyer_id, quantity, idempotency_key, status, product_name,
                                         price_minor, currency, created_at, decided_at, pay_before, version)
    VALUES ($1, $2, 1, $3, 1, $4, 'AWAITING_PAYMENT', 'Lamp', 1000, 'CNY', $5, $5, $6, 2) ON CONFLICT DO NOTHING";
const ANNOUNCE: &str =
    "INSERT INTO outbox (topic, key, payload, created_at) VALUES ('purchase-results', 'bench', $1, $2)";
const TAKE: &str = "UPDATE sales SET stock_left = stock_left - 1, stock_version = stock_version + 1
    WHERE id = $1 AND stock_left >= 1";

/// An id as the server wants it.
#[derive(Debug)]
struct Id([u8; 16]);

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

/// Records an order for each buyer, `batch` of them in a transaction, on one connection. `url` is a migrated database with
/// the sale and the users.
pub async fn record_orders(
    url: &str,
    sale: SaleId,
    buyers: &[UserId],
    batch: usize,
    now: Timestamp,
) -> Result<(), StoreError> {
    let client = connect(url).await?;
    let statement = client.prepare(BATCH).await.map_err(failed)?;
    let (id, at, until) = (Id(sale.to_bytes()), now.as_millis(), now.plus(PAY_WITHIN).as_millis());
    let mut seq = 0;
    for buyers in buyers.chunks(batch) {
        let (mut ids, mut keys) = (Vec::with_capacity(batch), Vec::with_capacity(batch));
        for _ in buyers {
            seq += 1;
            let ticket = TicketId { sale, epoch: 1, seq };
            ids.push(ticket.to_bytes().to_vec());
            keys.push(key(ticket));
        }
        let who: Vec<Id> = buyers.iter().map(|buyer| Id(buyer.to_bytes())).collect();
        let events = vec![vec![b'x'; EVENT]; buyers.len()];
        let rows = client.execute(&statement, &[&id, &at, &until, &ids, &who, &keys, &events]).await.map_err(failed)?;
        took(rows)?;
    }
    Ok(())
}

/// Records an order for each buyer in a transaction of its own: read the sale, write the order and its event, take the unit,
/// last. On so many connections at the same time.
pub async fn record_one_by_one(
    url: &str,
    sale: SaleId,
    buyers: &[UserId],
    connections: usize,
    now: Timestamp,
) -> Result<(), StoreError> {
    let share = buyers.len().div_ceil(connections).max(1);
    let work = buyers.chunks(share).enumerate().map(|(number, buyers)| async move {
        let client = connect(url).await?;
        let mut seq = (number * share) as u64;
        let prepared = [READ, ORDER, ANNOUNCE, TAKE].map(|sql| client.prepare(sql));
        let [read, order, announce, take] = prepared;
        let (read, order) = (read.await.map_err(failed)?, order.await.map_err(failed)?);
        let (announce, take) = (announce.await.map_err(failed)?, take.await.map_err(failed)?);
        let (id, at, until) = (Id(sale.to_bytes()), now.as_millis(), now.plus(PAY_WITHIN).as_millis());
        let event = vec![b'x'; EVENT];
        for buyer in buyers {
            seq += 1;
            let ticket = TicketId { sale, epoch: 1, seq };
            let (number, key) = (ticket.to_bytes().to_vec(), key(ticket));
            client.batch_execute("BEGIN").await.map_err(failed)?;
            client.query_one(&read, &[&id]).await.map_err(failed)?;
            let columns: [&(dyn ToSql + Sync); 6] = [&number, &id, &Id(buyer.to_bytes()), &key, &at, &until];
            took(client.execute(&order, &columns).await.map_err(failed)?)?;
            client.execute(&announce, &[&event, &at]).await.map_err(failed)?;
            took(client.execute(&take, &[&id]).await.map_err(failed)?)?;
            client.batch_execute("COMMIT").await.map_err(failed)?;
        }
        Ok::<_, StoreError>(())
    });
    try_join_all(work).await.map(|_| ())
}

/// Removes the events that these loops wrote, which nobody shall publish.
pub async fn clear_outbox(url: &str) -> Result<(), StoreError> {
    connect(url).await?.batch_execute("TRUNCATE outbox").await.map_err(failed)
}

/// Makes an empty database on the server at `url`, and returns its URL.
pub async fn create_database(url: &str, name: &str) -> Result<String, StoreError> {
    // The part after the question mark may contain paths.
    let (place, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let (server, _) = place.rsplit_once('/').ok_or_else(|| StoreError::internal("the URL has no database name"))?;
    connect(url).await?.batch_execute(&format!("CREATE DATABASE {name}")).await.map_err(failed)?;
    Ok(format!("{server}/{name}{query}"))
}

/// Removes a database from the server at `url`, whoever uses it.
pub async fn drop_database(url: &str, name: &str) -> Result<(), StoreError> {
    connect(url).await?.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.map_err(failed)
}

fn key(ticket: TicketId) -> String {
    format!("bare-{}-{:010}", ticket.sale, ticket.seq)
}

/// One row: the loop measures nothing if it writes nothing.
fn took(rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::internal("the bare loop wrote nothing")) }
}

/// A connection to the database at `url`.
pub async fn connect(url: &str) -> Result<Client, StoreError> {
    let (client, connection) = Dialler::new(url)?.connect().await?;
    tokio::spawn(connection);
    Ok(client)
}

fn failed(error: tokio_postgres::Error) -> StoreError {
    let cause = error.source().map(ToString::to_string);
    StoreError::unavailable(cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")))
}
