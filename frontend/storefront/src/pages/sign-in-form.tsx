// Signing in and up, on a page or in a dialog.
import { useSignal } from '@preact/signals';
import SignIn from '@documents/SignIn.graphql';
import SignUp from '@documents/SignUp.graphql';
import { Button } from '@kit/ui';
import { Field } from '@kit/ui/form';
import type { TargetedSubmitEvent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { f, send, shop, signedIn } from '../app';
import { t } from '../i18n';
import { troubleOf, type Trouble } from '../machine/trouble';

interface Props {
  up: boolean;
  onDone: () => void;
  onSwitch: () => void;
}

const COOKIE = { headers: { 'doorbuster-session': 'cookie' } };

type Errors = Partial<Record<'username' | 'password' | 'displayName' | 'whole', string>>;

const FIELDS: Record<string, keyof Errors> = {
  USERNAME_INVALID: 'username',
  USERNAME_TAKEN: 'username',
  DISPLAY_NAME_INVALID: 'displayName',
  PASSWORD_TOO_LONG: 'password',
  PASSWORD_TOO_SHORT: 'password',
};

export function SignInForm({ up, onDone, onSwitch }: Props) {
  const busy = useSignal(false);
  const errors = useSignal<Errors>({});
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), [up]);
  const closed = up && shop.value?.signUpOpen === false;

  async function enter(form: FormData): Promise<Errors> {
    const username = String(form.get('username')).trim();
    const password = String(form.get('password'));
    if (!username) return { username: t('form.required') };
    if (!password) return { password: t('form.required') };
    if (!up) {
      const { userSignIn } = await send(SignIn, { input: { username, password } }, COOKIE);
      const [error] = userSignIn.userErrors;
      return error ? { whole: t(`error.signIn.${error.code}`) } : {};
    }
    const displayName = String(form.get('displayName')).trim() || username;
    const { userSignUp } = await send(SignUp, { input: { username, password, displayName } }, COOKIE);
    const found: Errors = {};
    for (const { code } of userSignUp.userErrors) found[FIELDS[code] ?? 'whole'] ??= t(`error.signUp.${code}`);
    return found;
  }

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy.value) return;
    const form = event.currentTarget;
    busy.value = true;
    try {
      const found = await enter(new FormData(form));
      errors.value = found;
      if (Object.keys(found).length === 0) {
        await signedIn();
        onDone();
      } else {
        requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid]')?.focus());
      }
    } catch (error) {
      const { key, requestId = '', seconds = 0 }: Trouble = troubleOf(error, false);
      errors.value = { whole: t(key, { requestId, s: seconds, name: '' }) };
    } finally {
      busy.value = false;
    }
  }

  const { username, password, displayName, whole } = errors.value;
  const welcome = shop.value?.welcomePoints ?? 0;
  if (closed) return <p>{t('form.closed')}</p>;
  return (
    <form class="form" method="dialog" noValidate onSubmit={submit}>
      <Field
        label={t('form.username')}
        hint={up ? t('form.usernameHint') : undefined}
        name="username"
        autocomplete="username"
        error={username}
        inputRef={first}
        required
      />
      {up && (
        <Field
          label={t('form.displayName')}
          hint={t('form.displayNameHint')}
          name="displayName"
          autocomplete="nickname"
          maxLength={64}
          error={displayName}
        />
      )}
      <Field
        label={t('form.password')}
        hint={up ? t('form.passwordHint') : undefined}
        name="password"
        type="password"
        autocomplete={up ? 'new-password' : 'current-password'}
        error={password}
        required
      />
      {whole && (
        <p class="error" role="alert">
          {whole}
        </p>
      )}
      {up && welcome > 0 && <p class="hint">{t('form.welcome', { points: f.value.number(welcome) })}</p>}
      <Button kind="primary" type="submit" wide busy={busy.value}>
        {t(up ? 'form.signUp' : 'form.signIn')}
      </Button>
      <p class="switch">
        {t(up ? 'form.haveAccount' : 'form.noAccount')}{' '}
        <Button kind="quiet" onPress={onSwitch}>
          {t(up ? 'form.signIn' : 'form.signUp')}
        </Button>
      </p>
    </form>
  );
}
