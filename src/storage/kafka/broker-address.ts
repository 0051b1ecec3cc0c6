// Where brokers are and how one signs in, from the text that a source's variable holds. The text may hold a password: no
// error shows any of it.

import { readFileSync } from 'node:fs';
import { HeadraceError } from '../../core/index.ts';

export interface BrokerAddress {
  /** `host:port` of each. */
  readonly brokers: readonly string[];
  readonly isEncrypted: boolean;
  /** The authorities that brokers' certificates may be of, as PEM; those that Node knows where there are none. */
  readonly authorities?: string;
  readonly login?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    readonly user: string;
    readonly password: string;
  };
}

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
const OPTIONS = ['mechanism', 'sslrootcert'];
const FORM =
  'host:port,host:port or kafka://user:password@host:port,host:port?mechanism=SCRAM-SHA-256 (kafkas: is with TLS; % encodes what a URL cannot hold)';

/** `variable` is its name, for errors. Throws HR_CONFIG. */
export function parseBrokers(text: string, variable: string): BrokerAddress {
  const parts = /^(?:(kafkas?):\/\/)?(?:([^@/?]*)@)?([^@/?]+)\/?(?:\?(.*))?$/.exec(text.trim());
  const [, scheme, login, hosts = '', query = ''] = parts ?? [];
  const brokers = hosts.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:9092`));
  if (parts === null || brokers.some((broker) => !isBroker(broker)))
    throw wrong(variable, `holds no addresses: it must be ${FORM}`);
  const options = new URLSearchParams(query);
  if ([...options.keys()].some((name) => !OPTIONS.includes(name)))
    throw wrong(variable, `has an option that is not known: there are ${OPTIONS.join(' and ')}`);
  const isEncrypted = scheme === 'kafkas';
  const root = options.get('sslrootcert');
  if (root !== null && !isEncrypted) throw wrong(variable, 'has an sslrootcert, which is for kafkas:// alone');
  const address = { brokers, isEncrypted, ...(root !== null && { authorities: readAuthorities(root, variable) }) };
  if (login === undefined) return address;
  const mechanism = MECHANISMS.find((one) => one === (options.get('mechanism') ?? 'PLAIN'));
  if (mechanism === undefined) throw wrong(variable, `has a mechanism that is none of ${MECHANISMS.join(', ')}`);
  // A password may have colons of its own.
  const [, user, password] = (/^([^:]+):(.*)$/s.exec(login) ?? []).map(decoded);
  if (user === undefined || password === undefined)
    throw wrong(variable, `must have a user and a password before the @: ${FORM}`);
  return { ...address, login: { mechanism, user, password } };
}

function readAuthorities(path: string, variable: string): string {
  let text: string | undefined;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Told below: whichever it was, it is no such file.
  }
  if (text?.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw wrong(variable, `names no file of certificates (PEM) that can be read as its sslrootcert: "${path}"`);
}

function isBroker(text: string): boolean {
  const [, port = ''] = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text) ?? [];
  return Number(port) > 0 && Number(port) < 65_536;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function wrong(variable: string, what: string): HeadraceError {
  return new HeadraceError('HR_CONFIG', `the environment variable ${variable} ${what}.`);
}
