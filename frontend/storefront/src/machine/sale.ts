// A sale's page: facts come in here, presses go out; what is shown is derived.
import { batch, computed, effect, signal, untracked, type ReadonlySignal, type Signal } from '@preact/signals';
import Purchase from '@documents/Purchase.graphql';
import PurchaseTicket from '@documents/PurchaseTicket.graphql';
import SaleDoc from '@documents/Sale.graphql';
import ServerTime from '@documents/ServerTime.graphql';
import WatchStock from '@documents/WatchStock.graphql';
import WatchTicket from '@documents/WatchTicket.graphql';
import { Fault } from '@kit/api';
import type { SaleQuery, WatchTicketSubscription } from '@kit/generated/operations';
import { newer } from '@kit/store';
import { createLock, createPresser, createWishes, type Presser, type Ticket as Accepted } from '@kit/wish';
import {
  asking,
  clock,
  heardStatus,
  keepsLink,
  live,
  loadViewer,
  onRefresh,
  online,
  second,
  send,
  signedOut,
  signIns,
  store,
  tabs,
  viewer,
} from '../app';
import { derive, isSendable, nextChange, windowOf, type View } from './derive';
import type { Facts, Order, Sale, SaleTicket, Stock, Ticket } from './facts';
import { createOrderModel, type OrderModel } from './order';

export type Note = 'tooEarly' | 'dropped' | 'otherUser';

export interface SaleModel {
  facts: ReadonlySignal<Facts>;
  view: ReadonlySignal<View>;
  sale: Signal<Sale | null | undefined>;
  stock: Signal<Stock | undefined>;
  order: OrderModel;
  note: Signal<Note | undefined>;
  quantity: Signal<number>;
  /** Why the sale could not be read. */
  failed: Signal<Fault | undefined>;
  buy(): void;
  askNow(): void;
  stop(): void;
  look(): void;
  read(): Promise<void>;
  dispose(): void;
}

/** So long *not open yet* is shown. */
const NOTE_MS = 3_000;
const LONG_NOTE_MS = 10_000;
const AHEAD_MS = 2_000;
const NEWS_MS = 2_000;
/** When the clock is measured on purpose: once, at a random moment of this span before the opening. */
const MEASURE_FROM_MS = 120_000;
const MEASURE_TO_MS = 20_000;
const MEASURES = 5;
const MEASURE_EVERY_MS = 150;

const lock = createLock();

type Pushed = WatchTicketSubscription['purchaseTicketUpdated'];

/** `first`: an answer that is under way already. */
export function createSaleModel(id: string, first?: Promise<SaleQuery>): SaleModel {
  const sale = signal<Sale | null | undefined>(undefined);
  const stock = signal<Stock | undefined>(undefined);
  const ticket = signal<Ticket | undefined>(undefined);
  const ahead = signal<number | undefined>(undefined);
  const note = signal<Note | undefined>(undefined);
  const quantity = signal(1);
  const failed = signal<Fault | undefined>(undefined);
  const presser = signal<Presser<Accepted> | undefined>(undefined);
  const pressSince = signal(0);
  const left = signal<string | undefined>(undefined);
  /** Bumped when time alone has changed the state. */
  const moment = signal(0);
  const order = createOrderModel();
  let heard = 0;
  let noteTimer: ReturnType<typeof setTimeout> | undefined;
  let disposed = false;

  const facts = computed<Facts>(() => {
    void moment.value;
    void second.value;
    const who = viewer.value;
    return {
      sale: sale.value,
      stock: stock.value,
      now: clock.now(),
      error: clock.error(),
      viewer: who ? { id: who.user.id, name: who.user.displayName } : who,
      signedOut: signedOut.value,
      ticket: ticket.value,
      order: order.order.value,
      ticketsAhead: ahead.value,
      press: presser.value?.press.value,
      pressSince: pressSince.value,
      left: left.value,
      online: online.value,
      paying: order.paying.value,
      returnedAt: order.returnedAt.value,
      otherwise: order.otherwise.value,
    };
  });
  const view = computed(() => derive(facts.value));

  function hearOrder(of: Ticket, partial: NonNullable<Pushed['order']>): void {
    const held = sale.peek();
    const price = held?.pointsPrice ?? null;
    // Whole enough to be shown and paid at once; the order's own push brings the rest.
    const whole: Order = {
      productName: held?.product?.name ?? '',
      quantity: of.quantity,
      createdAt: of.createdAt,
      paidAt: null,
      closedAt: null,
      pointsTotal: price === null ? null : price * of.quantity,
      availableActions: ['CANCEL', 'PAY_ALIPAY', ...(price === null ? [] : ['PAY_POINTS' as const])],
      unitPrice: held?.price ?? partial.total,
      payments: [],
      refunds: [],
      ...partial,
    };
    const known = order.order.peek();
    order.hear(known?.id === partial.id ? partial : whole);
  }

  function hearTicket(fresh: Ticket & { order?: SaleTicket['order'] | Pushed['order'] }): void {
    const held = ticket.peek();
    const another = held && held.id !== fresh.id;
    if (another && Date.parse(fresh.createdAt) < Date.parse(held.createdAt)) return;
    heard += 1;
    batch(() => {
      const { order: of, ...rest } = fresh;
      ticket.value = another ? rest : newer(held, rest);
      if (another) order.order.value = undefined;
      if (of && 'payments' in of) order.hear(of);
      else if (of) hearOrder(rest, of);
      if (ticket.value.status !== 'QUEUED') ahead.value = undefined;
      if (rest.id !== left.peek()) presser.peek()?.shown(rest);
    });
    const user = viewer.peek()?.user.id;
    if (user && held?.version !== fresh.version) {
      tabs.tell({ type: 'ticket', user, sale: id, ticket: fresh.id, version: fresh.version });
    }
  }

  /** True if there was an answer. */
  async function read(answer: Promise<SaleQuery> = send(SaleDoc, { id })): Promise<boolean> {
    const before = heard;
    try {
      const { sale: fresh } = await answer;
      if (disposed) return true;
      batch(() => {
        failed.value = undefined;
        if (fresh) heardStatus(sale.peek()?.status, fresh.status);
        sale.value = fresh && sale.peek() ? newer(sale.peek() ?? undefined, fresh) : fresh;
        // Without a socket the question is the newest that there is.
        if (live.link.peek().state !== 'live') stock.value = undefined;
        if (fresh?.viewerTicket) hearTicket(fresh.viewerTicket);
        else if (heard === before) {
          ticket.value = undefined;
          order.order.value = undefined;
        }
      });
      return true;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (sale.peek() === undefined) failed.value = error;
      return false;
    }
  }

  /** What happened in another tab is not told twice: it is asked for until there is an answer. */
  async function readNews(): Promise<void> {
    while (!disposed && !(await read())) await new Promise((resolve) => setTimeout(resolve, NEWS_MS));
  }

  const stops: (() => void)[] = [];

  // Stock, for everybody.
  stops.push(
    live.watch(WatchStock, () => ({ saleIds: [id] }), {
      next({ saleStockChanged: fresh }) {
        const held = stock.peek();
        if (held && held.version > fresh.version) return;
        heardStatus(held?.status ?? sale.peek()?.status, fresh.status);
        stock.value = fresh;
        if (held && held.status !== fresh.status) void read();
      },
    }),
    live.poll(() => void read()),
    onRefresh(() => void read()),
  );

  // The ticket, while it is not decided.
  const queued = computed(() => (ticket.value?.status === 'QUEUED' ? ticket.value.id : undefined));
  stops.push(
    effect(() => {
      const watched = queued.value;
      if (!watched) return;
      const stop = live.watch(WatchTicket, () => ({ id: watched, afterVersion: null }), {
        next: ({ purchaseTicketUpdated }) => hearTicket(purchaseTicketUpdated),
        refused: () => void ask(),
      });
      const ask = async () => {
        try {
          const { purchaseTicket } = await send(PurchaseTicket, { id: watched });
          if (!purchaseTicket || queued.peek() !== watched) return;
          const { ticketsAhead, ...rest } = purchaseTicket;
          if (ticketsAhead !== null) ahead.value = Math.min(ahead.peek() ?? ticketsAhead, ticketsAhead);
          hearTicket(rest);
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
        }
      };
      // Also what is asked for should the push not come.
      const timer = setInterval(() => void ask(), AHEAD_MS);
      return () => {
        stop();
        clearInterval(timer);
      };
    }),
  );

  // One presser per user: keys are the user's.
  const user = computed(() => (viewer.value === undefined ? undefined : (viewer.value?.user.id ?? null)));
  let droppedFrom: string | undefined;
  let userBefore: string | undefined;
  stops.push(
    effect(() => {
      const who = user.value;
      if (who === undefined) return;
      return untracked(() => {
        if (who === null) {
          ticket.value = undefined;
          order.order.value = undefined;
          return;
        }
        if (userBefore && userBefore !== who) {
          ticket.value = undefined;
          order.order.value = undefined;
          showNote('otherUser', LONG_NOTE_MS);
        }
        userBefore = who;
        if (droppedFrom && droppedFrom !== who) {
          createWishes(store, droppedFrom, id).retire();
          showNote('dropped', LONG_NOTE_MS);
        }
        droppedFrom = undefined;
        const wishes = createWishes(store, who, id);
        const mine = createPresser<Accepted>({
          sale: id,
          wishes,
          clock,
          lock,
          send: async ({ key, quantity: units }) => {
            const input = { saleId: id, quantity: units, idempotencyKey: key };
            return (await send(Purchase, { input }, { keepalive: true })).salePurchase;
          },
          look: async () => (await send(SaleDoc, { id })).sale?.viewerTicket ?? null,
          endsAt: () => {
            const held = sale.peek();
            return held ? windowOf(held, stock.peek()).endsAt : Infinity;
          },
          onTicket: (fresh) => hearTicket({ decidedAt: null, refusal: null, ...fresh }),
          onElsewhere: () => void readNews(),
          onPress: () => tabs.tell({ type: 'press', user: who, sale: id }),
          onSignedOut: () => {
            droppedFrom = who;
            asking.value = { reason: 'again' };
          },
        });
        left.value = wishes.read()?.left;
        presser.value = mine;
        mine.resume();
        return () => {
          mine.dispose();
          presser.value = undefined;
        };
      });
    }),
    effect(() => {
      const press = presser.value?.press.value;
      pressSince.value = press ? untracked(() => clock.now()) : 0;
      // What was refused may be news about the sale.
      if (press?.phase === 'refused') void read();
    }),
    effect(() => {
      if (online.value) presser.peek()?.wake();
    }),
    effect(() => {
      // What waits for a sign-in goes on after it.
      if (signIns.value > 0) untracked(() => presser.peek()?.resume());
    }),
    tabs.listen((message) => {
      if (!('user' in message) || message.user !== user.peek()) return;
      if (message.type === 'press' && message.sale === id) presser.peek()?.resume();
      if (message.type === 'ticket' && message.sale === id && newsOf(message.ticket, message.version)) void readNews();
      if (message.type === 'order' && message.order === order.order.peek()?.id) {
        if (message.version > (order.order.peek()?.version ?? 0)) void order.read();
      }
    }),
    effect(() => {
      const { state } = view.value;
      keepsLink.value = state.startsWith('queued') || state === 'won' || state.startsWith('pay');
    }),
  );
  const newsOf = (fresh: string, version: number) =>
    fresh !== ticket.peek()?.id || version > (ticket.peek()?.version ?? 0);

  // Time alone changes the state at moments that are known: one timer to the next of them.
  let changeTimer: ReturnType<typeof setTimeout> | undefined;
  stops.push(
    effect(() => {
      const wait = nextChange(facts.value) - clock.now();
      clearTimeout(changeTimer);
      if (wait === Infinity) return;
      // Timers may come early by a millisecond, and take no more than 24 days.
      changeTimer = setTimeout(() => (moment.value += 1), Math.min(Math.max(1, wait + 1), 86_400_000));
    }),
    () => clearTimeout(changeTimer),
  );

  // The clock is measured on purpose once, before it matters.
  let measured = false;
  const startsAt = computed(() => (sale.value ? Date.parse(sale.value.startsAt) : undefined));
  stops.push(
    effect(() => {
      const opens = startsAt.value;
      if (opens === undefined || measured) return;
      const wait = opens - clock.now();
      if (wait < 0) return;
      const at = MEASURE_TO_MS + Math.random() * (MEASURE_FROM_MS - MEASURE_TO_MS);
      const timer = setTimeout(async () => {
        measured = true;
        for (let n = 0; n < MEASURES && !disposed; n += 1) {
          await send(ServerTime, {}).catch(() => undefined);
          await new Promise((resolve) => setTimeout(resolve, MEASURE_EVERY_MS));
        }
      }, Math.min(Math.max(0, wait - at), 86_400_000));
      return () => clearTimeout(timer);
    }),
  );

  function showNote(which: Note, ms = NOTE_MS): void {
    note.value = which;
    clearTimeout(noteTimer);
    noteTimer = setTimeout(() => (note.value = undefined), ms);
  }

  void read(first);

  function buy(): void {
    const held = sale.peek();
    if (!held) return;
    const window = windowOf(held, stock.peek());
    if (!isSendable(window, clock.now(), clock.error())) {
      if (clock.now() < window.startsAt) showNote('tooEarly');
      return;
    }
    const who = viewer.peek();
    // Who it is has not been heard yet: the press waits for it, and is not thrown away.
    if (who === undefined) return void loadViewer().then(() => viewer.peek() !== undefined && buy());
    if (who === null) {
      asking.value = { reason: 'buy' };
      return;
    }
    const last = ticket.peek();
    // What lives is never left behind.
    const decided = last && last.status !== 'QUEUED' ? last.id : undefined;
    left.value = decided;
    note.value = undefined;
    presser.peek()?.buy(Math.min(quantity.peek(), held.limitPerBuyer), decided);
  }

  return {
    facts,
    view,
    sale,
    stock,
    order,
    note,
    quantity,
    failed,
    buy,
    askNow: () => presser.peek()?.wake(),
    stop: () => presser.peek()?.stop(),
    look: () => void read(),
    read: async () => void (await read()),
    dispose() {
      disposed = true;
      for (const stop of stops) stop();
      presser.peek()?.dispose();
      clearTimeout(noteTimer);
      order.dispose();
      keepsLink.value = false;
    },
  };
}
