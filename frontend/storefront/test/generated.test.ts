import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from '@graphql-codegen/cli';
import { expect, it } from 'vitest';
import config from '../codegen';

it('the types of the operations are those of the schema', async () => {
  const folder = join(import.meta.dirname, '..');
  const files = (await generate({ ...config, cwd: folder, silent: true }, false)) as { filename: string; content: string }[];
  expect(files.length).toBe(1);
  for (const { filename, content } of files) {
    const held = readFileSync(join(folder, filename), 'utf8');
    expect(held === content, 'run `npm run codegen` in frontend/storefront').toBe(true);
  }
}, 30_000);
