// Turns `import Sale from '@documents/Sale.graphql'` into `{ id, name, kind }`: the page sends the id, never the text.
// The id is the SHA-256 of the file's bytes, as `doorbuster documents` writes it into the manifest of trusted documents.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

export interface Document {
  id: string;
  name: string;
  kind: 'query' | 'mutation' | 'subscription';
}

/** The document in these bytes of a file. */
export function describe(bytes: Uint8Array): Document {
  const text = new TextDecoder().decode(bytes);
  const [, kind, name] = /^(query|mutation|subscription)\s+(\w+)/m.exec(text) ?? [];
  if (!kind || !name) throw new Error('a document begins with a named operation');
  return { id: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, name, kind: kind as Document['kind'] };
}

export function documents(): Plugin {
  return {
    name: 'documents',
    enforce: 'pre',
    load(id) {
      const [path = id] = id.split('?');
      if (!path.endsWith('.graphql')) return null;
      return { code: `export default ${JSON.stringify(describe(readFileSync(path)))};`, moduleType: 'js' };
    },
  };
}
