// Lists of settings, of their changes and of the nodes that follow them, and the changes that wait to be confirmed.
import SettingChanges from '@documents/SettingChanges.graphql';
import { Button, Chip, Empty, Icon, type Tone } from '@kit/ui';
import { useEffect, useRef } from 'preact/hooks';
import { f, second } from './app';
import { to } from './addresses';
import { t } from './i18n';
import { More, Show, useList } from './page';
import type { Acting } from './pages/settings';
import { place } from './router';
import { grouped, Prose, scopeName, shownValue } from './settings-acts';
import {
  canPromote,
  canRollBack,
  found,
  isChanged,
  join,
  SHOWN,
  standing,
  waiting,
  type Change,
  type Setting,
  type SettingNode,
} from './settings-model';
import { Filters } from './ui/filters';
import { Table, type Column } from './ui/table';

type OnAct = (acting: Acting) => void;

/** Changes that are taken back by themselves unless somebody confirms them. */
export function Pending({ changes, onAct }: { changes: readonly Change[]; onAct: OnAct }) {
  const list = waiting(changes);
  if (list.length === 0) return null;
  return (
    <section aria-label={t('settings.pending')} class="pending">
      {list.map((change) => (
        <div key={change.revision} class="note warn" data-pending={change.key}>
          <Icon name="clock" />
          <div class="pending-what">
            <p>
              <b>{t('settings.pending')}</b> · <TimeLeft until={change.confirmBefore} />
            </p>
            <p>
              <code>{change.key}</code>, {scopeName(change.scope)}: <Span change={change} />
            </p>
            <p class="hint">
              <bdi>{t('settings.pending.by', { operator: change.operator ?? '–', reason: change.reason })}</bdi>
            </p>
          </div>
          <span class="acts">
            <Button label={`${t('settings.rollback.undo')}: ${change.key}`} onPress={() => onAct({ turn: 'rollback', change })}>
              {t('settings.rollback.undo')}
            </Button>
            <Button
              kind="primary"
              label={`${t('settings.confirm.short')}: ${change.key}`}
              onPress={() => onAct({ turn: 'confirm', change })}
            >
              {t('settings.confirm.short')}
            </Button>
          </span>
        </div>
      ))}
    </section>
  );
}

function TimeLeft({ until }: { until: string }) {
  const left = Date.parse(until) - second.value;
  return (
    <span class="number" role="timer">
      {left > 0 ? t('settings.pending.left', { timer: f.value.countdown(left) }) : t('settings.pending.over')}
    </span>
  );
}

/** What it was and what it became; a change that was only confirmed stays what it is. */
const Span = ({ change: { oldValue, newValue } }: { change: Pick<Change, 'oldValue' | 'newValue'> }) => (
  <>
    {oldValue !== newValue && (
      <>
        <code>{shownValue(oldValue)}</code> →{' '}
      </>
    )}
    <code>{shownValue(newValue)}</code>
  </>
);

/** `default`, `shop.toml:3:1`, a variable, the change that stored it. */
const Source = ({ source }: { source: string }) =>
  source === 'default' ? <span class="muted">{t('settings.source.default')}</span> : <bdi class="source">{source}</bdi>;

const boundsOf = ({ minimum, maximum, choices }: Setting): string | undefined => {
  if (choices.length > 0) return choices.join(' · ');
  return minimum === null || maximum === null ? undefined : t('settings.bounds', { least: grouped(minimum), most: grouped(maximum) });
};

const settingColumns = (onAct: OnAct): Column<Setting>[] => [
  {
    id: 'key',
    title: t('settings.key'),
    head: true,
    cell: (setting) => (
      <>
        <code class="setting-key">{setting.key}</code>
        <span class="hint block">
          <Prose text={setting.description} />
        </span>
        <span class="hint block number">{[boundsOf(setting), !setting.hot && t('settings.cold')].filter(Boolean).join(' · ')}</span>
      </>
    ),
  },
  {
    id: 'value',
    title: t('settings.value'),
    cell: (setting) => (
      <span>
        {isChanged(setting) ? <b><code>{shownValue(setting.value)}</code></b> : <code>{shownValue(setting.value)}</code>}
        {setting.stored.map(({ scope, value }) => (
          <span key={scope} class="hint block">
            {t('settings.stored', { scope: scopeName(scope), value: shownValue(value) })}
          </span>
        ))}
      </span>
    ),
  },
  {
    id: 'default',
    title: t('settings.default'),
    cell: ({ value, default: standard }) =>
      value === standard ? <span class="muted">{t('settings.same')}</span> : <code>{shownValue(standard)}</code>,
  },
  { id: 'source', title: t('settings.source'), cell: ({ source }) => <Source source={source} /> },
  { id: 'acts', title: t('act.acts'), cell: (setting) => <SettingActs setting={setting} onAct={onAct} /> },
];

function SettingActs({ setting, onAct }: { setting: Setting; onAct: OnAct }) {
  const { key, hot, stored } = setting;
  return (
    <span class="acts">
      {hot && (
        <Button label={t('settings.set.title', { key })} onPress={() => onAct({ turn: 'set', setting })}>
          {t('settings.set.short')}
        </Button>
      )}
      {stored.map(({ scope, value, revision }) => (
        <Button
          key={scope}
          label={t('settings.unset.of', { key, scope: scopeName(scope) })}
          onPress={() => onAct({ turn: 'unset', change: { revision, key, scope, oldValue: null, newValue: value } })}
        >
          {t('settings.unset.short')}
        </Button>
      ))}
      {(hot || stored.length > 0) && (
        <Button kind="quiet" href={to('settings', { tab: 'changes', key })} label={t('settings.historyOf', { key })}>
          {t('settings.history')}
        </Button>
      )}
    </span>
  );
}

export function SettingList({ settings, onAct }: { settings: readonly Setting[]; onAct: OnAct }) {
  const { query } = place.value;
  const list = found(settings, query.get('q'), query.get('show'));
  const options = [['', t('settings.shown.all')], ...SHOWN.map((one) => [one, t(`settings.shown.${one}`)] as const)] as const;
  return (
    <>
      <Filters
        label={t('nav.settings')}
        filters={[
          { name: 'q', label: t('settings.search') },
          { name: 'show', label: t('settings.shown'), options },
        ]}
      />
      {list.length === 0 ? (
        <Empty title={t('settings.none')} />
      ) : (
        <>
          <p class="muted" role="status">
            {t('settings.count', { n: list.length })}
          </p>
          <Table caption={t('nav.settings')} columns={settingColumns(onAct)} rows={list} id={({ key }) => key} />
        </>
      )}
    </>
  );
}

const TONES: Record<Change['act'], Tone> = {
  SET: 'info',
  UNSET: 'plain',
  ROLLBACK: 'warn',
  PROMOTE: 'info',
  CONFIRM: 'ok',
  EXPIRE: 'warn',
};

const changeColumns = (known: readonly Change[], newest: number, onAct: OnAct): Column<Change>[] => [
  { id: 'revision', title: t('settings.revision'), cell: ({ revision }) => <span class="number">{f.value.number(revision)}</span> },
  {
    id: 'key',
    title: t('settings.key'),
    head: true,
    cell: ({ key, scope }) => (
      <>
        <code class="setting-key">{key}</code>
        <span class="hint block">{scopeName(scope)}</span>
      </>
    ),
  },
  {
    id: 'act',
    title: t('audit.act'),
    cell: ({ act, undoes }) => (
      <span>
        <Chip tone={TONES[act]}>{t(`settings.act.${act}`)}</Chip>
        {undoes !== null && <span class="hint block">{t('settings.about', { revision: f.value.number(undoes) })}</span>}
      </span>
    ),
  },
  { id: 'span', title: t('settings.beforeAfter'), cell: (change) => <span><Span change={change} /></span> },
  {
    id: 'by',
    title: t('settings.by'),
    cell: ({ operator, at, via }) => (
      <span>
        <bdi>{operator ?? t('settings.by.expiry')}</bdi>
        {operator && via !== 'graphql' && <span class="muted"> ({via})</span>}
        <span class="hint block number">{f.value.moment(Date.parse(at))}</span>
      </span>
    ),
  },
  { id: 'reason', title: t('reason.label'), cell: ({ reason }) => <bdi>{reason}</bdi> },
  {
    id: 'acts',
    title: t('act.acts'),
    cell: (change) => {
      const number = f.value.number(change.revision);
      return (
        <span class="acts">
          {canRollBack(change, known) && (
            <Button label={`${t('settings.rollback.short')}: ${number}`} onPress={() => onAct({ turn: 'rollback', change })}>
              {t('settings.rollback.short')}
            </Button>
          )}
          {canPromote(change, known) && (
            <Button label={`${t('settings.promote.short')}: ${number}`} onPress={() => onAct({ turn: 'promote', change })}>
              {t('settings.promote.short')}
            </Button>
          )}
          {change.revision < newest && (
            <Button kind="quiet" label={`${t('settings.restore.short')}: ${number}`} onPress={() => onAct({ turn: 'restore', change })}>
              {t('settings.restore.short')}
            </Button>
          )}
        </span>
      );
    },
  },
];

/** The newest changes of all settings or of one, page by page. */
export function ChangeList({ changes, onAct }: { changes: readonly Change[]; onAct: OnAct }) {
  const key = place.value.query.get('key');
  const list = useList(SettingChanges, { key }, (data) => data.settingChanges);
  const newest = changes[0]?.revision ?? 0;
  const read = useRef(newest);
  useEffect(() => {
    if (read.current === newest) return;
    read.current = newest;
    list.again();
  }, [newest]);
  return (
    <>
      <Filters label={t('settings.tab.changes')} filters={[{ name: 'key', label: t('settings.key'), hint: t('settings.key.hint') }]} />
      <Show answer={list}>
        {(found) =>
          found.length === 0 ? (
            <Empty title={t('settings.noChanges')} />
          ) : (
            <Table
              caption={t('settings.tab.changes')}
              columns={changeColumns(join(changes, found), newest, onAct)}
              rows={found}
              id={({ revision }) => String(revision)}
            />
          )
        }
      </Show>
      <More list={list} />
    </>
  );
}

const STANDING: Record<ReturnType<typeof standing>, Tone> = { follows: 'ok', behind: 'warn', unknown: 'bad' };

const nodeColumns = (newest: number): Column<SettingNode>[] => [
  { id: 'name', title: t('nodes.node'), head: true, cell: ({ name }) => <bdi>{name}</bdi> },
  { id: 'roles', title: t('nodes.roles'), cell: ({ roles }) => roles.join(', ') },
  {
    id: 'revision',
    title: t('settings.nodes.revision'),
    cell: (node) => {
      const how = standing(node, newest);
      const revision = f.value.number(node.settingsRevision ?? 0);
      if (node.silent) return <Chip tone="bad">{t('nodes.silent')}</Chip>;
      return <Chip tone={STANDING[how]}>{t(`settings.nodes.${how}`, { revision })}</Chip>;
    },
  },
  {
    id: 'rejected',
    title: t('settings.nodes.rejected'),
    cell: ({ rejectedSettings }) => (
      <span>
        {rejectedSettings.length === 0 && '–'}
        {rejectedSettings.map(({ key, scope, revision, problem }) => (
          <span key={`${key} ${scope}`} class="block">
            <code>{key}</code> ({t('settings.revision')} {f.value.number(revision)}, {scopeName(scope)}): <bdi>{problem}</bdi>
          </span>
        ))}
      </span>
    ),
  },
];

/** Which node follows which change, and which can't take one. */
export function NodeList({ nodes, newest }: { nodes: readonly SettingNode[]; newest: number }) {
  return (
    <>
      <p class="muted">{newest === 0 ? t('settings.nodes.none') : t('settings.nodes.hint', { revision: f.value.number(newest) })}</p>
      <Table caption={t('settings.tab.nodes')} columns={nodeColumns(newest)} rows={nodes} id={({ name }) => name} />
    </>
  );
}
