// Settings: what is in force, what was changed by whom and why, and which node follows it. Live.
import { useSignal, type ReadonlySignal } from '@preact/signals';
import SettingChanges from '@documents/SettingChanges.graphql';
import SettingNodes from '@documents/SettingNodes.graphql';
import Settings from '@documents/Settings.graphql';
import WatchSettings from '@documents/WatchSettings.graphql';
import { Tabs } from '@kit/ui';
import { useEffect } from 'preact/hooks';
import { clock, live, send } from '../app';
import { t, type Key } from '../i18n';
import { Heading, Show, useAnswer, type Answer } from '../page';
import { filter, place } from '../router';
import { SetForm, TurnForm, type Turn } from '../settings-acts';
import { ChangeList, NodeList, Pending, SettingList } from '../settings-lists';
import { join, scopesOf, standing, type Change, type Setting, type SettingNode } from '../settings-model';

const TABS = ['list', 'changes', 'nodes'] as const;
type Tab = (typeof TABS)[number];

const NODES_EVERY_MS = 5_000;
/** Changes that come together are read once. */
const TOGETHER_MS = 50;
/** No change waits longer to be confirmed, and so many pages of changes at most are looked through for those that wait. */
const WAITS_MOST_MS = 86_400_000;
const PAGES_MOST = 10;

export interface Facts {
  settings: readonly Setting[];
  changes: readonly Change[];
}

/** The newest changes: all that may still wait to be confirmed. */
async function recentChanges(): Promise<Change[]> {
  const changes: Change[] = [];
  let after: string | null = null;
  for (let page = 0; page < PAGES_MOST; page += 1) {
    const { nodes, pageInfo }: { nodes: Change[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } = (
      await send(SettingChanges, { after })
    ).settingChanges;
    changes.push(...nodes);
    const oldest = nodes.at(-1);
    if (!pageInfo.hasNextPage || !oldest || Date.parse(oldest.at) < clock.now() - WAITS_MOST_MS) break;
    after = pageInfo.endCursor;
  }
  return changes;
}

/** What is in force, and each change as soon as the node that answers follows it. */
function useFacts(): { answer: Answer<Facts>; pushed: ReadonlySignal<readonly Change[]> } {
  const pushed = useSignal<readonly Change[]>([]);
  const answer = useAnswer(async () => {
    const [{ settings }, changes] = await Promise.all([send(Settings, {}), recentChanges()]);
    return { settings, changes };
  }, 'settings');
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const leave = live.watch(WatchSettings, () => ({ afterRevision: pushed.peek()[0]?.revision ?? null }), {
      next({ settingChanged }) {
        pushed.value = join(pushed.peek(), [settingChanged]);
        clearTimeout(timer);
        timer = setTimeout(answer.again, TOGETHER_MS);
      },
    });
    const rest = live.poll(answer.again);
    return () => {
      clearTimeout(timer);
      rest();
      leave();
    };
  }, []);
  return { answer, pushed };
}

export type Acting = { turn: 'set'; setting: Setting } | { turn: Turn; change: Parameters<typeof TurnForm>[0]['change'] };

export default function SettingsPage() {
  const asked = place.value.query.get('tab');
  const tab: Tab = TABS.find((one) => one === asked) ?? 'list';
  const { answer, pushed } = useFacts();
  const nodes = useAnswer(async () => (await send(SettingNodes, {})).serverNodes, 'nodes', NODES_EVERY_MS);
  const acting = useSignal<Acting | undefined>(undefined);
  const onAct = (wanted: Acting) => (acting.value = wanted);
  const close = () => (acting.value = undefined);
  return (
    <>
      <Heading title={t('nav.settings')} hint={t('settings.hint')} />
      <Show answer={answer}>
        {({ settings, changes: read }) => {
          const changes = join(read, pushed.value);
          return (
            <>
              <Pending changes={changes} onAct={onAct} />
              <Lagging nodes={nodes.value ?? []} newest={changes[0]?.revision ?? 0} />
              <Tabs
                label={t('nav.settings')}
                panel="settings"
                chosen={tab}
                onChoose={(one) => filter({ q: undefined, show: undefined, key: undefined, tab: one === 'list' ? undefined : one })}
                tabs={TABS.map((id) => ({ id, label: t(`settings.tab.${id}` satisfies Key) }))}
              />
              <div id="settings" role="tabpanel" aria-labelledby={`tab-${tab}`} class="day">
                {tab === 'list' && <SettingList settings={settings} onAct={onAct} />}
                {tab === 'changes' && <ChangeList changes={changes} onAct={onAct} />}
                {tab === 'nodes' && (
                  <Show answer={nodes}>{(list) => <NodeList nodes={list} newest={changes[0]?.revision ?? 0} />}</Show>
                )}
              </div>
              {acting.value && <Act acting={acting.value} facts={{ settings, changes }} nodes={nodes.value ?? []} onClose={close} />}
            </>
          );
        }}
      </Show>
    </>
  );
}

interface ActProps {
  acting: Acting;
  facts: Facts;
  nodes: readonly SettingNode[];
  onClose: () => void;
}

function Act({ acting, facts: { settings, changes }, nodes, onClose }: ActProps) {
  if (acting.turn !== 'set') return <TurnForm turn={acting.turn} change={acting.change} onClose={onClose} />;
  // As it is by now, whatever it was when the form was opened.
  const setting = settings.find(({ key }) => key === acting.setting.key) ?? acting.setting;
  return <SetForm setting={setting} changes={changes} scopes={scopesOf(nodes)} onClose={onClose} />;
}

/** That a node runs on something else is said on every tab. */
function Lagging({ nodes, newest }: { nodes: readonly SettingNode[]; newest: number }) {
  const running = nodes.filter(({ silent }) => !silent);
  const bad = running.filter((node) => node.rejectedSettings.length > 0 || standing(node, newest) === 'unknown').length;
  if (bad === 0) return null;
  return <p class="note bad">{t('settings.nodes.bad', { n: bad })}</p>;
}
