"""Fills a migrated database of the shop: fill.py DATABASE SALES TICKETS, where DATABASE is the file of SQLite or the URL of PostgreSQL (as
a superuser: foreign keys are not checked). So many sales that ended yesterday, each with so many tickets by as many buyers: half of them
paid by Alipay, a fifth expired, the others refused as sold out."""

import sqlite3
import subprocess
import sys
import time

path, sales, tickets = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DAY = 86_400_000
now = int(time.time() * 1000)
begin, end = now - DAY - 7_200_000, now - DAY
paid, expired = tickets // 2, tickets // 5


def ident(kind, number):
    return (kind << 64 | number).to_bytes(16, "big")


USER, PRODUCT, SESSION, SALE, PAYMENT = range(1, 6)


class Sqlite:
    def __init__(self, path):
        self.shop = sqlite3.connect(path)
        self.shop.executescript("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;")

    def insert(self, table, columns, rows):
        marks = ", ".join("?" * len(columns.split(",")))
        self.shop.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def finish(self):
        self.shop.execute("ANALYZE")
        self.shop.commit()


class Postgres:
    def __init__(self, url):
        self.psql = ["psql", "-q", "-v", "ON_ERROR_STOP=1", url]

    def insert(self, table, columns, rows):
        copy = ["-c", "SET session_replication_role = replica", "-c", f"COPY {table} ({columns}) FROM STDIN"]
        child = subprocess.Popen(self.psql + copy, stdin=subprocess.PIPE, text=True)
        for row in rows:
            child.stdin.write("\t".join(map(self.text, row)) + "\n")
        child.stdin.close()
        if child.wait():
            sys.exit(f"{table} was not filled")

    def text(self, value):
        if value is None:
            return "\\N"
        return "\\\\x" + value.hex() if isinstance(value, bytes) else str(value)

    def finish(self):
        subprocess.run([*self.psql, "-c", "ANALYZE"], check=True)


shop = Postgres(path) if path.startswith("postgres") else Sqlite(path)
insert = shop.insert

insert(
    "users",
    "id, username, display_name, password_hash, role, created_at",
    ((ident(USER, n), f"buyer-{n:07}", f"Buyer {n}", "!", "BUYER", begin) for n in range(tickets)),
)
product = "id, name, price_minor, currency, created_at, updated_at, by_hand"
insert("products", product, [(ident(PRODUCT, 1), "Lamp", 1990, "CNY", begin, begin, 0)])
insert("sale_sessions", "id, starts_at, ends_at, created_at, by_hand", [(ident(SESSION, 1), begin, end, begin, 0)])
insert(
    "sales",
    "id, number, session_id, product_id, price_minor, currency, stock_total, stock_left, limit_per_buyer, pay_within_ms, "
    "returns_on_refund, status, epoch, created_at, updated_at, ended_at, by_hand",
    (
        (ident(SALE, n), 100_000 + n, ident(SESSION, 1), ident(PRODUCT, 1), 1990, "CNY", paid, 0, 1, 900_000, 1)
        + ("ENDED", 1, begin, end, end, 0)
        for n in range(sales)
    ),
)


def order(sale, n):
    status = "PAID" if n < paid else "EXPIRED" if n < paid + expired else "REFUSED_SOLD_OUT"
    at = begin + n * 7_000_000 // tickets
    name = ident(SALE, sale) + (1).to_bytes(4, "big") + (n + 1).to_bytes(8, "big")
    closed = at + 900_000 if status == "EXPIRED" else None
    settled = at + 5_000 if status == "PAID" else None
    key = f"key-{sale}-{n:09}"
    number, buyer = 100_000 + sale, ident(USER, n)
    return (name, ident(SALE, sale), number, buyer, 1, key, status, "Lamp", 1990, "CNY", at, at, at + 900_000, settled, closed)


ORDER = (
    "id, sale_id, sale_number, buyer_id, quantity, idempotency_key, status, product_name, price_minor, currency, created_at, decided_at, "
    "pay_before, paid_at, closed_at"
)
for sale in range(sales):
    rows = [order(sale, n) for n in range(tickets)]
    insert("orders", ORDER, rows)
    insert(
        "payments",
        "id, order_id, buyer_id, idempotency_key, method, amount, currency, status, gateway_trade_no, captured, "
        "created_at, expires_at, settled_at",
        (
            (ident(PAYMENT, sale * tickets + n), row[0], row[3], row[5], "ALIPAY", 1990, "CNY", "SUCCEEDED", f"2026{sale:04}{n:020}", 1990)
            + (row[10], row[12], row[13])
            for n, row in enumerate(rows[:paid])
        ),
    )
shop.finish()
