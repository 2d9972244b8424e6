// What a dialog that changes something knows: what was pressed, what came of it, and what may be pressed now.
import { Fault } from '@kit/api';

/** A user error of the schema. */
export interface Problem {
  code: string;
  field: readonly string[] | null;
  message: string;
}

export interface Trouble {
  code: string;
  requestId: string | undefined;
  retryAfterMs: number | undefined;
}

export interface Act {
  phase:
    /** Being filled in; problems of the last press are shown. */
    | 'asking'
    | 'sending'
    /** Whether the last press was carried out is not known. */
    | 'unknown'
    | 'done';
  /** Problems by the name of the field that they are about. */
  fields: Readonly<Record<string, Problem>>;
  /** Problems of the whole. */
  whole: readonly Problem[];
  trouble: Trouble | undefined;
  /** A press before this one may have been carried out. */
  doubt: boolean;
}

export type Event =
  | { type: 'press' }
  | { type: 'answered'; problems: readonly Problem[] }
  | { type: 'failed'; error: Fault }
  /** It was only looked at whether it would be done. */
  | { type: 'checked'; problems: readonly Problem[] }
  | { type: 'notChecked'; error: Fault };

export interface Rules {
  /** Names of the form's fields. */
  fields: readonly string[];
  /** Codes which say that it is as it was wanted: an earlier press whose answer was lost has done it. */
  already?: readonly string[];
}

export const FRESH: Act = { phase: 'asking', fields: {}, whole: [], trouble: undefined, doubt: false };

/** The field of the form that a path of the input is about: `["input", "price", "amount"]` is about `price`. */
export function fieldOf(problem: Problem, fields: readonly string[]): string | undefined {
  const [input, name] = problem.field ?? [];
  return input === 'input' && name !== undefined && fields.includes(name) ? name : undefined;
}

/** Each problem where it belongs; the first of a field, as one answer names each thing that is wrong with it once. */
export function sort(problems: readonly Problem[], fields: readonly string[]): Pick<Act, 'fields' | 'whole'> {
  const at: Record<string, Problem> = {};
  const whole: Problem[] = [];
  for (const problem of problems) {
    const name = problem.code === 'VERSION_CONFLICT' ? undefined : fieldOf(problem, fields);
    if (name === undefined) whole.push(problem);
    else at[name] ??= problem;
  }
  return { fields: at, whole };
}

export function step(act: Act, event: Event, { fields, already = [] }: Rules): Act {
  if (event.type === 'press') {
    if (act.phase === 'sending' || act.phase === 'done') return act;
    return { ...FRESH, phase: 'sending', doubt: act.doubt };
  }
  // An answer to what nobody waits for.
  if (act.phase !== 'sending') return act;
  if (event.type === 'answered') {
    const { problems } = event;
    const wasDone = act.doubt && problems.length > 0 && problems.every(({ code }) => already.includes(code));
    if (problems.length === 0 || wasDone) return { ...FRESH, phase: 'done', doubt: act.doubt };
    return { ...FRESH, ...sort(problems, fields), doubt: act.doubt };
  }
  if (event.type === 'checked') return { ...FRESH, ...sort(event.problems, fields), doubt: act.doubt };
  const { code, requestId, retryAfterMs, unknown } = event.error;
  // What changes nothing leaves no doubt.
  if (event.type === 'notChecked') return { ...FRESH, trouble: { code, requestId, retryAfterMs }, doubt: act.doubt };
  return {
    ...FRESH,
    phase: unknown || act.doubt ? 'unknown' : 'asking',
    trouble: { code, requestId, retryAfterMs },
    doubt: unknown || act.doubt,
  };
}
