// Sales as pages show them: their state, their numbers kept up by push, and what can be done with them.
import { useSignal, type Signal } from '@preact/signals';
import SaleEnd from '@documents/SaleEnd.graphql';
import SalePause from '@documents/SalePause.graphql';
import SalePublish from '@documents/SalePublish.graphql';
import SaleResume from '@documents/SaleResume.graphql';
import SaleStockAdd from '@documents/SaleStockAdd.graphql';
import WatchStock from '@documents/WatchStock.graphql';
import type { SaleStatus } from '@kit/generated/operations';
import { Button, Chip, Meter, type Tone } from '@kit/ui';
import { useEffect } from 'preact/hooks';
import type { Problem } from './act';
import { saleAddress } from './addresses';
import { clock, done, f, heardStatus, live, refresh, send, stopped } from './app';
import { auditOf } from './audit-link';
import { t, type Key } from './i18n';
import { typedCount } from './money';
import { may } from './rights';
import { actsOf, later, numbersOf, type ActName, type Numbers, type Sale, type Stock } from './sale-state';
import { ActDialog, type Reading } from './ui/act-dialog';
import { Input } from './ui/inputs';

export { numbersOf, type Sale, type Stock } from './sale-state';

const TONES: Record<SaleStatus, Tone> = {
  DRAFT: 'plain',
  UPCOMING: 'info',
  OPEN: 'ok',
  SOLD_OUT: 'accent',
  PAUSED: 'warn',
  ENDED: 'plain',
};

export const SaleChip = ({ status }: { status: SaleStatus }) => <Chip tone={TONES[status]}>{t(`sale.status.${status}`)}</Chip>;

export const nameOf = (sale: { product: { name: string } | null }): string => sale.product?.name ?? t('sale.noProduct');

/** As many as one subscription takes. */
const WATCHED = 50;

/** What was pushed last about each of these sales. */
export function useStock(ids: readonly string[]): Signal<ReadonlyMap<string, Stock>> {
  const stocks = useSignal<ReadonlyMap<string, Stock>>(new Map());
  const watched = ids.slice(0, WATCHED);
  useEffect(() => {
    if (watched.length === 0) return;
    return live.watch(WatchStock, () => ({ saleIds: watched }), {
      next({ saleStockChanged: fresh }) {
        const held = stocks.peek().get(fresh.saleId);
        heardStatus(held?.status, fresh.status);
        stocks.value = new Map(stocks.peek()).set(fresh.saleId, later(held, fresh));
      },
    });
  }, [watched.join()]);
  return stocks;
}

export function Free({ numbers: { free, total } }: { numbers: Numbers }) {
  return (
    <span class="free">
      <span class="number">{t('sale.freeOf', { free: f.value.number(free), total: f.value.number(total) })}</span>
      <Meter value={free} of={total} />
    </span>
  );
}

export const SaleLink = ({ sale }: { sale: Pick<Sale, 'id' | 'product'> }) => (
  <a class="sale-link" href={saleAddress(sale.id)}>
    <bdi>{nameOf(sale)}</bdi>
  </a>
);

const DOCUMENTS = { publish: SalePublish, pause: SalePause, resume: SaleResume, end: SaleEnd } as const;

/** Codes which say that the sale is already as the act would have it. */
const ALREADY: Record<ActName, string[]> = {
  publish: ['SALE_ALREADY_PUBLISHED'],
  pause: ['SALE_ALREADY_PAUSED'],
  resume: ['SALE_NOT_PAUSED'],
  end: ['SALE_ENDED'],
  stockAdd: [],
};

/** Acts that take something from shoppers. */
const EXPLAINED: readonly ActName[] = ['pause', 'end'];
/** Acts that are done to what was looked at. A pause is done in any case: it can be urgent, and be taken back. */
const COMPARED: readonly ActName[] = ['publish', 'resume', 'end'];
const REASON_MOST = 500;

/** The versions that acts on this page have made: the page may not have read them yet. */
const made = new Map<string, number>();

interface Wanted {
  units: number | undefined;
  reason: string | undefined;
  version: number;
}

async function carryOut(act: ActName, saleId: string, { units, reason, version }: Wanted, idempotencyKey: string): Promise<readonly Problem[]> {
  if (act === 'stockAdd') {
    const { saleStockAdd } = await send(SaleStockAdd, { input: { saleId, units: units ?? 0, idempotencyKey, reason: reason ?? null } });
    if (saleStockAdd.sale) made.set(saleId, saleStockAdd.sale.version);
    return saleStockAdd.userErrors;
  }
  const input = { saleId, reason: reason ?? null, version: COMPARED.includes(act) ? version : null };
  const answer: Record<string, unknown> = await send(DOCUMENTS[act] as typeof SalePublish, { input });
  const { sale, userErrors } = Object.values(answer as Record<string, { sale: { version: number } | null; userErrors: Problem[] }>)[0]!;
  if (sale) made.set(saleId, sale.version);
  return userErrors;
}

interface SaleActProps {
  act: ActName;
  sale: Pick<Sale, 'id' | 'product' | 'status' | 'stockRemaining' | 'stockTotal' | 'unitsHeld' | 'version'>;
  stock: Stock | undefined;
  onClose: () => void;
}

export function SaleAct({ act, sale, stock, onClose }: SaleActProps) {
  const numbers = numbersOf(sale, stock);
  const n = (count: number) => f.value.number(count);
  // While all sales are stopped, what is done to one of them shows only afterwards.
  const idle = stopped.value && act !== 'end';
  const isExplained = EXPLAINED.includes(act);
  const read = (form: FormData): Reading<Wanted> => {
    const errors: Record<string, string> = {};
    const reason = String(form.get('reason') ?? '').trim() || undefined;
    if (isExplained && !reason) errors.reason = t('reason.missing');
    const units = act === 'stockAdd' ? typedCount(String(form.get('units'))) : undefined;
    if (act === 'stockAdd' && (units === undefined || units < 1)) errors.units = t('code.UNITS_INVALID');
    if (Object.keys(errors).length > 0) return { errors };
    return { input: { units, reason, version: Math.max(sale.version, made.get(sale.id) ?? 0) } };
  };
  return (
    <ActDialog
      title={t(`act.${act}.title`)}
      does={idle ? `${t(`act.${act}.does`, { name: nameOf(sale) })} ${t('stopped.sale')}` : t(`act.${act}.does`, { name: nameOf(sale) })}
      shoppers={idle ? t('stopped.shoppers') : t(`act.${act}.shoppers`)}
      facts={[
        [t('sale.state'), t(`sale.status.${numbers.status}`)],
        [t('sale.free'), t('sale.freeOf', { free: n(numbers.free), total: n(numbers.total) })],
        [t('sale.held'), n(numbers.held)],
        [t('sale.gone'), n(numbers.gone)],
      ]}
      button={t(`act.${act}.button`)}
      danger={act === 'end' || act === 'pause'}
      rules={{ fields: ['units', 'reason'], already: ALREADY[act] }}
      repeatable
      read={read}
      send={(wanted, key) => carryOut(act, sale.id, wanted, key)}
      onConflict={refresh}
      onDone={() => {
        const time = f.value.time(clock.now());
        done.value = { text: t(`act.${act}.done`, { name: nameOf(sale), time }), href: auditOf(sale.id) };
        onClose();
      }}
      onClose={onClose}
    >
      {act === 'publish'
        ? undefined
        : (error) => (
            <>
              {act === 'stockAdd' && <Input label={t('act.stockAdd.units')} name="units" mode="numeric" error={error('units')} first />}
              <Input
                label={t('reason.label')}
                name="reason"
                hint={t(isExplained ? 'reason.hint' : 'reason.optional')}
                error={error('reason')}
                maxLength={REASON_MOST}
                first={act !== 'stockAdd'}
              />
            </>
          )}
    </ActDialog>
  );
}

interface SaleActsProps {
  sale: SaleActProps['sale'] & { endsAt: string };
  stock: Stock | undefined;
  /** Only these. */
  only?: readonly ActName[];
}

/** Buttons of what can be done with a sale now. */
export function SaleActs({ sale, stock, only }: SaleActsProps) {
  const open = useSignal<ActName | undefined>(undefined);
  const endsAt = Date.parse(stock?.endsAt ?? sale.endsAt);
  const acts = !may('runSales') ? [] : actsOf(stock?.status ?? sale.status, clock.now(), endsAt, stopped.value).filter((act) => !only || only.includes(act));
  return (
    <>
      {acts.map((act) => (
        <Button
          key={act}
          kind={act === 'publish' || act === 'resume' ? 'primary' : 'secondary'}
          label={`${t(`act.${act}.short`)}: ${nameOf(sale)}`}
          onPress={() => (open.value = act)}
        >
          {t(`act.${act}.short` satisfies Key)}
        </Button>
      ))}
      {open.value && <SaleAct act={open.value} sale={sale} stock={stock} onClose={() => (open.value = undefined)} />}
    </>
  );
}

