import { Button, Empty } from '@kit/ui';
import { t } from '../i18n';
import { Heading, useTitle } from '../page';

export default function Missing() {
  useTitle(t('missing.title'));
  return (
    <>
      <Heading>{t('missing.title')}</Heading>
      <Empty title={t('missing.body')}>
        <Button href="/">{t('buy.allSales')}</Button>
      </Empty>
    </>
  );
}
