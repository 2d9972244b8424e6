// What a list is narrowed by. It stands in the address, so that it can be passed on and survives a reload.
import { Button } from '@kit/ui';
import type { TargetedSubmitEvent } from 'preact';
import { t } from '../i18n';
import { filter, place } from '../router';
import { Input, Select } from './inputs';

export interface Filter {
  name: string;
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  type?: 'search' | 'date';
  options?: readonly (readonly [value: string, text: string])[] | undefined;
}

export function Filters({ label, filters }: { label: string; filters: readonly Filter[] }) {
  const { query } = place.value;
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    filter(Object.fromEntries(filters.map(({ name }) => [name, String(form.get(name) ?? '').trim() || undefined])));
  };
  const given = filters.some(({ name }) => query.has(name));
  return (
    // Another address fills the form anew.
    <form key={query.toString()} class="filters" role="search" aria-label={label} method="dialog" noValidate onSubmit={submit}>
      {filters.map(({ name, label: text, hint, error, type = 'search', options }) =>
        options ? (
          <Select
            key={name}
            label={text}
            name={name}
            value={query.get(name) ?? ''}
            options={options}
            onChoose={(value) => filter({ [name]: value || undefined })}
          />
        ) : (
          <Input key={name} label={text} name={name} type={type} hint={hint} error={error} value={query.get(name) ?? ''} />
        ),
      )}
      <div class="filters-buttons">
        <Button type="submit">{t('filter.find')}</Button>
        {given && (
          <Button kind="quiet" onPress={() => filter(Object.fromEntries(filters.map(({ name }) => [name, undefined])))}>
            {t('filter.clear')}
          </Button>
        )}
      </div>
    </form>
  );
}
