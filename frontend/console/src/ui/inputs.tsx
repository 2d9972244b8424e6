// Fields of forms: a label above, a hint below, and what is wrong below that, tied to the input.
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { Icon } from '@kit/ui';

interface Common {
  label: string;
  name: string;
  hint?: string | undefined;
  error?: string | undefined;
  /** What it is by now, where somebody else has changed it. */
  now?: string | undefined;
}

interface InputProps extends Common {
  value?: string | undefined;
  type?: 'text' | 'search' | 'datetime-local' | 'date' | 'password';
  mode?: 'numeric' | 'decimal' | 'text';
  autocomplete?: string;
  maxLength?: number;
  lines?: number;
  suffix?: string;
  first?: boolean;
}

function Around({ id, label, hint, error, now, children }: Common & { id: string; children: ComponentChildren }) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {now && (
        <p class="now" id={`${id}-now`}>
          {now}
        </p>
      )}
      {error && (
        <p class="error" id={`${id}-error`}>
          <Icon name="bad" /> {error}
        </p>
      )}
    </div>
  );
}

const described = (id: string, { hint, now, error }: Common) =>
  [hint && `${id}-hint`, now && `${id}-now`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;

export function Input(props: InputProps) {
  const id = useId();
  const { name, value = '', type = 'text', mode, autocomplete = 'off', maxLength, lines, suffix, first, error } = props;
  const common = {
    id,
    name,
    maxLength,
    'aria-describedby': described(id, props),
    'aria-invalid': error ? ('true' as const) : undefined,
    ...(first && { 'data-first': '' }),
  };
  return (
    <Around {...props} id={id}>
      {lines ? (
        <textarea {...common} rows={lines} defaultValue={value} />
      ) : (
        <span class="with-suffix">
          <input
            {...common}
            type={type as 'text'}
            inputMode={mode}
            autocomplete={autocomplete as never}
            autocapitalize="none"
            spellcheck={false}
            step={type === 'datetime-local' ? 1 : undefined}
            defaultValue={value}
          />
          {suffix && <span class="suffix">{suffix}</span>}
        </span>
      )}
    </Around>
  );
}

interface SelectProps extends Common {
  value?: string | undefined;
  options: readonly (readonly [value: string, text: string])[];
  onChoose?: (value: string) => void;
}

export function Select(props: SelectProps) {
  const id = useId();
  const { name, value, options, error, onChoose } = props;
  return (
    <Around {...props} id={id}>
      <select
        class="select"
        id={id}
        name={name}
        aria-describedby={described(id, props)}
        aria-invalid={error ? 'true' : undefined}
        onChange={(event) => onChoose?.(event.currentTarget.value)}
      >
        {options.map(([one, text]) => (
          <option key={one} value={one} selected={one === value}>
            {text}
          </option>
        ))}
      </select>
    </Around>
  );
}

export function Check({ label, name, hint, now, value = false }: Omit<Common, 'error'> & { value?: boolean }) {
  const id = useId();
  return (
    <div class="field check">
      <input id={id} name={name} type="checkbox" defaultChecked={value} aria-describedby={described(id, { label, name, hint, now })} />
      <label for={id}>{label}</label>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {now && (
        <p class="now" id={`${id}-now`}>
          {now}
        </p>
      )}
    </div>
  );
}
