// V8's coverage of this process, of the functions of src alone. Plain JavaScript: it is loaded before anything else in every
// program that a recorded test starts.

import { Session } from 'node:inspector';

const SOURCES = new URL('../../../src/', import.meta.url).href;

// Coverage is binary and by function, which leaves V8's optimizing compiler at work; counts would switch it off. V8 then reports a
// function once until the next `restart`. `cover-sources.d.mts` has the types.
export function coverSources() {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  const start = () => session.post('Profiler.startPreciseCoverage', { callCount: false, detailed: false });
  start();
  return {
    restart() {
      session.post('Profiler.stopPreciseCoverage');
      start();
    },
    take() {
      const executed = {};
      // In the same thread, a call of the protocol is answered before `post` returns.
      session.post('Profiler.takePreciseCoverage', (error, taken) => {
        if (error) throw error;
        for (const { url, functions } of taken.result) {
          if (!url.startsWith(SOURCES)) continue;
          executed[`src/${url.slice(SOURCES.length)}`] = functions.map(({ ranges: [range] }) => [
            range.startOffset,
            range.endOffset,
            range.count > 0 ? 1 : 0,
          ]);
        }
      });
      return executed;
    },
  };
}
