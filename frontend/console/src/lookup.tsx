// Finding an order by anything that a buyer can read out.
import { useSignal } from '@preact/signals';
import PaymentLookup from '@documents/PaymentLookup.graphql';
import RefundLookup from '@documents/RefundLookup.graphql';
import { Fault } from '@kit/api';
import { Button } from '@kit/ui';
import type { TargetedSubmitEvent } from 'preact';
import { orderAddress } from './addresses';
import { send } from './app';
import { t } from './i18n';
import { go } from './router';
import { saying } from './trouble';
import { Input } from './ui/inputs';

/** The id of the order that these words are about: its own, or that of a payment or a refund of it. */
export async function find(words: string): Promise<string | undefined> {
  // An id of another kind, such as a refund's, is no payment: that is no fault of who looks.
  const quietly = async <T,>(ask: Promise<T>): Promise<T | undefined> =>
    ask.catch((error: unknown) => {
      if (error instanceof Fault && error.code === 'BAD_USER_INPUT') return undefined;
      throw error;
    });
  const payment = (await quietly(send(PaymentLookup, { id: words })))?.paymentLookup;
  if (payment) return payment.order.id;
  return (await quietly(send(RefundLookup, { id: words })))?.refundLookup?.orderId;
}

export function Lookup() {
  const busy = useSignal(false);
  const error = useSignal<string | undefined>(undefined);
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const words = String(new FormData(event.currentTarget).get('words')).trim();
    if (busy.value) return;
    if (!words) return void (error.value = t('form.required'));
    busy.value = true;
    error.value = undefined;
    try {
      const id = await find(words);
      if (id) go(orderAddress(id));
      else error.value = t('lookup.nothing');
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      error.value = saying(fault, false);
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class="lookup" role="search" method="dialog" noValidate onSubmit={submit}>
      <Input label={t('lookup.label')} name="words" type="search" hint={t('lookup.hint')} error={error.value} />
      <Button type="submit" kind="primary" busy={busy.value}>
        {t('lookup.button')}
      </Button>
    </form>
  );
}
