// The vendor's Node SDK as the judge of the server's signatures, and as the merchant of the sandbox.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(process.env.SDK_FOLDER + '/');
const { AlipaySdk } = require('alipay-sdk');
const given = JSON.parse(readFileSync(0, 'utf8'));
const settings = { appId: given.app_id, privateKey: given.app_pkcs1, keyType: 'PKCS1', gateway: given.gateway };
const sdk = new AlipaySdk({ ...settings, alipayPublicKey: given.alipay_public });

assert(sdk.checkNotifySignV2({ ...given.notification }), 'a notification');
assert(sdk.checkNotifySignV2({ ...given.return }), 'a return');
assert(!sdk.checkNotifySignV2({ ...given.notification, total_amount: '0.01' }), 'a forged notification');
const { sign, ...request } = given.request;
const content = Object.keys(request).sort().map((name) => `${name}=${request[name]}`).join('&');
const judge = new AlipaySdk({ ...settings, alipayPublicKey: given.app_public });
assert(judge.rsaCheck(content, sign, 'RSA2'), 'a request');

const call = (method, bizContent) => sdk.exec(method, { bizContent }, { validateSign: true });
const number = 'node1';
assert.equal((await call('alipay.trade.query', { out_trade_no: number })).subCode, 'ACQ.TRADE_NOT_EXIST');
const page = {
  out_trade_no: number, total_amount: '9.90', subject: '灯 100% + 🎉', product_code: 'FAST_INSTANT_TRADE_PAY',
};
const options = { bizContent: page };
const html = await (await fetch(sdk.pageExecute('alipay.trade.page.pay', 'GET', options))).text();
assert(html.includes('¥9.90') && html.includes('灯 100% + 🎉'), html);
// The form of the POST kind, submitted as a browser would.
const form = sdk.pageExecute('alipay.trade.page.pay', 'POST', options);
const unescape = (text) => text.replaceAll('&quot;', '"').replaceAll('&amp;', '&');
const action = unescape(/action="([^"]*)"/.exec(form)[1]);
const hidden = [...form.matchAll(/name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => [name, unescape(value)]);
const posted = await fetch(action, { method: 'POST', body: new URLSearchParams(hidden) });
assert((await posted.text()).includes('¥9.90'), 'the posted page');
await fetch(`${given.listening}/cashier/${number}`, { method: 'POST', body: 'act=pay' });
assert.equal((await call('alipay.trade.query', { out_trade_no: number })).tradeStatus, 'TRADE_SUCCESS');
const refund = { out_trade_no: number, refund_amount: '1.00', out_request_no: 'r1' };
assert.equal((await call('alipay.trade.refund', refund)).fundChange, 'Y');
assert.equal((await call('alipay.trade.refund', refund)).fundChange, 'N');
console.log('ok');
