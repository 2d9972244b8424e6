// Acts on money: giving it back, taking a mark away, closing a difference, giving points. Each with a reason, most with a key.
import BillDifferenceBook from '@documents/BillDifferenceBook.graphql';
import BillDifferenceClose from '@documents/BillDifferenceClose.graphql';
import PaymentFlagClear from '@documents/PaymentFlagClear.graphql';
import PaymentRefund from '@documents/PaymentRefund.graphql';
import PointsGrant from '@documents/PointsGrant.graphql';
import type { BillDifferencesQuery } from '@kit/generated/operations';
import { done, f, send } from './app';
import { auditOf } from './audit-link';
import { t } from './i18n';
import { left, minor, typedAmount, typedCount, written } from './money';
import type { Lookup } from './timeline';
import { ActDialog, type ErrorsOf, type Reading } from './ui/act-dialog';
import { Input } from './ui/inputs';

export type Payment = Lookup['payments'][number];
export type Difference = BillDifferencesQuery['billDifferences']['nodes'][number];

type Books = Pick<Payment, 'payment' | 'received' | 'refunded' | 'refundPending'>;

/** What can still be given back: money as a decimal string, or all of the points; nothing when there is nothing. */
export function leftOf({ payment, received, refunded, refundPending }: Books) {
  if (payment.method === 'POINTS') return payment.status === 'SUCCEEDED' ? 'points' : undefined;
  return received ? left(received.amount, refunded?.amount, refundPending?.amount) : undefined;
}

const Reason = ({ error, max = 500, hint = t('reason.hint') }: { error: ErrorsOf; max?: number; hint?: string }) => (
  <Input label={t('reason.label')} name="reason" hint={hint} error={error('reason')} maxLength={max} />
);

/** The reason, or what is wrong with it. */
function reasonOf(form: FormData, errors: Record<string, string>): string {
  const reason = String(form.get('reason') ?? '').trim();
  if (!reason) errors.reason = t('reason.missing');
  return reason;
}

const reading = <I,>(input: I, errors: Record<string, string>): Reading<I> => (Object.keys(errors).length > 0 ? { errors } : { input });

export function PaymentRefundForm({ payment, onClose }: { payment: Payment; onClose: () => void }) {
  const rest = leftOf(payment);
  const money = rest !== 'points' && payment.received ? { amount: rest ?? '0', currencyCode: payment.received.currencyCode } : undefined;
  const read = (form: FormData) => {
    const errors: Record<string, string> = {};
    const reason = reasonOf(form, errors);
    if (!money) return reading({ reason, amount: null }, errors);
    const amount = typedAmount(String(form.get('amount')));
    const [wanted, most] = [minor(amount), minor(money.amount)];
    if (wanted === undefined || wanted === 0n) errors.amount = t('code.AMOUNT_INVALID');
    else if (most !== undefined && wanted > most) errors.amount = t('refund.tooMuch', { most: f.value.money(money) });
    return reading({ reason, amount: wanted === undefined ? null : { amount: written(wanted), currencyCode: money.currencyCode } }, errors);
  };
  return (
    <ActDialog
      title={t('refund.title')}
      does={t('refund.does')}
      shoppers={t('refund.shoppers')}
      facts={[
        [t('payment.number'), payment.number],
        [t('refund.left'), money ? f.value.money(money) : t('points.amount', { points: f.value.number(payment.payment.points ?? 0) })],
      ]}
      button={t('refund.button')}
      danger
      rules={{ fields: ['amount', 'reason'] }}
      repeatable
      read={read}
      send={async (input, idempotencyKey) =>
        (await send(PaymentRefund, { input: { ...input, paymentId: payment.payment.id, idempotencyKey } })).paymentRefund.userErrors
      }
      onDone={() => {
        done.value = { text: t('refund.done', { number: payment.number }), href: auditOf(payment.payment.id) };
        onClose();
      }}
      onClose={onClose}
    >
      {(error) => (
        <>
          {money && (
            <Input
              label={t('refund.amount')}
              name="amount"
              mode="decimal"
              suffix={money.currencyCode}
              value={money.amount}
              error={error('amount')}
              first
            />
          )}
          <Reason error={error} />
        </>
      )}
    </ActDialog>
  );
}

export function FlagClear({ payment, onClose }: { payment: Pick<Payment, 'flag' | 'number' | 'payment'>; onClose: () => void }) {
  const { flag } = payment;
  if (!flag) return null;
  const read = (form: FormData) => {
    const errors: Record<string, string> = {};
    return reading({ reason: reasonOf(form, errors) }, errors);
  };
  return (
    <ActDialog
      title={t('flag.clear.title')}
      does={t('flag.clear.does')}
      shoppers={t('act.shoppersNothing')}
      facts={[
        [t('payment.number'), payment.number],
        [t('flag.mark'), t(`flag.${flag}`)],
      ]}
      button={t('flag.clear.button')}
      rules={{ fields: ['reason'], already: ['FLAG_NOT_SET'] }}
      repeatable
      read={read}
      send={async ({ reason }) =>
        (await send(PaymentFlagClear, { input: { paymentId: payment.payment.id, flag, reason } })).paymentFlagClear.userErrors
      }
      onDone={() => {
        done.value = { text: t('flag.clear.done', { number: payment.number }), href: auditOf(payment.payment.id) };
        onClose();
      }}
      onClose={onClose}
    >
      {(error) => <Reason error={error} />}
    </ActDialog>
  );
}

export function DifferenceClose({ difference, onClose }: { difference: Difference; onClose: () => void }) {
  const read = (form: FormData) => {
    const errors: Record<string, string> = {};
    return reading({ reason: reasonOf(form, errors) }, errors);
  };
  return (
    <ActDialog
      title={t('bill.close.title')}
      does={t('bill.close.does')}
      shoppers={t('act.shoppersNothing')}
      facts={[
        [t('bill.number'), difference.number],
        [t('bill.ours'), difference.ours],
        [t('bill.theirs'), difference.theirs],
      ]}
      button={t('bill.close.button')}
      rules={{ fields: ['reason'] }}
      repeatable
      read={read}
      send={async ({ reason }) =>
        (await send(BillDifferenceClose, { input: { differenceId: difference.id, reason } })).billDifferenceClose.userErrors
      }
      onDone={() => {
        done.value = { text: t('bill.close.done', { number: difference.number }), href: auditOf(difference.id) };
        onClose();
      }}
      onClose={onClose}
    >
      {(error) => <Reason error={error} />}
    </ActDialog>
  );
}

/** A refund that was made at the gateway's own site becomes one of the shop's. */
export function DifferenceBook({ difference, onClose }: { difference: Difference; onClose: () => void }) {
  const read = (form: FormData) => {
    const errors: Record<string, string> = {};
    return reading({ reason: reasonOf(form, errors) }, errors);
  };
  return (
    <ActDialog
      title={t('bill.book.title')}
      does={t('bill.book.does')}
      shoppers={t('refund.shoppers')}
      facts={[
        [t('bill.number'), difference.number],
        [t('payment.number'), difference.refundOfPayment ?? '–'],
        [t('bill.theirs'), difference.theirs],
      ]}
      button={t('bill.book.button')}
      rules={{ fields: ['reason'] }}
      repeatable
      read={read}
      send={async ({ reason }) =>
        (await send(BillDifferenceBook, { input: { differenceId: difference.id, reason } })).billDifferenceBook.userErrors
      }
      onDone={() => {
        done.value = { text: t('bill.book.done', { number: difference.number }), href: auditOf(difference.id) };
        onClose();
      }}
      onClose={onClose}
    >
      {(error) => <Reason error={error} hint={t('points.reasonHint')} />}
    </ActDialog>
  );
}

export function PointsForm({ username, onClose }: { username?: string; onClose: () => void }) {
  const read = (form: FormData) => {
    const errors: Record<string, string> = {};
    const reason = reasonOf(form, errors);
    const points = typedCount(String(form.get('points')));
    if (points === undefined || points < 1 || points > 2 ** 31 - 1) errors.points = t('code.POINTS_INVALID');
    const name = String(form.get('username')).trim();
    if (!name) errors.username = t('form.required');
    return reading({ username: name, points: points ?? 0, reason }, errors);
  };
  return (
    <ActDialog
      title={t('points.title')}
      does={t('points.does')}
      shoppers={t('points.shoppers')}
      button={t('points.button')}
      rules={{ fields: ['username', 'points', 'reason'] }}
      repeatable
      read={read}
      send={async (input, idempotencyKey) => {
        const { pointsEntry, pointsAccount, userErrors } = (await send(PointsGrant, { input: { ...input, idempotencyKey } })).pointsGrant;
        if (pointsEntry && pointsAccount) {
          const [points, balance] = [f.value.number(pointsEntry.points), f.value.number(pointsAccount.balance)];
          done.value = { text: t('points.done', { points, name: input.username, balance }), href: auditOf(pointsEntry.id) };
        }
        return userErrors;
      }}
      onDone={onClose}
      onClose={onClose}
    >
      {(error) => (
        <>
          <Input label={t('signIn.username')} name="username" value={username ?? ''} error={error('username')} first={!username} />
          <Input label={t('points.points')} name="points" mode="numeric" error={error('points')} first={Boolean(username)} />
          <Reason error={error} max={200} hint={t('points.reasonHint')} />
        </>
      )}
    </ActDialog>
  );
}
