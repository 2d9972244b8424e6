//! The tables, declared once and compiled for each dialect: `super::types` says what an id and a flag are there.
//! A test selects every column from every migrated table, so this file can't drift from `migrations/`.

diesel::table! {
    use super::super::types::*;
    users (id) {
        id -> Id, username -> Text, display_name -> Text, password_hash -> Text, role -> Text, created_at -> BigInt,
        display_key -> Nullable<Text>,
    }
}

diesel::table! {
    use super::super::types::*;
    access_tokens (token_hash) {
        token_hash -> Binary, user_id -> Id, created_at -> BigInt, expires_at -> BigInt, second_factor -> Flag,
    }
}

diesel::table! {
    use super::super::types::*;
    token_revocations (seq, token_hash) { seq -> BigInt, token_hash -> Binary, expires_at -> BigInt, gone -> Flag, }
}

diesel::table! {
    use super::super::types::*;
    second_factors (user_id) {
        user_id -> Id, secret -> Binary, created_at -> BigInt, confirmed_at -> Nullable<BigInt>, last_step -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    recovery_codes (user_id, code_hash) { user_id -> Id, code_hash -> Binary, used_at -> Nullable<BigInt>, }
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
        price_minor -> BigInt, currency -> Text, version -> BigInt, created_at -> BigInt, updated_at -> BigInt, by_hand -> Flag,
    }
}

diesel::table! {
    use super::super::types::*;
    sale_sessions (id) {
        id -> Id, name -> Nullable<Text>, starts_at -> BigInt, ends_at -> BigInt, created_at -> BigInt, version -> BigInt,
        by_hand -> Flag,
    }
}

diesel::table! {
    use super::super::types::*;
    sales (id) {
        id -> Id, number -> BigInt, session_id -> Id, product_id -> Id, price_minor -> BigInt, currency -> Text,
        points_price -> Nullable<BigInt>, stock_total -> BigInt, stock_left -> BigInt, stock_version -> BigInt,
        limit_per_buyer -> BigInt, pay_within_ms -> BigInt, returns_on_refund -> Flag, status -> Text, epoch -> BigInt,
        version -> BigInt, created_at -> BigInt, updated_at -> BigInt, ended_at -> Nullable<BigInt>,
        units_held -> BigInt, held -> Flag, by_hand -> Flag,
    }
}

diesel::table! {
    use super::super::types::*;
    catalog_edits (id) {
        id -> BigInt, tab -> Text, row_id -> Id, op -> Text, before -> Nullable<Text>, after -> Nullable<Text>,
        by_role -> Nullable<Text>, by_app -> Nullable<Text>, by_addr -> Nullable<Text>, at -> BigInt,
        handled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    use super::super::types::*;
    sale_stock_adds (sale_id, idempotency_key) { sale_id -> Id, idempotency_key -> Text, units -> BigInt, at -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    sale_units_paid (id) { id -> BigInt, sale_id -> Id, units -> BigInt, }
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
    picture_files (name, width) { name -> Text, width -> BigInt, content -> Binary, created_at -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    last_backup (id) { id -> BigInt, at -> BigInt, bytes -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    shop_status (id) { id -> BigInt, paused -> Flag, since -> BigInt, }
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
        settings_revision -> Nullable<BigInt>, settings_rejected -> Nullable<Text>, local_values -> Nullable<Text>,
        data_version -> BigInt, vitals -> Nullable<Text>,
    }
}

diesel::table! {
    use super::super::types::*;
    schema_state (id) { id -> BigInt, min_program -> BigInt, version -> BigInt, older_seen_at -> Nullable<BigInt>, }
}

diesel::table! {
    use super::super::types::*;
    settings (key, scope) { key -> Text, scope -> Text, value -> Text, revision -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    settings_revision (id) { id -> BigInt, value -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    setting_changes (revision) {
        revision -> BigInt, key -> Text, scope -> Text, old -> Nullable<Text>, new -> Nullable<Text>, act -> Text,
        operator_id -> Nullable<Id>, via -> Text, reason -> Text, at -> BigInt, undoes -> Nullable<BigInt>,
        confirm_before -> Nullable<BigInt>,
    }
}

diesel::table! {
    use super::super::types::*;
    leases (job) { job -> Text, holder -> Text, token -> BigInt, beat -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    payments (id) {
        id -> Id, order_id -> Binary, buyer_id -> Id, idempotency_key -> Text, method -> Text, amount -> BigInt,
        currency -> Nullable<Text>, status -> Text, gateway_trade_no -> Nullable<Text>, return_url -> Nullable<Text>,
        captured -> BigInt, refund_pending -> BigInt, refunded -> BigInt, flag -> Nullable<Text>, created_at -> BigInt,
        expires_at -> BigInt,
        settled_at -> Nullable<BigInt>, next_check_at -> Nullable<BigInt>, checks -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    refunds (id) {
        id -> Id, payment_id -> Id, order_id -> Binary, method -> Text, amount -> BigInt, currency -> Nullable<Text>,
        cause -> Text, reason -> Nullable<Text>, requested_by -> Nullable<Id>, idempotency_key -> Nullable<Text>,
        status -> Text, attempts -> BigInt, last_code -> Nullable<Text>, created_at -> BigInt, tried_at -> Nullable<BigInt>,
        next_try_at -> Nullable<BigInt>, settled_at -> Nullable<BigInt>, gateway_number -> Nullable<Text>,
    }
}

diesel::table! {
    use super::super::types::*;
    payment_log (id) {
        id -> BigInt, payment_id -> Id, at -> BigInt, actor -> Text, event -> Text, from_state -> Nullable<Text>,
        to_state -> Text, code -> Nullable<Text>, detail -> Nullable<Text>,
    }
}

diesel::table! {
    use super::super::types::*;
    refund_log (id) {
        id -> BigInt, refund_id -> Id, at -> BigInt, actor -> Text, event -> Text, from_state -> Nullable<Text>,
        to_state -> Text, code -> Nullable<Text>, detail -> Nullable<Text>,
    }
}

diesel::table! {
    use super::super::types::*;
    gateway_notifications (id) {
        id -> BigInt, notify_id -> Text, number -> Text, trade_status -> Text, verdict -> Text, masked -> Text,
        received_at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    points_accounts (user_id) { user_id -> Id, posted -> BigInt, reserved -> BigInt, opened_at -> BigInt, }
}

diesel::table! {
    use super::super::types::*;
    points_reservations (xid, branch) {
        xid -> Id, branch -> BigInt, user_id -> Id, kind -> Text, amount -> BigInt, of_xid -> Nullable<Id>,
        of_branch -> Nullable<BigInt>, returned -> BigInt, state -> Text, reason -> Nullable<Text>, subject -> Text,
        created_at -> BigInt, resolved_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    use super::super::types::*;
    points_transfers (id) {
        id -> Id, kind -> Text, reference -> Nullable<Text>, xid -> Nullable<Id>, branch -> Nullable<BigInt>,
        operator_id -> Nullable<Id>, reason -> Nullable<Text>, subject -> Nullable<Text>, at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    points_entries (transfer_id, account_id, amount) {
        transfer_id -> Id, account_id -> Id, amount -> BigInt, against_id -> Id, opposite -> BigInt, at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    global_transactions (xid) {
        xid -> Id, kind -> Text, args -> Text, state -> Text, reason -> Nullable<Text>,
        last_error -> Nullable<Text>, deadline -> BigInt,
        next_run_at -> BigInt, attempts -> BigInt, lease_owner -> Text, lease_until -> BigInt, created_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    use super::super::types::*;
    branch_transactions (xid, branch) {
        xid -> Id, branch -> BigInt, participant -> Text, args -> Text, state -> Text,
    }
}

diesel::table! {
    use super::super::types::*;
    reconciliations (day) {
        day -> Text, rows_found -> BigInt, matched -> BigInt, paid -> BigInt, refunded -> BigInt, runs -> BigInt,
        compared_at -> BigInt,
    }
}

diesel::table! {
    use super::super::types::*;
    reconciliation_items (day, number, kind) {
        day -> Text, number -> Text, kind -> Text, ours -> Text, theirs -> Text, found_at -> BigInt,
        resolved_at -> Nullable<BigInt>, id -> Id, closed_at -> Nullable<BigInt>, closed_by -> Nullable<Id>,
        close_reason -> Nullable<Text>, refund_of -> Nullable<Text>, refund_amount -> Nullable<BigInt>,
        refund_currency -> Nullable<Text>, refund_at -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(points_entries, points_transfers);
diesel::allow_tables_to_appear_in_same_query!(orders, payments, refunds);
diesel::allow_tables_to_appear_in_same_query!(sales, products, sale_sessions, orders, users);
diesel::allow_tables_to_appear_in_same_query!(access_tokens, users);
diesel::allow_tables_to_appear_in_same_query!(settings, setting_changes, users);
