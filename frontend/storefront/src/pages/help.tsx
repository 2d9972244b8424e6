import { useEffect } from 'preact/hooks';
import { t } from '../i18n';
import { Heading, useTitle } from '../page';

const LISTS = [
  ['sale', 'help.sale.title', ['help.sale.1', 'help.sale.2', 'help.sale.3', 'help.sale.4']],
  ['clock', 'help.clock.title', ['help.clock.1', 'help.clock.2']],
  ['refunds', 'help.refunds.title', ['help.refunds.1', 'help.refunds.2', 'help.refunds.3']],
  ['report', 'help.report.title', ['help.report.1', 'help.report.2']],
] as const;

const WORDS = ['accepted', 'soldout', 'key'] as const;

export default function Help() {
  useTitle(t('help.title'));
  useEffect(() => {
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, []);
  return (
    <article class="prose">
      <Heading>{t('help.title')}</Heading>
      {LISTS.map(([id, title, lines]) => (
        <section key={id} id={id}>
          <h2>{t(title)}</h2>
          {lines.map((line) => (
            <p key={line}>{t(line)}</p>
          ))}
        </section>
      ))}
      <section id="words">
        <h2>{t('help.words.title')}</h2>
        <dl>
          {WORDS.map((word) => (
            <div key={word}>
              <dt>{t(`help.words.${word}`)}</dt>
              <dd>{t(`help.words.${word}.body`)}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section id="api">
        <h2>{t('help.api.title')}</h2>
        <p>{t('help.api.1')}</p>
        <p>
          <a href="/graphiql">{t('help.api.open')}</a>
        </p>
      </section>
    </article>
  );
}
