// A REST catalog's address and credentials, as an environment variable holds them in one URL.

import { HeadraceError } from '../../../core/index.ts';

export interface CatalogAddress {
  /** Without a slash at its end, a query or credentials. */
  readonly base: string;
  readonly warehouse?: string;
  readonly login:
    | { readonly kind: 'none' }
    | { readonly kind: 'token'; readonly token: string }
    | {
        readonly kind: 'client';
        readonly id: string;
        readonly secret: string;
        readonly scope: string;
        /** Where tokens are asked for. */
        readonly tokens: string;
      };
}

/**
 * `https://CLIENT:SECRET@host/path?warehouse=NAME` logs in by OAuth 2 (`scope`, `oauth2-server-uri` as parameters),
 * `https://:TOKEN@host/path` sends a token. Throws HR_CONFIG, which never tells the value.
 */
export function parseCatalogUrl(text: string | undefined, variable: string, owner: string): CatalogAddress {
  if (text === undefined || text === '') throw wrong(`${owner}: environment variable ${variable} is not set.`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const [id, secret] = [decoded(url?.username ?? ''), decoded(url?.password ?? '')];
  if (url === undefined || !/^https?:$/.test(url.protocol) || id === undefined || secret === undefined) {
    throw wrong(
      `${owner}: environment variable ${variable} must hold the catalog's URL, such as https://CLIENT:SECRET@host/path?warehouse=NAME.`,
    );
  }
  const asked = (name: string): string | undefined => url.searchParams.get(name) ?? undefined;
  const base = `${url.origin}${url.pathname}`.replace(/\/+$/, '').replace(/\/v1$/, '');
  const warehouse = asked('warehouse');
  const tokens = asked('oauth2-server-uri') ?? `${base}/v1/oauth/tokens`;
  const login: CatalogAddress['login'] =
    secret === ''
      ? { kind: 'none' }
      : id === ''
        ? { kind: 'token', token: secret }
        : { kind: 'client', id, secret, scope: asked('scope') ?? 'catalog', tokens };
  return { base, ...(warehouse !== undefined && { warehouse }), login };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const wrong = (message: string): HeadraceError =>
  new HeadraceError('HR_CONFIG', `${message} Set it where Headrace runs.`);
