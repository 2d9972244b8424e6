// What a screen reader is told: one thing in three seconds at most, the newest wins; what is urgent goes before.
import { signal } from '@preact/signals';

const EVERY_MS = 3_000;
const status = signal('');
const alert = signal('');
// A page that opens is read out: that counts as well.
let last = 0;
let waiting: { text: string; urgent: boolean } | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

function flush(): void {
  timer = undefined;
  if (!waiting) return;
  const { text, urgent } = waiting;
  waiting = undefined;
  last = performance.now();
  (urgent ? alert : status).value = text;
  (urgent ? status : alert).value = '';
}

export function announce(text: string, urgent = false): void {
  if (!text || (waiting?.urgent && !urgent)) return;
  waiting = { text, urgent };
  timer ??= setTimeout(flush, Math.max(0, last + EVERY_MS - performance.now()));
}

export function Announcer() {
  return (
    <div class="unseen">
      <div role="status">{status}</div>
      <div role="alert">{alert}</div>
    </div>
  );
}
