"""The vendor's Python SDK as the merchant of the sandbox, and as the judge of the server's signatures."""

import json
import sys
import urllib.request

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.request.AlipayTradeCloseRequest import AlipayTradeCloseRequest
from alipay.aop.api.request.AlipayTradeFastpayRefundQueryRequest import AlipayTradeFastpayRefundQueryRequest
from alipay.aop.api.request.AlipayTradePagePayRequest import AlipayTradePagePayRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.request.AlipayTradeRefundRequest import AlipayTradeRefundRequest
from alipay.aop.api.util.SignatureUtils import get_sign_content, sign_with_rsa2, verify_with_rsa

case = json.load(sys.stdin)

config = AlipayClientConfig()
config.server_url, config.app_id = case["gateway"], case["app_id"]
config.app_private_key, config.alipay_public_key = case["app_pkcs1"], case["alipay_public"]
client = DefaultAlipayClient(alipay_client_config=config)


def call(kind, business):
    request = kind()
    request.biz_content = business
    # The SDK's own transport fails on any URL with a port; what it signs and how it verifies is what matters here.
    form = client.sdk_execute(request).encode()
    answer = urllib.request.urlopen(config.server_url, data=form).read()
    return json.loads(client._DefaultAlipayClient__parse_response(answer))  # raises unless the signature is right


# What the server signs.
request = case["request"]
sign = request.pop("sign")
made = sign_with_rsa2(config.app_private_key, get_sign_content(request), "utf-8")
assert sign == (made.decode() if isinstance(made, bytes) else made), "a request's signature"
for message in (case["notification"], case["return"]):
    sign = message.pop("sign")
    message.pop("sign_type")
    assert verify_with_rsa(config.alipay_public_key, get_sign_content(message).encode(), sign), "a message's signature"

# The sandbox, driven by the SDK.
number = "official1"
assert call(AlipayTradeQueryRequest, {"out_trade_no": number})["sub_code"] == "ACQ.TRADE_NOT_EXIST"
page = AlipayTradePagePayRequest()
page.biz_content = {
    "out_trade_no": number,
    "total_amount": "9.90",
    "subject": '灯 100% + "quotes" 🎉',
    "product_code": "FAST_INSTANT_TRADE_PAY",
}
html = urllib.request.urlopen(client.page_execute(page, http_method="GET")).read().decode()
assert "¥9.90" in html and "灯 100% + &quot;quotes&quot; 🎉" in html, html
form = urllib.request.Request(case["listening"] + "/cashier/" + number, data=b"act=pay")
assert "Paid." in urllib.request.urlopen(form).read().decode()
assert call(AlipayTradeQueryRequest, {"out_trade_no": number})["trade_status"] == "TRADE_SUCCESS"
assert call(AlipayTradeCloseRequest, {"out_trade_no": number})["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
refund = {"out_trade_no": number, "refund_amount": "1.00", "out_request_no": "r1"}
assert call(AlipayTradeRefundRequest, refund)["fund_change"] == "Y"
assert call(AlipayTradeRefundRequest, refund)["fund_change"] == "N"
found = call(AlipayTradeFastpayRefundQueryRequest, {"out_trade_no": number, "out_request_no": "r1"})
assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "1.00")
print("ok")
