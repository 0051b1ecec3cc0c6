// `headrace online`: which registry the online store is of, and taking over the store of a registry that is gone.

import { defineCommand, defineGroup } from './command.ts';

const show = defineCommand({
  usage: 'show',
  summary: 'show which registry the online store is of, and the greatest writer and run number that it has seen',
  example: 'headrace online show',
  async run(context) {
    const app = await context.app('read');
    const own = await (await app.runs()).registry();
    const { registries, writer, run } = await (await app.online()).notes();
    const of = registries.length === 0 ? 'no registry yet' : `registry ${registries.join(', ')}`;
    const isOwn = registries.every((one) => one === own);
    return {
      json: { registry: own, store: { registries, writer, run }, is_own: isOwn },
      text: `The online store is of ${of}; it has seen writer ${writer} and run ${run}. This registry is ${own}.`,
      ...(isOwn ? {} : { exitCode: 1 }),
    };
  },
});

const adopt = defineCommand({
  usage: 'adopt',
  summary: 'take over the online store of another registry that is gone for good',
  example: 'headrace online show\nheadrace online adopt\nheadrace materialize',
  async run(context) {
    const app = await context.app();
    const [store, log, own] = [await app.online(), await app.log(), await (await app.runs()).registry()];
    const { registries, writer, run } = await store.notes();
    const others = registries.filter((one) => one !== own);
    if (others.length > 0) {
      // A writer that has ended: runs of this registry count every writer before it as covered, so that what the other
      // registry's writers left is not counted beside what this one's runs compute.
      const last = await log.register({ number: writer, isOfOther: true, onForgotten() {} });
      await last.end();
      await store.adopt(own);
    }
    const json = { registry: own, from: others, writer, run };
    if (others.length === 0) return { json, text: `The online store is of this registry (${own}) already.` };
    const text = `The online store was of registry ${others.join(', ')}; it is of this one (${own}) now. Numbers go on after writer ${writer} and run ${run}. Run \`headrace materialize\`: until then it reads as the other registry left it, or INVALID.`;
    return { json, text };
  },
});

export const onlineCommand = defineGroup('online', 'whose the online store is', [show, adopt]);
