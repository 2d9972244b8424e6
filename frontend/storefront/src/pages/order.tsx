import { useComputed, useSignal } from '@preact/signals';
import OrderDoc from '@documents/Order.graphql';
import { Fault } from '@kit/api';
import type { OrderQuery } from '@kit/generated/operations';
import { BESIDE_PX } from '@kit/pictures';
import { Button, Empty, Loading, Picture, Skeleton } from '@kit/ui';
import { useEffect, useMemo } from 'preact/hooks';
import { clock, f, onRefresh, second, send, store, tabs, viewer } from '../app';
import { t } from '../i18n';
import { deriveOrder, nextChange } from '../machine/derive';
import type { Facts, Order } from '../machine/facts';
import { createOrderModel, isFinal, type OrderModel } from '../machine/order';
import { amountOf, describe, paidWith, paramsOf, type Context } from '../machine/texts';
import { Failed, Heading, SignInFirst, useTitle } from '../page';
import { hasOrderBar, OrderBar, OrderMore } from '../order-controls';
import { Panel } from '../panel';
import { place, type Route } from '../router';
import { StatusChip } from './orders';

type Sale = NonNullable<OrderQuery['order']>['sale'];

export default function OrderPage({ route }: { route: Route }) {
  if (route.page !== 'order') return null;
  const title = t('order.title', { number: '' }).trim();
  if (viewer.value === null) return <SignInFirst title={title} />;
  return <One key={route.id} id={route.id} />;
}

const context = (): Context => ({ t, f: f.value, durable: store.durable(), presser: undefined });

/** How long after the return from the cashier a payment may still arrive, in milliseconds. */
const LATE_MS = 120_000;
const LATE_EVERY_MS = 3_000;

/** Whether money is still to be told of: what is over is pushed no more, but a late payment goes back. */
function expectsMoney({ order, returnedAt }: OrderModel): boolean {
  const held = order.peek();
  if (!held || !isFinal(held) || held.status === 'REFUNDED') return false;
  if (held.payments.some(({ status }) => status === 'SURPLUS')) return surplusOf(held).some((refund) => !refund?.settledAt);
  const back = returnedAt.peek();
  return back !== undefined && clock.now() - back < LATE_MS;
}

/** The refunds of what was paid too late or twice, one for each such payment once it is made. */
const surplusOf = ({ payments, refunds }: Order) => {
  const made = refunds.filter(({ cause }) => cause === 'SURPLUS' || cause === 'LATE_PAYMENT');
  return payments.filter(({ status }) => status === 'SURPLUS').map((_, index) => made[index]);
};

function One({ id }: { id: string }) {
  const model = useMemo(createOrderModel, [id]);
  const sale = useSignal<Sale | undefined>(undefined);
  const missing = useSignal(false);
  const fault = useSignal<Fault | undefined>(undefined);
  const user = viewer.value?.user.id;
  const read = async () => {
    try {
      const { order } = await send(OrderDoc, { id });
      fault.value = undefined;
      missing.value = !order;
      if (!order) return;
      const { sale: of, ...rest } = order;
      sale.value = of;
      model.hear(rest);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      fault.value = error;
    }
  };
  useEffect(() => {
    if (!user) return;
    if (place.peek().query.get('from') === 'cashier') model.returnedAt.value = clock.now();
    void read();
    const stops = [
      onRefresh(() => void read()),
      tabs.listen((message) => message.type === 'order' && message.order === id && void read()),
    ];
    const back = (event: PageTransitionEvent) => event.persisted && model.back();
    addEventListener('pageshow', back);
    return () => {
      removeEventListener('pageshow', back);
      for (const stop of stops) stop();
    };
  }, [user]);
  useEffect(() => {
    const timer = setInterval(() => expectsMoney(model) && void model.read(), LATE_EVERY_MS);
    return () => {
      clearInterval(timer);
      model.dispose();
    };
  }, [model]);
  const order = model.order.value;
  useTitle(order ? t('order.title', { number: order.number }) : t('orders.title'));
  if (missing.value) {
    return (
      <>
        <Heading>{t('order.missing')}</Heading>
        <Empty title={t('order.missingBody')}>
          <Button href="/orders">{t('orders.title')}</Button>
        </Empty>
      </>
    );
  }
  if (!order) {
    if (fault.value) return <Failed fault={fault.value} again={() => void read()} />;
    return (
      <Loading label={t('home.loading')} slow={t('home.slow')}>
        <Skeleton kind="panel-shape" />
      </Loading>
    );
  }
  return (
    <>
      <div class="order-head">
        <Picture src={sale.value?.product?.imageUrl} image={sale.value?.product?.image} size={BESIDE_PX} first />
        <div>
          <Heading>
            {t('order.title', { number: '' }).trim()} <bdi>{order.number}</bdi>
          </Heading>
          <p class="order-line">
            <bdi>{order.productName}</bdi> × {f.value.number(order.quantity)} ·{' '}
            <span class="number">{paidWith(order, context())}</span>
          </p>
          <p class="row">
            <StatusChip status={order.status} />
            {sale.value && <a href={`/sales/${encodeURIComponent(sale.value.id)}`}>{t('order.sale')}</a>}
          </p>
        </div>
      </div>
      <div class="order-page">
        <Now model={model} order={order} />
        <Surplus order={order} />
        <Timeline order={order} />
        <Payments order={order} />
        <Refunds order={order} />
      </div>
    </>
  );
}

function Now({ model, order }: { model: OrderModel; order: Order }) {
  const moment = useSignal(0);
  const facts = useComputed<Facts>(() => {
    void second.value;
    void moment.value;
    const who = viewer.value;
    return {
      sale: undefined,
      stock: undefined,
      now: clock.now(),
      error: clock.error(),
      viewer: who ? { id: who.user.id, name: who.user.displayName } : who,
      signedOut: false,
      ticket: undefined,
      order: model.order.value,
      ticketsAhead: undefined,
      press: undefined,
      pressSince: 0,
      left: undefined,
      online: true,
      paying: model.paying.value,
      returnedAt: model.returnedAt.value,
      otherwise: model.otherwise.value,
    };
  });
  const held = facts.value;
  useEffect(() => {
    const wait = nextChange(held) - clock.now();
    if (wait === Infinity) return;
    const timer = setTimeout(() => (moment.value += 1), Math.min(Math.max(1, wait + 1), 86_400_000));
    return () => clearTimeout(timer);
  });
  const view = { ...deriveOrder(order, held), buyable: false };
  const { title, body } = describe(view, held, context());
  const { timer } = paramsOf(view, held, context());
  const returnUrl = `/orders/${encodeURIComponent(order.id)}?from=cashier`;
  return (
    <Panel
      state={view.state}
      title={title}
      body={body}
      timer={timer ? { text: String(timer), label: title } : undefined}
      bar={hasOrderBar(view.state) && <OrderBar model={model} state={view.state} returnUrl={returnUrl} />}
      more={<OrderMore model={model} state={view.state} amount={paidWith(order, context())} />}
    />
  );
}

function Surplus({ order }: { order: Order }) {
  const surplus = order.payments.filter(({ status }) => status === 'SURPLUS');
  if (surplus.length === 0) return null;
  const refunds = surplusOf(order);
  return (
    <>
      {surplus.map((payment, index) => (
        <p class="note-box" key={payment.id}>
          {t('state.surplus', { amount: amountOf(payment, context()) })}.{' '}
          {t('state.surplus.status', { status: t(`refund.${refunds[index]?.status ?? 'PENDING'}`) })}
        </p>
      ))}
    </>
  );
}

interface Line {
  at: string;
  text: string;
}

/** What happened to an order, the oldest first. */
export function linesOf(order: Order): Line[] {
  const lines: (Line | undefined)[] = [{ at: order.createdAt, text: t('order.accepted') }];
  for (const { createdAt, settledAt, method, status } of order.payments) {
    const of = { method: t(`method.${method}`) };
    lines.push({ at: createdAt, text: t('order.payBegun', of) });
    const ends = { CLOSED: 'order.payClosed', FAILED: 'order.payFailed', SURPLUS: 'order.paySurplus' } as const;
    if (settledAt && status !== 'SUCCEEDED' && status !== 'PENDING') lines.push({ at: settledAt, text: t(ends[status], of) });
  }
  if (order.paidAt) lines.push({ at: order.paidAt, text: t('order.paid') });
  for (const { createdAt, settledAt, status } of order.refunds) {
    lines.push({ at: createdAt, text: t('order.refundAsked') });
    if (settledAt) lines.push({ at: settledAt, text: t(status === 'FAILED' ? 'order.refundFailed' : 'order.refunded') });
  }
  const ended = { CANCELLED: 'order.cancelled', EXPIRED: 'order.expired' } as const;
  if (order.closedAt && (order.status === 'CANCELLED' || order.status === 'EXPIRED')) {
    lines.push({ at: order.closedAt, text: t(ended[order.status]) });
  }
  return lines.filter((line) => line !== undefined).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

function Timeline({ order }: { order: Order }) {
  return (
    <section>
      <h2>{t('order.timeline')}</h2>
      <ol class="timeline">
        {linesOf(order).map(({ at, text }, index) => (
          <li key={index}>
            <time class="number" dateTime={at}>
              {f.value.moment(Date.parse(at))}
            </time>
            <span>{text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Payments({ order }: { order: Order }) {
  if (order.payments.length === 0) return null;
  return (
    <section>
      <h2>{t('order.payments')}</h2>
      <ul class="lines">
        {order.payments.map((payment) => (
          <li key={payment.id}>
            <span>{t(`method.${payment.method}`)}</span>
            <span class="number">{amountOf(payment, context())}</span>
            <span class="muted">{t(`payment.${payment.status}`)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Refunds({ order }: { order: Order }) {
  if (order.refunds.length === 0) return null;
  return (
    <section>
      <h2>{t('order.refunds')}</h2>
      <ul class="lines">
        {order.refunds.map((refund) => (
          <li key={refund.id}>
            <span>{t(`cause.${refund.cause}`)}</span>
            <span class="number">{amountOf(refund, context())}</span>
            <span class="muted">{t(`refund.${refund.status}`)}</span>
            {refund.reason && (
              <span class="muted line-reason">
                <bdi>{refund.reason}</bdi>
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
