"""PyPI `gql`: HTTP (httpx) for queries and mutations, WebSocket for subscriptions. See ../clients/process.mjs."""

import asyncio
import json
import os
import sys
import time

from gql import Client, gql
from gql.transport.exceptions import TransportError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

AUTHORIZATION = {"authorization": f"Bearer {os.environ['TOKEN']}"}

# By itself gql offers both protocols, the older one first.
SUBPROTOCOLS = [os.environ["SUBPROTOCOL"]] if "SUBPROTOCOL" in os.environ else None

SALE = gql("query Sale($id: ID!) { sale(id: $id) { id status } }")
PURCHASE = gql(
    """mutation Purchase($input: SalePurchaseInput!) {
      salePurchase(input: $input) { ticket { id } userErrors { code message } }
    }"""
)
TICKET = gql(
    """subscription Ticket($id: ID!) {
      purchaseTicketUpdated(id: $id) { status order { id status } refusal { code } }
    }"""
)
ORDER = gql("subscription Order($id: ID!) { orderUpdated(id: $id) { status version } }")
CANCEL = gql(
    """mutation Cancel($input: OrderCancelInput!) {
      orderCancel(input: $input) { order { status } userErrors { code message } }
    }"""
)


def say(step, **more):
    print(json.dumps({"step": step, **more}), flush=True)


def with_variables(document, **variables):
    request = gql(document) if isinstance(document, str) else document
    request.variable_values = variables
    return request


async def request(document, **variables):
    transport = HTTPXAsyncTransport(url=os.environ["HTTP_URL"], headers=AUTHORIZATION)
    # The schema is fetched, and the document checked against it, before it is sent.
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        return await session.execute(with_variables(document, **variables))


async def watch(document, **variables):
    """What the subscription says until it completes; begun again when the connection breaks."""
    while True:
        transport = WebsocketsTransport(
            url=os.environ["WS_URL"], init_payload=AUTHORIZATION, subprotocols=SUBPROTOCOLS
        )
        try:
            async with Client(transport=transport) as session:
                async for data in session.subscribe(with_variables(document, **variables)):
                    yield data
                return
        except (TransportError, OSError):
            await asyncio.sleep(0.1)


async def come_back(order):
    """The order's first picture, the same from the server that came back, then the change."""
    pictures, killed = [], None
    async for data in watch(ORDER, id=order):
        pictures.append(data["orderUpdated"])
        if len(pictures) == 1:
            killed = time.monotonic()
            say("armed")
            await asyncio.to_thread(sys.stdin.readline)
        elif len(pictures) == 2:
            assert pictures[0] == pictures[1], pictures
            taken = int((time.monotonic() - killed) * 1000)
            cancelled = await request(CANCEL, input={"orderId": order})
            assert cancelled["orderCancel"]["order"]["status"] == "CANCELLED", cancelled
    assert pictures[-1]["status"] == "CANCELLED", pictures
    say("restart", milliseconds=taken)


async def main():
    sale = os.environ["SALE"]
    found = await request(SALE, id=sale)
    assert found["sale"] == {"id": sale, "status": "OPEN"}, found
    say("query")

    bought = await request(PURCHASE, input={"saleId": sale, "idempotencyKey": os.environ["KEY"]})
    ticket = bought["salePurchase"]["ticket"]
    assert ticket and not bought["salePurchase"]["userErrors"], bought
    say("purchase")

    tickets = [data["purchaseTicketUpdated"] async for data in watch(TICKET, id=ticket["id"])]
    assert tickets[-1]["status"] == "CONFIRMED", tickets
    say("watch")

    await come_back(tickets[-1]["order"]["id"])


asyncio.run(main())
