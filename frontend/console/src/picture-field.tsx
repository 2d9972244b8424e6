// A product's picture: uploaded from this device, or the address of one.
import { useSignal, type Signal } from '@preact/signals';
import { BESIDE_PX, SIDE_PX, UPLOAD_BYTES_MAX, UPLOAD_TYPES } from '@kit/pictures';
import { Icon, Picture } from '@kit/ui';
import { useId } from 'preact/hooks';
import { f } from './app';
import { t } from './i18n';

/** Two megabytes on a slow line. */
const TIMEOUT_MS = 60_000;
/** What the shop takes as an address. */
const ADDRESS = /^(https?:\/\/|\/(?!\/))/;
const REASONS = ['CONTENT_TYPE_INVALID', 'MORE_THAN_A_PICTURE', 'NOT_A_PICTURE', 'RATE_LIMITED', 'SIZE_INVALID', 'TOO_LARGE'] as const;
type Reason = (typeof REASONS)[number] | 'failed';

export interface Upload {
  /** The name of the file that is on its way. */
  busy?: string | undefined;
  done?: string | undefined;
  reason?: Reason | undefined;
}

async function send(file: File): Promise<{ imageUrl: string } | Reason> {
  if (file.size > UPLOAD_BYTES_MAX) return 'TOO_LARGE';
  if (!UPLOAD_TYPES.some((type) => type === file.type)) return 'CONTENT_TYPE_INVALID';
  try {
    const response = await fetch('/pictures', {
      method: 'POST',
      headers: { 'content-type': file.type },
      body: file,
      credentials: 'same-origin',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = (await response.json()) as { imageUrl?: string; code?: string };
    if (response.ok && answer.imageUrl) return { imageUrl: answer.imageUrl };
    return REASONS.find((reason) => reason === answer.code) ?? 'failed';
  } catch {
    return 'failed';
  }
}

const MIB = 1024 * 1024;

/** What texts say of the files that the shop takes. */
const limits = () => ({
  mib: f.value.number(UPLOAD_BYTES_MAX / MIB),
  least: f.value.number(SIDE_PX.least),
  most: f.value.number(SIDE_PX.most),
  ratio: f.value.number(SIDE_PX.ratio),
});

interface Props {
  value: string;
  error?: string | undefined;
  now?: string | undefined;
  upload: Signal<Upload>;
}

export function PictureField({ value, error, now, upload }: Props) {
  const id = useId();
  const url = useSignal(value);
  // Not what is still being typed.
  const shown = useSignal(value);
  const { busy, done, reason } = upload.value;
  // What the shop said of another address does not hold for an upload that came after it.
  const refused = busy || done ? undefined : error;
  const wrong = reason ? t(`picture.${reason}`, limits()) : refused;
  const choose = async (input: HTMLInputElement) => {
    const file = input.files?.[0];
    // So that the same file can be chosen once more.
    input.value = '';
    if (!file) return;
    upload.value = { busy: file.name };
    const answer = await send(file);
    if (typeof answer === 'string') {
      upload.value = { reason: answer };
      return;
    }
    url.value = shown.value = answer.imageUrl;
    upload.value = { done: file.name };
  };
  const said = busy ? t('picture.busy', { name: busy }) : done ? t('picture.done', { name: done }) : '';
  return (
    <div class="field picture-field">
      <label for={id}>{t('product.imageUrl')}</label>
      <div class="picture-row">
        <Picture src={shown.value} size={BESIDE_PX} />
        <div>
          <label class={`button upload ${busy ? 'off' : ''}`}>
            {t('picture.choose')}
            <input
              type="file"
              class="unseen"
              accept={UPLOAD_TYPES.join()}
              disabled={Boolean(busy)}
              onChange={(event) => void choose(event.currentTarget)}
            />
          </label>
          <p class="hint" id={`${id}-hint`}>
            {t('picture.hint', limits())}
          </p>
        </div>
      </div>
      <input
        id={id}
        name="imageUrl"
        type="text"
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        value={url.value}
        aria-describedby={`${id}-hint${now ? ` ${id}-now` : ''}${wrong ? ` ${id}-error` : ''}`}
        aria-invalid={refused ? 'true' : undefined}
        onInput={(event) => {
          url.value = event.currentTarget.value;
          upload.value = {};
        }}
        onChange={() => (shown.value = ADDRESS.test(url.value) ? url.value : '')}
      />
      <p class="hint" role="status">
        {said}
      </p>
      {now && (
        <p class="now" id={`${id}-now`}>
          {now}
        </p>
      )}
      {wrong && (
        <p class="error" id={`${id}-error`} role={reason ? 'alert' : undefined}>
          <Icon name="bad" /> {wrong}
        </p>
      )}
    </div>
  );
}
