// What a buyer can do with an order: the controls of the panel once there is one.
import { useSignal } from '@preact/signals';
import type { Params } from '@kit/i18n';
import { Button, Icon } from '@kit/ui';
import { Dialog, Field } from '@kit/ui/form';
import { f, viewer } from './app';
import { t } from './i18n';
import { cancel, goOn, pay, refund } from './machine/acts';
import { pendingAlipay, type State } from './machine/derive';
import type { OrderModel } from './machine/order';
import type { Trouble } from './machine/trouble';

export function troubleText({ key, requestId = '', seconds = 0 }: Trouble, params: Params): string {
  return t(key, { ...params, requestId, s: seconds, name: viewer.value?.user.displayName ?? '' });
}

export function TroubleLine({ model }: { model: OrderModel }) {
  const trouble = model.trouble.value;
  const order = model.order.value;
  if (!trouble) return null;
  const params = {
    balance: f.value.number(viewer.value?.points.balance ?? 0),
    cost: f.value.number(order?.pointsTotal ?? 0),
  };
  return (
    <p class="error" role="alert">
      <Icon name="bad" /> {troubleText(trouble, params)}
    </p>
  );
}

/** Whether the state has buttons of the order in the bar. */
export const hasOrderBar = (state: State) =>
  state === 'won' || state === 'payClosed' || state === 'payRedirect' || state === 'payingPoints' || state.startsWith('payPending');

export function OrderBar({ model, state, returnUrl }: { model: OrderModel; state: State; returnUrl: string }) {
  const { can, busy, paying } = model;
  const order = model.order.value;
  if (!order) return null;
  const working = busy.value !== undefined;
  if (state === 'won' || state === 'payClosed') {
    const balance = viewer.value?.points.balance ?? 0;
    const cost = order.pointsTotal ?? 0;
    const tooFew = balance < cost;
    const { alipay, points } = can.value;
    return (
      <>
        {alipay && (
          <Button kind="primary" wide busy={busy.value === 'pay' && !paying.value} onPress={() => void pay(model, 'ALIPAY', returnUrl)}>
            {t('pay.alipay')}
          </Button>
        )}
        {points && (
          <Button
            kind={alipay ? 'secondary' : 'primary'}
            wide
            off={tooFew || working}
            describedBy={tooFew ? 'too-few' : undefined}
            onPress={() => !tooFew && void pay(model, 'POINTS', returnUrl)}
          >
            {t('pay.points', { points: f.value.number(cost) })}
          </Button>
        )}
      </>
    );
  }
  if (state === 'payRedirect' && paying.value?.method === 'ALIPAY') {
    return (
      <Button kind="primary" wide href={paying.value.url}>
        {t('pay.redirect')}
      </Button>
    );
  }
  if (state === 'payPending' || state === 'payPendingLong') {
    const url = pendingAlipay(order)?.redirectUrl;
    return (
      <>
        {url && (
          <Button kind="primary" wide onPress={() => goOn(model, url)}>
            {t('pay.continue')}
          </Button>
        )}
        <Button wide onPress={() => (model.otherwise.value = true)}>
          {t('pay.otherwise')}
        </Button>
      </>
    );
  }
  if (state === 'payingPoints') {
    return (
      <Button kind="primary" wide busy>
        {t('pay.points', { points: f.value.number(order.pointsTotal ?? 0) })}
      </Button>
    );
  }
  return null;
}

/** What else can be done with an order: cancel it, or ask for the money back. */
export function OrderMore({ model, state, amount }: { model: OrderModel; state: State; amount: string }) {
  const open = useSignal<'cancel' | 'refund' | undefined>(undefined);
  const { can, busy } = model;
  const close = () => (open.value = undefined);
  const payable = state === 'won' || state === 'payClosed' || state.startsWith('payPending');
  const order = model.order.value;
  const tooFew = can.value.points && (viewer.value?.points.balance ?? 0) < (order?.pointsTotal ?? 0);
  return (
    <>
      {(state === 'won' || state === 'payClosed') && tooFew && (
        <p class="hint" id="too-few">
          {t('pay.tooFew', {
            balance: f.value.number(viewer.value?.points.balance ?? 0),
            cost: f.value.number(order?.pointsTotal ?? 0),
          })}
        </p>
      )}
      <TroubleLine model={model} />
      <div class="panel-more">
        {payable && can.value.cancel && (
          <Button kind="quiet" onPress={() => (open.value = 'cancel')}>
            {t('pay.cancel')}
          </Button>
        )}
        {can.value.refund && (state === 'paid' || state === 'refundFailed') && (
          <Button kind="quiet" onPress={() => (open.value = 'refund')}>
            {t('pay.refund')}
          </Button>
        )}
      </div>
      {open.value === 'cancel' && (
        <Dialog title={t('pay.cancelAsk')} closeLabel={t('form.close')} onClose={close}>
          <p>{t('pay.cancelBody')}</p>
          <div class="dialog-bar">
            <Button onPress={close}>{t('pay.keep')}</Button>
            <Button
              kind="primary"
              busy={busy.value === 'cancel'}
              onPress={() => void cancel(model).then(close)}
            >
              {t('pay.cancel')}
            </Button>
          </div>
        </Dialog>
      )}
      {open.value === 'refund' && (
        <Dialog title={t('pay.refundAsk')} closeLabel={t('form.close')} onClose={close}>
          <form
            class="form"
            method="dialog"
            onSubmit={(event) => {
              event.preventDefault();
              const reason = String(new FormData(event.currentTarget).get('reason') ?? '');
              void refund(model, reason).then((done) => done && close());
            }}
          >
            <p>{t('pay.refundBody', { amount })}</p>
            <Field
              label={t('pay.refundReason')}
              hint={t('pay.refundHint')}
              name="reason"
              maxLength={500}
              multiline
              error={model.trouble.value ? troubleText(model.trouble.value, {}) : undefined}
            />
            <div class="dialog-bar">
              <Button onPress={close}>{t('form.cancel')}</Button>
              <Button kind="primary" type="submit" busy={busy.value === 'refund'}>
                {t('pay.refundSend', { amount })}
              </Button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
