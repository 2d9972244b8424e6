// The sessions of a day with their sales.
import { useSignal } from '@preact/signals';
import ConsoleSales from '@documents/ConsoleSales.graphql';
import SaleSessionCreate from '@documents/SaleSessionCreate.graphql';
import SaleSessions from '@documents/SaleSessions.graphql';
import type { SaleSessionsQuery } from '@kit/generated/operations';
import { Button, Chip, Empty, Icon, Tabs, type Tone } from '@kit/ui';
import { clock, done, f, second, send, zone } from '../app';
import { t } from '../i18n';
import { Heading, More, Show, useAnswer, useList } from '../page';
import { For, may } from '../rights';
import { filter, place } from '../router';
import { SaleForm } from '../sale-form';
import { Free, numbersOf, SaleActs, SaleChip, SaleLink, useStock, type Sale } from '../sales';
import { ActDialog, type Reading } from '../ui/act-dialog';
import { Input } from '../ui/inputs';
import { Table, type Column } from '../ui/table';
import { addDays, fromLocal, isDay, toInput } from '../zone';

type Session = SaleSessionsQuery['saleSessions']['nodes'][number];

const DAYS = 7;

export default function Schedule() {
  const asked = place.value.query.get('day');
  const today = f.value.date(clock.now());
  const day = isDay(asked) ? asked : today;
  const from = weekOf(day, today);
  const week = useAnswer(
    async () => (await send(SaleSessions, { on: from, until: addDays(from, DAYS - 1) })).saleSessions.nodes,
    `${from} ${zone.value}`,
  );
  const creating = useSignal(false);
  const touches = (session: Session, one: string) => {
    const last = Math.max(Date.parse(session.startsAt), Date.parse(session.endsAt) - 1);
    return f.value.date(Date.parse(session.startsAt)) <= one && f.value.date(last) >= one;
  };
  const days = Array.from({ length: DAYS }, (_, n) => addDays(from, n));
  const choose = (one: string) => filter({ day: one === today ? undefined : one });
  return (
    <>
      <Heading title={t('nav.schedule')} hint={t('schedule.hint', { zone: zone.value })}>
        <For right="runSales">
          <Button kind="primary" onPress={() => (creating.value = true)}>
            {t('session.create')}
          </Button>
        </For>
      </Heading>
      <div class="week">
        <Button label={t('schedule.earlier')} onPress={() => choose(addDays(from, -DAYS))}>
          <Icon name="back" />
        </Button>
        <Tabs
          label={t('schedule.days')}
          panel="day"
          chosen={day}
          onChoose={choose}
          tabs={days.map((one) => ({
            id: one,
            label: (
              <>
                <span class="week-day">{f.value.day(noon(one), noon(today))}</span>
                <span class="hint number">
                  {week.value ? t('schedule.count', { n: week.value.filter((session) => touches(session, one)).length }) : '\u00a0'}
                </span>
              </>
            ),
          }))}
        />
        <Button label={t('schedule.later')} onPress={() => choose(addDays(from, DAYS))}>
          <span class="forward">
            <Icon name="back" />
          </span>
        </Button>
        <label class="pick">
          <span class="unseen">{t('schedule.pick')}</span>
          <input
            class="select"
            type="date"
            value={day}
            onChange={({ currentTarget: { value } }) => isDay(value) && choose(value)}
          />
        </label>
      </div>
      <div id="day" role="tabpanel" aria-labelledby={`tab-${day}`} class="day">
        <Show answer={week}>
          {(sessions) => {
            const shown = sessions.filter((session) => touches(session, day));
            if (shown.length === 0) {
              return (
                <Empty title={t('schedule.empty')}>
                  <For right="runSales">
                    <Button onPress={() => (creating.value = true)}>{t('session.create')}</Button>
                  </For>
                </Empty>
              );
            }
            return shown.map((session) => <SessionSection key={session.id} session={session} />);
          }}
        </Show>
      </div>
      {creating.value && <CreateSession day={day} onClose={() => (creating.value = false)} />}
    </>
  );
}

/** The middle of a day, whatever its zone: only the day is shown. */
const noon = (day: string) => fromLocal(`${day}T12:00`, zone.value) ?? Date.parse(`${day}T12:00:00Z`);

/** Weeks begin with today, so that what comes next is in sight. */
function weekOf(day: string, today: string): string {
  const apart = Math.round((Date.parse(day) - Date.parse(today)) / 86_400_000);
  return addDays(today, Math.floor(apart / DAYS) * DAYS);
}

const TONES: Record<Session['status'], Tone> = { UPCOMING: 'info', RUNNING: 'ok', ENDED: 'plain' };

/** By the clock rather than by what was read: sessions begin and end while the page is open. */
function statusOf({ startsAt, endsAt }: Session): Session['status'] {
  const now = second.value;
  if (now >= Date.parse(endsAt)) return 'ENDED';
  return now >= Date.parse(startsAt) ? 'RUNNING' : 'UPCOMING';
}

function SessionSection({ session }: { session: Session }) {
  const sales = useList(ConsoleSales, { sessionId: session.id }, (data) => data.sales);
  const stocks = useStock((sales.value ?? []).filter(({ status }) => status !== 'DRAFT' && status !== 'ENDED').map(({ id }) => id));
  const creating = useSignal(false);
  const [starts, ends] = [Date.parse(session.startsAt), Date.parse(session.endsAt)];
  const status = statusOf(session);
  const sameDay = f.value.date(starts) === f.value.date(ends);
  const columns: Column<Sale>[] = [
    { id: 'name', title: t('sale.sale'), head: true, cell: (sale) => <SaleLink sale={sale} /> },
    { id: 'state', title: t('sale.state'), cell: (sale) => <SaleChip status={numbersOf(sale, stocks.value.get(sale.id)).status} /> },
    { id: 'price', title: t('sale.price'), numeric: true, cell: (sale) => f.value.money(sale.price) },
    { id: 'free', title: t('sale.free'), cell: (sale) => <Free numbers={numbersOf(sale, stocks.value.get(sale.id))} /> },
    { id: 'held', title: t('sale.held'), numeric: true, cell: (sale) => f.value.number(numbersOf(sale, stocks.value.get(sale.id)).held) },
    {
      id: 'acts',
      title: t('act.acts'),
      cell: (sale) => (
        <span class="acts">
          <SaleActs sale={sale} stock={stocks.value.get(sale.id)} only={['publish', 'pause', 'resume', 'stockAdd']} />
        </span>
      ),
    },
  ];
  return (
    <section class="session">
      <div class="section-head">
        <h2>
          <span class="number">
            {f.value.minute(starts)}–{sameDay ? f.value.minute(ends) : f.value.moment(ends)}
          </span>{' '}
          <bdi>{session.name ?? t('session.unnamed')}</bdi>
        </h2>
        <Chip tone={TONES[status]}>{t(`session.status.${status}`)}</Chip>
        {status !== 'ENDED' && may('runSales') && (
          <Button label={`${t('sale.create')}: ${f.value.minute(starts)} ${session.name ?? ''}`} onPress={() => (creating.value = true)}>
            {t('sale.create')}
          </Button>
        )}
      </div>
      <Show answer={sales}>
        {(list) =>
          list.length === 0 ? (
            <p class="muted">{t('session.noSales')}</p>
          ) : (
            <Table caption={session.name ?? f.value.minute(starts)} columns={columns} rows={list} id={({ id }) => id} />
          )
        }
      </Show>
      <More list={sales} />
      {creating.value && <SaleForm session={session} onClose={() => (creating.value = false)} />}
    </section>
  );
}

const HOUR_MS = 3_600_000;

/** The next full hour, or ten in the morning of a day to come. */
function proposal(day: string): number {
  const next = Math.ceil((clock.now() + 60_000) / HOUR_MS) * HOUR_MS;
  return day === f.value.date(clock.now()) ? next : (fromLocal(`${day}T10:00`, zone.value) ?? next);
}

interface SessionInput {
  name: string | null;
  startsAt: string;
  endsAt: string;
}

function CreateSession({ day, onClose }: { day: string; onClose: () => void }) {
  const starts = proposal(day);
  const read = (form: FormData): Reading<SessionInput> => {
    const at = (name: string) => fromLocal(String(form.get(name)), zone.value);
    const [startsAt, endsAt] = [at('startsAt'), at('endsAt')];
    const errors: Record<string, string> = {};
    if (startsAt === undefined) errors.startsAt = t('form.moment');
    if (endsAt === undefined) errors.endsAt = t('form.moment');
    if (startsAt === undefined || endsAt === undefined) return { errors };
    const name = String(form.get('name')).trim() || null;
    return { input: { name, startsAt: new Date(startsAt).toISOString(), endsAt: new Date(endsAt).toISOString() } };
  };
  return (
    <ActDialog
      title={t('session.create')}
      does={t('session.create.does')}
      button={t('session.create')}
      rules={{ fields: ['name', 'startsAt', 'endsAt'] }}
      repeatable={false}
      read={read}
      send={async (input) => {
        const { session, userErrors } = (await send(SaleSessionCreate, { input })).saleSessionCreate;
        if (session) {
          const startsAt = Date.parse(session.startsAt);
          filter({ day: f.value.date(startsAt) });
          done.value = { text: t('session.create.done', { time: f.value.minute(startsAt) }) };
        }
        return userErrors;
      }}
      onDone={onClose}
      onClose={onClose}
    >
      {(error) => (
        <>
          <Input label={t('session.name')} name="name" hint={t('session.name.hint')} error={error('name')} maxLength={200} first />
          <Input
            label={t('session.startsAt')}
            name="startsAt"
            type="datetime-local"
            hint={t('form.inZone', { zone: zone.value })}
            value={toInput(starts, zone.value)}
            error={error('startsAt')}
          />
          <Input
            label={t('session.endsAt')}
            name="endsAt"
            type="datetime-local"
            hint={t('session.endsAt.hint')}
            value={toInput(starts + 2 * HOUR_MS, zone.value)}
            error={error('endsAt')}
          />
        </>
      )}
    </ActDialog>
  );
}
