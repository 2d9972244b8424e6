import { Fault } from '@kit/api';
import { describe, expect, it } from 'vitest';
import { fieldOf, FRESH, sort, step, type Act, type Event, type Problem, type Rules } from '../src/act';

const rules: Rules = { fields: ['price', 'stock'], already: ['SALE_ALREADY_PAUSED'] };
const problem = (code: string, ...path: string[]): Problem => ({
  code,
  field: path.length > 0 ? ['input', ...path] : null,
  message: code,
});
const run = (...events: Event[]) => events.reduce<Act>((act, event) => step(act, event, rules), FRESH);
const press: Event = { type: 'press' };
const answered = (...problems: Problem[]): Event => ({ type: 'answered', problems });
const failed = (code: string): Event => ({ type: 'failed', error: new Fault(code, code, 'r-1', 2_000) });

describe('where a problem belongs', () => {
  it('is the field of the form that its path begins with', () => {
    expect(fieldOf(problem('PRICE_SCALE_INVALID', 'price', 'amount'), rules.fields)).toBe('price');
    expect(fieldOf(problem('STOCK_INVALID', 'stock'), rules.fields)).toBe('stock');
    const odd = [problem('SALE_NOT_FOUND', 'saleId'), problem('X'), { ...problem('X'), field: [] }, { ...problem('X'), field: ['price'] }];
    for (const other of odd) {
      expect(fieldOf(other, rules.fields)).toBeUndefined();
    }
  });

  it('is the whole when no field of the form is to blame, and for a conflict of versions', () => {
    const found = sort(
      [
        problem('PRICE_INVALID', 'price', 'amount'),
        problem('SALE_NOT_FOUND', 'saleId'),
        problem('VERSION_CONFLICT', 'price'),
        problem('PRICE_OTHER', 'price'),
      ],
      rules.fields,
    );
    expect(Object.keys(found.fields)).toEqual(['price']);
    expect(found.fields.price?.code).toBe('PRICE_INVALID');
    expect(found.whole.map(({ code }) => code)).toEqual(['SALE_NOT_FOUND', 'VERSION_CONFLICT']);
  });
});

describe('an act', () => {
  it('is done when nothing is wrong', () => {
    expect(run(press).phase).toBe('sending');
    expect(run(press, answered()).phase).toBe('done');
  });

  it('is not sent twice by two presses', () => {
    const sending = run(press);
    expect(step(sending, press, rules)).toBe(sending);
    const done = run(press, answered());
    expect(step(done, press, rules)).toBe(done);
  });

  it('shows everything that is wrong at once, and forgets it with the next press', () => {
    const wrong = [problem('PRICE_INVALID', 'price'), problem('STOCK_INVALID', 'stock'), problem('SESSION_ENDED')];
    const refused = run(press, answered(...wrong));
    expect(refused.phase).toBe('asking');
    expect(Object.keys(refused.fields)).toEqual(['price', 'stock']);
    expect(refused.whole).toHaveLength(1);
    expect(step(refused, press, rules)).toMatchObject({ phase: 'sending', fields: {}, whole: [] });
  });

  it('is not known to be done or not when the answer was lost', () => {
    for (const code of ['NETWORK', 'UNAVAILABLE', 'INTERNAL_SERVER_ERROR']) {
      expect(run(press, failed(code)), code).toMatchObject({ phase: 'unknown', doubt: true, trouble: { code, requestId: 'r-1' } });
    }
  });

  it('was not done when it was turned away before it was looked at', () => {
    for (const code of ['RATE_LIMITED', 'FORBIDDEN', 'UNAUTHENTICATED', 'BAD_USER_INPUT']) {
      expect(run(press, failed(code)), code).toMatchObject({ phase: 'asking', doubt: false, trouble: { code, retryAfterMs: 2_000 } });
    }
    // A press before it may have been.
    expect(run(press, failed('NETWORK'), press, failed('RATE_LIMITED'))).toMatchObject({ phase: 'unknown', doubt: true });
  });

  it('is done when it is found done after an answer was lost, and only then', () => {
    const already = answered(problem('SALE_ALREADY_PAUSED', 'saleId'));
    expect(run(press, failed('NETWORK'), press, already).phase).toBe('done');
    const first = run(press, already);
    expect(first.phase).toBe('asking');
    expect(first.whole).toHaveLength(1);
    const others = answered(problem('SALE_ALREADY_PAUSED', 'saleId'), problem('SESSION_ENDED', 'saleId'));
    expect(run(press, failed('NETWORK'), press, others)).toMatchObject({ phase: 'asking', doubt: true });
  });

  it('takes no answer that nobody waits for', () => {
    const unknown = run(press, failed('NETWORK'));
    expect(step(unknown, answered(), rules)).toBe(unknown);
    expect(step(FRESH, failed('NETWORK'), rules)).toBe(FRESH);
  });

  it('that is only looked at is never done, and leaves no doubt', () => {
    expect(run(press, { type: 'checked', problems: [] })).toEqual(FRESH);
    const wrong = run(press, { type: 'checked', problems: [problem('PRICE_INVALID', 'price')] });
    expect(wrong).toMatchObject({ phase: 'asking', doubt: false });
    expect(Object.keys(wrong.fields)).toEqual(['price']);
    const lost = run(press, { type: 'notChecked', error: new Fault('NETWORK', 'NETWORK', 'r-1', 2_000) });
    expect(lost).toMatchObject({ phase: 'asking', doubt: false, trouble: { code: 'NETWORK' } });
  });
});
