//! How kernel values are stored: ids as UUID (PostgreSQL) or 16-byte blob (SQLite), times as milliseconds.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::expression::AsExpression;
use diesel::internal::derives::as_expression::Bound;
use diesel::pg::Pg;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, Nullable, Uuid as UuidSql};
use diesel::sqlite::Sqlite;

use crate::kernel::{
    AuditId, BillDifferenceId, LoginEventId, OrderId, PaymentId, ProductId, RefundId, SaleId, SessionId, TicketId,
    Timestamp, TransferId, UserId, Xid,
};

macro_rules! expression_of {
    ($rust:ty, $sql:ty) => {
        impl AsExpression<$sql> for $rust {
            type Expression = Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
        impl<'a> AsExpression<$sql> for &'a $rust {
            type Expression = Bound<$sql, &'a $rust>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
        impl AsExpression<Nullable<$sql>> for $rust {
            type Expression = Bound<Nullable<$sql>, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
        impl<'a> AsExpression<Nullable<$sql>> for &'a $rust {
            type Expression = Bound<Nullable<$sql>, &'a $rust>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
    };
}

macro_rules! queryable {
    ($rust:ty, $sql:ty, $db:ty) => {
        impl diesel::Queryable<$sql, $db> for $rust {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}

macro_rules! sql_uuid {
    ($($rust:ty),*) => {$(
        expression_of!($rust, UuidSql);
        expression_of!($rust, Binary);
        impl ToSql<UuidSql, Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                let value = uuid::Uuid::from_bytes(self.to_bytes());
                <uuid::Uuid as ToSql<UuidSql, Pg>>::to_sql(&value, &mut out.reborrow())
            }
        }
        impl ToSql<Nullable<UuidSql>, Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                <Self as ToSql<UuidSql, Pg>>::to_sql(self, out)
            }
        }
        impl ToSql<Nullable<Binary>, Sqlite> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                <Self as ToSql<Binary, Sqlite>>::to_sql(self, out)
            }
        }
        impl FromSql<UuidSql, Pg> for $rust {
            fn from_sql(bytes: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                let value = <uuid::Uuid as FromSql<UuidSql, Pg>>::from_sql(bytes)?;
                Ok(Self::from_bytes(value.into_bytes()))
            }
        }
        sql_bytes_sqlite!($rust);
        queryable!($rust, UuidSql, Pg);
    )*};
}

macro_rules! sql_bytes_sqlite {
    ($rust:ty) => {
        impl ToSql<Binary, Sqlite> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.to_bytes().to_vec());
                Ok(IsNull::No)
            }
        }
        impl FromSql<Binary, Sqlite> for $rust {
            fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(bytes)?;
                Ok(Self::from_bytes(bytes.as_slice().try_into()?))
            }
        }
        queryable!($rust, Binary, Sqlite);
    };
}

macro_rules! sql_bytes {
    ($($rust:ty),*) => {$(
        expression_of!($rust, Binary);
        impl ToSql<Binary, Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                std::io::Write::write_all(out, &self.to_bytes())?;
                Ok(IsNull::No)
            }
        }
        impl FromSql<Binary, Pg> for $rust {
            fn from_sql(bytes: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                Ok(Self::from_bytes(bytes.as_bytes().try_into()?))
            }
        }
        sql_bytes_sqlite!($rust);
        queryable!($rust, Binary, Pg);
    )*};
}

sql_uuid!(
    UserId,
    ProductId,
    SessionId,
    SaleId,
    AuditId,
    LoginEventId,
    PaymentId,
    RefundId,
    BillDifferenceId,
    TransferId,
    Xid
);
sql_bytes!(TicketId, OrderId);

expression_of!(Timestamp, BigInt);

impl ToSql<BigInt, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <i64 as ToSql<BigInt, Pg>>::to_sql(&self.as_millis(), &mut out.reborrow())
    }
}

impl ToSql<BigInt, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.as_millis());
        Ok(IsNull::No)
    }
}

impl<DB: Backend> ToSql<Nullable<BigInt>, DB> for Timestamp
where
    Self: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        <Self as ToSql<BigInt, DB>>::to_sql(self, out)
    }
}

impl<DB: Backend> FromSql<BigInt, DB> for Timestamp
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::from_millis(i64::from_sql(bytes)?))
    }
}

queryable!(Timestamp, BigInt, Pg);
queryable!(Timestamp, BigInt, Sqlite);
