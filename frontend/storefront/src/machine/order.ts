// One order: what it is, and what its buyer does with it. Used by its own page and by the sale's.
import { computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import OrderDoc from '@documents/Order.graphql';
import OrderCancel from '@documents/OrderCancel.graphql';
import OrderPay from '@documents/OrderPay.graphql';
import OrderRefund from '@documents/OrderRefund.graphql';
import WatchOrder from '@documents/WatchOrder.graphql';
import { Fault } from '@kit/api';
import { newer } from '@kit/store';
import { keptKey } from '@kit/wish';
import { clock, live, loadViewer, send, shop, store, tabs, viewer } from '../app';
import type { Messages } from '../messages/en';
import type { Order, Paying } from './facts';

export type Act = 'pay' | 'cancel' | 'refund';
/** Why an act did not work: the key of its text. */
export interface Trouble {
  key: keyof Messages & string;
  requestId?: string;
  seconds?: number;
}

export interface OrderModel {
  order: Signal<Order | undefined>;
  paying: Signal<Paying | undefined>;
  returnedAt: Signal<number | undefined>;
  otherwise: Signal<boolean>;
  trouble: Signal<Trouble | undefined>;
  busy: Signal<Act | undefined>;
  can: ReadonlySignal<{ cancel: boolean; alipay: boolean; points: boolean; refund: boolean }>;
  /** Takes what was heard of the order; what is older is dropped. */
  hear(fresh: Partial<Order> & Pick<Order, 'id' | 'version' | 'status'>): void;
  read(): Promise<void>;
  pay(method: Paying['method'], returnUrl: string): Promise<void>;
  /** Goes on with the payment that is under way. */
  goOn(url: string): void;
  cancel(): Promise<void>;
  refund(reason: string): Promise<boolean>;
  /** The page is back from where it sent the browser. */
  back(): void;
  dispose(): void;
}

/** Addresses that a browser may be sent to for paying: the cashier's, or the sandbox's on this machine. */
export function isCashier(url: string): boolean {
  try {
    const { protocol, hostname } = new URL(url);
    return protocol === 'https:' || (protocol === 'http:' && /^(127(\.\d+){3}|localhost|\[::1\])$/.test(hostname));
  } catch {
    return false;
  }
}

export function troubleOf(error: unknown, maybe: boolean): Trouble {
  if (!(error instanceof Fault)) throw error;
  const { code, requestId, retryAfterMs = 1000 } = error;
  if (code === 'NETWORK') return { key: maybe ? 'fault.NETWORK.maybe' : 'fault.NETWORK' };
  if (code === 'RATE_LIMITED') return { key: 'fault.RATE_LIMITED', seconds: Math.ceil(retryAfterMs / 1000) };
  if (code === 'UNAUTHENTICATED') void loadViewer();
  if (code === 'UNAVAILABLE' || code === 'UNAUTHENTICATED' || code === 'FORBIDDEN') return { key: `fault.${code}` };
  return { key: 'fault.other', requestId: requestId ?? '' };
}

const isFinal = ({ status }: Order) => status === 'CANCELLED' || status === 'EXPIRED' || status === 'REFUNDED';

export function createOrderModel(): OrderModel {
  const order = signal<Order | undefined>(undefined);
  const paying = signal<Paying | undefined>(undefined);
  const returnedAt = signal<number | undefined>(undefined);
  const otherwise = signal(false);
  const trouble = signal<Trouble | undefined>(undefined);
  const busy = signal<Act | undefined>(undefined);

  const can = computed(() => {
    const held = order.value;
    const actions = held?.availableActions ?? [];
    const methods = shop.value?.paymentMethods;
    const open = held?.status === 'AWAITING_PAYMENT';
    return {
      cancel: open && actions.includes('CANCEL'),
      alipay: open && actions.includes('PAY_ALIPAY') && (methods?.includes('ALIPAY') ?? true),
      points: open && actions.includes('PAY_POINTS') && (methods?.includes('POINTS') ?? true),
      refund: held?.status === 'PAID' && actions.includes('REFUND'),
    };
  });

  const payKey = (id: string, method: string) => `db.pay.${id}.${method}`;

  const watched = computed(() => (order.value && !isFinal(order.value) ? order.value.id : undefined));
  const stopWatching = effect(() => {
    const id = watched.value;
    if (!id) return;
    return live.watch(WatchOrder, () => ({ id, afterVersion: order.peek()?.version ?? null }), {
      next: ({ orderUpdated }) => model.hear(orderUpdated),
      refused: () => void model.read(),
    });
  });
  const stopPolling = live.poll(() => {
    if (watched.peek()) void model.read();
  });

  async function act<T>(name: Act, run: () => Promise<T>): Promise<T | undefined> {
    if (busy.peek()) return undefined;
    busy.value = name;
    trouble.value = undefined;
    try {
      return await run();
    } catch (error) {
      trouble.value = troubleOf(error, true);
      void model.read();
      return undefined;
    } finally {
      busy.value = undefined;
    }
  }

  const model: OrderModel = {
    order,
    paying,
    returnedAt,
    otherwise,
    trouble,
    busy,
    can,
    hear(fresh) {
      const held = order.peek();
      if (held && held.id !== fresh.id) {
        order.value = fresh as Order;
        paying.value = undefined;
        return;
      }
      const whole = { ...held, ...fresh } as Order;
      if (newer(held, whole) !== whole) return;
      order.value = whole;
      if (held && held.version !== whole.version) {
        otherwise.value = false;
        tabs.tell({ type: 'order', user: viewer.peek()?.user.id ?? '', order: whole.id, version: whole.version });
      }
      if (whole.status === 'AWAITING_PAYMENT') return;
      paying.value = undefined;
      for (const method of ['ALIPAY', 'POINTS']) store.remove(payKey(whole.id, method));
      if (whole.status === 'REFUNDED' || whole.status === 'PAID') {
        if (whole.status === 'REFUNDED') store.remove(`db.refund.${whole.id}`);
        if (held && held.status !== whole.status) void loadViewer();
      }
    },
    async read() {
      const id = order.peek()?.id;
      if (!id) return;
      try {
        const { order: fresh } = await send(OrderDoc, { id });
        if (fresh && order.peek()?.id === id) model.hear(fresh);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
      }
    },
    async pay(method, returnUrl) {
      const held = order.peek();
      if (!held) return;
      if (method === 'POINTS') paying.value = { method };
      await act('pay', async () => {
        const name = payKey(held.id, method);
        const once = () => {
          const idempotencyKey = keptKey(store, name);
          return send(OrderPay, { input: { orderId: held.id, method, idempotencyKey, returnUrl } });
        };
        let { orderPay } = await once();
        let code = orderPay.userErrors[0]?.code;
        if (code === 'ATTEMPT_ENDED') {
          // The payment of this key is over; a press means another one.
          store.remove(name);
          ({ orderPay } = await once());
          code = orderPay.userErrors[0]?.code;
        }
        if (code) {
          if (code.startsWith('IDEMPOTENCY_KEY')) store.remove(name);
          paying.value = undefined;
          trouble.value = { key: `error.pay.${code}` };
          if (code === 'INSUFFICIENT_POINTS') void loadViewer();
          return model.read();
        }
        if (orderPay.order) model.hear(orderPay.order);
        if (method === 'POINTS') {
          // Settled at once; the push may come first.
          await model.read();
          paying.value = undefined;
        } else if (orderPay.redirectUrl && isCashier(orderPay.redirectUrl)) {
          model.goOn(orderPay.redirectUrl);
        }
      });
      if (trouble.peek()) paying.value = undefined;
    },
    goOn(url) {
      if (!isCashier(url)) return;
      paying.value = { method: 'ALIPAY', url };
      location.assign(url);
    },
    async cancel() {
      const held = order.peek();
      if (!held) return;
      await act('cancel', async () => {
        const { orderCancel } = await send(OrderCancel, { input: { orderId: held.id } });
        const code = orderCancel.userErrors[0]?.code;
        if (code) trouble.value = { key: `error.cancel.${code}` };
        if (orderCancel.order) model.hear(orderCancel.order);
        await model.read();
      });
    },
    async refund(reason) {
      const held = order.peek();
      if (!held) return false;
      const name = `db.refund.${held.id}`;
      const done = await act('refund', async () => {
        const input = { orderId: held.id, idempotencyKey: keptKey(store, name), reason: reason.trim() || null };
        const { orderRefund } = await send(OrderRefund, { input });
        const code = orderRefund.userErrors[0]?.code;
        if (code) {
          if (code.startsWith('IDEMPOTENCY_KEY')) store.remove(name);
          trouble.value = { key: `error.refund.${code}` };
          return false;
        }
        if (orderRefund.order) model.hear(orderRefund.order);
        await model.read();
        return true;
      });
      return done ?? false;
    },
    back() {
      if (paying.peek()?.method === 'ALIPAY') {
        paying.value = undefined;
        returnedAt.value = clock.now();
      }
      void model.read();
    },
    dispose() {
      stopWatching();
      stopPolling();
    },
  };
  return model;
}
