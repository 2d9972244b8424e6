// What the tabs of one browser tell each other: that something changed, never what is in it.
import type { Shared } from './clock';

export type Message =
  | { type: 'press'; user: string; sale: string }
  | { type: 'ticket'; user: string; sale: string; ticket: string; version: number }
  | { type: 'order'; user: string; order: string; version: number }
  | { type: 'session'; user: string | null }
  | { type: 'locale'; locale: string }
  | { type: 'clock'; clock: Shared };

export interface Tabs {
  tell(message: Message): void;
  listen(listener: (message: Message) => void): () => void;
  close(): void;
}

const NAME = 'doorbuster';
const VERSION = 1;
/** Where messages pass through in browsers without `BroadcastChannel`. */
const FALLBACK = 'db.message';

export function createTabs(): Tabs {
  const listeners = new Set<(message: Message) => void>();
  const hear = (data: unknown) => {
    const { v, ...message } = (data ?? {}) as { v?: number } & Message;
    // A newer version of the page may say what this one does not understand.
    if (v !== VERSION) return;
    for (const listener of listeners) listener(message as Message);
  };
  const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(NAME);
  const onStorage = (event: StorageEvent) => {
    if (event.key === FALLBACK && event.newValue) hear(JSON.parse(event.newValue));
  };
  if (channel) channel.onmessage = ({ data }) => hear(data);
  else globalThis.addEventListener?.('storage', onStorage);
  return {
    tell(message) {
      const data = { v: VERSION, ...message };
      if (channel) return channel.postMessage(data);
      try {
        localStorage.setItem(FALLBACK, JSON.stringify({ ...data, at: Math.random() }));
      } catch {
        // Nothing to tell others with: each tab asks the shop for itself.
      }
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      channel?.close();
      globalThis.removeEventListener?.('storage', onStorage);
    },
  };
}
