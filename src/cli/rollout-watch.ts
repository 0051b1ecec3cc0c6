// Follows a rollout until it ends or waits for somebody: lines as it changes; in a terminal one that is kept up to date, elsewhere
// one whenever it waits for something else.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatTimestamp } from '../core/index.ts';
import type { Rollouts, ShownRollout } from '../rollouts/index.ts';
import type { CommandContext } from './command.ts';

const LOOK_MS = 1000;
/** To the line's begin, and what stands in it away. */
const CLEAR = '\r\u001b[2K';

export async function watchRollout(
  { isJson, tell }: Pick<CommandContext, 'isJson' | 'tell'>,
  rollouts: Pick<Rollouts, 'get'>,
  first: ShownRollout,
): Promise<ShownRollout> {
  const { describeStep, presentRollout } = await import('../rollouts/index.ts');
  // A terminal's last line is written over.
  const isLive = !isJson && process.stderr.isTTY;
  let told = 0;
  let waited: string | undefined;
  for (let shown = first; ; shown = await rollouts.get(first.rollout.id)) {
    const news = shown.events.slice(told);
    if (isLive && news.length > 0) process.stderr.write(CLEAR);
    for (const { atMicros, to, reason, actor } of news)
      tell(`${formatTimestamp(atMicros)}  ${to}${reason === null ? '' : `: ${reason}`} (${actor})`);
    told = shown.events.length;
    if (isLive) process.stderr.write(`${CLEAR}${describeStep(shown)}`);
    const waits = waitOf(shown, presentRollout(shown).reason);
    if (!isLive && waits !== undefined && waits !== waited)
      tell(`${formatTimestamp(Date.now() * 1000)}  ${describeStep(shown)}`);
    waited = waits;
    const { state, endedMicros } = shown.rollout;
    if (endedMicros !== null || state === 'paused') {
      if (isLive) process.stderr.write(CLEAR);
      return shown;
    }
    await sleep(LOOK_MS);
  }
}

/** Not the digits in a server's name. */
const COUNT = /\d+(?:\.\d+)?(?= (?:of|units|events|outcomes)\b)/g;

/** What it waits for, the same text as long as nothing but a count changes; undefined where an event has said all there is. */
function waitOf({ rollout, events }: ShownRollout, reason: string | null): string | undefined {
  const { state, step, endedMicros } = rollout;
  if (endedMicros !== null || state === 'paused') return undefined;
  const isHeld = state === 'watching' || state === 'baking';
  if (!isHeld && (reason === null || reason === events.at(-1)?.reason)) return undefined;
  return `${state} ${step} ${reason?.replaceAll(COUNT, '#') ?? ''}`;
}
