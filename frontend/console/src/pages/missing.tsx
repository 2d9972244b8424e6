import { Button, Empty } from '@kit/ui';
import { to } from '../addresses';
import { t } from '../i18n';
import { Heading } from '../page';

export default function Missing() {
  return (
    <>
      <Heading title={t('missing.title')} />
      <Empty title={t('missing.body')}>
        <Button href={to('')}>{t('nav.now')}</Button>
      </Empty>
    </>
  );
}
