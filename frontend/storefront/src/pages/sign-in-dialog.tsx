import { useSignal } from '@preact/signals';
import { Dialog } from '@kit/ui/form';
import { asking } from '../app';
import { t } from '../i18n';
import { SignInForm } from './sign-in-form';

/** Signs in where one is; nothing is bought by itself afterwards, but a press that was kept goes on. */
export default function SignInDialog() {
  const up = useSignal(false);
  const close = () => (asking.value = undefined);
  return (
    <Dialog title={t(up.value ? 'form.signUp' : 'form.signIn')} closeLabel={t('form.close')} onClose={close}>
      <SignInForm up={up.value} onDone={close} onSwitch={() => (up.value = !up.value)} />
    </Dialog>
  );
}
