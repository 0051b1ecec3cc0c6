// What every Kafka client of ours is made with.

import type { BaseOptions } from '@platformatic/kafka';
import type { BrokerAddress } from './broker-address.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5000;

/** Tries nothing again by itself: whoever calls it knows for how long. */
export function clientOptions({ brokers, isEncrypted, login }: BrokerAddress): BaseOptions {
  return {
    clientId: 'headrace',
    bootstrapBrokers: [...brokers],
    timeout: REQUEST_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retries: 0,
    ...(isEncrypted ? { tls: {} } : {}),
    ...(login === undefined
      ? {}
      : { sasl: { mechanism: login.mechanism, username: login.user, password: login.password } }),
  };
}
