// As whom containers run, by what docker and podman say of themselves.

import { expect, it } from 'vitest';
import { containerUser, optionsFor } from '../../src/orchestrator/step/container-user.ts';

const USER = ['--user', '1000:1000'];

const security = (...options: readonly string[]) => JSON.stringify({ SecurityOptions: options });
it.each([
  ['podman of root', '{"host":{"security":{"rootless":false}}}', USER],
  ['podman of a user', '{"host":{"security":{"rootless":true}}}', ['--userns=keep-id', ...USER]],
  ['a daemon of docker', security('name=seccomp,profile=builtin'), USER],
  ['a daemon of docker without root', security('name=seccomp', 'name=rootless', 'name=cgroupns'), []],
  ['a daemon that says nothing', '', USER],
  ['what is no JSON', 'Client: 1', USER],
  ['null', 'null', USER],
])('is for %s, which says %s: %j', (_, said, options) => {
  expect(optionsFor(said, USER)).toEqual(options);
});

it('is asked once, and again of a daemon that was away', async () => {
  let asked = 0;
  const ask = (said: string) => async () => {
    asked += 1;
    return said;
  };
  await containerUser('/usr/bin/docker', ask(''));
  expect(await containerUser('/usr/bin/docker', ask('{"SecurityOptions":["name=rootless"]}'))).toEqual([]);
  expect(await containerUser('/usr/bin/docker', ask('{}'))).toEqual([]);
  expect(asked).toBe(2);
});
