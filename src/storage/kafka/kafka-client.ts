// What every Kafka client of ours is made with.

import { isIP } from 'node:net';
import type { BaseOptions } from '@platformatic/kafka';
import type { BrokerAddress } from './broker-address.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5000;

/** Tries nothing again by itself: whoever calls it knows for how long. */
export function clientOptions({ brokers, isEncrypted, authorities, login }: BrokerAddress): BaseOptions {
  return {
    clientId: 'headrace',
    bootstrapBrokers: [...brokers],
    timeout: REQUEST_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retries: 0,
    ...(isEncrypted && {
      tls: authorities === undefined ? {} : { ca: authorities },
      // Who serves many by one address must be told which is meant; an address of the network names none.
      tlsServerName: !brokers.some(isAddress),
    }),
    ...(login === undefined
      ? {}
      : { sasl: { mechanism: login.mechanism, username: login.user, password: login.password } }),
  };
}

const isAddress = (broker: string): boolean => isIP(broker.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')) !== 0;
