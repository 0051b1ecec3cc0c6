// JSON Web Tokens as an identity provider would sign them, and as an attacker would forge them.

import { createHmac, type KeyObject, sign } from 'node:crypto';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs with node:crypto, which knows nothing of the library that checks. */
export function signToken(
  header: { readonly alg: string; readonly kid?: string },
  payload: object,
  key: KeyObject | string,
): string {
  const text = `${encode({ typ: 'JWT', ...header })}.${encode(payload)}`;
  return `${text}.${signature(header.alg, text, key).toString('base64url')}`;
}

function signature(alg: string, text: string, key: KeyObject | string): Buffer {
  const bytes = Buffer.from(text);
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) return createHmac(hash, key).update(bytes).digest();
  if (typeof key === 'string') throw new Error(`${alg} takes a private key`);
  if (alg === 'EdDSA') return sign(null, bytes, key);
  return sign(hash, bytes, alg.startsWith('ES') ? { key, dsaEncoding: 'ieee-p1363' } : key);
}

/** Without a signature, whatever its header says. */
export const unsignedToken = (header: object, payload: object): string => `${encode(header)}.${encode(payload)}.`;
