// A schema registry by Confluent's protocol: a message begins with a zero byte and the number of its schema, which is asked
// for once. The URL may hold a password: no error shows it.

import { HeadraceError, messageOf } from '../../core/index.ts';
import { Undecodable } from './decoder.ts';

export interface RegisteredSchema {
  readonly schema: string;
  readonly references: readonly SchemaReference[];
}

/** Another schema that a schema names. */
export interface SchemaReference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

export interface SchemaRegistry {
  /** Throws an Undecodable for a number that it does not have, HR_STREAM_SCHEMA where it is away or refuses us. */
  byId(id: number): Promise<RegisteredSchema>;
  referenced(reference: SchemaReference): Promise<RegisteredSchema>;
}

const LIMIT_MS = 10_000;

export function openSchemaRegistry(url: string, variable: string): SchemaRegistry {
  const { base, headers, shown } = placeOf(url, variable);
  const get = async (path: string): Promise<RegisteredSchema | undefined> => {
    const response = await fetch(`${base}${path}`, { headers, signal: AbortSignal.timeout(LIMIT_MS) }).catch(
      (error: unknown) => {
        const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
        throw broken(`the schema registry at ${shown} does not answer: ${messageOf(cause)}`);
      },
    );
    if (response.status === 404) {
      // A registry says what is missing by a code of its own; whoever does not would make every message a dead letter.
      const told = (await response.json().catch(() => undefined)) as { error_code?: unknown } | undefined;
      if (/^404\d\d$/.test(String(told?.error_code))) return undefined;
      throw broken(
        `the schema registry at ${shown} answers 404 to GET ${path}, not as a schema registry does: check the path of its URL`,
      );
    }
    if (!response.ok) throw broken(`the schema registry at ${shown} answers ${response.status} to GET ${path}`);
    const body = (await response.json().catch(() => undefined)) as Partial<RegisteredSchema> | undefined;
    if (typeof body?.schema !== 'string') throw broken(`the schema registry at ${shown} gives no schema for ${path}`);
    return { schema: body.schema, references: Array.isArray(body.references) ? body.references : [] };
  };
  return {
    async byId(id) {
      const found = await get(`/schemas/ids/${id}`);
      if (found === undefined) throw new Undecodable(`the schema registry has no schema ${id}`);
      return found;
    },
    async referenced({ subject, version }) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
      const found = await get(path);
      if (found === undefined) throw new Undecodable(`the schema registry has no version ${version} of "${subject}"`);
      return found;
    },
  };
}

/** The number of a message's schema, and what follows it. Throws an Undecodable. */
export function framed(value: Uint8Array): { readonly id: number; readonly body: Uint8Array } {
  if (value.length < 5 || value[0] !== 0)
    throw new Undecodable('it does not begin with the number of a schema, as messages of a schema registry do');
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { id: view.getUint32(1), body: value.subarray(5) };
}

function placeOf(text: string, variable: string) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const { username = '', password = '' } = url ?? {};
  const plain = decoded(`${username}:${password}`);
  if (url === undefined || plain === undefined || !/^https?:$/.test(url.protocol))
    throw new HeadraceError(
      'HR_CONFIG',
      `the environment variable ${variable} holds no URL: write http(s)://user:password@host:port (% encodes what a URL cannot hold)`,
    );
  const login = Buffer.from(plain).toString('base64');
  return {
    base: `${url.origin}${url.pathname.replace(/\/$/, '')}`,
    shown: url.origin,
    headers: {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
      ...(username === '' ? {} : { authorization: `Basic ${login}` }),
    },
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function broken(sentence: string): HeadraceError {
  return new HeadraceError('HR_STREAM_SCHEMA', sentence);
}
