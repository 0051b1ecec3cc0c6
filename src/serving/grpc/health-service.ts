// grpc.health.v1.Health (https://github.com/grpc/grpc/blob/master/doc/health-checking.md): whether this server, or one of its
// services, can be asked. Open to anybody, as /health/ready is.

import { HeadraceError } from '../../core/index.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Method, StreamCall, StreamHandler } from './transport/method.ts';
import { DELIMITED, WireReader } from './wire/wire-reader.ts';
import { writeMessage } from './wire/wire-writer.ts';

const SERVING = 1;
const NOT_SERVING = 2;
/** Of Watch alone. */
const SERVICE_UNKNOWN = 3;

const SERVICE = 1;
const STATUS = 1;
const STATUSES = 1;
const ENTRY = { key: 1, value: 2 } as const;
/** How soon a watcher hears of a change. */
const LOOK_MS = 250;

/** `services`: full names, beside the empty one, which is the server. */
export function healthService(
  control: Pick<ControlPlane, 'readiness'>,
  services: readonly string[],
): [path: string, method: Method][] {
  const now = (): number => (control.readiness().isReady ? SERVING : NOT_SERVING);
  const of = (service: string): number | undefined =>
    service === '' || services.includes(service) ? now() : undefined;
  return [
    [
      '/grpc.health.v1.Health/Check',
      {
        kind: 'unary',
        role: 'open',
        answer(message) {
          const service = readService(message);
          const status = of(service);
          if (status === undefined) {
            const known = services.join(', ');
            const sentence = `there is no service "${service.slice(0, 200)}"; there are ${known}.`;
            throw new HeadraceError('HR_UNKNOWN_ROUTE', sentence);
          }
          return answerOf(status);
        },
      },
    ],
    [
      '/grpc.health.v1.Health/List',
      {
        kind: 'unary',
        role: 'open',
        answer: () =>
          writeMessage((out) => {
            for (const service of ['', ...services]) {
              const entry = out.begin(STATUSES);
              out.text(ENTRY.key, service);
              const value = out.begin(ENTRY.value);
              out.int(STATUS, now());
              out.end(value);
              out.end(entry);
            }
          }),
      },
    ],
    [
      '/grpc.health.v1.Health/Watch',
      { kind: 'stream', role: 'open', open: (call) => watch(call, (service) => of(service) ?? SERVICE_UNKNOWN) },
    ],
  ];
}

function watch(call: StreamCall, of: (service: string) => number): StreamHandler {
  let timer: NodeJS.Timeout | undefined;
  let told: number | undefined;
  let look = (): void => {};
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  return {
    message(message, release) {
      if (timer !== undefined) throw new HeadraceError('HR_INVALID', 'Watch takes one message.');
      const service = readService(message);
      release();
      look = () => {
        const status = of(service);
        if (status === told) return;
        told = status;
        void call.send(answerOf(status));
      };
      look();
      timer = setInterval(look, LOOK_MS).unref();
      return undefined;
    },
    // It has nothing more to say, and goes on listening.
    ended: () => over,
    stopping() {
      look();
      call.fail(new HeadraceError('HR_STOPPING', 'the server is stopping. Watch another.'));
      return undefined;
    },
    closed() {
      clearInterval(timer);
      end();
    },
  };
}

function readService(message: Buffer): string {
  const reader = new WireReader(message);
  let service = '';
  while (reader.next()) {
    if (reader.is(SERVICE, DELIMITED)) service = reader.text();
    else reader.skip();
  }
  return service;
}

const answerOf = (status: number): Buffer => writeMessage((out) => out.int(STATUS, status));
