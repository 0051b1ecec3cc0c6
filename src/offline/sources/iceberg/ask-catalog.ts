// Asks an Iceberg REST catalog for a table: where its current metadata file is. The protocol is Iceberg's own OpenAPI.

import { setTimeout as sleep } from 'node:timers/promises';
import { HeadraceError, type Json, messageOf, parseJson } from '../../../core/index.ts';
import type { CatalogAddress } from './catalog-address.ts';
import { record } from './json-record.ts';

const ANSWER_LIMIT_MS = 30_000;
/** Pauses before a request is made again that was not answered, or by a 429 or 5xx. */
const PAUSES_MS = [200, 1000, 3000];
/** Between the levels of a namespace. */
const LEVEL = '\u001f';

export interface CatalogTable {
  /** `namespace.table`; a namespace may have levels. */
  readonly name: string;
  /** For messages: who asks, and the variable that holds the catalog's URL. */
  readonly owner: string;
  readonly variable: string;
}

/**
 * The table's current metadata file. Errors: HR_CONFIG for refused credentials, HR_SOURCE_UNREADABLE where there is no such
 * table, HR_STORAGE_UNAVAILABLE where the catalog doesn't answer after a few times.
 */
export async function askCatalog(address: CatalogAddress, table: CatalogTable): Promise<string> {
  const { owner, name } = table;
  const token = await tokenOf(address, table);
  const headers = { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const asks = address.warehouse === undefined ? '' : `?warehouse=${encodeURIComponent(address.warehouse)}`;
  const config = record(await ask(`${address.base}/v1/config${asks}`, { headers }, table));
  const member = (key: string): string | undefined => {
    const found = record(config['overrides'])[key] ?? record(config['defaults'])[key];
    return typeof found === 'string' && found !== '' ? found : undefined;
  };
  const levels = name.split('.');
  const last = levels.pop() ?? '';
  const prefix = member('prefix');
  const path = [
    ...(prefix === undefined ? [] : [prefix]),
    'namespaces',
    encodeURIComponent(levels.join(LEVEL)),
    'tables',
    encodeURIComponent(last),
  ].join('/');
  const loaded = record(await ask(`${address.base}/v1/${path}?snapshots=refs`, { headers }, table));
  const metadata = loaded['metadata-location'];
  if (typeof metadata === 'string' && metadata !== '') return metadata;
  throw new HeadraceError('HR_SOURCE_UNREADABLE', `${owner}: the catalog names no metadata file of table "${name}".`);
}

async function tokenOf({ login }: CatalogAddress, table: CatalogTable): Promise<string | undefined> {
  if (login.kind === 'none') return undefined;
  if (login.kind === 'token') return login.token;
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: login.id,
    client_secret: login.secret,
    scope: login.scope,
  });
  const token = record(await ask(login.tokens, { method: 'POST', body }, table))['access_token'];
  if (typeof token === 'string') return token;
  throw refused(table);
}

async function ask(url: string, request: RequestInit, table: CatalogTable): Promise<Json> {
  let trouble = '';
  for (const pause of [...PAUSES_MS, undefined]) {
    try {
      const response = await fetch(url, {
        ...request,
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      const text = await response.text();
      if (response.ok) return parseJson(text);
      if (response.status < 500 && response.status !== 429)
        throw told(response.status, table, request.method === 'POST');
      trouble = `it answers ${response.status}`;
    } catch (error) {
      if (error instanceof HeadraceError) throw error;
      trouble = error instanceof SyntaxError ? 'its answer is no JSON' : messageOf(causeOf(error));
    }
    if (pause !== undefined) await sleep(pause);
  }
  throw new HeadraceError(
    'HR_STORAGE_UNAVAILABLE',
    `${table.owner}: the catalog that ${table.variable} names does not answer (${trouble}). Check its URL and that it runs.`,
  );
}

function told(status: number, table: CatalogTable, isLogin: boolean): HeadraceError {
  if (status === 401 || status === 403 || isLogin) return refused(table);
  return new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `${table.owner}: the catalog that ${table.variable} names has no table "${table.name}" (${status}). Check its namespace and name${status === 404 ? '' : ", and the URL's warehouse"}.`,
  );
}

const refused = ({ owner, variable }: CatalogTable): HeadraceError =>
  new HeadraceError('HR_CONFIG', `${owner}: the catalog refuses the credentials that ${variable} holds. Check them.`);

// fetch wraps what the socket said.
const causeOf = (error: unknown): unknown =>
  error instanceof Error && error.cause !== undefined ? error.cause : error;
