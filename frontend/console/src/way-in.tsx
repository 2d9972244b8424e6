// The way in: signing in, and what somebody sees who may not come in.
import { useSignal } from '@preact/signals';
import SignInDocument from '@documents/SignIn.graphql';
import { Fault } from '@kit/api';
import { Button, Icon } from '@kit/ui';
import { Field } from '@kit/ui/form';
import type { TargetedSubmitEvent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { COOKIE, send, signedIn, signOut, viewer } from './app';
import { t } from './i18n';
import { Heading } from './page';
import { saying } from './trouble';

type Errors = Partial<Record<'username' | 'password' | 'code' | 'whole', string>>;

export function SignIn() {
  const busy = useSignal(false);
  const errors = useSignal<Errors>({});
  /** Whether the password was right, and a code is asked for too. */
  const second = useSignal(false);
  const first = useRef<HTMLInputElement>(null);
  const code = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  useEffect(() => (second.value ? code.current?.focus() : undefined), [second.value]);

  async function enter(form: FormData): Promise<Errors> {
    const username = String(form.get('username')).trim();
    const password = String(form.get('password'));
    if (!username) return { username: t('form.required') };
    if (!password) return { password: t('form.required') };
    const typed = String(form.get('code') ?? '').trim();
    if (second.peek() && !typed) return { code: t('form.required') };
    const { userSignIn } = await send(SignInDocument, { input: { username, password, code: typed || null } }, COOKIE);
    const problem = userSignIn.userErrors[0]?.code;
    if (problem === undefined) return {};
    second.value = problem !== 'INVALID_CREDENTIALS';
    if (problem === 'SECOND_FACTOR_INVALID') return { code: t('code.SECOND_FACTOR_INVALID') };
    return problem === 'INVALID_CREDENTIALS' ? { whole: t('code.INVALID_CREDENTIALS') } : { code: '' };
  }

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy.value) return;
    const form = event.currentTarget;
    busy.value = true;
    try {
      errors.value = await enter(new FormData(form));
      if (Object.keys(errors.value).length === 0) await signedIn();
      else requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid]')?.focus());
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      errors.value = { whole: saying(error, false) };
    } finally {
      busy.value = false;
    }
  }

  const { username, password, whole } = errors.value;
  return (
    <div class="way-in">
      <Heading title={t('signIn.title')} hint={t('signIn.hint')} />
      <form class="form" method="dialog" noValidate onSubmit={submit}>
        <Field label={t('signIn.username')} name="username" autocomplete="username" error={username} inputRef={first} required />
        <Field label={t('signIn.password')} name="password" type="password" autocomplete="current-password" error={password} required />
        {second.value && (
          <Field
            label={t('signIn.code')}
            hint={t('signIn.code.hint')}
            name="code"
            autocomplete="one-time-code"
            error={errors.value.code || undefined}
            inputRef={code}
            required
          />
        )}
        {whole && (
          <p class="error" role="alert">
            <Icon name="bad" /> {whole}
          </p>
        )}
        <Button kind="primary" type="submit" wide busy={busy.value}>
          {t('signIn.button')}
        </Button>
      </form>
    </div>
  );
}

export function Forbidden() {
  const busy = useSignal(false);
  const name = viewer.value?.user.displayName ?? '';
  const other = async () => {
    busy.value = true;
    await signOut().catch(() => undefined);
    busy.value = false;
  };
  return (
    <div class="way-in" data-forbidden>
      <Heading title={t('forbidden.title')} />
      <p>{t('forbidden.body', { name })}</p>
      <div class="row">
        <Button kind="primary" busy={busy.value} onPress={() => void other()}>
          {t('forbidden.other')}
        </Button>
        <Button href="/">{t('forbidden.shop')}</Button>
      </div>
    </div>
  );
}
