// The purchase panel with all it takes to buy: loaded beside the first question about the sale.
import { signal, useComputed, useSignal } from '@preact/signals';
import { announce } from '@kit/ui/announce';
import { Button, Meter } from '@kit/ui';
import { useEffect, useRef } from 'preact/hooks';
import { asking, clock, f, insist, shop, store, viewer } from './app';
import { ClockLine } from './clock-line';
import { i18n, need, t } from './i18n';
import { windowOf, type State, type View } from './machine/derive';
import type { SaleModel } from './machine/sale';
import { describe, paidWith, paramsOf, type Context } from './machine/texts';
import { Outcome } from './outcome';
import { Panel } from './panel';

export { createSaleModel, type SaleModel } from './machine/sale';

/** What is needed once there is an order. */
const controls = signal<typeof import('./order-controls') | undefined>(undefined);

async function loadControls(): Promise<void> {
  const [module] = await insist(() => Promise.all([import('./order-controls'), need('order')]));
  controls.value = module;
}

const context = (): Context => ({
  t,
  f: f.value,
  durable: store.durable(),
  presser: viewer.value?.user.displayName,
});

/** States with large figures: something happens at that moment. */
const COUNTS = new Set<State>(['upcoming', 'opening', 'won', 'payClosed', 'payPending', 'payRedirect']);
const LOADING: View = { state: 'loading', buyable: false };
const WITH_CLOCK = new Set<State>(['upcoming', 'opening', 'open', 'openSignedOut']);

export function PurchasePanel({ model }: { model: SaleModel }) {
  const facts = model.facts.value;
  const more = controls.value;
  // Nothing of an order is said before it can be paid here.
  const view = facts.order && !more ? LOADING : model.view.value;
  const sale = model.sale.value;
  const { state } = view;
  const text = describe(view, facts, context());
  const params = paramsOf(view, facts, context());
  useEffect(() => {
    if (!controls.peek()) void loadControls();
  }, []);
  useSaid(model);
  useSaleTitle(state, text.title, params);
  if (!sale) return null;
  const window = windowOf(sale, facts.stock);
  const note = model.note.value;
  const order = facts.order;
  const amount = order ? paidWith(order, context()) : '';
  return (
    <Panel
      state={state}
      title={text.title}
      body={text.body}
      timer={COUNTS.has(state) && params.timer ? { text: String(params.timer), label: text.title } : undefined}
      bar={
        <>
          <span class="bar-price number" aria-hidden="true">
            {f.value.money(sale.price)}
          </span>
          <Bar model={model} state={state} />
        </>
      }
      more={
        <>
          <p class="note" role="status">
            {note === 'tooEarly' &&
              `${t('state.tooEarly.title')} ${t('state.tooEarly.body', { timer: f.value.countdown(window.startsAt - facts.now) })}`}
            {note === 'otherUser' && t('state.otherUser.title', { name: viewer.value?.user.displayName ?? '' })}
            {note === 'dropped' &&
              `${t('state.dropped.title')} ${t('state.dropped.body', { name: viewer.value?.user.displayName ?? '' })}`}
          </p>
          {(state === 'open' || state === 'quantity') && sale.limitPerBuyer > 1 && <Quantity model={model} />}
          <SecondRow model={model} state={state} />
          {order && more && <more.OrderMore model={model.order} state={state} amount={amount} />}
          {order && more && (state === 'won' || state === 'payClosed') && <Facts model={model} />}
        </>
      }
      notes={
        <>
          {(state === 'open' || state === 'openSignedOut') && <Meter value={window.free} of={sale.stockTotal} />}
          {WITH_CLOCK.has(state) && <ClockLine />}
        </>
      }
    />
  );
}

/** What is off, and why it says so on the button. */
const OFF: Partial<Record<State, 'upcoming' | 'opening' | 'soldOut' | 'paused' | 'ended' | 'sending' | 'queued' | 'loading'>> = {
  loading: 'loading',
  upcoming: 'upcoming',
  opening: 'opening',
  soldOut: 'soldOut',
  soldOutAll: 'soldOut',
  paused: 'paused',
  ended: 'ended',
  sending: 'sending',
  sendingAgain: 'sending',
  waitingRate: 'sending',
  waitingBusy: 'sending',
  unknownOffline: 'sending',
  queued: 'queued',
  queuedLong: 'queued',
};

const AGAIN = new Set<State>(['cancelled', 'expired', 'refunded', 'lostSoldOut', 'lostVoided']);

function Bar({ model, state }: { model: SaleModel; state: State }) {
  const { view, facts, order } = model;
  const sale = model.sale.value;
  if (!sale) return null;
  const held = order.order.value;
  const returnUrl = held ? `/orders/${encodeURIComponent(held.id)}?from=cashier` : '/';
  const more = controls.value;
  if (held && more?.hasOrderBar(state)) return <more.OrderBar model={order} state={state} returnUrl={returnUrl} />;
  const price = f.value.money(sale.price);
  const params = paramsOf(view.value, facts.value, context());
  const off = OFF[state];
  if (off) {
    return (
      <Button kind="primary" wide off={off !== 'opening'} busy={state === 'sending'} onPress={model.buy}>
        {t(`buy.off.${off}`, params)}
      </Button>
    );
  }
  const primary = (text: string, onPress: () => void) => (
    <Button kind="primary" wide onPress={onPress}>
      {text}
    </Button>
  );
  const link = (text: string, href: string) => (
    <Button kind="primary" wide href={href}>
      {text}
    </Button>
  );
  switch (state) {
    case 'open':
    case 'quantity':
      return primary(t('buy.for', { price }), model.buy);
    case 'openSignedOut':
      return primary(t('buy.signIn'), () => (asking.value = { reason: 'buy' }));
    case 'signedOut':
    case 'sessionOver':
      return primary(t('buy.signInAgain'), () => (asking.value = { reason: 'again' }));
    case 'unknown':
      return primary(t('buy.askNow'), model.askNow);
    case 'stopped':
    case 'alreadyBought':
      return primary(t(state === 'stopped' ? 'buy.lookNow' : 'buy.showOrder'), model.look);
    case 'fault':
    case 'elsewise':
      return primary(t('buy.tryAgain'), model.buy);
    case 'paid':
    case 'refunding':
    case 'refundFailed':
      return link(t('buy.order'), `/orders/${encodeURIComponent(held?.id ?? '')}`);
    case 'lostEnded':
      return link(t('buy.otherSales'), '/');
    default:
  }
  if (AGAIN.has(state)) {
    const can = view.value.buyable;
    return (
      <Button kind="primary" wide off={!can} onPress={model.buy}>
        {can ? t('buy.again', { price }) : t(`buy.off.${facts.value.now >= windowOf(sale, facts.value.stock).endsAt ? 'ended' : 'soldOut'}`)}
      </Button>
    );
  }
  return null;
}

function SecondRow({ model, state }: { model: SaleModel; state: State }) {
  const copied = useSignal(false);
  const sale = model.sale.value;
  const ticket = model.facts.value.ticket;
  if (!sale) return null;
  switch (state) {
    case 'upcoming': {
      return (
        <div class="panel-more">
          <Button kind="quiet" onPress={() => void import('./calendar').then(({ save }) => save(sale, shop.peek()?.name ?? ''))}>
            {t('buy.calendar')}
          </Button>
          {viewer.value === null && (
            <Button kind="quiet" onPress={() => (asking.value = { reason: 'buy' })}>
              {t('buy.signInNow')}
            </Button>
          )}
        </div>
      );
    }
    case 'ended':
      return <Outcome id={sale.id} />;
    case 'sendingAgain':
    case 'waitingRate':
    case 'waitingBusy':
      return (
        <div class="panel-more">
          <Button kind="quiet" onPress={model.stop}>
            {t('buy.dontSend')}
          </Button>
        </div>
      );
    case 'unknown':
    case 'unknownOffline':
      return (
        <div class="panel-more">
          <Button kind="quiet" onPress={model.stop}>
            {t('buy.stopAsking')}
          </Button>
        </div>
      );
    case 'queued':
    case 'queuedLong':
      return (
        <div class="panel-more">
          <Button
            kind="quiet"
            onPress={() => void navigator.clipboard?.writeText(ticket?.id ?? '').then(() => (copied.value = true))}
          >
            {t(copied.value ? 'buy.copied' : 'buy.copyTicket')}
          </Button>
        </div>
      );
    case 'ended':
    case 'soldOutAll':
      return (
        <div class="panel-more">
          <Button kind="quiet" href="/">
            {t('buy.otherSales')}
          </Button>
        </div>
      );
    default:
      return null;
  }
}

function Quantity({ model }: { model: SaleModel }) {
  const limit = model.sale.value?.limitPerBuyer ?? 1;
  const wrong = model.view.value.state === 'quantity';
  const field = useRef<HTMLSelectElement>(null);
  useEffect(() => {
    if (wrong) field.current?.focus();
  }, [wrong]);
  return (
    <div class="quantity">
      <label for="quantity">{t('buy.quantity')}</label>
      <select
        id="quantity"
        ref={field}
        class="select"
        aria-invalid={wrong ? 'true' : undefined}
        value={String(model.quantity.value)}
        onChange={(event) => (model.quantity.value = Number(event.currentTarget.value))}
      >
        {Array.from({ length: Math.min(limit, QUANTITIES) }, (_, n) => (
          <option key={n} value={String(n + 1)}>
            {f.value.number(n + 1)}
          </option>
        ))}
      </select>
    </div>
  );
}

/** As many as a list can show. */
const QUANTITIES = 100;

function Facts({ model }: { model: SaleModel }) {
  const order = model.order.order.value;
  if (!order) return null;
  return (
    <dl class="facts">
      <dt>{t('sale.number')}</dt>
      <dd>
        <a href={`/orders/${encodeURIComponent(order.id)}`}>
          <bdi>{order.number}</bdi>
        </a>
      </dd>
      <dt>{t('sale.unitsRow')}</dt>
      <dd class="number">{f.value.number(order.quantity)}</dd>
      <dt>{t('sale.total')}</dt>
      <dd class="number">{f.value.money(order.total)}</dd>
      <dt>{t('sale.payBefore')}</dt>
      <dd class="number">{f.value.moment(Date.parse(order.payBefore))}</dd>
    </dl>
  );
}

/** The tab says how it stands. */
function useSaleTitle(state: State, title: string, params: Record<string, string | number>): void {
  const timer = params.timer === undefined ? '' : String(params.timer);
  const head =
    state === 'won'
      ? t('title.won', { timer })
      : state === 'open' || state === 'openSignedOut'
        ? t('title.open')
        : state === 'upcoming'
          ? t('title.opens', { time: String(params.time ?? '') })
          : title;
  useEffect(() => {
    document.title = `${head} · ${shop.value?.name ?? t('shop.title')}`;
  }, [head]);
}

const OPENING_SAID_S = [600, 300, 60, 30, 10];
const PAYING_SAID_S = [300, 60, 30];

/** The countdown is silent but for these moments. */
function useSaid(model: SaleModel): void {
  const mark = useComputed(() => {
    const { state, until } = model.view.value;
    if (until === undefined) return undefined;
    const marks = state === 'upcoming' || state === 'opening' ? OPENING_SAID_S : COUNTS.has(state) ? PAYING_SAID_S : [];
    const left = Math.ceil((until - clock.now()) / 1000);
    const kind = marks === PAYING_SAID_S ? 'say.payIn' : 'say.opensIn';
    return marks.includes(left) ? (`${kind} ${left}` as const) : undefined;
  });
  const said = mark.value;
  useEffect(() => {
    if (!said) return;
    const [kind, left] = said.split(' ') as ['say.payIn' | 'say.opensIn', string];
    announce(t(kind, { span: f.peek().span(Number(left) * 1000) }));
  }, [said]);
  void i18n.language.value;
}

