// One order with its money: payments, refunds, and everything that happened, in one list by time.
import { useSignal } from '@preact/signals';
import PaymentLookup from '@documents/PaymentLookup.graphql';
import { Button, Chip, Empty, Icon, type Tone } from '@kit/ui';
import type { ComponentChildren } from 'preact';
import { saleAddress, to, type Route } from '../addresses';
import { f, send } from '../app';
import { History } from '../history';
import { maybe, t } from '../i18n';
import { FlagClear, leftOf, PaymentRefundForm, type Payment } from '../money-acts';
import { Heading, Show, useAnswer } from '../page';
import { For, may } from '../rights';
import { timeline, type Lookup, type Moment } from '../timeline';
import { Table, type Column } from '../ui/table';

export default function OrderPage({ route }: { route: Route }) {
  const id = 'id' in route ? route.id : '';
  const answer = useAnswer(async () => (await send(PaymentLookup, { id })).paymentLookup, id);
  return <Show answer={answer}>{(found) => (found ? <Shown found={found} /> : <Missing />)}</Show>;
}

function Missing() {
  return (
    <>
      <Heading title={t('order.missing')} />
      <Empty title={t('lookup.nothing')}>
        <Button href={to('orders')}>{t('nav.orders')}</Button>
      </Empty>
    </>
  );
}

const TONES: Record<Lookup['order']['status'], Tone> = {
  AWAITING_PAYMENT: 'warn',
  PAID: 'ok',
  REFUNDING: 'info',
  REFUNDED: 'plain',
  CANCELLED: 'plain',
  EXPIRED: 'plain',
};

export const OrderChip = ({ status }: { status: Lookup['order']['status'] }) => (
  <Chip tone={TONES[status]}>{t(`order.status.${status}`)}</Chip>
);

const moment = (at: string | null) => (at ? f.value.moment(Date.parse(at)) : '–');

function Shown({ found }: { found: Lookup }) {
  const { order } = found;
  const facts: [string, ComponentChildren][] = [
    [t('order.buyer'), <a href={to('users', { q: order.buyer?.username })}>{order.buyer?.username ?? '–'}</a>],
    [t('order.product'), `${order.productName} × ${f.value.number(order.quantity)}`],
    [t('order.total'), f.value.money(order.total)],
    [t('order.points'), order.pointsTotal === null ? '–' : f.value.number(order.pointsTotal)],
    [t('order.created'), moment(order.createdAt)],
    [t('order.payBefore'), moment(order.payBefore)],
    [t('order.paid'), moment(order.paidAt)],
    [t('order.closed'), moment(order.closedAt)],
    [t('sale.id'), order.id],
  ];
  return (
    <>
      <a class="back" href={to('orders')}>
        <Icon name="back" /> {t('nav.orders')}
      </a>
      <Heading title={t('order.title', { number: order.number })} hint={t('orders.audited')}>
        <For right="seeShop">
          <Button href={saleAddress(order.sale.id)}>{t('sale.sale')}</Button>
        </For>
      </Heading>
      <p>
        <OrderChip status={order.status} />
      </p>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <bdi class="number">{value}</bdi>
            </dd>
          </div>
        ))}
      </dl>
      <section>
        <h2>{t('order.payments')}</h2>
        <Payments payments={found.payments} />
      </section>
      <section>
        <h2>{t('order.refunds')}</h2>
        <Refunds refunds={found.refunds} />
      </section>
      <section>
        <h2>{t('order.timeline')}</h2>
        <ol class="timeline">
          {timeline(found).map((one, index) => (
            <Entry key={index} moment={one} />
          ))}
        </ol>
      </section>
      <For right="seeShop">
        <History subject={order.id} />
      </For>
    </>
  );
}

export const PAYMENT_TONES: Record<Payment['payment']['status'], Tone> = {
  PENDING: 'warn',
  SUCCEEDED: 'ok',
  CLOSED: 'plain',
  FAILED: 'bad',
  SURPLUS: 'info',
};

interface Amount {
  amount: { amount: string; currencyCode: string } | null;
  points: number | null;
}

export const amountOf = ({ amount, points }: Amount): string => {
  if (amount) return f.value.money(amount);
  return points === null ? '–' : t('points.amount', { points: f.value.number(points) });
};

function Payments({ payments }: { payments: Lookup['payments'] }) {
  const refunding = useSignal<Payment | undefined>(undefined);
  const clearing = useSignal<Payment | undefined>(undefined);
  const money = (value: Payment['received']) => (value ? f.value.money(value) : '–');
  const columns: Column<Payment>[] = [
    { id: 'number', title: t('payment.number'), head: true, cell: (one) => <bdi class="number">{one.number}</bdi> },
    { id: 'method', title: t('payment.method'), cell: (one) => t(`method.${one.payment.method}`) },
    {
      id: 'state',
      title: t('sale.state'),
      cell: (one) => (
        <>
          <Chip tone={PAYMENT_TONES[one.payment.status]}>{t(`payment.status.${one.payment.status}`)}</Chip>{' '}
          {one.flag && <Chip tone="bad">{t(`flag.${one.flag}`)}</Chip>}
        </>
      ),
    },
    { id: 'amount', title: t('payment.amount'), numeric: true, cell: (one) => amountOf(one.payment) },
    { id: 'received', title: t('payment.received'), numeric: true, cell: (one) => money(one.received) },
    { id: 'refunded', title: t('payment.refunded'), numeric: true, cell: (one) => money(one.refunded) },
    { id: 'trade', title: t('payment.trade'), cell: (one) => <bdi class="number">{one.gatewayTradeNumber ?? '–'}</bdi> },
    {
      id: 'acts',
      title: t('act.acts'),
      cell: (one) => (
        <span class="acts">
          {leftOf(one) !== undefined && may('refund') && (
            <Button label={`${t('refund.short')}: ${one.number}`} onPress={() => (refunding.value = one)}>
              {t('refund.short')}
            </Button>
          )}
          {one.flag && may('keepBooks') && (
            <Button label={`${t('flag.clear.short')}: ${one.number}`} onPress={() => (clearing.value = one)}>
              {t('flag.clear.short')}
            </Button>
          )}
        </span>
      ),
    },
  ];
  if (payments.length === 0) return <p class="muted">{t('order.noPayments')}</p>;
  return (
    <>
      <Table caption={t('order.payments')} columns={columns} rows={payments} id={({ number }) => number} />
      {refunding.value && <PaymentRefundForm payment={refunding.value} onClose={() => (refunding.value = undefined)} />}
      {clearing.value && <FlagClear payment={clearing.value} onClose={() => (clearing.value = undefined)} />}
    </>
  );
}

type Refund = Lookup['refunds'][number];

export const REFUND_TONES: Record<Refund['refund']['status'], Tone> = { PENDING: 'warn', SUCCEEDED: 'ok', FAILED: 'bad' };

function Refunds({ refunds }: { refunds: Lookup['refunds'] }) {
  const columns: Column<Refund>[] = [
    { id: 'number', title: t('refund.number'), head: true, cell: (one) => <bdi class="number">{one.number}</bdi> },
    {
      id: 'state',
      title: t('sale.state'),
      cell: ({ refund: { status } }) => <Chip tone={REFUND_TONES[status]}>{t(`refund.status.${status}`)}</Chip>,
    },
    { id: 'amount', title: t('payment.amount'), numeric: true, cell: ({ refund }) => amountOf(refund) },
    { id: 'cause', title: t('refund.cause'), cell: ({ cause }) => t(`cause.${cause}`) },
    { id: 'reason', title: t('refund.reason'), cell: ({ refund: { reason } }) => <bdi>{reason ?? '–'}</bdi> },
    { id: 'attempts', title: t('refund.attempts'), numeric: true, cell: ({ attempts }) => f.value.number(attempts) },
    { id: 'next', title: t('refund.next'), cell: ({ nextTryAt }) => moment(nextTryAt) },
  ];
  if (refunds.length === 0) return <p class="muted">{t('order.noRefunds')}</p>;
  return <Table caption={t('order.refunds')} columns={columns} rows={refunds} id={({ number }) => number} />;
}

function Entry({ moment: { at, kind, number, event, from, to: after, actor, detail } }: { moment: Moment }) {
  const states = [from, after].filter(Boolean).join(' → ');
  return (
    <li>
      <span class="timeline-at number">{f.value.moment(at)}</span>
      <span>
        <Chip>{t(`timeline.${kind}`)}</Chip> <b>{maybe(`event.${event}`) ?? event}</b>
        {states && <span class="muted"> {states}</span>}
        {actor && <span class="muted"> · {actor}</span>}
        {kind !== 'order' && (
          <span class="hint block">
            <bdi class="number">{number}</bdi>
          </span>
        )}
        {detail && <span class="hint block">{detail}</span>}
      </span>
    </li>
  );
}
