// Job definitions: the one that a pipeline names, and, for steps with an image of their own or secrets that Batch reads, one derived
// from it. SubmitJob can override neither, so they stand in a definition of their own name, made of its content: it is registered once.

import type { JobDefinition, RegisterJobDefinitionCommandInput } from '@aws-sdk/client-batch';
import { sha256Hex, stringifyJson } from '../../../core/index.ts';
import type { ClusterJob } from '../cluster/cluster-jobs.ts';
import { type AskBatch, Refused } from './ask-batch.ts';

export interface ChosenDefinition {
  /** To submit with. */
  readonly arn: string;
  readonly isFargate: boolean;
  /** In MiB, where the definition says it. */
  readonly memory: number | undefined;
}

/** How long the definition that a name stood for is taken for the newest. */
const FRESH_MS = 60_000;
const NAME_LIMIT = 128;

/** What of a job its definition alone can say. */
type Own = Pick<ClusterJob, 'secrets' | 'image'>;

/** Gives the definition for a job with these. It throws `Refused` for one that is not there or can't have them. */
export function jobDefinitions(ask: AskBatch, named: string): (own: Own) => Promise<ChosenDefinition> {
  let base: { readonly found: Promise<JobDefinition>; readonly untilMs: number } | undefined;
  /** By name, which is made of their content. */
  const derived = new Map<string, Promise<string>>();

  const describe = async (): Promise<JobDefinition> => {
    if (base === undefined || performance.now() > base.untilMs) {
      const found = describeNamed(ask, named);
      found.catch(() => (base = undefined));
      base = { found, untilMs: performance.now() + FRESH_MS };
    }
    return await base.found;
  };

  return async (own) => {
    const definition = await describe();
    const { jobDefinitionArn: arn = named, platformCapabilities = [], containerProperties: container } = definition;
    const size = container?.resourceRequirements?.find(({ type }) => type === 'MEMORY')?.value ?? container?.memory;
    const about = {
      isFargate: platformCapabilities.includes('FARGATE'),
      memory: size === undefined ? undefined : Number(size),
    };
    if (Object.keys(own.secrets).length === 0 && own.image === undefined) return { arn, ...about };
    const input = derive(definition, own);
    const name = input.jobDefinitionName ?? named;
    let registered = derived.get(name);
    if (registered === undefined) {
      registered = findOrRegister(ask, input);
      registered.catch(() => derived.delete(name));
      derived.set(name, registered);
    }
    return { arn: await registered, ...about };
  };
}

async function describeNamed(ask: AskBatch, named: string): Promise<JobDefinition> {
  const hasRevision = /:\d+$/.test(named);
  const name = named.slice(named.lastIndexOf('/') + 1);
  const found = hasRevision
    ? await listDefinitions(ask, { jobDefinitions: [named] })
    : await listDefinitions(ask, { jobDefinitionName: name });
  const newest = newestOf(found);
  if (newest === undefined)
    throw new Refused(
      `AWS Batch has no active job definition "${named}" in this region; register it, or name another in the executor’s \`definition\``,
    );
  const { containerProperties, type } = newest;
  if (type !== 'container' || containerProperties === undefined)
    throw new Refused(
      `the job definition "${named}" has no \`containerProperties\`, which are what Headrace’s command and variables override; register one of type "container" with them, and not with ecsProperties, eksProperties or nodeProperties`,
    );
  return newest;
}

function newestOf(definitions: readonly JobDefinition[]): JobDefinition | undefined {
  return definitions
    .filter(({ status }) => status === 'ACTIVE')
    .reduce<JobDefinition | undefined>(
      (newest, one) => (newest === undefined || (one.revision ?? 0) > (newest.revision ?? 0) ? one : newest),
      undefined,
    );
}

async function listDefinitions(
  ask: AskBatch,
  which: { readonly jobDefinitions: string[] } | { readonly jobDefinitionName: string },
): Promise<readonly JobDefinition[]> {
  const found: JobDefinition[] = [];
  let nextToken: string | undefined;
  do {
    const page = await ask({
      name: 'DescribeJobDefinitions',
      send: ({ sdk, client }) =>
        client.send(
          new sdk.DescribeJobDefinitionsCommand({
            ...which,
            status: 'ACTIVE',
            ...(nextToken === undefined ? {} : { nextToken }),
          }),
        ),
    });
    found.push(...(page.jobDefinitions ?? []));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return found;
}

/** All of the definition but its name, with the secrets beside those that it has. */
function derive(definition: JobDefinition, { secrets, image }: Own): RegisterJobDefinitionCommandInput {
  const { jobDefinitionName = 'job', type, parameters, retryStrategy, propagateTags, timeout, tags } = definition;
  const { platformCapabilities, schedulingPriority, consumableResourceProperties, containerProperties } = definition;
  if (Object.keys(secrets).length > 0 && (containerProperties?.executionRoleArn ?? '') === '')
    throw new Refused(
      `AWS fetches a secret that is named by \`arn\` in the name of the job definition’s \`executionRoleArn\`, and "${jobDefinitionName}" has none; register it with a role that may read what is named`,
    );
  const all = new Map((containerProperties?.secrets ?? []).map(({ name, valueFrom }) => [name, valueFrom]));
  for (const [name, ref] of Object.entries(secrets)) {
    if (!('arn' in ref))
      throw new Refused(
        `the secret ${name} is not named by \`arn\`, which is all that AWS Batch reads; name it by \`{ arn: 'arn:aws:secretsmanager:…' }\``,
      );
    all.set(name, ref.arn);
  }
  // Those with `aws:` are AWS' own to give.
  const ownTags = Object.fromEntries(Object.entries(tags ?? {}).filter(([key]) => !key.startsWith('aws:')));
  const content = {
    type,
    containerProperties: {
      ...containerProperties,
      ...(image === undefined ? {} : { image }),
      secrets: [...all].map(([name, valueFrom]) => ({ name, valueFrom })),
    },
    ...present({
      parameters,
      retryStrategy,
      propagateTags,
      timeout,
      platformCapabilities,
      schedulingPriority,
      consumableResourceProperties,
    }),
    ...(Object.keys(ownTags).length === 0 ? {} : { tags: ownTags }),
  };
  const mark = `-headrace-${sha256Hex(stringifyJson(content)).slice(0, 16)}`;
  // The API's own type for `type` is wider than what it takes.
  return {
    ...content,
    jobDefinitionName: `${jobDefinitionName.slice(0, NAME_LIMIT - mark.length)}${mark}`,
  } as RegisterJobDefinitionCommandInput;
}

/** Without what is undefined. */
function present<T extends object>(of: T): Partial<T> {
  return Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Two drivers at once may register it twice: both revisions are the same. */
async function findOrRegister(ask: AskBatch, input: RegisterJobDefinitionCommandInput): Promise<string> {
  const find = async (): Promise<string | undefined> =>
    newestOf(await listDefinitions(ask, { jobDefinitionName: input.jobDefinitionName ?? '' }))?.jobDefinitionArn;
  const found = await find();
  if (found !== undefined) return found;
  return await ask({
    name: 'RegisterJobDefinition',
    send: async ({ sdk, client }) =>
      (await client.send(new sdk.RegisterJobDefinitionCommand(input))).jobDefinitionArn ?? '',
    made: find,
  });
}
