// A registry that lost its last commits gives a run's number again: neither of the two runs changes the other's row, and what a
// writer answers the lost one does not count for the other.

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openRuns, type Runs } from '../../src/online/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { databasesByTier } from '../support/databases.ts';

const OPENING = {
  snapshot: [],
  boundary: 0,
  coverage: { floor: 1, cuts: new Map<number, number>() },
  isFull: true,
  since: 0,
};
const COUNTS = { keys: 1, written: 1, rowsInRange: 1, rowsIgnored: 0 };

describe.each(databasesByTier('a number that is given again'))('a number that is given again on $name', (databases) => {
  beforeAll(() => databases.start());
  afterAll(() => databases.stop());

  /** Two runs of one number, the first of which the registry has lost. */
  const askTwice = async () => {
    const database = await openDatabase(await databases.newUrl());
    onTestFinished(() => database.close());
    const runs = await openRuns(database);
    const ask = () => {
      const asked = { proposed: 0, asOf: 0, carriesWaiting: false, fingerprint: '', askedMicros: 0 };
      return runs.ask({ view: 'v', version: 'v@1', ...asked });
    };
    const lost = await ask();
    for (const table of ['online_runs', 'online_run_sequence'])
      await database.tables<Record<string, object>>().deleteFrom(table).execute();
    const again = await ask();
    expect(again.number).toBe(lost.number);
    return { runs, lost, again };
  };
  const stateOf = async (runs: Runs, number: number) => (await runs.row(number))?.state;

  it('the run that the registry lost opens nothing', async () => {
    const { runs, lost, again } = await askTwice();
    expect(await runs.open(lost, OPENING)).toBeUndefined();
    expect(await stateOf(runs, again.number)).toBe('asked');
  });

  it('a late answer to it does not count for the other', async () => {
    const { runs, lost, again } = await askTwice();
    await runs.answer([lost], 1);
    expect(await runs.answers(again.number)).toEqual(new Set());
    const asked = { number: again.number, token: again.token };
    expect(await runs.unanswered(1)).toEqual([asked]);
    await runs.answer([lost, asked], 1);
    await runs.answer([asked], 1);
    expect(await runs.answers(again.number)).toEqual(new Set([1]));
    expect(await runs.unanswered(1)).toEqual([]);
  });

  it('nor does it write, finish or abandon what the other has opened, or forget its row', async () => {
    const { runs, lost, again } = await askTwice();
    expect(await runs.open(again, OPENING)).toMatchObject({ token: again.token, state: 'open' });
    expect(await runs.isOpen(lost)).toBe(false);
    expect(await runs.finish(lost, COUNTS, 1)).toBe(false);
    await runs.abandon(lost, 'of the lost one');
    await runs.forget([lost]);
    expect(await runs.isOpen(again)).toBe(true);
    expect(await runs.finish(again, COUNTS, 1)).toBe(true);
    await runs.forget([again]);
    expect(await stateOf(runs, again.number)).toBeUndefined();
  });
});
