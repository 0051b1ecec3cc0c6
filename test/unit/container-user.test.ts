// As whom containers run, by what docker and podman say of themselves.

import { expect, it } from 'vitest';
import { containerUser, optionsFor } from '../../src/orchestrator/step/container-user.ts';

const USER = ['--user', '1000:1000'];

it.each([
  { what: 'podman of root', said: '{"host":{"security":{"rootless":false}}}', options: USER },
  { what: 'podman of a user', said: '{"host":{"security":{"rootless":true}}}', options: ['--userns=keep-id', ...USER] },
  { what: 'a daemon of docker', said: '{"SecurityOptions":["name=seccomp,profile=builtin"]}', options: USER },
  {
    what: 'a daemon of docker without root',
    said: '{"SecurityOptions":["name=seccomp,profile=builtin","name=rootless","name=cgroupns"]}',
    options: [],
  },
  { what: 'a daemon that says nothing', said: '', options: USER },
  { what: 'what is no JSON', said: 'Client: 1', options: USER },
  { what: 'null', said: 'null', options: USER },
])('is for $what: $options', ({ said, options }) => {
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
