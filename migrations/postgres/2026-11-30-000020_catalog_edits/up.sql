-- Edits of the catalog in SQL. A trigger checks each, raises the row's versions and writes the edit down; the worker `edits` does the
-- rest. The program's own updates raise `version`, `stock_version` or `epoch`, and its own rows are not `by_hand`: nothing is written
-- down for them.
ALTER TABLE sale_sessions ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE products ADD COLUMN by_hand BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sale_sessions ADD COLUMN by_hand BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sales ADD COLUMN by_hand BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE products ALTER COLUMN by_hand SET DEFAULT TRUE;
ALTER TABLE sale_sessions ALTER COLUMN by_hand SET DEFAULT TRUE;
ALTER TABLE sales ALTER COLUMN by_hand SET DEFAULT TRUE;

CREATE TABLE catalog_edits (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tab        TEXT   NOT NULL CHECK (tab IN ('products', 'sale_sessions', 'sales')),
    row_id     UUID   NOT NULL,
    op         TEXT   NOT NULL CHECK (op IN ('INSERT', 'UPDATE', 'DELETE')),
    before     TEXT,
    after      TEXT,
    by_role    TEXT,
    by_app     TEXT,
    by_addr    TEXT,
    at         BIGINT NOT NULL,
    handled_at BIGINT
);
-- Edits that are not handled yet: ids do not become visible in their order, so they are looked for by this.
CREATE INDEX catalog_edits_open ON catalog_edits (id) WHERE handled_at IS NULL;
CREATE INDEX catalog_edits_by_row ON catalog_edits (row_id, id);

-- Writes an edit down, in the schema of the edited table. The functions below run as their owner, so that an editor needs no right on
-- the log; `session_user` is still the editor.
CREATE FUNCTION catalog_edit_note(place NAME, tab TEXT, row_id UUID, op TEXT, old_row JSONB, new_row JSONB) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.catalog_edits (tab, row_id, op, before, after, by_role, by_app, by_addr, at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)', place)
    USING tab, row_id, op, old_row::TEXT, new_row::TEXT, session_user::TEXT, current_setting('application_name'),
          host(inet_client_addr()), (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT;
    PERFORM pg_notify('doorbuster_edits', '');
END $$;
REVOKE EXECUTE ON FUNCTION catalog_edit_note(NAME, TEXT, UUID, TEXT, JSONB, JSONB) FROM PUBLIC;

-- What no program can read, or no operator may enter either.
CREATE FUNCTION catalog_product_checked() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place NAME := TG_TABLE_SCHEMA;
BEGIN
    IF NEW.currency NOT IN ('CNY', 'USD', 'EUR') OR NEW.price_minor NOT BETWEEN 0 AND 1000000000000 THEN
        RAISE EXCEPTION 'the price of a product is at most 10000000000.00 CNY, USD or EUR' USING ERRCODE = 'check_violation',
            HINT = 'price_minor counts hundredths.';
    END IF;
    IF char_length(btrim(NEW.name)) = 0 OR char_length(NEW.name) > 200 OR char_length(NEW.title) > 200
        OR char_length(NEW.description) > 10000 OR char_length(NEW.image_url) > 2048 THEN
        RAISE EXCEPTION 'the name of a product has 1 to 200 characters, its title 200 at most, its description 10000'
            USING ERRCODE = 'check_violation', HINT = 'Shorten the text.';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.version := OLD.version + 1;
        NEW.updated_at := (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT;
        EXECUTE format('SELECT %I.catalog_edit_note($1, $2, $3, $4, $5, $6)', place)
        USING place, 'products', NEW.id, 'UPDATE', to_jsonb(OLD), to_jsonb(NEW);
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION catalog_session_checked() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place NAME := TG_TABLE_SCHEMA;
BEGIN
    IF NEW.starts_at < 0 OR NEW.ends_at > 253402300799999 OR char_length(NEW.name) > 200 THEN
        RAISE EXCEPTION 'a session starts and ends between 1970 and 9999, and its name has 200 characters at most'
            USING ERRCODE = 'check_violation', HINT = 'starts_at and ends_at count milliseconds since 1970.';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.version := OLD.version + 1;
        EXECUTE format('SELECT %I.catalog_edit_note($1, $2, $3, $4, $5, $6)', place)
        USING place, 'sale_sessions', NEW.id, 'UPDATE', to_jsonb(OLD), to_jsonb(NEW);
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION catalog_sale_bounds() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.currency NOT IN ('CNY', 'USD', 'EUR') OR NEW.price_minor NOT BETWEEN 1 AND 1000000000000 THEN
        RAISE EXCEPTION 'the price of a sale is above zero and at most 10000000000.00 CNY, USD or EUR'
            USING ERRCODE = 'check_violation', HINT = 'price_minor counts hundredths.';
    END IF;
    IF NEW.points_price > 1000000000 THEN
        RAISE EXCEPTION 'the price in points is at most 1000000000' USING ERRCODE = 'check_violation', HINT = 'Lower it.';
    END IF;
    IF NEW.stock_total > 10000000 OR NEW.limit_per_buyer > 1000 OR NEW.pay_within_ms NOT BETWEEN 1000 AND 604800000 THEN
        RAISE EXCEPTION 'a sale has at most 10000000 units, 1000 for each buyer, and between a second and seven days to pay'
            USING ERRCODE = 'check_violation', HINT = 'pay_within_ms counts milliseconds.';
    END IF;
    IF TG_OP = 'INSERT' AND (NEW.status, NEW.epoch, NEW.stock_left, NEW.units_held) <> ('DRAFT', 0, NEW.stock_total, 0) THEN
        RAISE EXCEPTION 'a sale begins as a draft with all its units free' USING ERRCODE = 'check_violation',
            HINT = 'Insert it with status DRAFT, epoch 0 and stock_left as stock_total, then publish it.';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION catalog_sale_edited() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place NAME := TG_TABLE_SCHEMA;
    now_ms BIGINT := (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT;
BEGIN
    IF NEW.id <> OLD.id OR NEW.number <> OLD.number THEN
        RAISE EXCEPTION 'id and number of a sale are never changed' USING ERRCODE = 'check_violation',
            HINT = 'Orders are named after them. Make another sale.';
    END IF;
    IF OLD.status = 'PUBLISHED' AND (NEW.price_minor, NEW.currency, NEW.points_price, NEW.product_id, NEW.session_id)
        IS DISTINCT FROM (OLD.price_minor, OLD.currency, OLD.points_price, OLD.product_id, OLD.session_id) THEN
        RAISE EXCEPTION 'the terms of a sale that sells are not changed under its buyers' USING ERRCODE = 'check_violation',
            HINT = 'Pause it first.';
    END IF;
    IF OLD.status = 'ENDED' AND NEW.status <> 'ENDED' OR OLD.status <> 'DRAFT' AND NEW.status = 'DRAFT' THEN
        RAISE EXCEPTION 'a sale that has ended stays so, and one that was published is no draft again'
            USING ERRCODE = 'check_violation', HINT = 'Make another sale.';
    END IF;
    IF NEW.units_held <> OLD.units_held OR NEW.held <> OLD.held THEN
        RAISE EXCEPTION 'units_held follows the orders, and held follows the shop' USING ERRCODE = 'check_violation',
            HINT = 'Leave both as they are.';
    END IF;
    IF NEW.stock_left = OLD.stock_left THEN
        NEW.stock_left := OLD.stock_left + NEW.stock_total - OLD.stock_total;
    ELSIF NEW.stock_left - OLD.stock_left <> NEW.stock_total - OLD.stock_total THEN
        RAISE EXCEPTION 'stock_left follows stock_total and the orders' USING ERRCODE = 'check_violation',
            HINT = 'Change stock_total, or pause the sale.';
    END IF;
    IF NEW.stock_left < 0 THEN
        RAISE EXCEPTION 'only % units of the sale are free', OLD.stock_left USING ERRCODE = 'check_violation',
            HINT = 'Lower stock_total by that many at most.';
    END IF;
    IF OLD.status = 'DRAFT' AND NEW.status <> 'DRAFT' THEN
        EXECUTE format('SELECT paused FROM %I.shop_status', place) INTO NEW.held;
    END IF;
    IF NEW.status = 'ENDED' AND NEW.ended_at IS NULL THEN
        NEW.ended_at := now_ms;
    END IF;
    NEW.version := OLD.version + 1;
    NEW.stock_version := OLD.stock_version + 1;
    NEW.updated_at := now_ms;
    EXECUTE format('SELECT %I.catalog_edit_note($1, $2, $3, $4, $5, $6)', place)
    USING place, 'sales', NEW.id, 'UPDATE', to_jsonb(OLD), to_jsonb(NEW);
    RETURN NEW;
END $$;

CREATE FUNCTION catalog_row_added() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place NAME := TG_TABLE_SCHEMA;
BEGIN
    EXECUTE format('SELECT %I.catalog_edit_note($1, $2, $3, $4, $5, $6)', place)
    USING place, TG_TABLE_NAME::TEXT, NEW.id, 'INSERT', NULL::JSONB, to_jsonb(NEW);
    RETURN NULL;
END $$;

CREATE FUNCTION catalog_row_removed() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place NAME := TG_TABLE_SCHEMA;
BEGIN
    EXECUTE format('SELECT %I.catalog_edit_note($1, $2, $3, $4, $5, $6)', place)
    USING place, TG_TABLE_NAME::TEXT, OLD.id, 'DELETE', to_jsonb(OLD), NULL::JSONB;
    RETURN NULL;
END $$;

CREATE FUNCTION catalog_sale_kept() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'only a draft is deleted' USING ERRCODE = 'check_violation', HINT = 'End the sale instead.';
END $$;

-- Whoever makes the change.
CREATE FUNCTION catalog_not_set_back() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'ids are never changed, and versions and epochs never lowered' USING ERRCODE = 'check_violation',
        HINT = 'Leave id, number, version, stock_version and epoch as they are.';
END $$;

CREATE TRIGGER products_edited BEFORE UPDATE ON products FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.* IS DISTINCT FROM OLD.*) EXECUTE FUNCTION catalog_product_checked();
CREATE TRIGGER products_entered BEFORE INSERT ON products FOR EACH ROW WHEN (NEW.by_hand) EXECUTE FUNCTION catalog_product_checked();
CREATE TRIGGER products_not_set_back BEFORE UPDATE ON products FOR EACH ROW
    WHEN (NEW.id <> OLD.id OR NEW.version < OLD.version) EXECUTE FUNCTION catalog_not_set_back();
CREATE TRIGGER products_added AFTER INSERT ON products FOR EACH ROW WHEN (NEW.by_hand) EXECUTE FUNCTION catalog_row_added();
CREATE TRIGGER products_removed AFTER DELETE ON products FOR EACH ROW EXECUTE FUNCTION catalog_row_removed();

CREATE TRIGGER sessions_edited BEFORE UPDATE ON sale_sessions FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.* IS DISTINCT FROM OLD.*) EXECUTE FUNCTION catalog_session_checked();
CREATE TRIGGER sessions_entered BEFORE INSERT ON sale_sessions FOR EACH ROW
    WHEN (NEW.by_hand) EXECUTE FUNCTION catalog_session_checked();
CREATE TRIGGER sessions_not_set_back BEFORE UPDATE ON sale_sessions FOR EACH ROW
    WHEN (NEW.id <> OLD.id OR NEW.version < OLD.version) EXECUTE FUNCTION catalog_not_set_back();
CREATE TRIGGER sessions_added AFTER INSERT ON sale_sessions FOR EACH ROW WHEN (NEW.by_hand) EXECUTE FUNCTION catalog_row_added();
CREATE TRIGGER sessions_removed AFTER DELETE ON sale_sessions FOR EACH ROW EXECUTE FUNCTION catalog_row_removed();

CREATE TRIGGER sales_bounds BEFORE UPDATE ON sales FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.stock_version = OLD.stock_version AND NEW.epoch = OLD.epoch
          AND NEW.* IS DISTINCT FROM OLD.*)
    EXECUTE FUNCTION catalog_sale_bounds();
CREATE TRIGGER sales_edited BEFORE UPDATE ON sales FOR EACH ROW
    WHEN (NEW.version = OLD.version AND NEW.stock_version = OLD.stock_version AND NEW.epoch = OLD.epoch
          AND NEW.* IS DISTINCT FROM OLD.*)
    EXECUTE FUNCTION catalog_sale_edited();
CREATE TRIGGER sales_entered BEFORE INSERT ON sales FOR EACH ROW WHEN (NEW.by_hand) EXECUTE FUNCTION catalog_sale_bounds();
CREATE TRIGGER sales_not_set_back BEFORE UPDATE ON sales FOR EACH ROW
    WHEN (NEW.id <> OLD.id OR NEW.number <> OLD.number OR NEW.version < OLD.version OR NEW.stock_version < OLD.stock_version
          OR NEW.epoch < OLD.epoch)
    EXECUTE FUNCTION catalog_not_set_back();
CREATE TRIGGER sales_added AFTER INSERT ON sales FOR EACH ROW WHEN (NEW.by_hand) EXECUTE FUNCTION catalog_row_added();
CREATE TRIGGER sales_kept BEFORE DELETE ON sales FOR EACH ROW WHEN (OLD.status <> 'DRAFT') EXECUTE FUNCTION catalog_sale_kept();
CREATE TRIGGER sales_removed AFTER DELETE ON sales FOR EACH ROW EXECUTE FUNCTION catalog_row_removed();
