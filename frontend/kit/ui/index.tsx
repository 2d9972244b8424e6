// The pieces that pages are made of. Texts come from the pages.
import type { ComponentChildren, TargetedKeyboardEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

type Children = ComponentChildren;
export type Tone = 'plain' | 'ok' | 'warn' | 'bad' | 'info' | 'accent';

interface ButtonProps {
  kind?: 'primary' | 'secondary' | 'quiet' | 'danger';
  /** It can't be pressed with effect now. It stays reachable, so that the focus is not lost. */
  off?: boolean | undefined;
  busy?: boolean | undefined;
  onPress?: (() => void) | undefined;
  href?: string | undefined;
  type?: 'button' | 'submit';
  describedBy?: string | undefined;
  wide?: boolean;
  id?: string;
  /** What a screen reader says instead of the text, where that is not enough without what stands around it. */
  label?: string | undefined;
  children: Children;
}

export function Button({ kind = 'secondary', off, busy, onPress, href, type = 'button', describedBy, wide, id, label, children }: ButtonProps) {
  const name = `button ${kind}${wide ? ' wide' : ''}${busy ? ' busy' : ''}`;
  if (href !== undefined) {
    return (
      <a class={name} href={href} id={id} aria-label={label}>
        {children}
      </a>
    );
  }
  return (
    <button
      class={name}
      id={id}
      type={type}
      aria-disabled={off || busy ? 'true' : undefined}
      aria-describedby={describedBy}
      aria-label={label}
      onClick={(event) => {
        if (type === 'submit' && !busy && !off) return;
        event.preventDefault();
        if (!busy) onPress?.();
      }}
    >
      <span class="button-text">{children}</span>
    </button>
  );
}

export function Chip({ tone = 'plain', children }: { tone?: Tone; children: Children }) {
  return <span class={`chip ${tone}`}>{children}</span>;
}

/** How much of something is left; the words beside it say the same. */
export function Meter({ value, of }: { value: number; of: number }) {
  const share = of > 0 ? Math.min(1, Math.max(0, value / of)) : 0;
  return (
    <svg class="meter" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <rect class="meter-ground" width="100" height="4" />
      <rect class="meter-value" width={100 * share} height="4" />
    </svg>
  );
}

export interface Image {
  colour?: string | null;
  variants: readonly { url: string; width: number }[];
}

interface PictureProps {
  src: string | null | undefined;
  /** The same in several widths, if the shop has them. */
  image?: Image | null | undefined;
  /** How wide it is shown, if not always as wide as `size`. */
  sizes?: string;
  size: number;
  alt?: string;
  lazy?: boolean;
  first?: boolean;
}

/** A picture of a known size, or a placeholder of the same size. */
export function Picture({ src, image, size, sizes = `${size}px`, alt = '', lazy, first }: PictureProps) {
  const [broken, setBroken] = useState<string | undefined>(undefined);
  if (!src || broken === src) {
    return (
      <span class="picture empty" role={alt ? 'img' : undefined} aria-label={alt || undefined}>
        <Icon name="picture" />
      </span>
    );
  }
  return (
    <span class="picture" style={{ background: image?.colour ?? '' }}>
      <img
        src={src}
        srcset={image?.variants.map(({ url, width }) => `${url} ${width}w`).join()}
        sizes={image ? sizes : undefined}
        alt={alt}
        width={size}
        height={size}
        loading={lazy ? 'lazy' : 'eager'}
        decoding="async"
        fetchpriority={first ? 'high' : undefined}
        onError={() => setBroken(src)}
      />
    </span>
  );
}

interface EmptyProps {
  title: string;
  body?: string | undefined;
  children?: Children;
}

export function Empty({ title, body, children }: EmptyProps) {
  return (
    <div class="empty-state">
      <p class="empty-title">{title}</p>
      {body && <p>{body}</p>}
      {children && <div class="row">{children}</div>}
    </div>
  );
}

interface LoadingProps {
  label: string;
  slow: string;
  children: Children;
}

const WORDS_MS = 400;
const SLOW_MS = 4_000;

/** Skeletons of the final size; words after a moment, others after a long one. */
export function Loading({ label, slow, children }: LoadingProps) {
  const [stage, setStage] = useState(0);
  useEffect(() => {
    const timers = [setTimeout(() => setStage(1), WORDS_MS), setTimeout(() => setStage(2), SLOW_MS)];
    return () => timers.forEach(clearTimeout);
  }, []);
  return (
    <div class="loading" aria-busy="true">
      {children}
      <p class="loading-words">{stage === 0 ? '\u00a0' : stage === 1 ? label : slow}</p>
    </div>
  );
}

export const Skeleton = ({ kind }: { kind: string }) => <span class={`skeleton ${kind}`} aria-hidden="true" />;

export interface Tab {
  id: string;
  label: Children;
}

interface TabsProps {
  label: string;
  tabs: Tab[];
  chosen: string | undefined;
  panel: string;
  onChoose: (id: string) => void;
}

/** Tabs with arrow keys, Home and End. */
export function Tabs({ label, tabs, chosen, panel, onChoose }: TabsProps) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [chosen]);
  const move = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const at = tabs.findIndex(({ id }) => id === chosen);
    const forward = getComputedStyle(event.currentTarget).direction === 'rtl' ? -1 : 1;
    const steps: Record<string, number> = {
      ArrowRight: at + forward,
      ArrowLeft: at - forward,
      Home: 0,
      End: tabs.length - 1,
    };
    const to = steps[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    if (!next) return;
    onChoose(next.id);
    list.current?.querySelector<HTMLElement>(`#tab-${CSS.escape(next.id)}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
      {tabs.map(({ id, label: text }) => (
        <button
          key={id}
          id={`tab-${id}`}
          class="tab"
          type="button"
          role="tab"
          aria-selected={id === chosen ? 'true' : 'false'}
          aria-controls={panel}
          tabIndex={id === chosen ? 0 : -1}
          onClick={() => onChoose(id)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

const PATHS = {
  close: 'M4 4l12 12M16 4L4 16',
  bad: 'M10 2l8.5 15h-17zM10 8v4M10 14.4v.2',
  ok: 'M3.5 10.5l4.2 4.2L16.5 6',
  picture: 'M3 4h14v12H3zM3 14l4-4 3 3 3-3 4 4M7 7.6v.2',
  menu: 'M3 5.5h14M3 10h14M3 14.5h14',
  auto: 'M10 3a7 7 0 100 14 7 7 0 000-14zM10 3v14',
  light: 'M10 6.5a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6L16 16M16 4l-1.4 1.4M5.4 14.6L4 16',
  dark: 'M16.5 11.8A7 7 0 018.2 3.5a7 7 0 108.3 8.3z',
  back: 'M12.5 4L6.5 10l6 6',
  clock: 'M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15zM10 6v4.3l2.8 1.7',
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
