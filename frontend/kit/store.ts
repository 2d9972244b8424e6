// The whole cache: of two pictures of an object, the one with the higher version.

export interface Versioned {
  version: number;
}

/** The newer of two; of two equal ones the second, which came later. */
export function newer<T extends Versioned>(held: T | undefined, fresh: T): T {
  return held && held.version > fresh.version ? held : fresh;
}

/** Keeps the newer one under `id`; true if that is the fresh one. */
export function newest<T extends Versioned>(map: Map<string, T>, id: string, fresh: T): boolean {
  const kept = newer(map.get(id), fresh);
  map.set(id, kept);
  return kept === fresh;
}
