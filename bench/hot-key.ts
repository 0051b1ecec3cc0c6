// What a push to one key costs when 100,000 came before: the main thread's time for the first few thousand of them and for
// the last, in process, 64 at once. Once with events of now, and once with events spread over the longest window, where
// the part itself grows to all of its tiles.

import { openApp, readEnvironment } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { openIngestion } from '../src/ingestion/index.ts';
import { median } from './median.ts';
import { createPushProject } from './push-project.ts';

export interface HotKeyFigures {
  readonly store: string;
  readonly events: 'of now' | 'over seven days';
  readonly pushes: number;
  /** Microseconds of the main thread a push. */
  readonly firstMicros: number;
  readonly lastMicros: number;
  /** lastMicros / firstMicros. */
  readonly ratio: number;
}

export interface MeasureHotKey {
  readonly onlineUrl?: string;
  readonly pushes?: number;
}

const AT_ONCE = 64;
const STRETCH = 500;
/** The median of so many stretches, at the beginning and at the end. */
const STRETCHES = 9;
const DAY_MS = 86_400_000;

export async function measureHotKey(options: MeasureHotKey = {}): Promise<HotKeyFigures[]> {
  const { onlineUrl = 'lmdb:.headrace/online', pushes = 100_000 } = options;
  const project = await createPushProject(onlineUrl);
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    const definitions = await app.repository();
    const ingestion = openIngestion(await app.ingestion(), { definitions: () => definitions });
    const startMs = Date.now();

    /** Pushes numbered from `from` to `to`; gives the main thread's microseconds a push. */
    const push = async (user: string, from: number, to: number, spreadMs: number): Promise<number> => {
      let next = from;
      const drive = async (): Promise<void> => {
        while (next < to) {
          const number = next++;
          const at = new Date(startMs - spreadMs + (number / pushes) * spreadMs).toISOString();
          await ingestion.push('amounts', [{ user, amount: number % 97, at }]);
        }
      };
      const before = process.threadCpuUsage();
      await Promise.all(Array.from({ length: AT_ONCE }, drive));
      const { user: own, system } = process.threadCpuUsage(before);
      return (own + system) / (to - from);
    };

    const figures: HotKeyFigures[] = [];
    for (const spreadMs of [0, 7 * DAY_MS]) await push('warm', 0, Math.min(pushes, 20_000), spreadMs);
    for (const [events, spreadMs] of [
      ['of now', 0],
      ['over seven days', 7 * DAY_MS],
    ] as const) {
      const user = `hot ${events}`;
      const stretch = async (from: number): Promise<number> => {
        const taken: number[] = [];
        for (let at = from; at < from + STRETCHES * STRETCH; at += STRETCH) {
          taken.push(await push(user, at, at + STRETCH, spreadMs));
        }
        return median(taken);
      };
      const firstMicros = await stretch(0);
      await push(user, STRETCHES * STRETCH, pushes - STRETCHES * STRETCH, spreadMs);
      const lastMicros = await stretch(pushes - STRETCHES * STRETCH);
      const store = onlineUrl.split(':')[0] ?? '';
      figures.push({ store, events, pushes, firstMicros, lastMicros, ratio: lastMicros / firstMicros });
    }
    await ingestion.close();
    return figures;
  } finally {
    await app.close();
    project.remove();
  }
}

if (import.meta.main) console.log(JSON.stringify(await measureHotKey(JSON.parse(process.argv[2] ?? '{}')), null, 2));
