// The report of a sale: what became of each unit and each purchase, ten checks with their two numbers, and the files with all rows.
import SaleReport from '@documents/SaleReport.graphql';
import type { SaleReportQuery } from '@kit/generated/operations';
import { Button, Chip, Empty, Icon, type Tone } from '@kit/ui';
import { saleAddress, to, type Route } from '../addresses';
import { f, send } from '../app';
import { maybe, t } from '../i18n';
import { Heading, Show, useAnswer } from '../page';
import { nameOf } from '../sales';
import { Table, type Column } from '../ui/table';

type Report = NonNullable<SaleReportQuery['saleReport']>;
type Check = Report['checks'][number];
type Line = Report['lines'][number];

/** A large sale takes longer than other questions. */
const PATIENCE_MS = 60_000;

const TONES: Record<Check['status'], Tone> = { HOLDS: 'ok', VIOLATED: 'bad', UNDECIDED: 'warn', NOT_APPLICABLE: 'plain' };
const VERDICT_TONES: Record<Report['verdict'], Tone> = { HOLDS: 'ok', VIOLATED: 'bad', PROVISIONAL: 'warn' };

export default function ReportPage({ route }: { route: Route }) {
  const id = 'id' in route ? route.id : '';
  const report = useAnswer(async () => (await send(SaleReport, { id }, { timeoutMs: PATIENCE_MS })).saleReport, id);
  return (
    <Show answer={report}>{(found) => (found ? <Shown report={found} again={report.again} /> : <Missing />)}</Show>
  );
}

function Missing() {
  return (
    <>
      <Heading title={t('sale.missing')} />
      <Empty title={t('code.SALE_NOT_FOUND')}>
        <Button href={to('schedule')}>{t('nav.schedule')}</Button>
      </Empty>
    </>
  );
}

/** Amounts come as text: "9.90 CNY, 30 points". */
const side = (text: string) => text.replace(/(\d+) points/g, (_, n: string) => t('points.amount', { points: f.value.number(Number(n)) }));

const nameOfLine = (name: string) => maybe(`report.line.${name}`) ?? name;

function Why({ check }: { check: Check }) {
  if (!check.cause && check.examples.length === 0) return <>–</>;
  return (
    <>
      {check.cause && <span>{t(`report.cause.${check.cause}`)}</span>}
      {check.examples.map((example) => (
        <span key={example} class="hint block">
          <bdi class="number">{example}</bdi>
        </span>
      ))}
    </>
  );
}

function Files({ report }: { report: Report }) {
  const file = (format: 'csv' | 'json') => `${report.downloadUrl}?format=${format}`;
  return (
    <>
      <a class="button secondary" href={file('csv')} download>
        {t('report.csv')}
      </a>
      <a class="button secondary" href={file('json')} download>
        {t('report.json')}
      </a>
      <Button onPress={() => print()}>{t('report.print')}</Button>
    </>
  );
}

function Verdict({ report }: { report: Report }) {
  const count = (status: Check['status']) => report.checks.filter((check) => check.status === status).length;
  const told = {
    HOLDS: t('report.holds'),
    VIOLATED: t('report.violated', { n: count('VIOLATED') }),
    PROVISIONAL: report.settled ? t('report.undecided', { n: count('UNDECIDED') }) : t('report.provisional'),
  };
  return (
    <p class={`note ${VERDICT_TONES[report.verdict]}`} role="status" data-verdict={report.verdict}>
      <Icon name={report.verdict === 'HOLDS' ? 'ok' : 'bad'} /> <b>{t(`report.verdict.${report.verdict}`)}</b>{' '}
      <span>{told[report.verdict]}</span>
    </p>
  );
}

const checks = (report: Report): Column<Check>[] => [
  { id: 'number', title: t('books.number'), cell: (check) => <span class="number">{report.checks.indexOf(check) + 1}</span> },
  { id: 'title', title: t('report.condition'), head: true, cell: ({ code }) => t(`report.check.${code}`) },
  { id: 'left', title: t('report.left'), numeric: true, cell: ({ left }) => side(left) },
  { id: 'right', title: t('report.right'), numeric: true, cell: ({ right }) => side(right) },
  { id: 'state', title: t('sale.state'), cell: ({ status }) => <Chip tone={TONES[status]}>{t(`report.status.${status}`)}</Chip> },
  { id: 'why', title: t('report.why'), cell: (check) => <Why check={check} /> },
];

const lines = (): Column<Line>[] => [
  { id: 'name', title: t('report.what'), head: true, cell: ({ name }) => nameOfLine(name) },
  { id: 'count', title: t('report.count'), numeric: true, cell: ({ count }) => f.value.number(count) },
  { id: 'amount', title: t('payment.amount'), numeric: true, cell: ({ amount }) => (amount ? f.value.money(amount) : '') },
];

function Shown({ report, again }: { report: Report; again: () => void }) {
  const { sale, settled, digest } = report;
  return (
    <div class="report">
      <a class="back" href={saleAddress(sale.id)}>
        <Icon name="back" /> {t('sale.sale')}
      </a>
      <Heading title={`${t('report.title')}: ${nameOf(sale)}`} hint={t('report.asOf', { time: f.value.moment(Date.parse(report.asOf)) })}>
        {!settled && <Button onPress={again}>{t('report.again')}</Button>}
        <Files report={report} />
      </Heading>
      <Verdict report={report} />
      <section>
        <h2>{t('report.checks')}</h2>
        <Table caption={t('report.checks')} columns={checks(report)} rows={report.checks} id={({ code }) => code} />
      </section>
      <section>
        <h2>{t('report.lines')}</h2>
        <Table caption={t('report.lines')} columns={lines()} rows={report.lines} id={({ name, amount }) => name + (amount?.currencyCode ?? '')} />
      </section>
      <section>
        <h2>{t('report.digest')}</h2>
        {digest ? (
          <p>
            <code class="digest">{digest}</code>
          </p>
        ) : (
          <p class="muted">{t('report.noDigest')}</p>
        )}
        <p class="hint">
          {t('report.digestDoes')}{' '}
          {sale.status !== 'DRAFT' && (
            <a href={`/sales/${encodeURIComponent(sale.id)}`} target="_blank" rel="noopener">
              {t('report.shoppers')}
            </a>
          )}
        </p>
      </section>
    </div>
  );
}
