// The registry's rows of writers whose logs lie in a topic: which partition is whose, and who lives. A holder that lives
// raises its row's beat; who watches it judges by how long it saw the same one, by its own clock that only goes forward.

import type { Kysely } from 'kysely';
import type { Database } from '../../storage/index.ts';
import type { SeenWriter, WriterRow } from '../event-log.ts';
import type { EventTables } from '../tables/schema.ts';
import type { NewWriter, WriterTable } from '../tables/writer-table.ts';

export interface PartitionRow {
  readonly writer: number;
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** Of the writer's first message; null before it has one. */
  readonly fromOffset: number | null;
  /** `left`: its holder let it go, to be settled. `done`: nobody will settle it again. */
  readonly state: 'held' | 'left' | 'done';
  readonly holder: number;
  readonly beat: number;
}

export interface PartitionTable {
  /** Gives a new writer one of the partitions that no open writer has; `choose` picks it. Throws what `choose` does. */
  register(
    writer: NewWriter,
    seen: SeenWriter | undefined,
    topic: Pick<PartitionRow, 'topic' | 'topicId'>,
    choose: (taken: ReadonlySet<number>) => number,
  ): Promise<{ readonly row: WriterRow; readonly place: PartitionRow }>;
  all(): Promise<PartitionRow[]>;
  find(writer: number): Promise<PartitionRow | undefined>;
  /** Tells that the holder lives. False when it is the holder no more, or its writer is forgotten. */
  beat(writer: number, holder: number, trx?: Kysely<EventTables>): Promise<boolean>;
  /** Where the writer's log begins, told by its holder; the first word counts. */
  began(writer: number, holder: number, offset: number): Promise<boolean>;
  /** Takes the lock from a holder that was seen like this. Undefined when another was quicker, or it lives after all. */
  take(seen: PartitionRow): Promise<WriterRow | undefined>;
  /** Lets go of it, if the holder is still that. */
  letGo(writer: number, holder: number, state: 'left' | 'done'): Promise<void>;
  /** Ends what any holder may do. */
  forget(writer: number): Promise<void>;
}

const STATES = ['left', 'held', 'done'] as const;
const [LEFT, HELD, DONE] = [0, 1, 2];

class NotTaken extends Error {}

export function openPartitionTable(database: Database, writers: WriterTable): PartitionTable {
  const db = database.tables<EventTables>();

  /** Of the writer, while the holder is still that. */
  const whileHolder = (writer: number, holder: number, trx: Kysely<EventTables> = db) =>
    trx.updateTable('event_partitions').where('writer', '=', writer).where('holder', '=', holder);
  const isOne = ({ numUpdatedRows }: { readonly numUpdatedRows: bigint }): boolean => numUpdatedRows > 0n;

  return {
    async register(writer, seen, { topic, topicId }, choose) {
      let place: PartitionRow | undefined;
      const row = await writers.register(writer, seen, async (trx, { number, holder }) => {
        const open = await trx
          .selectFrom('event_partitions')
          .innerJoin('event_writers', 'event_writers.number', 'event_partitions.writer')
          .select('partition')
          .where('topic_id', '=', topicId)
          .where('event_writers.state', '=', 'open')
          .execute();
        const partition = choose(new Set(open.map((one) => one.partition)));
        const values = { writer: number, topic, topic_id: topicId, partition, from_offset: null, holder, beat: 0 };
        await trx
          .insertInto('event_partitions')
          .values({ ...values, state: HELD })
          .execute();
        place = toRow({ ...values, state: HELD });
      });
      // It was inserted, or that threw.
      return { row, place: place as unknown as PartitionRow };
    },
    async all() {
      const rows = await db.selectFrom('event_partitions').selectAll().orderBy('writer').execute();
      return rows.map(toRow);
    },
    async find(writer) {
      const row = await db.selectFrom('event_partitions').selectAll().where('writer', '=', writer).executeTakeFirst();
      return row && toRow(row);
    },
    beat: async (writer, holder, trx) =>
      isOne(
        await whileHolder(writer, holder, trx)
          .set((set) => ({ beat: set('beat', '+', 1) }))
          .executeTakeFirst(),
      ),
    began: async (writer, holder, offset) =>
      isOne(
        await whileHolder(writer, holder)
          .set((set) => ({ from_offset: set.fn.coalesce('from_offset', set.val(offset)), beat: set('beat', '+', 1) }))
          .executeTakeFirst(),
      ),
    async take({ writer, holder, beat, state }) {
      try {
        return await database.transaction<EventTables, WriterRow>(async (trx) => {
          const row = await writers.raiseHolder(writer, holder, trx);
          if (row === undefined) throw new NotTaken();
          const taken = await whileHolder(writer, holder, trx)
            .set({ holder: row.holder, beat: beat + 1, state: HELD })
            .where('beat', '=', beat)
            .where('state', '=', STATES.indexOf(state))
            .executeTakeFirst();
          if (!isOne(taken)) throw new NotTaken();
          return row;
        });
      } catch (error) {
        if (error instanceof NotTaken) return undefined;
        throw error;
      }
    },
    async letGo(writer, holder, state) {
      await whileHolder(writer, holder)
        .set({ state: state === 'left' ? LEFT : DONE })
        .execute();
    },
    async forget(writer) {
      await db
        .updateTable('event_partitions')
        .set((set) => ({ state: DONE, holder: set('holder', '+', 1) }))
        .where('writer', '=', writer)
        .execute();
    },
  };
}

function toRow(row: EventTables['event_partitions']): PartitionRow {
  const { topic_id: topicId, from_offset: fromOffset, state, ...same } = row;
  return { ...same, topicId, fromOffset, state: STATES[state] ?? 'done' };
}
