// What travels with a topic whose messages have a schema in a file: that file, and those which a Protobuf schema imports. By
// content, as bundles of functions do, so that whoever consumes needs no feature repository.

import { readFile } from 'node:fs/promises';
import { isAbsolute, join, posix, sep } from 'node:path';
import { compareTexts, contentHash, HeadraceError, messageOf, sha256Hex } from '../../core/index.ts';
import type { AppliedFile, Definitions, Manifest, SourceSpec } from '../manifest.ts';

/** Of a source; more of it is no schema. */
const MOST_FILES = 200;
const MOST_BYTES = 5e6;

/** The definitions with the schemas of their topics. Throws HR_DEFINITION where one is not there, or is none. */
export async function withSchemaFiles(definitions: Definitions): Promise<Definitions> {
  const { manifest, directory } = definitions;
  const bundles = new Map(definitions.bundles);
  const sources: Record<string, SourceSpec> = {};
  for (const [name, source] of Object.entries(manifest.sources)) {
    const texts = await schemaTexts(source, directory);
    for (const text of texts.values()) bundles.set(sha256Hex(text), text);
    const files = [...texts].map(([path, text]): AppliedFile => ({ path, hash: sha256Hex(text) }));
    sources[name] =
      files.length === 0 ? source : { ...source, files: files.toSorted((a, b) => compareTexts(a.path, b.path)) };
  }
  if (Object.values(sources).every(({ files }) => files === undefined)) return definitions;
  const whole: Manifest = { ...manifest, sources };
  return { ...definitions, manifest: whole, hash: contentHash(whole), bundles };
}

/** The path under which a schema's file travels. `./orders.avsc` is `orders.avsc`. */
export function schemaPath(schema: string): string {
  return posix.normalize(schema.split(sep).join('/'));
}

async function schemaTexts(source: SourceSpec, directory: string): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  const { schema, format } = source.location;
  // One elsewhere is that machine's own.
  if (source.kind !== 'kafka' || schema === undefined || isAbsolute(schema)) return texts;
  const waiting = [schemaPath(schema)];
  let bytes = 0;
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (texts.has(path)) continue;
    if (path.split('/').includes('..'))
      throw unfit(source, `takes ${path}, which is outside the feature repository. Move it there.`);
    const text = await readFile(join(directory, path), 'utf8').catch((cause: unknown) => {
      const sentence = `needs ${path}, which is not in the feature repository. Put it there, or correct the path.`;
      throw unfit(source, sentence, cause);
    });
    texts.set(path, text);
    bytes += Buffer.byteLength(text);
    if (texts.size > MOST_FILES || bytes > MOST_BYTES)
      throw unfit(source, `brings more than ${MOST_FILES} files or ${MOST_BYTES / 1e6} MB of schemas with it.`);
    if (format === 'protobuf') waiting.push(...(await importsOf(source, path, text)));
  }
  return texts;
}

/** Paths of the files that a Protobuf file imports, from where it lies; Google's own are everywhere. */
async function importsOf(source: SourceSpec, path: string, text: string): Promise<string[]> {
  const { default: protobuf } = await import('protobufjs');
  try {
    const { imports = [], weakImports = [] } = protobuf.parse(text, new protobuf.Root());
    const own = [...imports, ...weakImports].filter((name) => protobuf.common.get(googlePart(name)) === null);
    return own.map((name) => posix.join(posix.dirname(path), name));
  } catch (cause) {
    throw unfit(source, `has a schema that cannot be read: ${path}: ${messageOf(cause)}`, cause);
  }
}

function googlePart(name: string): string {
  const at = name.lastIndexOf('google/protobuf/');
  return at < 0 ? name : name.slice(at);
}

function unfit({ name }: SourceSpec, sentence: string, cause?: unknown): HeadraceError {
  return new HeadraceError('HR_DEFINITION', `source "${name}" ${sentence}`, { cause });
}
