// The shop in numbers, one frame for each second: what is kept of them, and what follows.
import type { PulsesQuery, WatchPulseSubscription, WatchSalePulseSubscription } from '@kit/generated/operations';

/** A second, as the list of the last minutes has it. */
export type Frame = PulsesQuery['shopPulses'][number];
/** A second, as it is pushed. */
export type Pulse = WatchPulseSubscription['shopPulse'];
export type SaleNumbers = Pulse['sales'][number];
export type AnswerCode = Frame['purchases'][number]['answer'];

/** So many seconds are kept and added up. */
export const KEPT = 300;
/** What is older is marked. */
export const OLD_MS = 3_000;
const SECOND_MS = 1_000;

const ACCEPTED: readonly AnswerCode[] = ['ADMITTED', 'REPLAYED'];

/** Takes frames in, each second once, the later one of two; the newest are kept, the oldest first. */
export function join(frames: readonly Frame[], more: readonly Frame[]): Frame[] {
  const all = new Map(frames.map((frame) => [frame.at, frame]));
  for (const frame of more) all.set(frame.at, frame);
  const sorted = [...all.values()].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const last = sorted.at(-1);
  const from = last ? Date.parse(last.at) - KEPT * SECOND_MS : 0;
  return sorted.filter(({ at }) => Date.parse(at) > from);
}

export interface Summary {
  arrivals: number;
  accepted: number;
  orders: number;
  paid: number;
}

const total = (counts: readonly { count: number }[]) => counts.reduce((sum, { count }) => sum + count, 0);

export const acceptedOf = (purchases: Frame['purchases']): number => total(purchases.filter(({ answer }) => ACCEPTED.includes(answer)));

export function summary({ purchases, orderEvents }: Pick<Frame, 'purchases' | 'orderEvents'>): Summary {
  const events = (name: string) => total(orderEvents.filter(({ event }) => event === name));
  return { arrivals: total(purchases), accepted: acceptedOf(purchases), orders: events('CREATED'), paid: events('PAID') };
}

/** How long ago the second ended. */
export const ageOf = ({ at }: Pick<Frame, 'at'>, now: number): number => Math.max(0, now - Date.parse(at) - SECOND_MS);

export const isOld = (frame: Pick<Frame, 'at'>, now: number): boolean => ageOf(frame, now) > OLD_MS;

/** Whether a node is missing, so that sums are too low. */
export const isPartial = ({ nodesHeard, nodesRunning }: Pick<Frame, 'nodesHeard' | 'nodesRunning'>): boolean => nodesHeard < nodesRunning;

/** How often each answer was given, the most frequent first. */
export function byAnswer(all: readonly Frame['purchases'][]): { answer: AnswerCode; count: number }[] {
  const counts = new Map<AnswerCode, number>();
  for (const { answer, count } of all.flat()) counts.set(answer, (counts.get(answer) ?? 0) + count);
  return [...counts].map(([answer, count]) => ({ answer, count })).sort((a, b) => b.count - a.count || a.answer.localeCompare(b.answer));
}

/** Answers that gave no ticket. */
export const refusalsOf = (purchases: Frame['purchases']): Frame['purchases'] =>
  byAnswer([purchases]).filter(({ answer }) => !ACCEPTED.includes(answer));

/** Units that the gate has free and the database has not; `undefined` where one of them is not known. */
export const driftOf = ({ unitsFree, unitsFreeInGate }: Pick<SaleNumbers, 'unitsFree' | 'unitsFreeInGate'>): number | undefined =>
  unitsFreeInGate === null ? undefined : unitsFreeInGate - unitsFree;

/** The newest numbers of each sale that were pushed. */
export function joinSales(held: ReadonlyMap<string, SaleNumbers>, fresh: readonly SaleNumbers[]): ReadonlyMap<string, SaleNumbers> {
  return fresh.length === 0 ? held : new Map([...held, ...fresh.map((sale): [string, SaleNumbers] => [sale.saleId, sale])]);
}

/** What answers mean to an operator. */
export type Group = 'accepted' | 'soldOut' | 'alreadyBought' | 'closed' | 'fault' | 'other';

/** Answers that mean the same to an operator. What is in none of them is one of the others. */
const GROUPS: Partial<Record<AnswerCode, Group>> = {
  ADMITTED: 'accepted',
  REPLAYED: 'accepted',
  SOLD_OUT: 'soldOut',
  ALREADY_BOUGHT: 'alreadyBought',
  SALE_NOT_STARTED: 'closed',
  SALE_PAUSED: 'closed',
  SALE_ENDED: 'closed',
  TRY_LATER: 'fault',
  UNAVAILABLE: 'fault',
};

export const countIn = ({ purchases }: Frame, group: Group): number =>
  purchases.reduce((sum, { answer, count }) => sum + ((GROUPS[answer] ?? 'other') === group ? count : 0), 0);

/** A sale in numbers, as its own page hears of it. */
export type Point = WatchSalePulseSubscription['salePulse'];

/** Takes points in, each second once, the later one of two; the newest are kept, the oldest first. */
export function joinPoints(held: readonly Point[], more: readonly Point[]): readonly Point[] {
  const all = new Map<number, Point>();
  for (const point of [...held, ...more].sort((a, b) => Date.parse(a.asOf) - Date.parse(b.asOf))) {
    all.set(Math.floor(Date.parse(point.asOf) / SECOND_MS), point);
  }
  return [...all.values()].slice(-KEPT);
}

/** The points of a line through the values of the last seconds, in a box of this size; a second without a frame is a gap of nothing. */
export function line(values: readonly number[], width: number, height: number): string {
  const most = Math.max(1, ...values);
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  return values.map((value, index) => `${(index * step).toFixed(1)},${(height - (value / most) * height).toFixed(1)}`).join(' ');
}
