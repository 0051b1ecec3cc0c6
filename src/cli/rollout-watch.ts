// Follows a rollout until it ends or waits for somebody: lines as it changes, and in a terminal one that is kept up to date.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatTimestamp } from '../core/index.ts';
import type { Rollouts, ShownRollout } from '../rollouts/index.ts';
import type { CommandContext } from './command.ts';

const LOOK_MS = 1000;

export async function watchRollout(
  { isJson, environment, tell, progress }: CommandContext,
  rollouts: Pick<Rollouts, 'get'>,
  first: ShownRollout,
): Promise<ShownRollout> {
  const { describeStep } = await import('../rollouts/index.ts');
  let told = 0;
  let line = '';
  for (let shown = first; ; shown = await rollouts.get(first.rollout.id)) {
    for (const { atMicros, to, reason, actor } of shown.events.slice(told))
      tell(`${formatTimestamp(atMicros)}  ${to}${reason === null ? '' : `: ${reason}`} (${actor})`);
    told = shown.events.length;
    const now = describeStep(shown);
    if (!isJson && now !== line) progress.step?.(now);
    line = now;
    const { state, endedMicros } = shown.rollout;
    if (endedMicros !== null || state === 'paused') return shown;
    await sleep(LOOK_MS);
  }
}
