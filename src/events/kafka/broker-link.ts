// Requests to the brokers that one topic's partitions need, each tried once: whoever asks knows for how long to try again.
// They go by the protocol itself: a producer of the client takes a new epoch by itself when it was fenced, which would undo
// the fence.

import { type API, Base, type Connection, kGetApi, kGetBootstrapConnection, kGetConnection } from '@platformatic/kafka';
import { type BrokerAddress, clientOptions } from '../../storage/index.ts';

/** What the protocol asks of whoever carries it. */
export interface BrokerLink {
  readonly brokers: readonly string[];
  readonly topic: string;
  /** Of the topic as it is now. Throws where it is not there. */
  topicNow(): Promise<TopicNow>;
  /** Does the request at the partition's leader. Throws what the client does; `NoLeader` where there is none. */
  atLeader<A extends unknown[], R>(api: string, partition: number, ask: Asking<A, R>): Promise<R>;
  /** Does it at the coordinator of a transactional id. */
  atCoordinator<A extends unknown[], R>(api: string, transactionalId: string, ask: Asking<A, R>): Promise<R>;
  /** Has the next request ask anew who leads. */
  refresh(): void;
  close(): Promise<void>;
}

export type Asking<A extends unknown[], R> = (api: API<A, R>, connection: Connection, topic: TopicNow) => Promise<R>;

export interface TopicNow {
  readonly id: string;
  /** The leader of each partition; −1 where there is none now. */
  readonly leaders: readonly number[];
}

/** No broker was asked. */
export class NoLeader extends Error {}

interface MetadataAnswer {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly topics: readonly {
    readonly name: string | null;
    readonly topicId: string;
    readonly errorCode: number;
    readonly partitions: readonly { readonly partitionIndex: number; readonly leaderId: number }[];
  }[];
}

interface CoordinatorAnswer {
  readonly coordinators: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
}

type Host = { readonly host: string; readonly port: number };

interface Known extends TopicNow {
  readonly hosts: ReadonlyMap<number, Host>;
}

const REQUEST_TIMEOUT_MS = 10_000;
const TRANSACTIONS = 1;

/** Returns the answer within the client's error where only partitions of the topic have errors. Throws the error otherwise. */
export function answerWithin(thrown: unknown, topic: string): MetadataAnswer {
  // A partition without a leader makes the whole answer an error; the others are in it all the same.
  const given = (thrown as { response?: MetadataAnswer }).response;
  if (given?.topics.find(({ name }) => name === topic)?.errorCode === 0) return given;
  throw thrown;
}

export function openBrokerLink(address: BrokerAddress, topic: string): BrokerLink {
  const client = new Base({ ...clientOptions(address), requestTimeout: REQUEST_TIMEOUT_MS });
  let known: Promise<Known> | undefined;

  const apiOf = <A extends unknown[], R>(name: string): Promise<API<A, R>> =>
    new Promise((done, failed) => {
      client[kGetApi]<A, R>(name, (error, api) => (api === undefined ? failed(error as Error) : done(api)));
    });
  const anyBroker = (): Promise<Connection> =>
    new Promise((done, failed) => {
      client[kGetBootstrapConnection]((error, connection) =>
        connection === undefined ? failed(error as Error) : done(connection),
      );
    });
  const connect = ({ host, port }: Host): Promise<Connection> =>
    new Promise((done, failed) => {
      client[kGetConnection]({ host, port }, (error, connection) =>
        connection === undefined ? failed(error as Error) : done(connection),
      );
    });

  const ask = async (): Promise<Known> => {
    const api = await apiOf<[string[], boolean, boolean], MetadataAnswer>('Metadata');
    const connection = await anyBroker();
    const answer = await api
      .async(connection, [topic], false, false)
      .catch((thrown: unknown) => answerWithin(thrown, topic));
    const found = answer.topics.find(({ name }) => name === topic);
    if (found === undefined || found.partitions.length === 0) throw new Error(`Unknown topic ${topic}.`);
    const leaders = Array<number>(found.partitions.length).fill(-1);
    for (const { partitionIndex, leaderId } of found.partitions) leaders[partitionIndex] = leaderId;
    return { id: found.topicId, leaders, hosts: new Map(answer.brokers.map((one) => [one.nodeId, one])) };
  };
  const now = (): Promise<Known> => {
    known ??= ask().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };

  return {
    brokers: address.brokers,
    topic,
    topicNow: now,
    async atLeader(name, partition, asking) {
      const found = await now();
      const host = found.hosts.get(found.leaders[partition] ?? -1);
      if (host === undefined) {
        known = undefined;
        throw new NoLeader(`partition ${partition} has no leader`);
      }
      const [api, connection] = [await apiOf<never, never>(name), await connect(host)];
      // The name says what it takes and gives.
      return asking(api as never, connection, found);
    },
    async atCoordinator(name, transactionalId, asking) {
      const finding = await apiOf<[number, string[]], CoordinatorAnswer>('FindCoordinator');
      const { coordinators } = await finding.async(await anyBroker(), TRANSACTIONS, [transactionalId]);
      const [coordinator] = coordinators;
      if (coordinator === undefined) throw new NoLeader(`transactional id ${transactionalId} has no coordinator`);
      const [found, api, connection] = [await now(), await apiOf<never, never>(name), await connect(coordinator)];
      return asking(api as never, connection, found);
    },
    refresh() {
      known = undefined;
    },
    close: () => client.close().catch(() => {}),
  };
}
