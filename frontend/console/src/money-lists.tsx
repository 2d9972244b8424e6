// All payments and all refunds, newest first, narrowed by filters in the address.
import Payments from '@documents/Payments.graphql';
import Refunds from '@documents/Refunds.graphql';
import type { PaymentMethod, PaymentRefundCause, PaymentStatus, PaymentsQuery, RefundsQuery, RefundStatus } from '@kit/generated/operations';
import { Chip, Empty } from '@kit/ui';
import { orderAddress } from './addresses';
import { f, zone } from './app';
import { t, type Key } from './i18n';
import { More, Show, useList } from './page';
import { amountOf, PAYMENT_TONES, REFUND_TONES } from './pages/order';
import { place } from './router';
import { Filters, type Filter } from './ui/filters';
import { Table, type Column } from './ui/table';
import { daysOf } from './zone';

/** What the lists are narrowed by: another list begins with none of it. */
export const LIST_FILTERS = ['status', 'method', 'flag', 'cause', 'buyer', 'from', 'until'] as const;

type Payment = PaymentsQuery['payments']['nodes'][number];
type Refund = RefundsQuery['refunds']['nodes'][number];

const PAYMENT_STATUSES: readonly PaymentStatus[] = ['PENDING', 'SUCCEEDED', 'CLOSED', 'FAILED', 'SURPLUS'];
const METHODS: readonly PaymentMethod[] = ['ALIPAY', 'POINTS'];
const FLAGS = ['yes', 'no'] as const;
const REFUND_STATUSES: readonly RefundStatus[] = ['PENDING', 'SUCCEEDED', 'FAILED'];
const CAUSES: readonly PaymentRefundCause[] = ['BUYER', 'OPERATOR', 'LATE_PAYMENT', 'SURPLUS', 'EXTERNAL'];

const chosen = <V extends string>(name: string, values: readonly V[]): V | undefined => {
  const asked = place.value.query.get(name);
  return values.find((one) => one === asked);
};

const options = <V extends string>(values: readonly V[], text: (value: V) => Key): Filter['options'] => [
  ['', t('filter.any')],
  ...values.map((one) => [one, t(text(one))] as const),
];

/** Days are the shop's; the last one is included. */
function useDays() {
  const { query } = place.value;
  return daysOf(query.get('from'), query.get('until'), zone.value);
}

const dayFilters = (): Filter[] => [
  { name: 'from', label: t('filter.from'), type: 'date' },
  { name: 'until', label: t('filter.until'), type: 'date' },
];

const moment = (at: string | null) => (at ? <span class="number">{f.value.moment(Date.parse(at))}</span> : <>–</>);

const numberColumn = <R extends { number: string; orderId: string }>(title: string): Column<R> => ({
  id: 'number',
  title,
  head: true,
  cell: ({ number, orderId }) => (
    <a class="sale-link" href={orderAddress(orderId)}>
      <bdi class="number">{number}</bdi>
    </a>
  ),
});

const paymentColumns = (): Column<Payment>[] => [
  numberColumn(t('payment.number')),
  {
    id: 'state',
    title: t('sale.state'),
    cell: ({ flag, payment: { status } }) => (
      <span>
        <Chip tone={PAYMENT_TONES[status]}>{t(`payment.status.${status}`)}</Chip> {flag && <Chip tone="bad">{t(`flag.${flag}`)}</Chip>}
      </span>
    ),
  },
  { id: 'method', title: t('payment.method'), cell: ({ payment: { method } }) => t(`method.${method}`) },
  { id: 'buyer', title: t('order.buyer'), cell: ({ buyer }) => <bdi>{buyer?.username ?? '–'}</bdi> },
  { id: 'amount', title: t('payment.amount'), numeric: true, cell: ({ payment }) => amountOf(payment) },
  { id: 'received', title: t('payment.received'), numeric: true, cell: ({ received }) => (received ? f.value.money(received) : '–') },
  { id: 'refunded', title: t('payment.refunded'), numeric: true, cell: ({ refunded }) => (refunded ? f.value.money(refunded) : '–') },
  { id: 'at', title: t('payment.created'), cell: ({ payment }) => moment(payment.createdAt) },
];

export function PaymentList() {
  const { from, until } = useDays();
  const status = chosen('status', PAYMENT_STATUSES);
  const method = chosen('method', METHODS);
  const flag = chosen('flag', FLAGS);
  const variables = {
    statuses: status ? [status] : null,
    methods: method ? [method] : null,
    flagged: flag ? flag === 'yes' : null,
    buyer: place.value.query.get('buyer'),
    from,
    until,
  };
  const list = useList(Payments, variables, (data) => data.payments);
  return (
    <>
      <Filters
        label={t('order.payments')}
        filters={[
          { name: 'status', label: t('sale.state'), options: options(PAYMENT_STATUSES, (one) => `payment.status.${one}`) },
          { name: 'method', label: t('payment.method'), options: options(METHODS, (one) => `method.${one}`) },
          { name: 'flag', label: t('flag.mark'), options: options(FLAGS, (one) => `payments.flag.${one}`) },
          { name: 'buyer', label: t('payments.buyer') },
          ...dayFilters(),
        ]}
      />
      <Show answer={list}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={t('payments.none')} />
          ) : (
            <Table caption={t('order.payments')} columns={paymentColumns()} rows={rows} id={({ payment: { id } }) => id} />
          )
        }
      </Show>
      <More list={list} />
    </>
  );
}

const refundColumns = (): Column<Refund>[] => [
  numberColumn(t('refund.number')),
  {
    id: 'state',
    title: t('sale.state'),
    cell: ({ refund: { status } }) => <Chip tone={REFUND_TONES[status]}>{t(`refund.status.${status}`)}</Chip>,
  },
  { id: 'cause', title: t('refund.cause'), cell: ({ cause }) => t(`cause.${cause}`) },
  { id: 'amount', title: t('payment.amount'), numeric: true, cell: ({ refund }) => amountOf(refund) },
  { id: 'reason', title: t('refund.reason'), cell: ({ refund: { reason } }) => <bdi>{reason ?? '–'}</bdi> },
  { id: 'attempts', title: t('refund.attempts'), numeric: true, cell: ({ attempts }) => f.value.number(attempts) },
  { id: 'code', title: t('refund.lastCode'), cell: ({ lastCode }) => <bdi>{lastCode ?? '–'}</bdi> },
  { id: 'at', title: t('refund.requested'), cell: ({ refund }) => moment(refund.createdAt) },
];

export function RefundList() {
  const { from, until } = useDays();
  const status = chosen('status', REFUND_STATUSES);
  const cause = chosen('cause', CAUSES);
  const variables = { statuses: status ? [status] : null, causes: cause ? [cause] : null, from, until };
  const list = useList(Refunds, variables, (data) => data.refunds);
  return (
    <>
      <Filters
        label={t('order.refunds')}
        filters={[
          { name: 'status', label: t('sale.state'), options: options(REFUND_STATUSES, (one) => `refund.status.${one}`) },
          { name: 'cause', label: t('refund.cause'), options: options(CAUSES, (one) => `cause.${one}`) },
          ...dayFilters(),
        ]}
      />
      <Show answer={list}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={t('refunds.none')} />
          ) : (
            <Table caption={t('order.refunds')} columns={refundColumns()} rows={rows} id={({ refund: { id } }) => id} />
          )
        }
      </Show>
      <More list={list} />
    </>
  );
}
