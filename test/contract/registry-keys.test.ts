// API keys on each database: made, rotated, revoked; hashed; told of in the audit log.

import { describe, expect, it } from 'vitest';
import { type HeadraceError, MICROS_PER_DAY, MICROS_PER_HOUR } from '../../src/core/index.ts';
import { fitsSecret, isInForce, readKeyToken } from '../../src/registry/index.ts';
import { flightsManifest } from '../support/manifests.ts';
import { NOW, onEachRegistry } from '../support/registries.ts';

const BY = { actor: 'ann', reason: 'a new service' };

onEachRegistry('registry keys', (given) => {
  const create = (name = 'shop', extra = {}) =>
    given.registry.keys.create({ name, roles: ['predict', 'read'], ...extra }, BY);

  describe('a key', () => {
    it('is shown once and kept as the hash of its secret', async () => {
      const { key, token } = await create();
      const { id, secret } = readKeyToken(token) ?? expect.fail('no token');
      expect(token).toBe(`hr_${key.id}_${secret}`);
      const [kept] = await given.registry.keys.list();
      expect(kept).toMatchObject({ id, name: 'shop', roles: ['read', 'predict'], endpoints: null, createdBy: 'ann' });
      expect(kept).toMatchObject({ createdMicros: NOW, expiresMicros: null, revokedMicros: null, usedMicros: null });
      expect(fitsSecret(kept?.secretHash ?? '', secret)).toBe(true);
      expect(fitsSecret(kept?.secretHash ?? '', `${secret.slice(1)}a`)).toBe(false);
      const audit = await given.registry.auditLog.list();
      expect(JSON.stringify([kept, audit])).not.toContain(secret);
      expect(JSON.stringify(audit)).not.toContain(kept?.secretHash);
    });

    it('is a change that servers see', async () => {
      const token = await given.registry.changeToken();
      await create();
      expect(await given.registry.changeToken()).toBe(token + 1);
    });

    it('ends by its time, and only then', async () => {
      const { key } = await create('short', { lifeMicros: MICROS_PER_HOUR });
      expect(key.expiresMicros).toBe(NOW + MICROS_PER_HOUR);
      expect(isInForce(key, NOW + MICROS_PER_HOUR - 1)).toBe(true);
      expect(isInForce(key, NOW + MICROS_PER_HOUR)).toBe(false);
    });

    it('is for endpoints that there are', async () => {
      await given.apply(flightsManifest);
      expect((await create('one', { endpoints: ['delay', 'delay'] })).key.endpoints).toEqual(['delay']);
      await expect(create('two', { endpoints: ['dealy'] })).rejects.toMatchObject({
        code: 'HR_UNKNOWN_ENDPOINT',
        message: 'there is no endpoint "dealy". Did you mean "delay"?',
      });
    });

    it.each([
      ['no role', { roles: [] }, 'got none'],
      ['an unknown role', { roles: ['root'] }, 'got "root"'],
      ['a name with a space', { name: 'a b' }, 'got "a b"'],
      ['a name like an id', { name: 'hr_abc' }, 'got "hr_abc"'],
    ])('with %s is refused', async (_what, extra, says) => {
      await expect(create('shop', extra)).rejects.toMatchObject({
        code: 'HR_INVALID',
        message: expect.stringContaining(says),
      });
      expect(await given.registry.keys.list()).toEqual([]);
    });

    it('is alone with its name', async () => {
      await create();
      await expect(create()).rejects.toMatchObject({
        code: 'HR_CONFLICT',
        message: expect.stringContaining('headrace keys rotate shop'),
      });
    });

    it('remembers when it was last used, and never goes back', async () => {
      const { key } = await create();
      const token = await given.registry.changeToken();
      await given.registry.keys.markUsed(new Map([[key.id, NOW + 5]]));
      await given.registry.keys.markUsed(new Map([[key.id, NOW + 2]]));
      expect((await given.registry.keys.list())[0]?.usedMicros).toBe(NOW + 5);
      expect(await given.registry.changeToken()).toBe(token);
    });
  });

  describe('rotating', () => {
    it('makes a second one alike, and lets the first end after the grace', async () => {
      const { key, token } = await create('shop', { lifeMicros: 90 * MICROS_PER_DAY });
      const made = await given.registry.keys.rotate('shop', MICROS_PER_DAY, BY);
      expect(made.token).not.toBe(token);
      expect(made.key).toMatchObject({ name: 'shop', roles: key.roles, expiresMicros: NOW + 90 * MICROS_PER_DAY });
      expect(made.former).toMatchObject({ id: key.id, expiresMicros: NOW + MICROS_PER_DAY });
      const keys = await given.registry.keys.list();
      expect(keys.filter((one) => isInForce(one, NOW))).toHaveLength(2);
      await expect(given.registry.keys.rotate('shop', 0, BY)).rejects.toMatchObject({ code: 'HR_CONFLICT' });
    });

    it.each(['hr_', ''])('takes the id with "%s" before it', async (before) => {
      const { key } = await create();
      const made = await given.registry.keys.rotate(`${before}${key.id}`, MICROS_PER_DAY, BY);
      expect(made).toMatchObject({ key: { name: 'shop' }, former: { id: key.id } });
      await expect(given.registry.keys.rotate(`${before}${key.id}`, 0, BY)).rejects.toMatchObject({
        code: 'HR_CONFLICT',
      });
    });

    it('never lengthens the life of the first', async () => {
      await create('shop', { lifeMicros: MICROS_PER_HOUR });
      const { former } = await given.registry.keys.rotate('shop', MICROS_PER_DAY, BY);
      expect(former.expiresMicros).toBe(NOW + MICROS_PER_HOUR);
    });

    it('needs a key that is there', async () => {
      await create();
      await expect(given.registry.keys.rotate('shopp', 0, BY)).rejects.toMatchObject({
        code: 'HR_UNKNOWN_KEY',
        message: 'there is no key "shopp". Did you mean "shop"?',
      });
    });
  });

  describe('revoking', () => {
    it('ends all keys of a name', async () => {
      await create();
      await given.registry.keys.rotate('shop', MICROS_PER_DAY, BY);
      expect(await given.registry.keys.revoke('shop', BY)).toHaveLength(2);
      expect((await given.registry.keys.list()).some((key) => isInForce(key, NOW))).toBe(false);
      await expect(given.registry.keys.revoke('shop', BY)).rejects.toMatchObject({ code: 'HR_UNKNOWN_KEY' });
      // The name is free again.
      await create();
    });

    it('ends one by its id without `hr_`, as a list tells it; a name that looks like it goes first', async () => {
      const { key } = await create();
      expect(await given.registry.keys.revoke(key.id, BY)).toMatchObject([{ id: key.id }]);
      const other = await create();
      if (/^[a-z]/.test(other.key.id)) {
        await create(other.key.id);
        expect(await given.registry.keys.revoke(other.key.id, BY)).toMatchObject([{ name: other.key.id }]);
      }
    });

    it('ends one by its id, also when the whole key is pasted, whose secret is told to nobody', async () => {
      const { token } = await create();
      const { key } = await given.registry.keys.rotate('shop', MICROS_PER_DAY, BY);
      await given.registry.keys.revoke(token, BY);
      const left = (await given.registry.keys.list()).filter((one) => isInForce(one, NOW));
      expect(left.map(({ id }) => id)).toEqual([key.id]);
      const refused = given.registry.keys.revoke(token, BY);
      const { secret = '' } = readKeyToken(token) ?? {};
      await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining(secret) });
      expect(JSON.stringify(await given.registry.auditLog.list())).not.toContain(secret);
    });
  });

  it('is told by its id alone, whatever it is pasted into', async () => {
    const { key, token } = await create();
    const { secret = '' } = readKeyToken(token) ?? {};
    const { keys, endpoints, auditLog } = given.registry;
    const far = `${'x'.repeat(50)}${token}`;
    const variants = [{ name: token, version: token, weight: 100 }];
    const attempts = [
      create(token),
      create(far),
      create('other', { roles: [token] }),
      create('other', { endpoints: [token] }),
      keys.rotate(far, 0, BY),
      keys.revoke(`Bearer ${token}`, { actor: 'ann', reason: `found ${token} in a log` }),
      endpoints.setTraffic(token, { variants }, { actor: 'ann', reason: token }),
    ];
    for (const attempt of await Promise.allSettled(attempts)) {
      const { message } = (attempt as PromiseRejectedResult).reason as HeadraceError;
      expect(message).toContain('"');
      expect(message).not.toContain(secret.slice(0, 16));
    }
    // What follows its id does not matter.
    await keys.revoke(`${token.slice(0, -1)}-`, BY);
    await given.apply(flightsManifest);
    await given.register();
    await endpoints.setTraffic(
      'delay',
      { variants: [{ name: 'stable', version: 1, weight: 100 }] },
      { actor: 'ann', reason: `as ${token} asked` },
    );
    expect((await endpoints.get('delay')).change?.reason).toBe(`as hr_${key.id} asked`);
    const told = JSON.stringify(await auditLog.list());
    for (let at = 0; at + 16 <= secret.length; at++) expect(told).not.toContain(secret.slice(at, at + 16));
    expect(told).toContain(`"key/hr_${key.id}"`);
    expect(told).toContain(`found hr_${key.id} in a log`);
  });

  it('tells of every change, also a refused one, who, when, what before and after, and why', async () => {
    const { key } = await create();
    await given.registry.keys.revoke('shop', { actor: 'bob', reason: 'left' });
    await given.registry.keys.revoke('shop', { actor: 'eve' }).catch(() => {});
    expect(await given.registry.auditLog.list()).toMatchObject([
      {
        actor: 'eve',
        action: 'key.revoke',
        object: 'key/shop',
        before: null,
        after: { refused: 'HR_UNKNOWN_KEY' },
        reason: null,
      },
      {
        actor: 'bob',
        action: 'key.revoke',
        object: 'key/shop',
        before: [{ id: key.id, revokedMicros: null }],
        after: [{ id: key.id, revokedMicros: NOW }],
        reason: 'left',
      },
      {
        actor: 'ann',
        action: 'key.create',
        atMicros: NOW,
        before: null,
        after: { id: key.id },
        reason: 'a new service',
      },
    ]);
  });
});
