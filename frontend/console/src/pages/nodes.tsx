// The nodes that run, whether they are ready, which of them does what only one may do, and what waits in the broker.
import Queues from '@documents/Queues.graphql';
import ServerNodes from '@documents/ServerNodes.graphql';
import type { QueuesQuery, ServerNodesQuery } from '@kit/generated/operations';
import { Chip } from '@kit/ui';
import { clock, f, second, send } from '../app';
import { t } from '../i18n';
import { Heading, Show, useAnswer } from '../page';
import { Table, type Column } from '../ui/table';

type Node = ServerNodesQuery['serverNodes'][number];
type Job = ServerNodesQuery['jobs'][number];
type Queue = QueuesQuery['queues'][number];

const EVERY_MS = 3_000;
const MIB = 1024 * 1024;
/** A node without readiness is of an earlier version. What a silent one said last is not how it is. */
function State({ node: { readiness, silent } }: { node: Node }) {
  if (silent) return <Chip tone="bad">{t('nodes.silent')}</Chip>;
  const broken = readiness?.checks.filter(({ ready }) => !ready) ?? [];
  return (
    <>
      {readiness ? (
        <Chip tone={readiness.ready ? 'ok' : 'bad'}>{t(readiness.ready ? 'nodes.ready' : 'nodes.notReady')}</Chip>
      ) : (
        <Chip tone="info">{t('nodes.runs')}</Chip>
      )}
      {broken.map(({ name, reason }) => (
        <span key={name} class="hint block">
          {name}: {reason ?? '–'}
        </span>
      ))}
    </>
  );
}

function Ago({ at }: { at: string }) {
  void second.value;
  return <>{t('nodes.ago', { span: f.value.span(Math.max(0, clock.now() - Date.parse(at))) })}</>;
}

const nodeColumns = (): Column<Node>[] => [
  {
    id: 'name',
    title: t('nodes.node'),
    head: true,
    cell: ({ name, address }) => (
      <>
        <bdi>{name}</bdi>
        <span class="hint block number">{address}</span>
      </>
    ),
  },
  { id: 'state', title: t('sale.state'), cell: (node) => <State node={node} /> },
  { id: 'roles', title: t('nodes.roles'), cell: ({ roles }) => roles.join(', ') },
  { id: 'version', title: t('sale.version'), cell: ({ version }) => <span class="number">{version}</span> },
  { id: 'up', title: t('nodes.started'), cell: ({ startedAt }) => <Ago at={startedAt} /> },
  { id: 'seen', title: t('nodes.seen'), cell: ({ seenAt }) => <Ago at={seenAt} /> },
  {
    id: 'cpu',
    title: t('nodes.cpu'),
    numeric: true,
    cell: ({ cpu }) => (cpu === null ? '–' : `${f.value.number(Math.round(cpu * 100))} %`),
  },
  {
    id: 'memory',
    title: t('nodes.memory'),
    numeric: true,
    cell: ({ memoryBytes }) => (memoryBytes === null ? '–' : `${f.value.number(Math.round(memoryBytes / MIB))} MiB`),
  },
  {
    id: 'sockets',
    title: t('nodes.sockets'),
    numeric: true,
    cell: ({ sockets }) => (sockets === null ? '–' : f.value.number(sockets)),
  },
];

const jobColumns = (): Column<Job>[] => [
  { id: 'name', title: t('nodes.job'), head: true, cell: ({ name }) => <code>{name}</code> },
  {
    id: 'holder',
    title: t('nodes.holder'),
    cell: ({ holder }) => (holder ? <bdi>{holder}</bdi> : <Chip tone="warn">{t('nodes.nobody')}</Chip>),
  },
  { id: 'token', title: t('nodes.token'), numeric: true, cell: ({ token }) => f.value.number(token) },
];

const queueColumns = (): Column<Queue>[] => [
  { id: 'topic', title: t('failures.topic'), head: true, cell: ({ topic }) => <code>{topic}</code> },
  { id: 'waiting', title: t('nodes.waiting'), numeric: true, cell: ({ waiting }) => f.value.number(waiting) },
  { id: 'partitions', title: t('nodes.partitions'), numeric: true, cell: ({ partitions }) => f.value.number(partitions) },
  {
    id: 'readers',
    title: t('nodes.readers'),
    cell: ({ shares }) => [...new Set(shares.map(({ reader }) => reader ?? t('nodes.nobody')))].join(', ') || '–',
  },
];

export default function Nodes() {
  const answer = useAnswer(() => send(ServerNodes, {}), 'nodes', EVERY_MS);
  const queues = useAnswer(async () => (await send(Queues, {})).queues, 'queues', EVERY_MS);
  return (
    <>
      <Heading title={t('nav.nodes')} hint={t('nodes.hint')} />
      <Show answer={answer}>
        {({ serverNodes, jobs }) => (
          <>
            <Table caption={t('nav.nodes')} columns={nodeColumns()} rows={serverNodes} id={({ name }) => name} />
            <section>
              <h2>{t('nodes.jobs')}</h2>
              {jobs.length === 0 ? (
                <p class="muted">{t('nodes.noJobs')}</p>
              ) : (
                <Table caption={t('nodes.jobs')} columns={jobColumns()} rows={jobs} id={({ name }) => name} />
              )}
            </section>
          </>
        )}
      </Show>
      <section>
        <h2>{t('nodes.queues')}</h2>
        <Show answer={queues}>
          {(list) =>
            list.length === 0 ? (
              <p class="muted">{t('nodes.noQueues')}</p>
            ) : (
              <Table caption={t('nodes.queues')} columns={queueColumns()} rows={list} id={({ topic }) => topic} />
            )
          }
        </Show>
      </section>
    </>
  );
}
