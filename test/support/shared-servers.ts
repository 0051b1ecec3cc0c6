// One server of each kind for all test files of a worker: started by the first that asks, ended after the run. A test takes a
// database, a bucket or a topic of its own there, and with Redis a number (`newUrl`) and a project name of its own: writers of
// one project and version fence each other over the whole Redis. Tests that kill, pause or configure a server start their own.

import { findKafka } from './kafka-program.ts';
import { type KafkaServer, startKafka } from './kafka-server.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { type RedisServer, startRedis } from './redis-server.ts';
import { findS3Server, type S3Server, startS3Server } from './s3-server.ts';

let postgres: Promise<PostgresServer> | undefined;
let redis: Promise<RedisServer> | undefined;
let s3: Promise<S3Server> | undefined;
let kafka: Promise<KafkaServer> | undefined;

/** Ask `findPostgres` first. */
export function sharedPostgres(): Promise<Pick<PostgresServer, 'newDatabase'>> {
  return (postgres ??= startPostgres({ isShared: true }));
}

/** Ask `hasRedis` first. */
export function sharedRedis(): Promise<Pick<RedisServer, 'newUrl' | 'command' | 'port'>> {
  return (redis ??= startRedis({ isShared: true }));
}

/** Undefined, said loudly, where no S3 server can be had. `suite` names the tests in the notice. */
export function sharedS3(suite: string): Promise<Omit<S3Server, 'stop'>> | undefined {
  if (s3 !== undefined) return s3;
  const program = findS3Server(suite);
  if (program === undefined) return undefined;
  return (s3 = startS3Server(program, { isShared: true }));
}

/** Ask `findKafka` first. */
export function sharedKafka(): Promise<Pick<KafkaServer, 'broker' | 'guarded' | 'newTopic' | 'send' | 'admin'>> {
  const program = findKafka();
  if (program === undefined) throw new Error('no Kafka here; ask findKafka first');
  return (kafka ??= startKafka(program, undefined, { isShared: true }));
}
