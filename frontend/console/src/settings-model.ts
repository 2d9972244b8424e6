// What a setting can be, what was typed for it, and which of its changes can still be taken back.
import type { SettingChangesQuery, SettingNodesQuery, SettingsQuery } from '@kit/generated/operations';

export type Setting = SettingsQuery['settings'][number];
export type Change = SettingChangesQuery['settingChanges']['nodes'][number];
export type SettingNode = SettingNodesQuery['serverNodes'][number];

/** The scope of all nodes. */
export const EVERYWHERE = '*';

export const SHOWN = ['changed', 'hot'] as const;
export type Shown = (typeof SHOWN)[number];

/** Whether it is not what it would be by itself. */
export const isChanged = ({ source, stored }: Pick<Setting, 'source' | 'stored'>): boolean => source !== 'default' || stored.length > 0;

/** Those whose key or description has every word. */
export function found<S extends Pick<Setting, 'key' | 'description' | 'source' | 'stored' | 'hot'>>(
  settings: readonly S[],
  search: string | null,
  shown: string | null,
): S[] {
  const words = (search ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return settings.filter((setting) => {
    if (shown === 'changed' && !isChanged(setting)) return false;
    if (shown === 'hot' && !setting.hot) return false;
    const text = `${setting.key} ${setting.description}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** A value as a person types it: texts without their quotes. */
export function plain(value: string): string {
  if (/^'[^']*'$/.test(value)) return value.slice(1, -1);
  if (!/^".*"$/s.test(value)) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value.slice(1, -1);
  }
}

const TIMES: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZES: Record<string, number> = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 };

export type Kind = 'choice' | 'number' | 'time' | 'size' | 'list' | 'text';

function measure(text: string, units: Record<string, number>): number | undefined {
  const [, count, unit] = /^(\d+)([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const size = unit && Object.hasOwn(units, unit) ? units[unit] : undefined;
  return count === undefined || size === undefined ? undefined : Number(count) * size;
}

export function kindOf({ choices, minimum, default: standard }: Pick<Setting, 'choices' | 'minimum' | 'default'>): Kind {
  if (choices.length > 0) return 'choice';
  if (standard.startsWith('[')) return 'list';
  if (minimum === null) return 'text';
  if (/^\d+$/.test(minimum)) return 'number';
  return measure(minimum, TIMES) === undefined ? 'size' : 'time';
}

const NUMBERS: Partial<Record<Kind, (text: string) => number | undefined>> = {
  number: (text) => (/^\d+$/.test(text.trim()) ? Number(text) : undefined),
  time: (text) => measure(text, TIMES),
  size: (text) => measure(text, SIZES),
};

/** What is wrong with a value, as far as it can be told without the shop. */
export function wrongWith(
  setting: Pick<Setting, 'choices' | 'minimum' | 'maximum' | 'default'>,
  text: string,
): 'form' | 'bounds' | undefined {
  const read = NUMBERS[kindOf(setting)];
  if (!read) return undefined;
  const value = read(text);
  if (value === undefined) return 'form';
  const [least, most] = [setting.minimum, setting.maximum].map((bound) => (bound === null ? undefined : read(bound)));
  return value < (least ?? -Infinity) || value > (most ?? Infinity) ? 'bounds' : undefined;
}

/** The longest time that a change may wait to be confirmed. */
export const CONFIRM_MOST_S = 86_400;

/** `300`, `90s`, `5m`, `1h` in seconds; null if it is left empty, `undefined` if it is no such time. */
export function confirmSeconds(text: string): number | null | undefined {
  const typed = text.trim();
  if (!typed) return null;
  const ms = measure(/^\d+$/.test(typed) ? `${typed}s` : typed, TIMES);
  const seconds = ms === undefined ? NaN : ms / 1_000;
  return Number.isInteger(seconds) && seconds >= 1 && seconds <= CONFIRM_MOST_S ? seconds : undefined;
}

/** All that is known of both, the newest first. */
export function join(held: readonly Change[], more: readonly Change[]): Change[] {
  const all = new Map([...held, ...more].map((change) => [change.revision, change]));
  return [...all.values()].sort((a, b) => b.revision - a.revision);
}

const sameValue = (a: Change, b: Change) => a.key === b.key && a.scope === b.scope;
const later = (change: Change, changes: readonly Change[]) =>
  changes.filter((one) => one.revision > change.revision && sameValue(one, change));

/** Those that are taken back by themselves unless somebody confirms them: the one that ends first comes first. */
export function waiting(changes: readonly Change[]): (Change & { confirmBefore: string })[] {
  const open = (change: Change): change is Change & { confirmBefore: string } =>
    change.confirmBefore !== null && later(change, changes).length === 0;
  return changes.filter(open).sort((a, b) => Date.parse(a.confirmBefore) - Date.parse(b.confirmBefore));
}

/** Whether nothing was changed after it but that it was confirmed. */
const stands = (change: Change, changes: readonly Change[]) =>
  later(change, changes).every(({ act, undoes }) => act === 'CONFIRM' && undoes === change.revision);

export const canRollBack = (change: Change, changes: readonly Change[]): boolean => change.act !== 'CONFIRM' && stands(change, changes);

export const canPromote = (change: Change, changes: readonly Change[]): boolean =>
  canRollBack(change, changes) && change.scope !== EVERYWHERE && change.newValue !== null;

/** The scopes that a value can be stored for: a node that is silent is no place for one. */
export function scopesOf(nodes: readonly Pick<SettingNode, 'name' | 'roles' | 'silent'>[]): string[] {
  const running = nodes.filter(({ silent }) => !silent);
  const roles = [...new Set(running.flatMap(({ roles: all }) => all))].sort();
  return [EVERYWHERE, ...roles.map((role) => `role:${role}`), ...running.map(({ name }) => `node:${name}`)];
}

/** How far a node is with the changes. */
export function standing({ settingsRevision }: Pick<SettingNode, 'settingsRevision'>, newest: number): 'unknown' | 'behind' | 'follows' {
  if (settingsRevision === null) return 'unknown';
  return settingsRevision < newest ? 'behind' : 'follows';
}
