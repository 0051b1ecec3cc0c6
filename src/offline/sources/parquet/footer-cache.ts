// Footers that were read before, so that a table's files are opened only where their rows are needed, and times of rows of files
// without them. One small file a source; it is worth only the reading of them again.

import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SnapshotFile } from '../../../online/index.ts';
import { type EventRange, isEmptyRange, NO_EVENTS } from '../event-range.ts';
import type { Footer, FooterRange } from './footer.ts';

export interface FooterCache {
  get(file: SnapshotFile): Footer | undefined;
  /** Keeps these, too; where that fails, they are read again next time. */
  add(footers: ReadonlyMap<SnapshotFile, Footer>): Promise<void>;
}

/** In JSON: the types once for each form, as a table's files are of few. */
interface Kept {
  readonly format: 2;
  readonly forms: readonly (readonly [string, string])[][];
  readonly files: readonly {
    readonly path: string;
    readonly size: number;
    readonly etag: string;
    readonly form: number;
    readonly ranges: readonly (readonly [name: string, from: number, to: number, hasNulls: boolean])[];
    /** Null: no row has a time. */
    readonly times?: readonly (readonly [origin: string, range: readonly [from: number, to: number] | null])[];
  }[];
}

interface Known {
  readonly file: SnapshotFile;
  readonly footer: Footer;
}

/** Files that are no more are kept so long; a source has at most 65,536. */
const MOST_FILES = 200_000;

export async function openFooterCache(dataDirectory: string, source: string): Promise<FooterCache> {
  const path = join(dataDirectory, 'footers', `${source}.json`);
  const known = await load(path);
  return {
    get(file) {
      const found = known.get(file.path);
      return found?.file.etag === file.etag && found.file.size === file.size ? found.footer : undefined;
    },
    async add(footers) {
      if (footers.size === 0) return;
      if (known.size + footers.size > MOST_FILES) known.clear();
      for (const [file, footer] of footers) known.set(file.path, { file, footer });
      await write(path, known.values()).catch(() => undefined);
    },
  };
}

async function load(path: string): Promise<Map<string, Known>> {
  try {
    const { format, forms, files } = JSON.parse(await readFile(path, 'utf8')) as Kept;
    // The first format had no ranges of columns with nulls.
    if (format !== 2) return new Map();
    const types = forms.map((form) => new Map(form));
    return new Map(
      files.map(({ form, ranges, times, ...file }): [string, Known] => {
        const of = new Map(
          ranges.map(([name, from, to, hasNulls]): [string, FooterRange] => [name, { from, to, hasNulls }]),
        );
        const footer: Footer = { types: types[form] as Footer['types'], ranges: of };
        return [file.path, { file, footer: times === undefined ? footer : { ...footer, times: timesOf(times) } }];
      }),
    );
  } catch {
    // None yet, or one that was cut off.
    return new Map();
  }
}

// JSON has no infinities.
const endsOf = (range: EventRange) => (isEmptyRange(range) ? null : ([range.from, range.to] as const));

function timesOf(kept: NonNullable<Kept['files'][number]['times']>): NonNullable<Footer['times']> {
  return new Map(
    kept.map(([origin, ends]) => [origin, ends === null ? NO_EVENTS : { from: ends[0], to: ends[1] }] as const),
  );
}

async function write(path: string, all: Iterable<Known>): Promise<void> {
  const forms = new Map<string, number>();
  const files: Kept['files'][number][] = [];
  for (const { file, footer } of all) {
    const text = JSON.stringify([...footer.types]);
    const form = forms.get(text) ?? forms.size;
    forms.set(text, form);
    const ranges = [...footer.ranges].map(([name, { from, to, hasNulls }]) => [name, from, to, hasNulls] as const);
    const times = footer.times && [...footer.times].map(([origin, range]) => [origin, endsOf(range)] as const);
    files.push({ path: file.path, size: file.size, etag: file.etag, form, ranges, ...(times && { times }) });
  }
  const kept: Kept = {
    format: 2,
    forms: [...forms.keys()].map((text) => JSON.parse(text) as [string, string][]),
    files,
  };
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.unfinished-${randomUUID()}`;
  try {
    await writeFile(unfinished, JSON.stringify(kept));
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}
