// What operators do with settings: store a value, remove it, take a change back, keep it, make it everybody's.
import { useSignal } from '@preact/signals';
import SettingChanges from '@documents/SettingChanges.graphql';
import SettingConfirm from '@documents/SettingConfirm.graphql';
import SettingPromote from '@documents/SettingPromote.graphql';
import SettingRollback from '@documents/SettingRollback.graphql';
import SettingSet from '@documents/SettingSet.graphql';
import SettingUnset from '@documents/SettingUnset.graphql';
import type { SettingSetInput, SettingSetMutation } from '@kit/generated/operations';
import { Icon } from '@kit/ui';
import { useRef } from 'preact/hooks';
import type { Problem } from './act';
import { clock, done, f, refresh, send, viewer } from './app';
import { auditOf } from './audit-link';
import { t, type Key } from './i18n';
import { confirmSeconds, EVERYWHERE, kindOf, plain, wrongWith, type Change, type Setting } from './settings-model';
import { ActDialog, type Reading } from './ui/act-dialog';
import { Check, Input, Select } from './ui/inputs';

type Payload = SettingSetMutation['settingSet'];

const CONFIRM = 'confirmWithinSeconds';
/** What is proposed where a mistake would lock everybody out. */
const CONFIRM_USUAL = '5m';
const REASON_MOST = 500;

/** `nodes with the role api`. */
export function scopeName(scope: string): string {
  const [kind, name] = [scope.slice(0, scope.indexOf(':')), scope.slice(scope.indexOf(':') + 1)];
  return scope === EVERYWHERE ? t('settings.scope.all') : t(kind === 'role' ? 'settings.scope.role' : 'settings.scope.node', { name });
}

export const shownValue = (value: string | null): string => (value === null ? t('settings.unsaid') : plain(value) || t('settings.empty'));

/** Long numbers as people read them; `30s` stays as it is. */
export const grouped = (bound: string): string => (/^\d+$/.test(bound) ? f.value.number(Number(bound)) : bound);

/** A description, with what it has in backticks as code. */
export const Prose = ({ text }: { text: string }) => (
  <>{text.split('`').map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>
);

/** Flags of nodes that keep a value from taking effect: told with what was done, lest it silently does nothing. */
const overridden = ({ overriddenOn }: Pick<Payload, 'overriddenOn'>): string[] =>
  overriddenOn.map(({ node, key }) => t('settings.overridden', { node, key }));

function readReason(form: FormData, errors: Record<string, string>): string {
  const reason = String(form.get('reason')).trim();
  if (!reason) errors.reason = t('reason.missing');
  return reason;
}

const Reason = ({ error, value }: { error: string | undefined; value?: string }) => (
  <Input label={t('reason.label')} name="reason" hint={t('reason.hint')} error={error} value={value} maxLength={REASON_MOST} first />
);

/** The button that opened the dialog may have disappeared. */
const settle = () =>
  requestAnimationFrame(() => {
    if (document.activeElement === document.body) document.querySelector<HTMLElement>('h1')?.focus();
  });

interface SetProps {
  setting: Setting;
  changes: readonly Change[];
  scopes: readonly string[];
  onClose: () => void;
}

type SetWish = Omit<SettingSetInput, 'expectedRevision' | 'dryRun'>;

export function SetForm({ setting, changes, scopes, onClose }: SetProps) {
  const { key, description, confirmationRequired: must } = setting;
  const newest = changes[0]?.revision ?? 0;
  // What stood when the form was opened, whatever is read while it is open.
  const base = useRef(newest).current;
  const seen = useSignal(false);
  const unfit = useSignal(false);
  const told = useRef<Pick<Payload, 'changes' | 'overriddenOn'>>({ changes: [], overriddenOn: [] });
  const theirs = changes.find((change) => change.revision > base && change.key === key);
  // Changes of other settings are no reason to stop; one of this setting has to be seen first.
  const expected = () => (theirs && !seen.peek() ? base : newest);

  const read = (form: FormData): Reading<SetWish> => {
    const errors: Record<string, string> = {};
    const value = String(form.get('value')).trim();
    const wrong = wrongWith(setting, value);
    if (wrong) errors.value = wrong === 'form' ? formHint(setting) : bounds(setting);
    const confirm = confirmSeconds(String(form.get(CONFIRM)));
    if (confirm === undefined) errors[CONFIRM] = t('settings.set.confirm.invalid');
    const reason = readReason(form, errors);
    if (Object.keys(errors).length > 0) return { errors };
    const force = form.get('force') === 'on';
    return { input: { key, value, scope: String(form.get('scope')), confirmWithinSeconds: confirm, reason, force } };
  };
  const ask = async (input: SetWish, dryRun: boolean) => {
    const { settingSet } = await send(SettingSet, { input: { ...input, expectedRevision: expected(), dryRun } });
    unfit.value ||= settingSet.userErrors.some(({ code }) => code === 'CONFIGURATION_INVALID');
    return settingSet;
  };
  return (
    <ActDialog<SetWish>
      title={t('settings.set.title', { key })}
      does={<Prose text={description} />}
      shoppers={t('settings.set.shoppers')}
      facts={[
        [t('settings.value'), <code>{shownValue(setting.value)}</code>],
        [t('settings.default'), <code>{shownValue(setting.default)}</code>],
      ]}
      button={t(seen.value ? 'settings.set.over' : 'settings.set.button')}
      rules={{ fields: ['value', 'scope', CONFIRM, 'reason'] }}
      repeatable
      read={read}
      check={{
        button: t('settings.check'),
        send: async (input) => {
          const answer = await ask(input, true);
          return { problems: answer.userErrors, lines: outlook(answer) };
        },
      }}
      send={async (input) => {
        const answer = await ask(input, false);
        told.current = answer;
        const conflict = answer.userErrors.some(({ code }) => code === 'VERSION_CONFLICT');
        // An earlier press whose answer was lost is what stands in the way.
        if (conflict && (await wasMine(input, base))) return [];
        return answer.userErrors;
      }}
      onDone={() => {
        done.value = { text: [storedText(key, told.current), ...overridden(told.current)].join(' '), href: auditOf(key) };
        onClose();
        settle();
      }}
      onClose={onClose}
      onConflict={() => {
        seen.value = true;
        refresh();
      }}
    >
      {(error) => (
        <>
          {theirs && (
            <p class="note warn" role="status" data-meanwhile>
              <Icon name="bad" />
              <span>{meanwhile(theirs)}</span>
            </p>
          )}
          <ValueField setting={setting} error={error('value')} now={theirs && t('sale.now', { value: shownValue(setting.value) })} />
          <Select
            label={t('settings.set.scope')}
            name="scope"
            hint={t('settings.set.scope.hint')}
            error={error('scope')}
            value={EVERYWHERE}
            options={scopes.map((scope) => [scope, scopeName(scope)] as const)}
          />
          <Input
            label={t('settings.set.confirm')}
            name={CONFIRM}
            hint={t(must ? 'settings.set.confirm.must' : 'settings.set.confirm.hint')}
            error={error(CONFIRM)}
            value={must ? CONFIRM_USUAL : ''}
          />
          <Reason error={error('reason')} />
          {unfit.value && <Check label={t('settings.set.force')} name="force" hint={t('settings.set.force.hint')} />}
        </>
      )}
    </ActDialog>
  );
}

const meanwhile = ({ operator, oldValue, newValue }: Change): string =>
  t('settings.meanwhile', {
    operator: operator ?? t('settings.by.expiry'),
    before: shownValue(oldValue),
    after: shownValue(newValue),
  });

const formHint = (setting: Setting): string => t(`settings.set.${kindOf(setting) as 'time' | 'size' | 'number' | 'list'}` satisfies Key);

const bounds = ({ minimum, maximum }: Setting): string =>
  minimum === null || maximum === null ? '' : t('settings.set.within', { least: grouped(minimum), most: grouped(maximum) });

function ValueField({ setting, error, now }: { setting: Setting; error: string | undefined; now: string | undefined }) {
  const kind = kindOf(setting);
  const value = plain(setting.value);
  const common = { label: t('settings.set.value'), name: 'value', error, now };
  if (kind === 'choice') return <Select {...common} value={value} options={setting.choices.map((one) => [one, one] as const)} />;
  const hint = kind === 'text' ? undefined : [formHint(setting), bounds(setting)].filter(Boolean).join(' ');
  const listed = kind === 'list' ? items(value) : value;
  return <Input {...common} value={listed} hint={hint} mode={kind === 'number' ? 'numeric' : 'text'} />;
}

/** `["a", "b"]` as it is easier to edit. */
function items(list: string): string {
  try {
    return (JSON.parse(list) as unknown[]).map(String).join(', ');
  } catch {
    return list;
  }
}

function outlook(answer: Payload): string[] {
  const lines = (answer.changes ?? []).map(({ scope, oldValue, newValue }) =>
    t('settings.check.change', { scope: scopeName(scope), before: shownValue(oldValue), after: shownValue(newValue) }),
  );
  return [...(lines.length > 0 ? lines : [t('settings.check.nothing')]), ...overridden(answer)];
}

function storedText(key: string, { changes }: Pick<Payload, 'changes'>): string {
  const [change] = changes ?? [];
  const time = f.value.time(clock.now());
  // The answer was lost, so nothing more is known than that it is stored.
  if (!change) return t(changes ? 'settings.set.doneNothing' : 'settings.set.done', { key, time });
  if (!change.confirmBefore) return t('settings.set.done', { key, time });
  return t('settings.set.doneWaits', { key, time, until: f.value.time(Date.parse(change.confirmBefore)) });
}

/** Whether what stands in the way is what this form has sent before. */
async function wasMine({ key, scope, value, reason }: SetWish, base: number): Promise<boolean> {
  const { settingChanges } = await send(SettingChanges, { key });
  const [last] = settingChanges.nodes.filter((change) => change.revision > base);
  const mine = last?.operator === viewer.peek()?.user.username && last?.reason === reason && last.scope === scope;
  return mine && last.newValue !== null && plain(last.newValue) === plain(value);
}

export type Turn = 'unset' | 'rollback' | 'restore' | 'promote' | 'confirm';

interface TurnProps {
  turn: Turn;
  /** What it is about; for `unset` only the key and the scope count. */
  change: Pick<Change, 'revision' | 'key' | 'scope' | 'oldValue' | 'newValue'> & { reason?: string };
  onClose: () => void;
}

async function take(turn: Turn, { revision, key, scope }: TurnProps['change'], reason: string, dryRun: boolean): Promise<Payload> {
  switch (turn) {
    case 'unset':
      return (await send(SettingUnset, { input: { key, scope, reason, dryRun } })).settingUnset;
    case 'promote':
      return (await send(SettingPromote, { input: { revision, reason, dryRun } })).settingPromote;
    case 'confirm':
      return (await send(SettingConfirm, { input: { revision, reason, dryRun } })).settingConfirm;
    default:
      return (await send(SettingRollback, { input: { revision, wholeState: turn === 'restore', reason, dryRun } })).settingRollback;
  }
}

/** In these acts a conflict says that a later change stands. */
const later = (problem: Problem): Problem => (problem.code === 'VERSION_CONFLICT' ? { ...problem, code: 'LATER_CHANGE' } : problem);

const WHAT: Record<Turn, (change: TurnProps['change']) => [string | null, string | null]> = {
  unset: ({ newValue }) => [newValue, null],
  rollback: ({ oldValue, newValue }) => [newValue, oldValue],
  restore: () => [null, null],
  promote: ({ newValue }) => [null, newValue],
  confirm: ({ oldValue, newValue }) => [oldValue, newValue],
};

/** An act on a change that was made. */
export function TurnForm({ turn, change, onClose }: TurnProps) {
  const { key, scope, revision } = change;
  const told = useRef<Pick<Payload, 'overriddenOn'>>({ overriddenOn: [] });
  const [before, after] = WHAT[turn](change);
  const check = {
    button: t('settings.check'),
    send: async ({ reason }: { reason: string }) => {
      const answer = await take(turn, change, reason, true);
      return { problems: answer.userErrors.map(later), lines: outlook(answer) };
    },
  };
  const facts: [string, string][] = [
    [t('settings.key'), key],
    [t('settings.where'), scopeName(turn === 'promote' ? EVERYWHERE : scope)],
    [t('settings.beforeAfter'), `${shownValue(before)} → ${shownValue(after)}`],
  ];
  return (
    <ActDialog<{ reason: string }>
      title={t(`settings.${turn}.title`, { revision: f.value.number(revision) })}
      does={t(`settings.${turn}.does`)}
      shoppers={turn === 'confirm' ? t('act.shoppersNothing') : t('settings.set.shoppers')}
      facts={turn === 'restore' ? [] : facts}
      button={t(`settings.${turn}.button`)}
      danger={turn === 'restore'}
      rules={{ fields: ['reason'] }}
      repeatable
      read={(form) => {
        const errors: Record<string, string> = {};
        const reason = readReason(form, errors);
        return errors.reason ? { errors } : { input: { reason } };
      }}
      {...(turn !== 'confirm' && { check })}
      send={async ({ reason }) => {
        const answer = await take(turn, change, reason, false);
        told.current = answer;
        return answer.userErrors.map(later);
      }}
      onDone={() => {
        const text = t(`settings.${turn}.done`, { key, revision: f.value.number(revision), time: f.value.time(clock.now()) });
        // Several changes at once are in the log as one entry.
        const subject = turn === 'restore' || turn === 'promote' ? 'settings' : key;
        done.value = { text: [text, ...overridden(told.current)].join(' '), href: auditOf(subject) };
        onClose();
        settle();
      }}
      onClose={onClose}
    >
      {(error) => <Reason error={error('reason')} {...(turn === 'confirm' && change.reason && { value: change.reason })} />}
    </ActDialog>
  );
}
