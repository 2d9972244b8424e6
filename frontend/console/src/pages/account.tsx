// Who is signed in, and their second factor: set up, recovery codes, switched off.
import { useSignal } from '@preact/signals';
import RecoveryCodesRenew from '@documents/RecoveryCodesRenew.graphql';
import SecondFactorBegin from '@documents/SecondFactorBegin.graphql';
import SecondFactorConfirm from '@documents/SecondFactorConfirm.graphql';
import SecondFactorDisable from '@documents/SecondFactorDisable.graphql';
import type { SecondFactorBeginMutation } from '@kit/generated/operations';
import { Button, Chip } from '@kit/ui';
import { COOKIE, done, f, renewing, send, signedIn, viewer } from '../app';
import { t } from '../i18n';
import { Heading } from '../page';
import { wanting } from '../rights';
import { ActDialog, type ErrorsOf, type Reading } from '../ui/act-dialog';
import { Input } from '../ui/inputs';

type Begun = SecondFactorBeginMutation['userSecondFactorBegin'];
type Opened = 'begin' | 'confirm' | 'renew' | 'disable';

export default function Account() {
  const who = viewer.value;
  const open = useSignal<Opened | undefined>(undefined);
  const begun = useSignal<Begun | undefined>(undefined);
  const codes = useSignal<readonly string[] | undefined>(undefined);
  if (!who) return null;
  const factor = who.secondFactor;
  const close = () => (open.value = undefined);
  const on = factor?.enabledAt;
  return (
    <>
      <Heading title={t('account.title')} hint={t('account.hint', { name: who.user.username, role: t(`role.${who.user.role}`) })} />
      {wanting() && <p class="note warn">{t('factor.wanting')}</p>}
      <section>
        <h2>{t('factor.title')}</h2>
        <p>{t('factor.about')}</p>
        {factor?.policy === 'OFF' && <p class="muted">{t('factor.off')}</p>}
        {on && (
          <p>
            <Chip tone="ok">{t('factor.on')}</Chip> {t('factor.since', { time: f.value.moment(Date.parse(on)) })}{' '}
            <span class="hint">{t('factor.left', { n: f.value.number(factor.recoveryCodesLeft) })}</span>
          </p>
        )}
        {codes.value && <Codes codes={codes.value} onDone={() => (codes.value = undefined)} />}
        <div class="row">
          {factor && !on && factor.policy !== 'OFF' && (
            <Button kind="primary" onPress={() => (open.value = 'begin')}>
              {t('factor.begin.short')}
            </Button>
          )}
          {on && <Button onPress={() => (open.value = 'renew')}>{t('factor.renew.short')}</Button>}
          {on && <Button onPress={() => (open.value = 'disable')}>{t('factor.disable.short')}</Button>}
        </div>
      </section>
      {open.value === 'begin' && (
        <Begin
          onClose={close}
          onBegun={(one) => {
            begun.value = one;
            open.value = 'confirm';
          }}
        />
      )}
      {open.value === 'confirm' && begun.value && (
        <Confirm begun={begun.value} onClose={close} onCodes={(made) => (codes.value = made)} />
      )}
      {(open.value === 'renew' || open.value === 'disable') && (
        <Change key={open.value} wish={open.value} onClose={close} onCodes={(made) => (codes.value = made)} />
      )}
    </>
  );
}

function Codes({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) {
  return (
    <div class="note info codes">
      <div>
        <p>
          <b>{t('factor.codes')}</b> {t('factor.codes.hint')}
        </p>
        <ul>
          {codes.map((code) => (
            <li key={code}>
              <code>{code}</code>
            </li>
          ))}
        </ul>
        <Button onPress={onDone}>{t('factor.codes.kept')}</Button>
      </div>
    </div>
  );
}

/** The fields that were filled in; each is needed. */
function read<K extends string>(form: FormData, names: readonly K[]): Reading<Record<K, string>> {
  const values = Object.fromEntries(names.map((name) => [name, String(form.get(name) ?? '')])) as Record<K, string>;
  const missing = names.filter((name) => !values[name].trim());
  if (missing.length > 0) return { errors: Object.fromEntries(missing.map((name) => [name, t('form.required')])) };
  return { input: values };
}

const Password = ({ error }: { error: ErrorsOf }) => (
  <Input label={t('signIn.password')} name="password" type="password" autocomplete="current-password" error={error('password')} first />
);

const Code = ({ error, hint, first = false }: { error: ErrorsOf; hint: string; first?: boolean }) => (
  <Input label={t('signIn.code')} name="code" hint={hint} autocomplete="one-time-code" error={error('code')} maxLength={40} first={first} />
);

function Begin({ onBegun, onClose }: { onBegun: (begun: Begun) => void; onClose: () => void }) {
  const answer = useSignal<Begun | undefined>(undefined);
  return (
    <ActDialog
      title={t('factor.begin.title')}
      does={t('factor.begin.does')}
      button={t('factor.begin.button')}
      rules={{ fields: ['password'] }}
      repeatable
      read={(form) => read(form, ['password'])}
      send={async (input) => {
        answer.value = (await send(SecondFactorBegin, { input })).userSecondFactorBegin;
        return answer.value.userErrors;
      }}
      onDone={() => answer.value && onBegun(answer.value)}
      onClose={onClose}
    >
      {(error) => <Password error={error} />}
    </ActDialog>
  );
}

/** Modules around a QR code that have to stay light. */
const QUIET = 4;

function QrCode({ rows }: { rows: readonly string[] }) {
  const size = rows.length + 2 * QUIET;
  const dark = rows.flatMap((row, y) => [...row].flatMap((one, x) => (one === '1' ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : [])));
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={t('factor.qr')} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={dark.join('')} fill="#000" />
    </svg>
  );
}

function Confirm({ begun, onClose, onCodes }: { begun: Begun; onClose: () => void; onCodes: (codes: readonly string[]) => void }) {
  return (
    <ActDialog
      title={t('factor.confirm.title')}
      does={t('factor.confirm.does')}
      button={t('factor.confirm.button')}
      rules={{ fields: ['code'] }}
      repeatable={false}
      read={(form) => read(form, ['code'])}
      send={async (input) => {
        const { recoveryCodes, userErrors } = (await renewing(send(SecondFactorConfirm, { input }, COOKIE))).userSecondFactorConfirm;
        if (recoveryCodes) onCodes(recoveryCodes);
        return userErrors;
      }}
      onDone={() => {
        done.value = { text: t('factor.confirm.done') };
        onClose();
        // The session is a new one.
        void signedIn();
      }}
      onClose={onClose}
    >
      {(error) => (
        <>
          <QrCode rows={begun.qrCode ?? []} />
          <p>
            {t('factor.secret')} <code class="secret">{begun.secret}</code>
          </p>
          <p>
            <a href={begun.otpauthUrl ?? ''}>{t('factor.here')}</a>
          </p>
          <Code error={error} hint={t('factor.confirm.hint')} first />
        </>
      )}
    </ActDialog>
  );
}

interface ChangeProps {
  wish: 'renew' | 'disable';
  onClose: () => void;
  onCodes: (codes: readonly string[] | undefined) => void;
}

function Change({ wish, onClose, onCodes }: ChangeProps) {
  return (
    <ActDialog
      title={t(`factor.${wish}.title`)}
      does={t(`factor.${wish}.does`)}
      button={t(`factor.${wish}.button`)}
      danger={wish === 'disable'}
      rules={{ fields: ['password', 'code'] }}
      repeatable={false}
      read={(form) => read(form, ['password', 'code'])}
      send={async (input) => {
        if (wish === 'disable') return (await renewing(send(SecondFactorDisable, { input }, COOKIE))).userSecondFactorDisable.userErrors;
        const { recoveryCodes, userErrors } = (await send(RecoveryCodesRenew, { input })).userRecoveryCodesRenew;
        if (recoveryCodes) onCodes(recoveryCodes);
        return userErrors;
      }}
      onDone={() => {
        if (wish === 'disable') onCodes(undefined);
        done.value = { text: t(`factor.${wish}.done`) };
        onClose();
        void signedIn();
      }}
      onClose={onClose}
    >
      {(error) => (
        <>
          <Password error={error} />
          <Code error={error} hint={t('signIn.code.hint')} />
        </>
      )}
    </ActDialog>
  );
}
