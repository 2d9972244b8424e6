import { useSignal } from '@preact/signals';
import PasswordChange from '@documents/PasswordChange.graphql';
import SignOutEverywhere from '@documents/SignOutEverywhere.graphql';
import { Button, Icon } from '@kit/ui';
import { Field } from '@kit/ui/form';
import type { TargetedSubmitEvent } from 'preact';
import { f, leave, send, signOut, viewer } from '../app';
import { t } from '../i18n';
import { troubleOf } from '../machine/trouble';
import { Heading, SignInFirst, useTitle } from '../page';
import { go } from '../router';

export default function Account() {
  useTitle(t('account.title'));
  const who = viewer.value;
  const busy = useSignal(false);
  const trouble = useSignal<string | undefined>(undefined);
  if (who === null) return <SignInFirst title={t('account.title')} />;
  if (!who) return null;
  const act = async (run: () => Promise<void>) => {
    busy.value = true;
    trouble.value = undefined;
    try {
      await run();
      go('/');
    } catch (error) {
      const { key, requestId = '', seconds = 0 } = troubleOf(error, false);
      trouble.value = t(key, { requestId, s: seconds, name: who.user.displayName });
    } finally {
      busy.value = false;
    }
  };
  const everywhere = async () => {
    const { userSignOutEverywhere } = await send(SignOutEverywhere, {});
    if (userSignOutEverywhere.userErrors.length === 0) leave();
  };
  return (
    <>
      <Heading>{t('account.title')}</Heading>
      <div class="account">
        <section>
          <dl class="facts">
            <dt>{t('account.name')}</dt>
            <dd>
              <bdi>{who.user.displayName}</bdi>
            </dd>
            <dt>{t('account.username')}</dt>
            <dd>
              <bdi>{who.user.username}</bdi>
            </dd>
            <dt>{t('account.until')}</dt>
            <dd>
              <span class="number">{f.value.moment(Date.parse(who.signedInUntil))}</span>{' '}
              <span class="hint">{t('account.untilHint')}</span>
            </dd>
          </dl>
        </section>
        <section>
          <h2>{t('account.password')}</h2>
          <Password />
        </section>
        <section>
          <h2>{t('account.devices')}</h2>
          <p class="muted">{t('account.everywhereBody')}</p>
          <div class="row">
            <Button busy={busy.value} onPress={() => void act(signOut)}>
              {t('account.signOut')}
            </Button>
            <Button busy={busy.value} onPress={() => void act(everywhere)}>
              {t('account.everywhere')}
            </Button>
          </div>
          {trouble.value && (
            <p class="error" role="alert">
              <Icon name="bad" /> {trouble}
            </p>
          )}
        </section>
      </div>
    </>
  );
}

type Errors = { current?: string; fresh?: string; whole?: string };

function Password() {
  const busy = useSignal(false);
  const done = useSignal(false);
  const errors = useSignal<Errors>({});

  async function change(form: FormData): Promise<Errors> {
    const currentPassword = String(form.get('current'));
    const newPassword = String(form.get('new'));
    if (!currentPassword) return { current: t('form.required') };
    if (!newPassword) return { fresh: t('form.required') };
    const { userPasswordChange } = await send(PasswordChange, { input: { currentPassword, newPassword } });
    const [error] = userPasswordChange.userErrors;
    if (!error) return {};
    const text = t(`error.password.${error.code}`);
    return error.code === 'INVALID_CREDENTIALS' ? { current: text } : { fresh: text };
  }

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy.value) return;
    const form = event.currentTarget;
    busy.value = true;
    done.value = false;
    try {
      errors.value = await change(new FormData(form));
      done.value = Object.keys(errors.value).length === 0;
      if (done.value) form.reset();
    } catch (error) {
      const { key, requestId = '', seconds = 0 } = troubleOf(error, true);
      errors.value = { whole: t(key, { requestId, s: seconds, name: '' }) };
    } finally {
      busy.value = false;
    }
  }

  const { current, fresh, whole } = errors.value;
  return (
    <form class="form" method="dialog" noValidate onSubmit={submit}>
      <Field label={t('account.current')} name="current" type="password" autocomplete="current-password" error={current} required />
      <Field
        label={t('account.new')}
        hint={t('form.passwordHint')}
        name="new"
        type="password"
        autocomplete="new-password"
        error={fresh}
        required
      />
      {whole && (
        <p class="error" role="alert">
          <Icon name="bad" /> {whole}
        </p>
      )}
      <p class="done" role="status">
        {done.value && (
          <>
            <Icon name="ok" /> {t('account.changed')}
          </>
        )}
      </p>
      <div>
        <Button type="submit" busy={busy.value}>
          {t('account.change')}
        </Button>
      </div>
    </form>
  );
}
