// A wish to buy: one key, kept until its outcome is known, sent until the shop has answered. Safe over reloads, crashes and tabs.
import { signal, type Signal } from '@preact/signals';
import { Fault } from './api';
import { backoff } from './backoff';
import type { Clock } from './clock';
import type { Store } from './storage';

/** What is kept on the device: no name, no price, no token. */
export interface Wish {
  key: string;
  quantity: number;
  /** When the button was pressed, on the shop's clock. */
  at: number;
  tries: number;
  /** The ticket that was on the page when it was pressed: this wish is another one. */
  left?: string;
  /** The ticket that it got. */
  ticket?: string;
  /** It is not sent any more: the code of the refusal, or `STOPPED`. */
  end?: string;
}

/** What became of the press so far, as far as this page has to tell. */
export type Press =
  | { phase: 'sending' }
  | { phase: 'unknown'; tries: number }
  | { phase: 'waiting'; why: 'early' | 'rate' | 'busy'; until: number }
  | { phase: 'stopped' }
  | { phase: 'refused'; code: string; message: string; until: number | undefined }
  | { phase: 'signedOut' }
  | { phase: 'fault'; requestId: string | undefined };

export interface Ticket {
  id: string;
  status: 'QUEUED' | 'CONFIRMED' | 'REFUSED';
  quantity: number;
  version: number;
  createdAt: string;
}

export interface Answer<T> {
  ticket: T | null;
  userErrors: { code: string; message: string; retryAfterSeconds: number | null; retryAt: string | null }[];
}

export type Next =
  | { kind: 'done' }
  | { kind: 'end'; press: Press; code: string; retire: boolean }
  | { kind: 'again'; press: Press; afterMs: number };

const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 8_000;
const SPREAD = 0.25;
/** A purchase that was never admitted must not be made long after its buyer has left. */
export const PATIENCE_MS = 10 * 60_000;
/** How much too early a press may be for the page to send it again by itself. */
export const EARLY_MS = 3_000;
const LOOK_MS = 5_000;

export function makeKey(random: (bytes: Uint8Array) => Uint8Array = (bytes) => crypto.getRandomValues(bytes)): string {
  const bytes = random(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

export interface Wishes {
  read(): Wish | undefined;
  write(wish: Wish): void;
  /** Begins a wish, or joins the one that is under way. A key that the shop has bound to nothing is used again. */
  begin(quantity: number, at: number, left: string | undefined): Wish;
  retire(): void;
}

const isOpen = (wish: Wish): boolean => !wish.end && !wish.ticket;

export function createWishes(store: Store, user: string, sale: string, key: () => string = makeKey): Wishes {
  const name = `db.wish.${user}.${sale}`;
  const wishes: Wishes = {
    read() {
      try {
        const wish = JSON.parse(store.get(name) ?? 'null') as Wish | null;
        return wish && typeof wish.key === 'string' && wish.quantity > 0 ? wish : undefined;
      } catch {
        return undefined;
      }
    },
    write: (wish) => store.set(name, JSON.stringify(wish)),
    begin(quantity, at, left) {
      const held = wishes.read();
      // Under way, or answered in another tab a moment ago: one press, one wish.
      if (held && (isOpen(held) || (held.ticket && held.ticket !== left))) return held;
      const again = held?.end && held.quantity === quantity && !held.ticket ? held.key : undefined;
      const wish: Wish = { key: again ?? key(), quantity, at, tries: 0, ...(left && { left }) };
      wishes.write(wish);
      return wish;
    },
    retire: () => store.remove(name),
  };
  return wishes;
}

/** What a user error of a purchase means for the wish. */
export function judge(error: Answer<unknown>['userErrors'][number], wish: Wish, clock: Clock, random = Math.random): Next {
  const { code, message } = error;
  const now = clock.now();
  const after = error.retryAfterSeconds === null ? undefined : error.retryAfterSeconds * 1000;
  const until = error.retryAt ? Date.parse(error.retryAt) : after === undefined ? undefined : now + after;
  const refused: Next = { kind: 'end', press: { phase: 'refused', code, message, until }, code, retire: false };
  const again = (why: 'early' | 'busy', ms: number): Next => ({
    kind: 'again',
    press: { phase: 'waiting', why, until: now + ms },
    afterMs: ms,
  });
  switch (code) {
    case 'SALE_NOT_STARTED': {
      const tolerance = Math.max(EARLY_MS, Math.min(2 * clock.error(), 30_000));
      const wait = (until ?? now + RETRY_FIRST_MS) - now;
      return wait <= tolerance ? again('early', Math.ceil(Math.max(wait, 0))) : refused;
    }
    case 'TRY_LATER':
      return again('busy', Math.max((until ?? now) - now, backoff(wish.tries - 1, RETRY_FIRST_MS, RETRY_MOST_MS, SPREAD, random)));
    case 'IDEMPOTENCY_KEY_REUSED':
    case 'IDEMPOTENCY_KEY_INVALID':
      return { kind: 'end', press: { phase: 'fault', requestId: undefined }, code, retire: true };
    default:
      return refused;
  }
}

/** What a fault means for the wish. */
export function judgeFault(fault: Fault, wish: Wish, clock: Clock, random = Math.random): Next {
  const wait = Math.max(fault.retryAfterMs ?? 0, backoff(wish.tries - 1, RETRY_FIRST_MS, RETRY_MOST_MS, SPREAD, random));
  const until = clock.now() + wait;
  switch (fault.code) {
    case 'RATE_LIMITED':
      return { kind: 'again', press: { phase: 'waiting', why: 'rate', until }, afterMs: wait };
    case 'UNAVAILABLE': {
      const busy = fault.retryAfterMs !== undefined;
      const press: Press = busy ? { phase: 'waiting', why: 'busy', until } : { phase: 'unknown', tries: wish.tries };
      return { kind: 'again', press, afterMs: wait };
    }
    case 'NETWORK':
      return { kind: 'again', press: { phase: 'unknown', tries: wish.tries }, afterMs: wait };
    case 'UNAUTHENTICATED':
      // The wish stays: it is sent when the same user has signed in again.
      return { kind: 'done' };
    default:
      return { kind: 'end', press: { phase: 'fault', requestId: fault.requestId }, code: fault.code, retire: false };
  }
}

export type Lock = <T>(name: string, act: () => Promise<T>) => Promise<T>;

/** One at a time over all tabs; over this page only where the browser has no locks. */
export function createLock(locks: LockManager | undefined = globalThis.navigator?.locks): Lock {
  if (locks) return (name, act) => locks.request(name, act) as ReturnType<typeof act>;
  const last = new Map<string, Promise<unknown>>();
  return (name, act) => {
    const mine = (last.get(name) ?? Promise.resolve()).then(act, act);
    last.set(name, mine.catch(() => {}));
    return mine;
  };
}

export interface PresserOptions<T extends Ticket> {
  sale: string;
  wishes: Wishes;
  clock: Clock;
  lock: Lock;
  /** Sends the purchase. */
  send(wish: Wish): Promise<Answer<T>>;
  /** Asks for the ticket that counts, without buying. */
  look(): Promise<T | null>;
  /** When the sale is over, on the shop's clock. */
  endsAt(): number;
  onTicket(ticket: T): void;
  /** Something was kept that other tabs can read. */
  onPress?(): void;
  /** The sign-in has ended. */
  onSignedOut?(): void;
  /** The wish was settled by another tab: what came of it is to be asked for. */
  onElsewhere?(): void;
  random?: () => number;
}

export interface Presser<T extends Ticket> {
  press: Signal<Press | undefined>;
  buy(quantity: number, left?: string): void;
  /** Goes on with a wish that is kept: after a reload, a sign-in, or what another tab said. */
  resume(): void;
  /** Sends now what waits for its turn. */
  wake(): void;
  /** Gives the wish up. Whether the shop has it may stay unknown. */
  stop(): void;
  /** A ticket was shown: the key of a decided one is not used any more, and what was told about the press is over. */
  shown(ticket: T): void;
  dispose(): void;
}

export function createPresser<T extends Ticket>(options: PresserOptions<T>): Presser<T> {
  const { sale, wishes, clock, lock, random = Math.random } = options;
  const press = signal<Press | undefined>(undefined);
  let running = false;
  let disposed = false;
  let wakeUp: (() => void) | undefined;

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const got = (wish: Wish, ticket: T): Next => {
    wishes.write({ ...wish, ticket: ticket.id });
    press.value = undefined;
    options.onTicket(ticket);
    options.onPress?.();
    return { kind: 'done' };
  };

  /** Too late to buy: whether the shop has the purchase is asked for, and nothing else. */
  async function lookOnly(wish: Wish): Promise<Next> {
    press.value = { phase: 'unknown', tries: wish.tries };
    let ticket: T | null;
    try {
      ticket = await options.look();
    } catch (error) {
      if (error instanceof Fault && error.code === 'UNAUTHENTICATED') return judgeFault(error, wish, clock, random);
      return { kind: 'again', press: { phase: 'unknown', tries: wish.tries }, afterMs: LOOK_MS };
    }
    if (ticket && ticket.id !== wish.left) return got(wish, ticket);
    return { kind: 'end', press: { phase: 'stopped' }, code: 'STOPPED', retire: false };
  }

  async function attempt(): Promise<Next> {
    const held = wishes.read();
    // Another tab was faster, or it was given up meanwhile.
    if (disposed || !held || !isOpen(held)) {
      if (!disposed && !held?.end) options.onElsewhere?.();
      return { kind: 'done' };
    }
    const now = clock.now();
    if (now - held.at > PATIENCE_MS || (held.tries > 0 && now >= options.endsAt())) return lookOnly(held);
    const wish = { ...held, tries: held.tries + 1 };
    wishes.write(wish);
    if (press.peek()?.phase === 'unknown') press.value = { phase: 'unknown', tries: wish.tries };
    else press.value = { phase: 'sending' };
    try {
      const { ticket, userErrors } = await options.send(wish);
      if (ticket) return got(wish, ticket);
      const [first] = userErrors;
      if (!first) throw new Fault('INTERNAL_SERVER_ERROR', 'neither a ticket nor a reason');
      return judge(first, wish, clock, random);
    } catch (error) {
      const fault = error instanceof Fault ? error : new Fault('NETWORK', String(error));
      if (fault.code === 'UNAUTHENTICATED') {
        press.value = { phase: 'signedOut' };
        options.onSignedOut?.();
      }
      return judgeFault(fault, wish, clock, random);
    }
  }

  /** Under the lock, so that no other tab sends what the shop has just refused. */
  function settle(next: Next): Next {
    if (next.kind === 'done') return next;
    const wish = wishes.read();
    // Given up while the answer was under way.
    if (!wish || !isOpen(wish)) return { kind: 'done' };
    if (next.kind === 'end') {
      if (next.retire) wishes.retire();
      else wishes.write({ ...wish, end: next.code });
    }
    return next;
  }

  /** `begin` runs under the lock of the first attempt: two tabs that press at once have one wish. */
  async function run(begin?: () => void) {
    if (running) return;
    running = true;
    let first = begin;
    try {
      for (;;) {
        const next = await lock(`db.buy.${sale}`, async () => {
          first?.();
          first = undefined;
          return settle(await attempt());
        });
        if (disposed) return;
        const phase = press.peek()?.phase;
        const wish = wishes.read();
        if (next.kind === 'done' || (next.kind === 'again' && !(wish && isOpen(wish)))) {
          // Settled elsewhere. What was given up here, or waits for a sign-in, stays to be seen.
          if (!(wish && isOpen(wish)) && phase !== 'signedOut' && phase !== 'stopped') press.value = undefined;
          return;
        }
        press.value = next.press;
        if (next.kind === 'end') {
          options.onPress?.();
          return;
        }
        await pause(next.afterMs);
      }
    } finally {
      running = false;
    }
  }

  return {
    press,
    buy(quantity, left) {
      if (!running) press.value = { phase: 'sending' };
      void run(() => {
        wishes.begin(quantity, clock.now(), left);
        options.onPress?.();
      });
    },
    resume() {
      const wish = wishes.read();
      if (!wish || !isOpen(wish) || running) return;
      press.value ??= { phase: 'sending' };
      if (press.peek()?.phase === 'signedOut') press.value = { phase: 'sending' };
      void run();
    },
    wake: () => wakeUp?.(),
    stop() {
      const wish = wishes.read();
      const phase = press.peek();
      // The shop's last word was no: there is nothing to doubt.
      const sure = phase?.phase === 'waiting' && phase.why !== 'busy';
      const open = wish && isOpen(wish);
      if (open) wishes.write({ ...wish, end: 'STOPPED' });
      press.value = sure || !open ? undefined : { phase: 'stopped' };
      options.onPress?.();
      wakeUp?.();
    },
    shown(ticket) {
      const wish = wishes.read();
      if (wish?.ticket === ticket.id && ticket.status !== 'QUEUED') wishes.retire();
      const phase = press.peek()?.phase;
      if (phase === 'stopped' && wish && ticket.id !== wish.left) press.value = undefined;
    },
    dispose() {
      disposed = true;
      wakeUp?.();
    },
  };
}

/** A key for another wish than buying (paying, refunding), kept until it is retired. */
export function keptKey(store: Store, name: string, key: () => string = makeKey): string {
  const held = store.get(name);
  if (held) return held;
  const fresh = key();
  store.set(name, fresh);
  return fresh;
}
