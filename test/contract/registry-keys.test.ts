// API keys on each database: made, rotated, revoked; hashed; told of in the audit log.

import { describe, expect, it } from 'vitest';
import { type HeadraceError, MICROS_PER_DAY, MICROS_PER_HOUR } from '../../src/core/index.ts';
import { fitsSecret, isInForce, readKeyToken } from '../../src/registry/index.ts';
import { refused } from '../support/refused.ts';
import { NOW, onEachRegistry, traffic } from '../support/registries.ts';

const BY = { actor: 'ann', reason: 'a new service' };

onEachRegistry('registry keys', (given) => {
  const create = (name = 'shop', extra = {}) => given.keys.create({ name, roles: ['predict', 'read'], ...extra }, BY);
  const rotate = (name: string, graceMicros = MICROS_PER_DAY) => given.keys.rotate(name, graceMicros, BY);
  const revoke = (name: string) => given.keys.revoke(name, BY);
  const inForce = async () => (await given.keys.list()).filter((one) => isInForce(one, NOW)).map(({ id }) => id);
  const secretOf = (token: string): string => readKeyToken(token)?.secret ?? expect.fail('no token');

  describe('a key', () => {
    it('is shown once and kept as the hash of its secret', async () => {
      const { key, token } = await create();
      const secret = secretOf(token);
      expect(token).toBe(`hr_${key.id}_${secret}`);
      const [kept] = await given.keys.list();
      const times = { createdMicros: NOW, expiresMicros: null, revokedMicros: null, usedMicros: null };
      const own = { id: key.id, name: 'shop', roles: ['read', 'predict'], endpoints: null, createdBy: 'ann' };
      expect(kept).toMatchObject({ ...own, ...times });
      const hash = kept?.secretHash ?? '';
      expect([fitsSecret(hash, secret), fitsSecret(hash, `${secret.slice(1)}a`)]).toEqual([true, false]);
      const audit = await given.auditLog.list();
      expect(JSON.stringify([kept, audit])).not.toContain(secret);
      expect(JSON.stringify(audit)).not.toContain(hash);
    });

    it('is a change that servers see', async () => {
      const token = await given.changeToken();
      await create();
      expect(await given.changeToken()).toBe(token + 1);
    });

    it('ends by its time, and only then', async () => {
      const { key } = await create('short', { lifeMicros: MICROS_PER_HOUR });
      expect(key.expiresMicros).toBe(NOW + MICROS_PER_HOUR);
      expect([1, 0].map((left) => isInForce(key, NOW + MICROS_PER_HOUR - left))).toEqual([true, false]);
    });

    it('is for endpoints that there are', async () => {
      await given.prepare(0);
      expect((await create('one', { endpoints: ['delay', 'delay'] })).key.endpoints).toEqual(['delay']);
      const message = 'there is no endpoint "dealy". Did you mean "delay"?';
      await refused(create('two', { endpoints: ['dealy'] }), 'HR_UNKNOWN_ENDPOINT', { message });
    });

    it.each([
      ['no role', { roles: [] }, 'got none'],
      ['an unknown role', { roles: ['root'] }, 'got "root"'],
      ['a name with a space', { name: 'a b' }, 'got "a b"'],
      ['a name like an id', { name: 'hr_abc' }, 'got "hr_abc"'],
    ])('with %s is refused', async (_what, extra, says) => {
      await refused(create('shop', extra), 'HR_INVALID', says);
      expect(await given.keys.list()).toEqual([]);
    });

    it('is alone with its name', async () => {
      await create();
      await refused(create(), 'HR_CONFLICT', 'headrace keys rotate shop');
    });

    it('remembers when it was last used, and never goes back', async () => {
      const { key } = await create();
      const token = await given.changeToken();
      for (const later of [5, 2]) await given.keys.markUsed(new Map([[key.id, NOW + later]]));
      expect((await given.keys.list())[0]?.usedMicros).toBe(NOW + 5);
      expect(await given.changeToken()).toBe(token);
    });
  });

  describe('rotating', () => {
    it('makes a second one alike, and lets the first end after the grace', async () => {
      const { key, token } = await create('shop', { lifeMicros: 90 * MICROS_PER_DAY });
      const made = await rotate('shop');
      expect(made.token).not.toBe(token);
      expect(made.key).toMatchObject({ name: 'shop', roles: key.roles, expiresMicros: NOW + 90 * MICROS_PER_DAY });
      expect(made.former).toMatchObject({ id: key.id, expiresMicros: NOW + MICROS_PER_DAY });
      expect(await inForce()).toHaveLength(2);
      await refused(rotate('shop', 0), 'HR_CONFLICT');
    });

    it.each(['hr_', ''])('takes the id with "%s" before it', async (before) => {
      const { key } = await create();
      expect(await rotate(`${before}${key.id}`)).toMatchObject({ key: { name: 'shop' }, former: { id: key.id } });
      await refused(rotate(`${before}${key.id}`, 0), 'HR_CONFLICT');
    });

    it('never lengthens the life of the first, and needs a key that is there', async () => {
      await create('shop', { lifeMicros: MICROS_PER_HOUR });
      const message = 'there is no key "shopp". Did you mean "shop"?';
      await refused(rotate('shopp', 0), 'HR_UNKNOWN_KEY', { message });
      expect((await rotate('shop')).former.expiresMicros).toBe(NOW + MICROS_PER_HOUR);
    });
  });

  describe('revoking', () => {
    it('ends all keys of a name, which is free again then', async () => {
      await create();
      await rotate('shop');
      expect(await revoke('shop')).toHaveLength(2);
      expect(await inForce()).toEqual([]);
      await refused(revoke('shop'), 'HR_UNKNOWN_KEY');
      await create();
    });

    it('ends one by its id without `hr_`, as a list tells it; a name that looks like it goes first', async () => {
      const { key } = await create();
      expect(await revoke(key.id)).toMatchObject([{ id: key.id }]);
      const other = await create();
      if (!/^[a-z]/.test(other.key.id)) return;
      await create(other.key.id);
      expect(await revoke(other.key.id)).toMatchObject([{ name: other.key.id }]);
    });

    it('ends one by its id, also when the whole key is pasted, whose secret is told to nobody', async () => {
      const { token } = await create();
      const { key } = await rotate('shop');
      await revoke(token);
      expect(await inForce()).toEqual([key.id]);
      const secret = secretOf(token);
      await expect(revoke(token)).rejects.not.toMatchObject({ message: expect.stringContaining(secret) });
      expect(JSON.stringify(await given.auditLog.list())).not.toContain(secret);
    });
  });

  it('is told by its id alone, whatever it is pasted into', async () => {
    const { key, token } = await create();
    const secret = secretOf(token);
    const { keys, endpoints, auditLog } = given;
    const far = `${'x'.repeat(50)}${token}`;
    const variants = [{ name: token, version: token, weight: 100 }];
    const attempts = [
      create(token),
      create(far),
      create('other', { roles: [token] }),
      create('other', { endpoints: [token] }),
      rotate(far, 0),
      keys.revoke(`Bearer ${token}`, { actor: 'ann', reason: `found ${token} in a log` }),
      endpoints.setTraffic(token, { variants }, { actor: 'ann', reason: token }),
    ];
    for (const attempt of await Promise.allSettled(attempts)) {
      const { message } = (attempt as PromiseRejectedResult).reason as HeadraceError;
      expect(message).toContain('"');
      expect(message).not.toContain(secret.slice(0, 16));
    }
    // What follows its id does not matter.
    await revoke(`${token.slice(0, -1)}-`);
    await given.prepare(1);
    await endpoints.setTraffic('delay', traffic('stable 1 100'), { actor: 'ann', reason: `as ${token} asked` });
    expect((await endpoints.get('delay')).change?.reason).toBe(`as hr_${key.id} asked`);
    const told = JSON.stringify(await auditLog.list());
    for (let at = 0; at + 16 <= secret.length; at++) expect(told).not.toContain(secret.slice(at, at + 16));
    expect(told).toContain(`"key/hr_${key.id}"`);
    expect(told).toContain(`found hr_${key.id} in a log`);
  });

  it('tells of every change, also a refused one, who, when, what before and after, and why', async () => {
    const { key } = await create();
    await given.keys.revoke('shop', { actor: 'bob', reason: 'left' });
    await given.keys.revoke('shop', { actor: 'eve' }).catch(() => {});
    const { id } = key;
    const of = { action: 'key.revoke', object: 'key/shop' };
    const [eve, bob, ann] = await given.auditLog.list();
    expect(eve).toMatchObject({
      ...of,
      actor: 'eve',
      before: null,
      after: { refused: 'HR_UNKNOWN_KEY' },
      reason: null,
    });
    const [before, after] = [null, NOW].map((revokedMicros) => [{ id, revokedMicros }]);
    expect(bob).toMatchObject({ ...of, actor: 'bob', before, after, reason: 'left' });
    const made = { action: 'key.create', atMicros: NOW, before: null, after: { id } };
    expect(ann).toMatchObject({ ...BY, ...made });
  });
});
