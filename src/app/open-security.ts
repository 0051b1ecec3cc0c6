// What guards a serving process, by the settings: whom it opens to, tokens, certificates.

import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Server as TlsServer } from 'node:https';
import { HeadraceError, messageOf, type Micros, MICROS_PER_SECOND } from '../core/index.ts';
import { openSecurity, type Security, type TlsFiles, type TokenKey, type TokenOptions } from '../serving/index.ts';
import { isLoopback } from './loopback.ts';
import type { App } from './open-app.ts';
import type { SettingValues } from './settings.ts';
import { takesTokens } from './takes-tokens.ts';
import { readSettingFile, watchFiles } from './watched-files.ts';

export interface ServerSecurity {
  readonly security: Security;
  /** Undefined: no TLS. */
  readonly tls: TlsFiles | undefined;
  /** Follows changed certificates from now on. */
  followTls(server: unknown): void;
  /** When the certificate that new connections get ends, with its chain; null without TLS. */
  certificateEndsMicros(): Micros | null;
  close(): Promise<void>;
}

/** Throws HR_CONFIG. */
export async function openServerSecurity(
  app: App,
  { host, isInsecure }: { readonly host: string; readonly isInsecure: boolean },
): Promise<ServerSecurity> {
  const { config, clock, logger, environment } = app;
  const { values } = config;
  const tokens = await readTokens(values, environment.variables);
  const tls = await readTls(values);
  let endsMicros = tls === undefined ? null : endOf(tls.files.cert);
  const security = await openSecurity({
    registry: await app.registry(),
    tokens: tokens?.options,
    opensTo: isLoopback(host) ? 'loopback' : isInsecure ? 'everybody' : 'nobody',
    host,
    rateLimit: values['server.rateLimit'],
    clock,
    logger,
  });
  const watched =
    tokens?.file === undefined
      ? []
      : [
          watchFiles(
            [tokens.file],
            [tokens.text],
            ([text = '']) => security.replaceTokens({ ...tokens.options, key: keyOf(text) }),
            logger,
          ),
        ];
  return {
    security,
    tls: tls?.files,
    followTls(server) {
      if (tls === undefined) return;
      const take = ([cert = '', key = '']: readonly string[]): void => {
        createSecureContext({ cert, key });
        // Connections that are open keep what they began with. Fastify made it by `https`.
        (server as TlsServer).setSecureContext({ cert, key });
        endsMicros = endOf(cert);
      };
      watched.push(watchFiles(tls.paths, [tls.files.cert, tls.files.key], take, logger));
    },
    certificateEndsMicros: () => endsMicros,
    async close() {
      for (const one of watched) one.close();
      await security.close();
    },
  };
}

interface Tokens {
  readonly options: TokenOptions;
  /** Undefined for a secret. */
  readonly file: string | undefined;
  readonly text: string;
}

async function readTokens(
  values: SettingValues,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Tokens | undefined> {
  if (!takesTokens(values)) return undefined;
  const needed = (key: 'server.jwt.algorithms' | 'server.jwt.issuer' | 'server.jwt.audience'): string => {
    const value = values[key];
    if (value !== undefined) return value;
    throw new HeadraceError('HR_CONFIG', `${key} is missing: tokens take algorithms, issuer, audience, and a key.`);
  };
  const { 'server.jwt.key': file, 'server.jwt.secretEnv': variable } = values;
  if ((file === undefined) === (variable === undefined))
    throw new HeadraceError('HR_CONFIG', 'tokens take one of server.jwt.key (a file) and server.jwt.secretEnv.');
  const text = file === undefined ? '' : await readSettingFile('server.jwt.key', file);
  const options: TokenOptions = {
    algorithms: needed('server.jwt.algorithms')
      .split(/[\s,]+/)
      .filter((one) => one !== ''),
    issuer: needed('server.jwt.issuer'),
    audience: needed('server.jwt.audience'),
    key: variable === undefined ? keyOf(text) : secretOf(variable, environment[variable]),
    rolesClaim: values['server.jwt.rolesClaim'],
    endpointsClaim: values['server.jwt.endpointsClaim'],
    clockToleranceMs: values['server.jwt.clockToleranceMs'],
  };
  return { options, file, text };
}

function keyOf(text: string): TokenKey {
  return text.trimStart().startsWith('{') ? { kind: 'jwks', jwks: text } : { kind: 'pem', pem: text };
}

function secretOf(variable: string, secret: string | undefined): TokenKey {
  if (secret !== undefined && secret !== '') return { kind: 'secret', secret };
  throw new HeadraceError('HR_CONFIG', `server.jwt.secretEnv: the environment has no ${variable}.`);
}

async function readTls(
  values: SettingValues,
): Promise<{ readonly files: TlsFiles; readonly paths: readonly [string, string] } | undefined> {
  const { 'server.tls.cert': certPath, 'server.tls.key': keyPath } = values;
  if (certPath === undefined && keyPath === undefined) return undefined;
  if (certPath === undefined || keyPath === undefined) {
    const missing = certPath === undefined ? 'server.tls.cert' : 'server.tls.key';
    throw new HeadraceError('HR_CONFIG', `${missing} is missing: TLS takes a certificate and its key.`);
  }
  const cert = await readSettingFile('server.tls.cert', certPath);
  const key = await readSettingFile('server.tls.key', keyPath);
  try {
    createSecureContext({ cert, key });
  } catch (thrown) {
    const sentence = `server.tls: ${certPath} and ${keyPath} are no certificate and its key: ${messageOf(thrown)}`;
    throw new HeadraceError('HR_CONFIG', sentence, { cause: thrown });
  }
  return { files: { cert, key }, paths: [certPath, keyPath] };
}

// A chain is good for as long as each of its certificates.
function endOf(chain: string): Micros | null {
  const certificates = chain.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const ends = certificates.map((pem) => new X509Certificate(pem).validToDate.getTime());
  return ends.length === 0 ? null : (Math.min(...ends) / 1000) * MICROS_PER_SECOND;
}
