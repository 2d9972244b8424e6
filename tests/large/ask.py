"""How long an operator waits for orders in a large shop: ask.py URL USERNAME PASSWORD SALES TICKETS, as fill.py filled it.
Prints medians and the worst, with what HTTP takes, in milliseconds; nothing is asserted, because machines differ."""

import json
import random
import sys
import time
import urllib.request

url, username, password, sales, tickets = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
TIMES = 60

SIGN_IN = "mutation($input: UserSignInInput!) { userSignIn(input: $input) { accessToken { token } userErrors { code } } }"
SEARCH = """query($filter: OrderFilterInput) { orders(filter: $filter, first: 50) {
  nodes { id number status productName quantity createdAt pointsTotal total { amount currencyCode } buyer { id username displayName } }
  pageInfo { hasNextPage endCursor } } }"""


def ask(query, variables, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{url}/graphql", json.dumps({"query": query, "variables": variables}).encode(), headers)
    begin = time.perf_counter()
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    if "errors" in answer:
        sys.exit(json.dumps(answer["errors"]))
    return answer["data"], (time.perf_counter() - begin) * 1000


def sale():
    return 100_000 + random.randrange(sales)


SEARCHES = {
    "a number": lambda: {"number": f"{sale()}-1-{random.randrange(1, tickets + 1):06}"},
    "the beginning of a number": lambda: {"number": f"{sale()}-1-{random.randrange(10):02}"},
    "a buyer": lambda: {"buyer": f"buyer-{random.randrange(tickets):07}"},
    "a day": lambda: {"from": time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 86_400))},
    "nothing": lambda: None,
}
signed_in, _ = ask(SIGN_IN, {"input": {"username": username, "password": password}})
token = signed_in["userSignIn"]["accessToken"]["token"]
for name, make in SEARCHES.items():
    took, found = [], 0
    for _ in range(TIMES):
        data, milliseconds = ask(SEARCH, {"filter": make()}, token)
        took.append(milliseconds)
        found += len(data["orders"]["nodes"])
    took.sort()
    print(f"  orders by {name:26} median {took[TIMES // 2]:7.1f} ms   worst {took[-1]:7.1f} ms   {found / TIMES:4.1f} on a page")
