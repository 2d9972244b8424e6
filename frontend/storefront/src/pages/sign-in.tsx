import { t } from '../i18n';
import { Heading, useTitle } from '../page';
import { go, ownPath, place, type Route } from '../router';
import { SignInForm } from './sign-in-form';

export default function SignInPage({ route }: { route: Route }) {
  const up = route.page === 'signUp';
  const title = t(up ? 'form.signUp' : 'form.signIn');
  useTitle(title);
  const next = ownPath(place.value.query.get('next'));
  const other = `/${up ? 'sign-in' : 'sign-up'}?next=${encodeURIComponent(next)}`;
  return (
    <div class="narrow">
      <Heading>{title}</Heading>
      <SignInForm up={up} onDone={() => go(next, true)} onSwitch={() => go(other, true)} />
    </div>
  );
}
