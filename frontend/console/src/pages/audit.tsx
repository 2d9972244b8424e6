// What operators did and looked at.
import AuditEntries from '@documents/AuditEntries.graphql';
import type { AuditEntriesQuery } from '@kit/generated/operations';
import { Empty } from '@kit/ui';
import { orderAddress, saleAddress } from '../addresses';
import { f } from '../app';
import { t } from '../i18n';
import { Heading, More, Show, useList } from '../page';
import { place } from '../router';
import { Filters } from '../ui/filters';
import { Table, type Column } from '../ui/table';

type Entry = AuditEntriesQuery['auditEntries']['nodes'][number];

export default function Audit() {
  const { query } = place.value;
  const [operator, act, subject] = ['operator', 'act', 'subject'].map((name) => query.get(name));
  const list = useList(AuditEntries, { filter: { operator, act, subject } }, (data) => data.auditEntries);
  return (
    <>
      <Heading title={t('nav.audit')} hint={t('audit.hint')} />
      <Filters
        label={t('nav.audit')}
        filters={[
          { name: 'operator', label: t('audit.operator') },
          { name: 'act', label: t('audit.act'), hint: t('audit.act.hint') },
          { name: 'subject', label: t('audit.subject') },
        ]}
      />
      <Show answer={list}>
        {(entries) => (entries.length === 0 ? <Empty title={t('audit.none')} /> : <AuditTable entries={entries} withSubject />)}
      </Show>
      <More list={list} />
    </>
  );
}

/** A page of the object, if it has one. */
function addressOf(subject: string): string | undefined {
  if (subject.startsWith('sale_')) return saleAddress(subject);
  return /^(order|payment)_/.test(subject) ? orderAddress(subject) : undefined;
}

function Subject({ subject }: { subject: string }) {
  const href = addressOf(subject);
  const text = <bdi class="id">{subject || '–'}</bdi>;
  return href ? <a href={href}>{text}</a> : text;
}

export function AuditTable({ entries, withSubject }: { entries: readonly Entry[]; withSubject: boolean }) {
  const columns: Column<Entry>[] = [
    { id: 'at', title: t('audit.at'), cell: ({ at }) => <span class="number">{f.value.moment(Date.parse(at))}</span> },
    { id: 'operator', title: t('audit.operator'), cell: ({ operator }) => <bdi>{operator.username}</bdi> },
    { id: 'act', title: t('audit.act'), head: true, cell: ({ act }) => <code>{act}</code> },
    ...(withSubject ? [{ id: 'subject', title: t('audit.subject'), cell: ({ subject }: Entry) => <Subject subject={subject} /> }] : []),
    { id: 'reason', title: t('reason.label'), cell: ({ reason }) => <bdi>{reason ?? '–'}</bdi> },
    { id: 'detail', title: t('audit.detail'), cell: ({ detail }) => <Detail text={detail} /> },
  ];
  return <Table caption={t('nav.audit')} columns={columns} rows={entries} id={({ id }) => id} />;
}

/** JSON, laid out; as it is where it is none. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function Detail({ text }: { text: string }) {
  if (!text || text === '{}') return <>–</>;
  return (
    <details>
      <summary>{t('audit.show')}</summary>
      <pre tabIndex={0}>{pretty(text)}</pre>
    </details>
  );
}
