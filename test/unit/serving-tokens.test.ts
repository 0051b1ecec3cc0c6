// Tokens: what is taken, and every way of forging one that RFC 8725 names.

import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import { createTokenVerifier, type TokenOptions } from '../../src/serving/http/security/token-verifier.ts';
import { signToken, unsignedToken } from '../support/tokens.ts';
import { runs } from '../support/tier.ts';

const NOW_SECONDS = 1_795_000_000;
const clock = fixedClock(NOW_SECONDS * 1_000_000);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const SECRET = 'a secret of at least thirty-two bytes';
const pemOf = (pair: typeof rsa): string => pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const RSA_PEM = pemOf(rsa);
const OTHER_JWK = otherRsa.publicKey.export({ format: 'jwk' });
const PRIVATE_PEM = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

const [issuer, audience] = ['https://id.example', 'headrace'];
const OPTIONS: TokenOptions = {
  algorithms: ['RS256'],
  issuer,
  audience,
  key: { kind: 'pem', pem: RSA_PEM },
  rolesClaim: 'roles',
  endpointsClaim: undefined,
  clockToleranceMs: 5000,
};
const FROM = { iss: issuer, aud: audience, sub: 'ada', exp: NOW_SECONDS + 60 };
const CLAIMS = { ...FROM, roles: ['predict', 'read', 'root'] };
const verify = (token: string, options: Partial<TokenOptions> = {}) =>
  createTokenVerifier({ ...OPTIONS, ...options }, clock).verify(token);
const rs256 = (claims: object = CLAIMS): string => signToken({ alg: 'RS256' }, claims, rsa.privateKey);

describe('a token', () => {
  it('says who asks, what for, and until when', async () => {
    const { actor, untilMicros, use } = await verify(rs256());
    expect(actor).toEqual({ name: 'jwt ada', roles: new Set(['predict', 'read']), endpoints: null });
    expect(untilMicros).toBe((NOW_SECONDS + 65) * 1_000_000);
    expect(use).toBeUndefined();
  });

  it.each([
    ['HS256', { kind: 'secret', secret: SECRET }, SECRET],
    ['RS256', { kind: 'pem', pem: RSA_PEM }, rsa.privateKey],
    ['ES256', { kind: 'pem', pem: pemOf(ec) }, ec.privateKey],
    ['EdDSA', { kind: 'pem', pem: pemOf(ed) }, ed.privateKey],
  ] as const)('by %s is taken with its own key, and by no other', async (alg, key, signer) => {
    const options = { algorithms: [alg], key };
    expect((await verify(signToken({ alg }, CLAIMS, signer), options)).actor.name).toBe('jwt ada');
    const [head = '', body = '', sig = ''] = signToken({ alg }, CLAIMS, signer).split('.');
    const altered = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'eve' })).toString('base64url');
    for (const forged of [`${head}.${altered}.${sig}`, `${head}.${body}.`, `${head}.${body}.${'A'.repeat(sig.length)}`])
      await expect(verify(forged, options)).rejects.toMatchObject({ code: 'HR_UNAUTHENTICATED' });
  });

  it('finds its key in a set by `kid`', async () => {
    const jwk = (pair: typeof rsa, kid: string) => ({ ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig' });
    const key = { kind: 'jwks', jwks: JSON.stringify({ keys: [jwk(otherRsa, 'old'), jwk(rsa, 'new')] }) } as const;
    const signed = (kid: string) => signToken({ alg: 'RS256', kid }, CLAIMS, rsa.privateKey);
    expect((await verify(signed('new'), { key })).actor.name).toBe('jwt ada');
    await expect(verify(signed('old'), { key })).rejects.toThrow('signature verification failed');
    await expect(verify(signed('none'), { key })).rejects.toThrow('no applicable key');
  });

  it.each([
    ['no exp', { exp: undefined }, '"exp"'],
    ['exp as text', { exp: String(NOW_SECONDS + 60) }, '"exp"'],
    ['a past exp', { exp: NOW_SECONDS - 6 }, '"exp"'],
    ['a coming nbf', { nbf: NOW_SECONDS + 6 }, '"nbf"'],
    ['another issuer', { iss: 'https://evil.example' }, '"iss"'],
    ['no issuer', { iss: undefined }, '"iss"'],
    ['another audience', { aud: 'billing' }, '"aud"'],
    ['no audience', { aud: undefined }, '"aud"'],
    ['no subject', { sub: undefined }, '"sub"'],
  ])('with %s is refused, and says so', async (_what, claims, says) => {
    const refused = { code: 'HR_UNAUTHENTICATED', message: expect.stringContaining(says) };
    await expect(verify(rs256({ ...CLAIMS, ...claims }))).rejects.toMatchObject(refused);
  });

  it.each([
    [7, 'number 7'],
    [null, 'null'],
    [true, 'boolean true'],
    [['ada'], 'an array of 1'],
    [{ name: 'ada' }, 'an object'],
    ['', 'string ""'],
    [' \n', 'string " \\n"'],
  ])('whose subject names nobody is refused: %j', async (sub, came) => {
    const message = `the token is refused: its "sub" must be a text that names who asks, got ${came}.`;
    await expect(verify(rs256({ ...CLAIMS, sub }))).rejects.toMatchObject({ code: 'HR_UNAUTHENTICATED', message });
  });

  it('may be a little early or late', async () => {
    expect((await verify(rs256({ ...CLAIMS, exp: NOW_SECONDS - 4, nbf: NOW_SECONDS + 4 }))).actor.name).toBe('jwt ada');
    await expect(verify(rs256({ ...CLAIMS, exp: NOW_SECONDS - 4 }), { clockToleranceMs: 0 })).rejects.toThrow('"exp"');
  });

  it.each([
    ['none', unsignedToken({ alg: 'none' }, CLAIMS)],
    ['None', unsignedToken({ alg: 'None' }, CLAIMS)],
    ['none, with the signature of another', `${unsignedToken({ alg: 'none' }, CLAIMS)}${rs256().split('.')[2] ?? ''}`],
    ['no algorithm', unsignedToken({}, CLAIMS)],
    ['HS256 by the public key, which everybody has', signToken({ alg: 'HS256' }, CLAIMS, RSA_PEM)],
    ['another of its kind', signToken({ alg: 'RS384' }, CLAIMS, rsa.privateKey)],
    ['the key of another', signToken({ alg: 'RS256' }, CLAIMS, otherRsa.privateKey)],
    ['a key that it brings itself', signToken({ alg: 'RS256', jwk: OTHER_JWK } as never, CLAIMS, otherRsa.privateKey)],
  ])('by %s is refused', async (_what, token) => {
    await expect(verify(token)).rejects.toMatchObject({ code: 'HR_UNAUTHENTICATED' });
  });

  it('of any text is refused, and nothing else is thrown', async () => {
    const word = fc.stringMatching(/^[\w-]{1,40}$/);
    const three = fc.tuple(word, word, word).map((parts) => parts.join('.'));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), three), async (text) => {
        await expect(verify(text)).rejects.toMatchObject({ code: 'HR_UNAUTHENTICATED' });
      }),
      { numRuns: runs(50) },
    );
  });
});

describe('claims', () => {
  it.each([
    ['words', { roles: 'read predict' }, 'roles'],
    ['a path', { realm_access: { roles: ['read', 'predict'] } }, 'realm_access.roles'],
    ['a name with dots', { 'https://headrace/roles': ['predict', 'read'] }, 'https://headrace/roles'],
  ])('give roles as %s', async (_what, claims, rolesClaim) => {
    const { actor } = await verify(rs256({ ...CLAIMS, roles: undefined, ...claims }), { rolesClaim });
    expect([...actor.roles].sort()).toEqual(['predict', 'read']);
  });

  it.each([[{ roles: undefined }], [{ roles: 7 }], [{ roles: { admin: true } }], [{ roles: [['admin']] }]])(
    'of another form give none: %j',
    async (claims) => {
      expect((await verify(rs256({ ...CLAIMS, ...claims }))).actor.roles.size).toBe(0);
    },
  );

  it('take nothing from a prototype', async () => {
    const options = { rolesClaim: 'constructor.name', endpointsClaim: '__proto__' };
    const { actor } = await verify(rs256(), options);
    expect(actor).toMatchObject({ roles: new Set(), endpoints: new Set() });
  });

  it.each([
    [{ endpoints: ['delay'] }, new Set(['delay'])],
    [{ endpoints: '*' }, null],
    // Where tokens say their endpoints, one that says none has none.
    [{}, new Set()],
  ])('%j give endpoints', async (claims, endpoints) => {
    const { actor } = await verify(rs256({ ...CLAIMS, ...claims }), { endpointsClaim: 'endpoints' });
    expect(actor.endpoints).toEqual(endpoints);
  });

  it('bring nothing into logs that is not printed', async () => {
    expect((await verify(rs256({ ...CLAIMS, sub: 'a\n{"level":"error"}\u202e' }))).actor.name).toBe(
      'jwt a?{"level":"error"}?',
    );
  });
});

it.each([
  ['a public key for a shared algorithm', { algorithms: ['HS256'] }, 'got "HS256"'],
  ['both kinds', { algorithms: ['RS256', 'HS256'] }, 'got "HS256"'],
  ['a secret for a public algorithm', { key: { kind: 'secret', secret: SECRET } }, 'got "RS256"'],
  ['none', { algorithms: ['none'] }, 'got "none"'],
  ['nothing', { algorithms: [] }, 'got none'],
  ['a short secret', { algorithms: ['HS256'], key: { kind: 'secret', secret: 'short' } }, '5 bytes'],
  ['no key', { key: { kind: 'pem', pem: 'hello' } }, 'not a public key'],
  ['no set', { key: { kind: 'jwks', jwks: '{}' } }, 'not a set of keys'],
  ['a private key', { key: { kind: 'pem', pem: PRIVATE_PEM } }, 'private key'],
] as const)('settings with %s are refused', (_what, options, says) => {
  expect(() => createTokenVerifier({ ...OPTIONS, ...options }, clock)).toThrow(says);
});
