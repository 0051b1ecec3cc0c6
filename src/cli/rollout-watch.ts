// Follows a rollout until it ends or waits for somebody: lines as it changes, and in a terminal one that is kept up to date.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatTimestamp } from '../core/index.ts';
import type { Rollouts, ShownRollout } from '../rollouts/index.ts';
import type { CommandContext } from './command.ts';

const LOOK_MS = 1000;
/** To the line's begin, and what stands in it away. */
const CLEAR = '\r\u001b[2K';

export async function watchRollout(
  { isJson, tell }: CommandContext,
  rollouts: Pick<Rollouts, 'get'>,
  first: ShownRollout,
): Promise<ShownRollout> {
  const { describeStep } = await import('../rollouts/index.ts');
  // A terminal's last line is written over.
  const isLive = !isJson && process.stderr.isTTY;
  let told = 0;
  for (let shown = first; ; shown = await rollouts.get(first.rollout.id)) {
    const news = shown.events.slice(told);
    if (isLive && news.length > 0) process.stderr.write(CLEAR);
    for (const { atMicros, to, reason, actor } of news)
      tell(`${formatTimestamp(atMicros)}  ${to}${reason === null ? '' : `: ${reason}`} (${actor})`);
    told = shown.events.length;
    if (isLive) process.stderr.write(`${CLEAR}${describeStep(shown)}`);
    const { state, endedMicros } = shown.rollout;
    if (endedMicros !== null || state === 'paused') {
      if (isLive) process.stderr.write(CLEAR);
      return shown;
    }
    await sleep(LOOK_MS);
  }
}
