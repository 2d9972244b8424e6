// One dialog for one act: what it does, what shoppers see, what it touches, and a button that names it. Safe to press twice.
import { useSignal } from '@preact/signals';
import { Fault } from '@kit/api';
import { makeKey } from '@kit/wish';
import { Button, Icon } from '@kit/ui';
import { Dialog } from '@kit/ui/form';
import type { ComponentChildren, TargetedSubmitEvent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { FRESH, step, type Act, type Event, type Problem, type Rules } from '../act';
import { refresh } from '../app';
import { t } from '../i18n';
import { problemText, saying } from '../trouble';

/** What a form was read as: the input of the mutation, or what is wrong with it, as texts by field. */
export type Reading<I> = { input: I; errors?: undefined } | { input?: undefined; errors: Record<string, string> };

export interface ErrorsOf {
  (field: string): string | undefined;
}

/** What would come of an act: what is wrong with it, or what it would do. */
export interface Outlook {
  problems: readonly Problem[];
  lines: readonly string[];
}

interface Props<I> {
  title: string;
  /** What it does, in one sentence. */
  does?: ComponentChildren;
  /** What shoppers will see. */
  shoppers?: ComponentChildren;
  /** What it touches. */
  facts?: readonly (readonly [name: string, value: ComponentChildren])[];
  /** Names the act. */
  button: string;
  danger?: boolean;
  rules: Rules;
  /** Whether the same request does it only once, however often it is sent. */
  repeatable: boolean;
  read: (form: FormData) => Reading<I>;
  send: (input: I, key: string) => Promise<readonly Problem[]>;
  onDone: () => void;
  onClose: () => void;
  /** Told when somebody else was faster. */
  onConflict?: () => void;
  /** Asks what would come of it, and changes nothing. */
  check?: { button: string; send: (input: I) => Promise<Outlook> };
  children?: ((error: ErrorsOf) => ComponentChildren) | undefined;
}

export function ActDialog<I>(props: Props<I>) {
  const { title, does, shoppers, facts = [], button, danger, rules, repeatable, read, send, onDone, onClose, onConflict, check, children } = props;
  const act = useSignal<Act>(FRESH);
  const own = useSignal<Record<string, string>>({});
  const outlook = useSignal<readonly string[]>([]);
  const form = useRef<HTMLFormElement>(null);
  // One key for as long as the dialog is open: whatever is pressed in it is one act.
  const key = useRef(makeKey()).current;
  /** What was sent and may have been carried out: that, and nothing else, is sent again. */
  const sent = useRef<I | undefined>(undefined);

  const focusFirstError = () =>
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid], [data-problem]')?.focus());
  useEffect(() => form.current?.querySelector<HTMLElement>('[data-first]')?.focus(), []);

  const take = (event: Event) => {
    act.value = step(act.peek(), event, rules);
    const { phase, whole } = act.value;
    if (phase === 'done') {
      refresh();
      onDone();
    } else if (phase !== 'sending') {
      if (whole.some(({ code }) => code === 'VERSION_CONFLICT')) onConflict?.();
      focusFirstError();
    }
  };

  async function look() {
    const { phase: before } = act.peek();
    if (!check || before === 'sending' || before === 'unknown' || !form.current) return;
    const reading = read(new FormData(form.current));
    own.value = reading.errors ?? {};
    outlook.value = [];
    if (reading.errors) return focusFirstError();
    take({ type: 'press' });
    try {
      const { problems, lines } = await check.send(reading.input);
      take({ type: 'checked', problems });
      outlook.value = problems.length > 0 ? [] : lines;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      take({ type: 'notChecked', error });
    }
  }

  async function press() {
    if (act.peek().phase === 'sending' || !form.current) return;
    outlook.value = [];
    let input = act.peek().phase === 'unknown' ? sent.current : undefined;
    if (input === undefined) {
      const reading = read(new FormData(form.current));
      own.value = reading.errors ?? {};
      if (reading.errors) return focusFirstError();
      input = reading.input;
    }
    sent.current = input;
    take({ type: 'press' });
    try {
      take({ type: 'answered', problems: await send(input, key) });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      take({ type: 'failed', error });
    }
  }

  const { phase, fields, whole, trouble, doubt } = act.value;
  const errorOf = (name: string) => own.value[name] ?? (fields[name] && problemText(fields[name]));
  const close = () => {
    // The outcome arrives in a moment: keep the dialog open until then.
    if (phase === 'sending') return;
    // What it has come to is to be seen on the page behind it.
    if (doubt) refresh();
    onClose();
  };
  const unknown = phase === 'unknown';
  return (
    <Dialog title={title} closeLabel={t('act.close')} onClose={close}>
      <form
        ref={form}
        class="act"
        method="dialog"
        noValidate
        onSubmit={(event: TargetedSubmitEvent<HTMLFormElement>) => {
          event.preventDefault();
          void press();
        }}
      >
        {does && <p>{does}</p>}
        {shoppers && (
          <p class="shoppers">
            <b>{t('act.shoppers')}</b> {shoppers}
          </p>
        )}
        {facts.length > 0 && (
          <dl class="facts">
            {facts.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd class="number">{value}</dd>
              </div>
            ))}
          </dl>
        )}
        {children && (
          <fieldset disabled={phase === 'sending' || unknown}>
            <legend class="unseen">{title}</legend>
            {children(errorOf)}
          </fieldset>
        )}
        {check && (
          <div role="status">
            {outlook.value.length > 0 && (
              <div class="note info">
                {outlook.value.map((line) => (
                  <p key={line}>{line}</p>
                ))}
              </div>
            )}
          </div>
        )}
        {(whole.length > 0 || trouble) && (
          <div class={`note ${unknown ? 'warn' : 'bad'}`} role="alert" tabIndex={-1} data-problem>
            {whole.map((problem) => (
              <p key={problem.code} data-code={problem.code}>
                <Icon name="bad" /> {problemText(problem)}
              </p>
            ))}
            {trouble && (
              <p data-code={trouble.code}>
                <Icon name="bad" /> {saying(trouble, unknown)} {unknown && t(repeatable ? 'act.again' : 'act.look')}
              </p>
            )}
          </div>
        )}
        <div class="act-buttons">
          {unknown && !repeatable ? (
            <>
              <Button kind="quiet" onPress={() => void press()}>
                {t('act.sendAnyway')}
              </Button>
              <Button kind="primary" onPress={close}>
                {t('act.closeAndLook')}
              </Button>
            </>
          ) : (
            <>
              <Button kind="quiet" onPress={close}>
                {t(unknown ? 'act.closeAndLook' : 'act.cancel')}
              </Button>
              {check && !unknown && (
                <Button off={phase === 'sending'} onPress={() => void look()}>
                  {check.button}
                </Button>
              )}
              <Button kind={danger ? 'danger' : 'primary'} type="submit" busy={phase === 'sending'}>
                {unknown ? t('act.sendAgain') : button}
              </Button>
            </>
          )}
        </div>
      </form>
    </Dialog>
  );
}
