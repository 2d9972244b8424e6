"""python-alipay-sdk (fzlee) as the judge of the server's signatures, and as the merchant of the sandbox."""

import json
import sys

from alipay import AliPay
from alipay.utils import AliPayConfig

case = json.load(sys.stdin)


def armour(label, body):
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----"


sdk = AliPay(
    appid=case["app_id"],
    app_notify_url=None,
    app_private_key_string=armour("RSA PRIVATE KEY", case["app_pkcs1"]),
    alipay_public_key_string=armour("PUBLIC KEY", case["alipay_public"]),
    sign_type="RSA2",
    config=AliPayConfig(timeout=10),
)
sdk._gateway = case["gateway"]

for message in (case["notification"], case["return"]):
    fields = dict(message)
    sign = fields.pop("sign")
    assert sdk.verify(fields, sign), "a message's signature"
    assert not sdk.verify(dict(message, total_amount="0.01", sign=None), sign), "a forged one"
request = dict(case["request"])
sign = request.pop("sign")
content = "&".join(f"{name}={request[name]}" for name in sorted(request))
assert sdk._sign(content) == sign, "a request's signature"

# An answer with plain strings: this SDK miscounts braces inside of strings.
missing = sdk.server_api("alipay.trade.query", {"out_trade_no": "fzlee1"})
assert missing["sub_code"] == "ACQ.TRADE_NOT_EXIST", missing
paid = sdk.server_api("alipay.trade.query", {"out_trade_no": case["paid"]})
assert paid["trade_status"] == "TRADE_SUCCESS", paid
print("ok")
