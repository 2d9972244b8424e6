// Every setting in force on the node that answers.
import Settings from '@documents/Settings.graphql';
import type { SettingsQuery } from '@kit/generated/operations';
import { Chip, Empty } from '@kit/ui';
import { send } from '../app';
import { t } from '../i18n';
import { Heading, Show, useAnswer } from '../page';
import { place } from '../router';
import { Filters } from '../ui/filters';
import { Table, type Column } from '../ui/table';

type Setting = SettingsQuery['settings'][number];

export default function SettingsPage() {
  const search = place.value.query.get('q');
  const answer = useAnswer(async () => (await send(Settings, { search })).settings, search);
  const columns: Column<Setting>[] = [
    {
      id: 'key',
      title: t('settings.key'),
      head: true,
      cell: ({ key, description }) => (
        <>
          <code>{key}</code>
          <span class="hint block">{description}</span>
        </>
      ),
    },
    { id: 'value', title: t('settings.value'), cell: ({ value }) => <code>{value}</code> },
    {
      id: 'default',
      title: t('settings.default'),
      cell: ({ value, default: standard }) =>
        value === standard ? <span class="muted">{t('settings.same')}</span> : <code>{standard}</code>,
    },
    {
      id: 'source',
      title: t('settings.source'),
      cell: ({ source }) => <Chip tone={source === 'default' ? 'plain' : 'info'}>{source}</Chip>,
    },
  ];
  return (
    <>
      <Heading title={t('nav.settings')} hint={t('settings.hint')} />
      <Filters label={t('nav.settings')} filters={[{ name: 'q', label: t('settings.search') }]} />
      <Show answer={answer}>
        {(settings) =>
          settings.length === 0 ? (
            <Empty title={t('settings.none')} />
          ) : (
            <Table caption={t('nav.settings')} columns={columns} rows={settings} id={({ key }) => key} />
          )
        }
      </Show>
    </>
  );
}
