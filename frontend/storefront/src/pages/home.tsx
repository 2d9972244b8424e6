// The sessions of the next days, and the sales of one of them, live.
import { signal, useComputed, useSignal, type Signal } from '@preact/signals';
import SaleSessions from '@documents/SaleSessions.graphql';
import Sales from '@documents/Sales.graphql';
import WatchStock from '@documents/WatchStock.graphql';
import { Fault } from '@kit/api';
import type { HomeQuery, SaleSessionsQuery, WatchStockSubscription } from '@kit/generated/operations';
import { BESIDE_PX, CARD_PLACE_PX, CARD_PX, CARDS_FROM_PX } from '@kit/pictures';
import { Button, Chip, Empty, Loading, Meter, Picture, Skeleton, Tabs } from '@kit/ui';
import { useEffect } from 'preact/hooks';
import { clock, f, heardStatus, lastDay, live, loadShop, onRefresh, second, send, takeHome, viewer } from '../app';
import { useStale } from '../banner';
import { ClockLine } from '../clock-line';
import { t } from '../i18n';
import type { Stock } from '../machine/facts';
import { isOver, isRunning, likely, salesOf, type Card, type Session } from '../machine/sales';
import { Prices } from '../prices';
import { Failed, Heading, useAnswer, useTitle } from '../page';
import { go, place } from '../router';

function When({ session }: { session: Session }) {
  const text = useComputed(() => {
    const now = clock.now();
    void second.value;
    if (isRunning(session, now)) return t('home.session.open');
    if (isOver(session, now)) return t('home.session.over');
    return t('home.session.opening', { span: f.value.span(roughly(Date.parse(session.startsAt) - now)) });
  });
  return <span class={`session-when ${isRunning(session, clock.now()) ? 'running' : ''}`}>{text}</span>;
}

const MINUTE_MS = 60_000;
/** Seconds only where they matter. */
const roughly = (ms: number) => (ms > 10 * MINUTE_MS ? Math.ceil(ms / MINUTE_MS) * MINUTE_MS : ms);

/** The first answer's sales, for the session that is shown first. */
let given: HomeQuery | undefined;

async function askSessions(): Promise<SaleSessionsQuery> {
  const first = takeHome();
  if (first) {
    try {
      return (given = await first);
    } catch {
      // The shop's answer sets the clock, without which there may be no day to ask for.
      await loadShop().catch(() => undefined);
    }
  }
  return send(SaleSessions, { until: lastDay() });
}

export default function Home() {
  useTitle(t('home.title'));
  const { value, fault, again } = useAnswer(askSessions, undefined);
  return (
    <>
      <div class="home-head">
        <Heading>{t('home.title')}</Heading>
        <ClockLine />
      </div>
      {value ? (
        <Sessions sessions={value.saleSessions.nodes} />
      ) : fault ? (
        <Failed fault={fault} again={again} />
      ) : (
        <Loading label={t('home.loading')} slow={t('home.slow')}>
          <Skeleton kind="tabs-row" />
          <Skeletons />
        </Loading>
      )}
    </>
  );
}

const Skeletons = () => (
  <div class="cards">
    {[1, 2, 3, 4].map((n) => (
      <Skeleton key={n} kind="card-shape" />
    ))}
  </div>
);

function Sessions({ sessions }: { sessions: Session[] }) {
  const { query } = place.value;
  const now = clock.now();
  const today = f.value.date(now);
  const dayOf = (session: Session) => {
    const date = f.value.date(Date.parse(session.startsAt));
    return date < today ? today : date;
  };
  const days = [...new Set([today, ...sessions.map(dayOf)])].sort();
  const asked = sessions.find(({ id }) => id === query.get('session'));
  const preferred = likely(
    sessions.filter((session) => dayOf(session) === today),
    now,
  );
  const day = query.get('day') ?? (asked ? dayOf(asked) : today);
  const shown = sessions.filter((session) => dayOf(session) === day);
  const chosen = asked && dayOf(asked) === day ? asked : day === today ? preferred : likely(shown, now);
  const next = sessions.find((session) => !isOver(session, now) && session !== chosen);
  const choose = (id: string) => go(`/?session=${encodeURIComponent(id)}`, true);
  return (
    <>
      {days.length > 1 && (
        <nav class="days" aria-label={t('home.days')}>
          {days.map((date) => (
            <a key={date} href={`/?day=${date}`} aria-current={date === day ? 'true' : undefined}>
              {f.value.day(middayOf(date, sessions, dayOf) ?? now, now)}
            </a>
          ))}
        </nav>
      )}
      {shown.length > 0 && (
        <Tabs
          label={t('home.sessions')}
          panel="sales"
          chosen={chosen?.id}
          onChoose={choose}
          tabs={shown.map((session) => ({
            id: session.id,
            label: (
              <span class="session">
                <span class="session-time number">{f.value.minute(Date.parse(session.startsAt))}</span>
                {session.name && <bdi class="session-name">{session.name}</bdi>}
                <When session={session} />
              </span>
            ),
          }))}
        />
      )}
      {chosen ? (
        <div id="sales" role="tabpanel" aria-labelledby={`tab-${chosen.id}`}>
          <SalesOf key={chosen.id} session={chosen} />
        </div>
      ) : (
        <Empty
          title={t(day === today ? 'home.empty' : 'home.emptyDay')}
          body={
            next &&
            t('home.emptyNext', {
              day: f.value.day(Date.parse(next.startsAt), now),
              time: f.value.minute(Date.parse(next.startsAt)),
            })
          }
        >
          {next && <Button href={`/?session=${encodeURIComponent(next.id)}`}>{t('home.see')}</Button>}
        </Empty>
      )}
    </>
  );
}

/** A moment of that day, to name it by. */
function middayOf(date: string, sessions: Session[], dayOf: (session: Session) => string): number | undefined {
  const session = sessions.find((one) => dayOf(one) === date && f.value.date(Date.parse(one.startsAt)) === date);
  return session && Date.parse(session.startsAt);
}

function SalesOf({ session }: { session: Session }) {
  const cards = useSignal<Card[] | undefined>(undefined);
  const fault = useSignal<Fault | undefined>(undefined);
  const after = useSignal<string | undefined>(undefined);
  const stocks = useSignal(new Map<string, Signal<Stock | undefined>>());
  const user = viewer.value?.user.id;
  const known = viewer.value !== undefined;

  const read = async (cursor?: string) => {
    const first = cursor || !given ? undefined : salesOf(given, session.id);
    given = undefined;
    try {
      const variables = { sessionId: session.id, after: cursor ?? null };
      const sales = first ? { nodes: first, pageInfo: END } : (await send(Sales, variables)).sales;
      const held = cursor ? (cards.peek() ?? []) : [];
      for (const { id } of sales.nodes) {
        if (!stocks.peek().has(id)) stocks.peek().set(id, signal(undefined));
        else if (live.link.peek().state !== 'live') stocks.peek().get(id)!.value = undefined;
      }
      cards.value = [...held, ...sales.nodes];
      after.value = (sales.pageInfo.hasNextPage && sales.pageInfo.endCursor) || undefined;
      fault.value = undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      fault.value = error;
    }
  };
  useEffect(() => {
    if (!known) return;
    void read();
    const stops = [onRefresh(() => void read()), live.poll(() => void read())];
    return () => stops.forEach((stop) => stop());
  }, [known, user]);

  // One subscription for as many as it takes.
  const ids = (cards.value ?? []).map(({ id }) => id);
  useEffect(() => {
    const parts = Array.from({ length: Math.ceil(ids.length / WATCHED_MOST) }, (_, n) => ids.slice(n * WATCHED_MOST, (n + 1) * WATCHED_MOST));
    const next = ({ saleStockChanged: fresh }: WatchStockSubscription) => {
      const held = stocks.peek().get(fresh.saleId);
      if (!held || (held.peek()?.version ?? 0) > fresh.version) return;
      heardStatus(held.peek()?.status, fresh.status);
      held.value = fresh;
    };
    const stops = parts.map((saleIds) => live.watch(WatchStock, () => ({ saleIds }), { next }));
    return () => stops.forEach((stop) => stop());
  }, [ids.join()]);

  if (!cards.value) {
    if (fault.value) return <Failed fault={fault.value} again={() => void read()} />;
    return (
      <Loading label={t('home.loading')} slow={t('home.slow')}>
        <Skeletons />
      </Loading>
    );
  }
  if (cards.value.length === 0) return <Empty title={t('home.noSales')} />;
  const more = after.value;
  return (
    <>
      <ul class="cards">
        {cards.value.map((card, index) => (
          <li key={card.id}>
            <SaleCard card={card} index={index} stock={stocks.value.get(card.id)} />
          </li>
        ))}
      </ul>
      {more && (
        <div class="more">
          <Button onPress={() => void read(more)}>{t('home.more')}</Button>
        </div>
      )}
    </>
  );
}

const END = { hasNextPage: false, endCursor: null };
/** As many sales as one subscription may watch. */
const WATCHED_MOST = 50;
/** As many pictures are loaded at once: what is in view without scrolling. */
const EAGER = 4;
const CARD_SIZES = `(min-width: ${CARDS_FROM_PX}px) ${CARD_PX}px, ${BESIDE_PX}px`;

function SaleCard({ card, index, stock }: { card: Card; index: number; stock: Signal<Stock | undefined> | undefined }) {
  const { product } = card;
  return (
    <a class="card" href={`/sales/${encodeURIComponent(card.id)}`}>
      <Picture src={product?.imageUrl} image={product?.image} size={CARD_PLACE_PX} sizes={CARD_SIZES} lazy={index >= EAGER} first={index === 0} />
      <span class="card-body">
        <span class="card-name">
          <bdi>{product?.name ?? t('home.noProduct')}</bdi>
        </span>
        <span class="card-title">
          <bdi>{product?.title ?? ''}</bdi>
        </span>
        <Prices price={card.price} was={card.originalPrice} />
        <StockLine card={card} stock={stock} />
      </span>
    </a>
  );
}

function StockLine({ card, stock }: { card: Card; stock: Signal<Stock | undefined> | undefined }) {
  const stale = useStale();
  const fresh = stock?.value;
  void second.value;
  const now = clock.now();
  const free = fresh?.stockRemaining ?? card.stockRemaining;
  const held = fresh?.unitsHeld ?? card.unitsHeld;
  const status = fresh?.status ?? card.status;
  const over = status === 'ENDED' || now >= Date.parse(fresh?.endsAt ?? card.endsAt);
  const begun = now >= Date.parse(card.startsAt);
  const mine = card.viewerTicket?.status;
  const text = over
    ? t('home.over')
    : status === 'PAUSED'
      ? t('home.paused')
      : !begun
        ? t('home.units', { total: f.value.number(card.stockTotal) })
        : free > 0
          ? t('home.left', { left: f.value.number(free), total: f.value.number(card.stockTotal) })
          : t(held > 0 ? 'home.soldOutFor' : 'home.soldOut');
  return (
    <span class={`stock ${stale.value ? 'stale' : ''}`}>
      <Meter value={over ? 0 : free} of={card.stockTotal} />
      <span class="stock-line">
        <span class="number">{text}</span>
        {mine === 'CONFIRMED' && <Chip tone="ok">{t('home.yours.confirmed')}</Chip>}
        {mine === 'QUEUED' && <Chip tone="info">{t('home.yours.queued')}</Chip>}
      </span>
    </span>
  );
}
