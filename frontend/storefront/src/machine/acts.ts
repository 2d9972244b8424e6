// What a buyer does with an order. Each act has a key that is kept until it is over: pressed twice, done once.
import OrderCancel from '@documents/OrderCancel.graphql';
import OrderPay from '@documents/OrderPay.graphql';
import OrderRefund from '@documents/OrderRefund.graphql';
import { keptKey } from '@kit/wish';
import { loadViewer, send, store } from '../app';
import type { Order, Paying } from './facts';
import { payKey, refundKey, type Act, type OrderModel } from './order';
import { troubleOf } from './trouble';

/** Addresses that a browser may be sent to for paying: the cashier's, or the sandbox's on this machine. */
export function isCashier(url: string): boolean {
  try {
    const { protocol, hostname } = new URL(url);
    return protocol === 'https:' || (protocol === 'http:' && /^(127(\.\d+){3}|localhost|\[::1\])$/.test(hostname));
  } catch {
    return false;
  }
}

async function act<T>(model: OrderModel, name: Act, run: (order: Order) => Promise<T>): Promise<T | undefined> {
  const order = model.order.peek();
  if (!order || model.busy.peek()) return undefined;
  model.busy.value = name;
  model.trouble.value = undefined;
  try {
    return await run(order);
  } catch (error) {
    model.trouble.value = troubleOf(error, true);
    void model.read();
    return undefined;
  } finally {
    model.busy.value = undefined;
  }
}

/** Sends the browser to the cashier. */
export function goOn(model: OrderModel, url: string): void {
  if (!isCashier(url)) return;
  model.paying.value = { method: 'ALIPAY', url };
  location.assign(url);
}

export async function pay(model: OrderModel, method: Paying['method'], returnUrl: string): Promise<void> {
  if (method === 'POINTS') model.paying.value = { method };
  await act(model, 'pay', async ({ id: orderId }) => {
    const name = payKey(orderId, method);
    const once = async () => {
      const input = { orderId, method, idempotencyKey: keptKey(store, name), returnUrl };
      return (await send(OrderPay, { input })).orderPay;
    };
    let answer = await once();
    if (answer.userErrors[0]?.code === 'ATTEMPT_ENDED') {
      // The payment of this key is over; a press means another one.
      store.remove(name);
      answer = await once();
    }
    const code = answer.userErrors[0]?.code;
    if (code) {
      if (code.startsWith('IDEMPOTENCY_KEY')) store.remove(name);
      model.trouble.value = { key: `error.pay.${code}` };
      if (code === 'INSUFFICIENT_POINTS') void loadViewer();
      return model.read();
    }
    if (answer.order) model.hear(answer.order);
    if (method === 'ALIPAY' && answer.redirectUrl) return goOn(model, answer.redirectUrl);
    // Settled at once; the push may come first.
    return model.read();
  });
  if (method === 'POINTS') model.paying.value = undefined;
}

export async function cancel(model: OrderModel): Promise<void> {
  await act(model, 'cancel', async ({ id: orderId }) => {
    const { order, userErrors } = (await send(OrderCancel, { input: { orderId } })).orderCancel;
    const code = userErrors[0]?.code;
    if (code) model.trouble.value = { key: `error.cancel.${code}` };
    if (order) model.hear(order);
    await model.read();
  });
}

/** True if the money is on its way back. */
export async function refund(model: OrderModel, reason: string): Promise<boolean> {
  const done = await act(model, 'refund', async ({ id: orderId }) => {
    const name = refundKey(orderId);
    const input = { orderId, idempotencyKey: keptKey(store, name), reason: reason.trim() || null };
    const { order, userErrors } = (await send(OrderRefund, { input })).orderRefund;
    const code = userErrors[0]?.code;
    if (code) {
      if (code.startsWith('IDEMPOTENCY_KEY')) store.remove(name);
      model.trouble.value = { key: `error.refund.${code}` };
      return false;
    }
    if (order) model.hear(order);
    await model.read();
    return true;
  });
  return done ?? false;
}
