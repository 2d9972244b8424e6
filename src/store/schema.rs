//! The tables, declared once and compiled for each dialect: `super::types` says what an id and a flag are there.
//! A test selects every column from every migrated table, so this file can't drift from `migrations/`.

diesel::table! {
    use super::super::types::*;
    users (id) { id -> Id, username -> Text, display_name -> Text, password_hash -> Text, role -> Text, created_at -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    access_tokens (token_hash) { token_hash -> Binary, user_id -> Id, created_at -> BigInt, expires_at -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    login_log (id) {
        id -> BigInt, event_id -> Id, user_id -> Nullable<Id>, username -> Text, address -> Text, outcome -> Text, at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    products (id) {
        id -> Id, name -> Text, title -> Nullable<Text>, description -> Nullable<Text>, image_url -> Nullable<Text>,
        price_minor -> BigInt, currency -> Text, version -> BigInt, created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    sale_sessions (id) { id -> Id, name -> Nullable<Text>, starts_at -> BigInt, ends_at -> BigInt, created_at -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    sales (id) {
        id -> Id, number -> BigInt, session_id -> Id, product_id -> Id, price_minor -> BigInt, currency -> Text,
        points_price -> Nullable<BigInt>, stock_total -> BigInt, stock_left -> BigInt, stock_version -> BigInt,
        limit_per_buyer -> BigInt, pay_within_ms -> BigInt, returns_on_refund -> Flag, status -> Text, epoch -> BigInt,
        version -> BigInt, created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    sale_stock_adds (sale_id, idempotency_key) { sale_id -> Id, idempotency_key -> Text, units -> BigInt, at -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    audit_log (id) { id -> Id, operator_id -> Id, act -> Text, subject -> Text, detail -> Text, at -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    catalog_revision (id) { id -> BigInt, value -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    orders (id) {
        id -> Binary, sale_id -> Id, sale_number -> BigInt, buyer_id -> Id, quantity -> BigInt,
        idempotency_key -> Nullable<Text>, status -> Text,
        product_name -> Text, price_minor -> BigInt, currency -> Text, points_price -> Nullable<BigInt>,
        created_at -> BigInt, decided_at -> BigInt, pay_before -> BigInt, paid_at -> Nullable<BigInt>,
        closed_at -> Nullable<BigInt>, version -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    outbox (id) {
        id -> BigInt, topic -> Text, key -> Text, payload -> Binary, deliver_at -> Nullable<BigInt>, created_at -> BigInt,
        origin -> Text,
    }
}

diesel::table! {
    use super::super::types::*;
    broker_messages (id) {
        id -> BigInt, topic -> Text, partition -> BigInt, key -> Binary, payload -> Binary, deliver_at -> Nullable<BigInt>,
        published_at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    broker_cursors (topic, partition, subscription) {
        topic -> Text, partition -> BigInt, subscription -> Text, acked_through -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    nodes (name) {
        name -> Text, roles -> Text, address -> Text, version -> Text, started_at -> BigInt, seen_at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    leases (job) { job -> Text, holder -> Text, token -> BigInt, beat -> BigInt, }
}

diesel::allow_tables_to_appear_in_same_query!(sales, products, sale_sessions, orders, users);
diesel::allow_tables_to_appear_in_same_query!(access_tokens, users);
