// The shop's clock, with how exactly the page knows it.
import { useComputed } from '@preact/signals';
import { Icon } from '@kit/ui';
import { clock, f, second } from './app';
import { t } from './i18n';

/** So much a device's clock may differ before it is worth a word. */
const WORTH_A_WORD_MS = 2_000;

const digitsOf = (error: number) => (error < 95 ? 2 : error < 950 ? 1 : 0);

export function ClockLine() {
  const text = useComputed(() => {
    const time = f.value.time(second.value);
    const error = clock.error();
    if (error === Infinity) return t('clock.unsure', { time });
    return t('clock.line', { time, error: f.value.seconds(Math.max(10, error), digitsOf(error)) });
  });
  const apart = useComputed(() => {
    void second.value;
    const ahead = clock.ahead();
    if (clock.error() === Infinity || Math.abs(ahead) <= WORTH_A_WORD_MS) return '';
    return t(ahead > 0 ? 'clock.fast' : 'clock.slow', { span: f.value.span(ahead) });
  });
  return (
    <p class="clock-line">
      <Icon name="clock" />
      <span>
        <span class="number">{text}</span> <span>{apart}</span>
      </span>
    </p>
  );
}
