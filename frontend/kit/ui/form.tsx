// Dialogs and fields.
import type { ComponentChildren as Children } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Icon } from './index';

interface DialogProps {
  title: string;
  onClose: () => void;
  closeLabel: string;
  children: Children;
}

/** A native dialog: focus stays in it, Escape closes it, and the focus goes back to where it was. */
export function Dialog({ title, onClose, closeLabel, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    return () => before?.focus?.();
  }, []);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div class="dialog-body">
        <div class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button class="icon-button" type="button" aria-label={closeLabel} onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

interface FieldProps {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  name: string;
  type?: 'text' | 'password';
  autocomplete?: string;
  required?: boolean;
  maxLength?: number;
  multiline?: boolean;
  inputRef?: { current: HTMLInputElement | null };
}

/** A labelled input; hint and error are tied to it. */
export function Field({ label, hint, error, name, type = 'text', autocomplete, required, maxLength, multiline, inputRef }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  const common = {
    id: `${id}-input`,
    name,
    required,
    maxLength,
    'aria-describedby': described,
    'aria-invalid': error ? ('true' as const) : undefined,
  };
  return (
    <div class="field">
      <label for={`${id}-input`}>{label}</label>
      {multiline ? (
        <textarea {...common} rows={3} />
      ) : (
        <input
          {...common}
          ref={inputRef as never}
          type={type as 'text'}
          autocomplete={autocomplete as never}
          autocapitalize="none"
          spellcheck={false}
        />
      )}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
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
