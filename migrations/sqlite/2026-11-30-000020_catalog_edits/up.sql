-- Edits of the catalog in SQL, by whatever program. A trigger checks each, raises the row's versions and writes the edit down; the
-- worker `edits` does the rest. The program's own updates raise `version`, `stock_version` or `epoch`, and its own rows are not
-- `by_hand`: nothing is written down for them. Foreign keys are checked here too, as other programs do not enforce them by default.
ALTER TABLE sale_sessions ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE products ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 1 CHECK (by_hand IN (0, 1));
ALTER TABLE sale_sessions ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 1 CHECK (by_hand IN (0, 1));
-- No trigger looks at new sales: with one, SQLite would search all orders for each. The check is for them; what nodes must know of them
-- is found when the catalog is compared.
ALTER TABLE sales ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 1 CHECK (
    by_hand IN (0, 1) AND currency IN ('CNY', 'USD', 'EUR') AND price_minor <= 1000000000000 AND stock_total <= 10000000
    AND limit_per_buyer <= 1000 AND pay_within_ms <= 604800000 AND coalesce(points_price, 1) <= 1000000000);
UPDATE products SET by_hand = 0;
UPDATE sale_sessions SET by_hand = 0;
UPDATE sales SET by_hand = 0;

-- `by_role`, `by_app` and `by_addr` stay empty: a file has no sessions.
CREATE TABLE catalog_edits (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tab        TEXT    NOT NULL CHECK (tab IN ('products', 'sale_sessions', 'sales')),
    row_id     BLOB    NOT NULL,
    op         TEXT    NOT NULL CHECK (op IN ('INSERT', 'UPDATE', 'DELETE')),
    before     TEXT,
    after      TEXT,
    by_role    TEXT,
    by_app     TEXT,
    by_addr    TEXT,
    at         INTEGER NOT NULL,
    handled_at INTEGER
) STRICT;
CREATE INDEX catalog_edits_open ON catalog_edits (id) WHERE handled_at IS NULL;
-- Triggers on products make SQLite look for the sales of each new one.
CREATE INDEX sales_by_product ON sales (product_id);
CREATE INDEX catalog_edits_by_row ON catalog_edits (row_id, id);

CREATE TRIGGER products_not_set_back BEFORE UPDATE ON products WHEN NEW.id <> OLD.id OR NEW.version < OLD.version
    BEGIN SELECT RAISE(ABORT, 'ids are never changed, and versions and epochs never lowered'); END;
CREATE TRIGGER products_checked BEFORE UPDATE ON products
    WHEN NEW.version = OLD.version AND (NEW.name, NEW.title, NEW.description, NEW.image_url, NEW.price_minor, NEW.currency,
        NEW.created_at, NEW.updated_at, NEW.by_hand) IS NOT (OLD.name, OLD.title, OLD.description, OLD.image_url,
        OLD.price_minor, OLD.currency, OLD.created_at, OLD.updated_at, OLD.by_hand)
    BEGIN SELECT CASE WHEN NEW.currency NOT IN ('CNY', 'USD', 'EUR') OR NEW.price_minor NOT BETWEEN 0 AND 1000000000000
        THEN RAISE(ABORT, 'the price of a product is at most 10000000000.00 CNY, USD or EUR: price_minor counts hundredths')
    WHEN length(trim(NEW.name)) = 0 OR length(NEW.name) > 200 OR length(NEW.title) > 200 OR length(NEW.description) > 10000
        OR length(NEW.image_url) > 2048
        THEN RAISE(ABORT, 'the name of a product has 1 to 200 characters, its title 200 at most, its description 10000')
    END; END;
CREATE TRIGGER products_entered BEFORE INSERT ON products WHEN NEW.by_hand = 1
    BEGIN SELECT CASE WHEN NEW.currency NOT IN ('CNY', 'USD', 'EUR') OR NEW.price_minor NOT BETWEEN 0 AND 1000000000000
        THEN RAISE(ABORT, 'the price of a product is at most 10000000000.00 CNY, USD or EUR: price_minor counts hundredths')
    WHEN length(trim(NEW.name)) = 0 OR length(NEW.name) > 200 OR length(NEW.title) > 200 OR length(NEW.description) > 10000
        OR length(NEW.image_url) > 2048
        THEN RAISE(ABORT, 'the name of a product has 1 to 200 characters, its title 200 at most, its description 10000')
    END; END;
CREATE TRIGGER products_edited AFTER UPDATE ON products
    WHEN NEW.version = OLD.version AND (NEW.name, NEW.title, NEW.description, NEW.image_url, NEW.price_minor, NEW.currency,
        NEW.created_at, NEW.updated_at, NEW.by_hand) IS NOT (OLD.name, OLD.title, OLD.description, OLD.image_url,
        OLD.price_minor, OLD.currency, OLD.created_at, OLD.updated_at, OLD.by_hand)
BEGIN
    UPDATE products SET version = OLD.version + 1, updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
        WHERE id = NEW.id;
    INSERT INTO catalog_edits (tab, row_id, op, before, after, at) SELECT 'products', id, 'UPDATE',
        json_object('id', lower(hex(OLD.id)), 'name', OLD.name, 'title', OLD.title, 'description', OLD.description, 'image_url',
            OLD.image_url, 'price_minor', OLD.price_minor, 'currency', OLD.currency, 'version', OLD.version, 'created_at',
            OLD.created_at, 'updated_at', OLD.updated_at, 'by_hand', OLD.by_hand),
        json_object('id', lower(hex(id)), 'name', name, 'title', title, 'description', description, 'image_url', image_url,
            'price_minor', price_minor, 'currency', currency, 'version', version, 'created_at', created_at, 'updated_at',
            updated_at, 'by_hand', by_hand),
        updated_at FROM products WHERE id = NEW.id;
END;
CREATE TRIGGER products_added AFTER INSERT ON products WHEN NEW.by_hand = 1
BEGIN
    INSERT INTO catalog_edits (tab, row_id, op, before, after, at) VALUES ('products', NEW.id, 'INSERT',
        NULL,
        json_object('id', lower(hex(NEW.id)), 'name', NEW.name, 'title', NEW.title, 'description', NEW.description, 'image_url',
            NEW.image_url, 'price_minor', NEW.price_minor, 'currency', NEW.currency, 'version', NEW.version, 'created_at',
            NEW.created_at, 'updated_at', NEW.updated_at, 'by_hand', NEW.by_hand),
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;
CREATE TRIGGER products_kept BEFORE DELETE ON products WHEN EXISTS (SELECT 1 FROM sales WHERE product_id = OLD.id)
    BEGIN SELECT RAISE(ABORT, 'a product that is in a sale is not deleted'); END;
CREATE TRIGGER products_removed AFTER DELETE ON products
BEGIN
    INSERT INTO catalog_edits (tab, row_id, op, before, after, at) VALUES ('products', OLD.id, 'DELETE',
        json_object('id', lower(hex(OLD.id)), 'name', OLD.name, 'title', OLD.title, 'description', OLD.description, 'image_url',
            OLD.image_url, 'price_minor', OLD.price_minor, 'currency', OLD.currency, 'version', OLD.version, 'created_at',
            OLD.created_at, 'updated_at', OLD.updated_at, 'by_hand', OLD.by_hand),
        NULL,
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER sessions_not_set_back BEFORE UPDATE ON sale_sessions WHEN NEW.id <> OLD.id OR NEW.version < OLD.version
    BEGIN SELECT RAISE(ABORT, 'ids are never changed, and versions and epochs never lowered'); END;
CREATE TRIGGER sessions_checked BEFORE UPDATE ON sale_sessions
    WHEN NEW.version = OLD.version AND (NEW.name, NEW.starts_at, NEW.ends_at, NEW.created_at, NEW.by_hand) IS NOT (OLD.name,
        OLD.starts_at, OLD.ends_at, OLD.created_at, OLD.by_hand)
    BEGIN SELECT CASE WHEN NEW.starts_at < 0 OR NEW.ends_at > 253402300799999 OR length(NEW.name) > 200
        THEN RAISE(ABORT, 'a session starts and ends between 1970 and 9999, in milliseconds, and its name has 200 characters at most')
    END; END;
CREATE TRIGGER sessions_entered BEFORE INSERT ON sale_sessions WHEN NEW.by_hand = 1
    BEGIN SELECT CASE WHEN NEW.starts_at < 0 OR NEW.ends_at > 253402300799999 OR length(NEW.name) > 200
        THEN RAISE(ABORT, 'a session starts and ends between 1970 and 9999, in milliseconds, and its name has 200 characters at most')
    END; END;
CREATE TRIGGER sessions_edited AFTER UPDATE ON sale_sessions
    WHEN NEW.version = OLD.version AND (NEW.name, NEW.starts_at, NEW.ends_at, NEW.created_at, NEW.by_hand) IS NOT (OLD.name,
        OLD.starts_at, OLD.ends_at, OLD.created_at, OLD.by_hand)
BEGIN
    UPDATE sale_sessions SET version = OLD.version + 1 WHERE id = NEW.id;
    INSERT INTO catalog_edits (tab, row_id, op, before, after, at) SELECT 'sale_sessions', id, 'UPDATE',
        json_object('id', lower(hex(OLD.id)), 'name', OLD.name, 'starts_at', OLD.starts_at, 'ends_at', OLD.ends_at, 'created_at',
            OLD.created_at, 'version', OLD.version, 'by_hand', OLD.by_hand),
        json_object('id', lower(hex(id)), 'name', name, 'starts_at', starts_at, 'ends_at', ends_at, 'created_at', created_at,
            'version', version, 'by_hand', by_hand),
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
        FROM sale_sessions WHERE id = NEW.id;
END;
CREATE TRIGGER sessions_added AFTER INSERT ON sale_sessions WHEN NEW.by_hand = 1
BEGIN
    INSERT INTO catalog_edits (tab, row_id, op, before, after, at) VALUES ('sale_sessions', NEW.id, 'INSERT',
        NULL,
        json_object('id', lower(hex(NEW.id)), 'name', NEW.name, 'starts_at', NEW.starts_at, 'ends_at', NEW.ends_at, 'created_at',
            NEW.created_at, 'version', NEW.version, 'by_hand', NEW.by_hand),
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;
CREATE TRIGGER sessions_kept BEFORE DELETE ON sale_sessions WHEN EXISTS (SELECT 1 FROM sales WHERE session_id = OLD.id)
    BEGIN SELECT RAISE(ABORT, 'a session that has sales is not deleted'); END;
CREATE TRIGGER sessions_removed AFTER DELETE ON sale_sessions
BEGIN
    INSERT INTO catalog_edits (tab, row_id, op, before, after, at) VALUES ('sale_sessions', OLD.id, 'DELETE',
        json_object('id', lower(hex(OLD.id)), 'name', OLD.name, 'starts_at', OLD.starts_at, 'ends_at', OLD.ends_at, 'created_at',
            OLD.created_at, 'version', OLD.version, 'by_hand', OLD.by_hand),
        NULL,
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER sales_not_set_back BEFORE UPDATE ON sales
    WHEN NEW.id <> OLD.id OR NEW.number <> OLD.number OR NEW.version < OLD.version OR NEW.stock_version < OLD.stock_version
        OR NEW.epoch < OLD.epoch
    BEGIN SELECT RAISE(ABORT, 'ids are never changed, and versions and epochs never lowered'); END;
CREATE TRIGGER sales_checked BEFORE UPDATE ON sales
    WHEN NEW.version = OLD.version AND NEW.stock_version = OLD.stock_version AND NEW.epoch = OLD.epoch AND (NEW.number,
        NEW.session_id, NEW.product_id, NEW.price_minor, NEW.currency, NEW.points_price, NEW.stock_total, NEW.stock_left,
        NEW.limit_per_buyer, NEW.pay_within_ms, NEW.returns_on_refund, NEW.status, NEW.created_at, NEW.updated_at,
        NEW.ended_at, NEW.units_held, NEW.held, NEW.by_hand) IS NOT (OLD.number, OLD.session_id, OLD.product_id,
        OLD.price_minor, OLD.currency, OLD.points_price, OLD.stock_total, OLD.stock_left, OLD.limit_per_buyer,
        OLD.pay_within_ms, OLD.returns_on_refund, OLD.status, OLD.created_at, OLD.updated_at, OLD.ended_at, OLD.units_held,
        OLD.held, OLD.by_hand)
    BEGIN SELECT CASE
    WHEN OLD.status = 'PUBLISHED' AND (NEW.price_minor, NEW.currency, NEW.points_price, NEW.product_id, NEW.session_id)
        IS NOT (OLD.price_minor, OLD.currency, OLD.points_price, OLD.product_id, OLD.session_id)
        THEN RAISE(ABORT, 'the terms of a sale that sells are not changed under its buyers: pause it first')
    WHEN OLD.status = 'ENDED' AND NEW.status <> 'ENDED' OR OLD.status <> 'DRAFT' AND NEW.status = 'DRAFT'
        THEN RAISE(ABORT, 'a sale that has ended stays so, and one that was published is no draft again: make another sale')
    WHEN NEW.units_held <> OLD.units_held OR NEW.held <> OLD.held
        THEN RAISE(ABORT, 'units_held follows the orders, and held follows the shop: leave both as they are')
    WHEN NEW.stock_left <> OLD.stock_left AND NEW.stock_left - OLD.stock_left <> NEW.stock_total - OLD.stock_total
        THEN RAISE(ABORT, 'stock_left follows stock_total and the orders: change stock_total, or pause the sale')
    WHEN OLD.stock_left + NEW.stock_total - OLD.stock_total < 0
        THEN RAISE(ABORT, 'so many units of the sale are not free: lower stock_total by stock_left at most')
    WHEN NEW.stock_left = OLD.stock_left AND NEW.stock_total < NEW.stock_left
        THEN RAISE(ABORT, 'lower stock_left by the same number in the same statement: a file checks both before stock_left can follow')
    WHEN NEW.currency NOT IN ('CNY', 'USD', 'EUR') OR NEW.price_minor NOT BETWEEN 1 AND 1000000000000
        THEN RAISE(ABORT, 'the price of a sale is above zero and at most 10000000000.00 CNY, USD or EUR: price_minor counts hundredths')
    WHEN NEW.points_price > 1000000000
        THEN RAISE(ABORT, 'the price in points is at most 1000000000')
    WHEN NEW.stock_total > 10000000 OR NEW.limit_per_buyer > 1000 OR NEW.pay_within_ms NOT BETWEEN 1000 AND 604800000
        THEN RAISE(ABORT, 'a sale has at most 10000000 units, 1000 for each buyer, and between a second and seven days to pay')
    WHEN NOT EXISTS (SELECT 1 FROM sale_sessions WHERE id = NEW.session_id)
        OR NOT EXISTS (SELECT 1 FROM products WHERE id = NEW.product_id)
        THEN RAISE(ABORT, 'session and product of a sale must exist')
    END; END;
CREATE TRIGGER sales_edited AFTER UPDATE ON sales
    WHEN NEW.version = OLD.version AND NEW.stock_version = OLD.stock_version AND NEW.epoch = OLD.epoch AND (NEW.number,
        NEW.session_id, NEW.product_id, NEW.price_minor, NEW.currency, NEW.points_price, NEW.stock_total, NEW.stock_left,
        NEW.limit_per_buyer, NEW.pay_within_ms, NEW.returns_on_refund, NEW.status, NEW.created_at, NEW.updated_at,
        NEW.ended_at, NEW.units_held, NEW.held, NEW.by_hand) IS NOT (OLD.number, OLD.session_id, OLD.product_id,
        OLD.price_minor, OLD.currency, OLD.points_price, OLD.stock_total, OLD.stock_left, OLD.limit_per_buyer,
        OLD.pay_within_ms, OLD.returns_on_refund, OLD.status, OLD.created_at, OLD.updated_at, OLD.ended_at, OLD.units_held,
        OLD.held, OLD.by_hand)
BEGIN
    UPDATE sales SET version = OLD.version + 1, stock_version = OLD.stock_version + 1,
        stock_left = OLD.stock_left + NEW.stock_total - OLD.stock_total,
        updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),
        held = CASE WHEN OLD.status = 'DRAFT' AND NEW.status <> 'DRAFT' THEN (SELECT paused FROM shop_status) ELSE held END,
        ended_at = CASE WHEN status = 'ENDED' AND ended_at IS NULL
            THEN CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) ELSE ended_at END
        WHERE id = NEW.id;
    INSERT INTO catalog_edits (tab, row_id, op, before, after, at) SELECT 'sales', id, 'UPDATE',
        json_object('id', lower(hex(OLD.id)), 'number', OLD.number, 'session_id', lower(hex(OLD.session_id)), 'product_id',
            lower(hex(OLD.product_id)), 'price_minor', OLD.price_minor, 'currency', OLD.currency, 'points_price',
            OLD.points_price, 'stock_total', OLD.stock_total, 'stock_left', OLD.stock_left, 'stock_version',
            OLD.stock_version, 'limit_per_buyer', OLD.limit_per_buyer, 'pay_within_ms', OLD.pay_within_ms,
            'returns_on_refund', OLD.returns_on_refund, 'status', OLD.status, 'epoch', OLD.epoch, 'version', OLD.version,
            'created_at', OLD.created_at, 'updated_at', OLD.updated_at, 'ended_at', OLD.ended_at, 'units_held',
            OLD.units_held, 'held', OLD.held, 'by_hand', OLD.by_hand),
        json_object('id', lower(hex(id)), 'number', number, 'session_id', lower(hex(session_id)), 'product_id',
            lower(hex(product_id)), 'price_minor', price_minor, 'currency', currency, 'points_price', points_price,
            'stock_total', stock_total, 'stock_left', stock_left, 'stock_version', stock_version, 'limit_per_buyer',
            limit_per_buyer, 'pay_within_ms', pay_within_ms, 'returns_on_refund', returns_on_refund, 'status', status,
            'epoch', epoch, 'version', version, 'created_at', created_at, 'updated_at', updated_at, 'ended_at', ended_at,
            'units_held', units_held, 'held', held, 'by_hand', by_hand),
        updated_at FROM sales WHERE id = NEW.id;
END;
CREATE TRIGGER sales_kept BEFORE DELETE ON sales WHEN OLD.status <> 'DRAFT'
    BEGIN SELECT RAISE(ABORT, 'only a draft is deleted: end the sale instead'); END;
CREATE TRIGGER sales_removed AFTER DELETE ON sales
BEGIN
    INSERT INTO catalog_edits (tab, row_id, op, before, after, at) VALUES ('sales', OLD.id, 'DELETE',
        json_object('id', lower(hex(OLD.id)), 'number', OLD.number, 'session_id', lower(hex(OLD.session_id)), 'product_id',
            lower(hex(OLD.product_id)), 'price_minor', OLD.price_minor, 'currency', OLD.currency, 'points_price',
            OLD.points_price, 'stock_total', OLD.stock_total, 'stock_left', OLD.stock_left, 'stock_version',
            OLD.stock_version, 'limit_per_buyer', OLD.limit_per_buyer, 'pay_within_ms', OLD.pay_within_ms,
            'returns_on_refund', OLD.returns_on_refund, 'status', OLD.status, 'epoch', OLD.epoch, 'version', OLD.version,
            'created_at', OLD.created_at, 'updated_at', OLD.updated_at, 'ended_at', OLD.ended_at, 'units_held',
            OLD.units_held, 'held', OLD.held, 'by_hand', OLD.by_hand),
        NULL,
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;
