// What `doctor` looks at. Every check stands for itself: one that fails does not hide the others.

import { execFile } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { storeLack } from '../control/index.ts';
import { counted, HeadraceError, toHeadraceError } from '../core/index.ts';
import type { Manifest } from '../definitions/index.ts';
import type { Environment } from './environment.ts';
import { unknownVariables } from './load-config.ts';
import type { Finding } from './finding.ts';
import { lookAtExtensions } from './look-at-extensions.ts';
import { lookAtModels } from './look-at-models.ts';
import { lookAtProviders } from './look-at-providers.ts';
import type { App } from './open-app.ts';
import { logBrokers } from './open-log.ts';
import { NO_TOPIC } from './settings/data-settings.ts';
import { environmentName } from './settings/setting.ts';
import { SETTINGS } from './settings.ts';
import { nearestName } from '../core/index.ts';

const LOW_DISK_BYTES = 2e9;

/** Runs every check; `open` loads the configuration. */
export async function examine(open: () => Promise<App>, environment: Environment): Promise<Finding[]> {
  const findings: Finding[] = [{ check: 'node', state: 'ok', says: process.version }];
  const variables = unknownVariables(environment.variables).flatMap((name) => {
    const near = nearestName(
      name,
      SETTINGS.map(({ key }) => environmentName(key)),
    );
    return near === undefined
      ? []
      : [{ check: 'environment', state: 'warn' as const, says: `${name} is no setting`, fix: `did you mean ${near}?` }];
  });
  findings.push(...variables);
  let app: App;
  try {
    app = await open();
    findings.push({ check: 'configuration', state: 'ok', says: app.config.file });
  } catch (thrown) {
    const error = toHeadraceError(thrown);
    return [
      ...findings,
      {
        check: 'configuration',
        state: 'fail',
        says: error.message,
        fix: 'make a project with `headrace init DIR`, or give --config FILE',
      },
    ];
  }
  const { values } = app.config;
  findings.push(await lookForDefinitions(app));
  findings.push(...(await lookForChanges(app)));
  const registry = await look('registry', 'check registry.url, and that its server runs', () => describeRegistry(app));
  findings.push(registry);
  findings.push(...(await lookAtStore(app, registry.state !== 'fail')));
  const artifacts = await look('artifacts', 'check artifacts.url', async () => {
    for await (const _ of (await app.objects()).list('')) break;
    return 'readable';
  });
  findings.push(artifacts);
  if (values['pushLog.topic'] !== NO_TOPIC)
    findings.push(await look('push log', 'check pushLog.topic and pushLog.brokers', () => describeTopic(app)));
  // Of a registry and of artifacts that can't be read, their own checks tell.
  const isRegistryRead = registry.state === 'ok';
  if (isRegistryRead && artifacts.state === 'ok')
    findings.push(...(await lookAtAll('models', 'check registry.url and artifacts.url', () => lookAtModels(app))));
  findings.push(...(await lookAtAll('providers', 'check registry.url', () => lookAtProviders(app, isRegistryRead))));
  findings.push(...(await lookForExtensions(app)));
  if (values['predictionLog.sample'] !== '1' || values['predictionLog.keep'] !== undefined)
    findings.push(await look('prediction log', 'correct the rule', () => describeLogRules(values)));
  findings.push(await look('disk', 'free space, or move offline.path', () => describeDisk(values['offline.path'])));
  findings.push(await lookForPython());
  return findings;
}

async function describeTopic({ config: { values }, environment }: App): Promise<string> {
  const topic = values['pushLog.topic'];
  const partitions = await (await import('../events/index.ts')).lookAtLogTopic(
    await logBrokers(values, environment.variables),
    topic,
  );
  if (partitions === undefined) return `topic "${topic}" is made by the first push`;
  return `topic "${topic}", ${counted(partitions, 'partition')}: as many writers at a time`;
}

/** Whether the manifest is that of an empty feature repository. */
export function definesNothing(manifest: Manifest): boolean {
  return Object.values(manifest).every((section) => typeof section !== 'object' || Object.keys(section).length === 0);
}

async function look(check: string, fix: string, work: () => Promise<string>): Promise<Finding> {
  try {
    return { check, state: 'ok', says: await work() };
  } catch (thrown) {
    const error = toHeadraceError(thrown);
    const isEarly = error.code === 'HR_NOTHING_APPLIED';
    const isApplied = isEarly || error.code === 'HR_REGISTRY_OUTDATED';
    return { check, state: isEarly ? 'warn' : 'fail', says: error.message, fix: isApplied ? 'headrace apply' : fix };
  }
}

/** As `look`, of several things. */
async function lookAtAll(check: string, fix: string, work: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await work();
  } catch (thrown) {
    return [{ check, state: 'fail', says: toHeadraceError(thrown).message, fix }];
  }
}

async function lookForDefinitions(app: App): Promise<Finding> {
  let isNone = false;
  const finding = await look('definitions', 'correct what is listed', async () => {
    const definitions = await app.repository();
    isNone = definesNothing(definitions.manifest);
    return describeDefinitions(definitions);
  });
  if (!isNone) return finding;
  return {
    check: 'definitions',
    state: 'warn',
    says: `no definitions were found in ${app.config.values.repo}`,
    fix: 'write some there, or set `repo` to the folder that has them',
  };
}

/** Of a registry that can't be read, its own check tells. */
async function lookAtStore(app: App, isRegistryRead: boolean): Promise<Finding[]> {
  const check = 'online store';
  let answers = false;
  let lack: Awaited<ReturnType<typeof storeLack>>;
  const finding = await look(check, 'check online.url, and that its server runs', async () => {
    const notes = await (await app.online()).notes();
    answers = true;
    if (!isRegistryRead) return 'answers';
    const own = await (await app.runs()).registry();
    const other = notes.registries.find((one) => one !== own);
    if (other !== undefined) throw (await import('../online/index.ts')).otherRegistry(other, own);
    lack = await lackOfStore(app);
    return 'answers, and has what runs filled';
  });
  const store: Finding =
    lack === undefined ? finding : { check, state: lack.isAbsent ? 'fail' : 'warn', says: lack.says, fix: lack.fix };
  return answers ? [store, ...(await lookAtGuards(app))] : [store];
}

const GUARD_STATES = { kept: 'ok', lacking: 'fail', unknown: 'warn' } as const;

/** Whether its nodes keep what they are given; LMDB has nothing of it. */
function lookAtGuards(app: App): Promise<Finding[]> {
  return lookAtAll('store guards', 'check online.url, and that its server runs', async () => {
    const { groupGuards } = await import('../online/index.ts');
    return groupGuards(await (await app.online()).guards()).map(({ guard, state, says, fix }) => ({
      check: `store ${guard}`,
      state: GUARD_STATES[state],
      says,
      ...(fix === undefined ? {} : { fix }),
    }));
  });
}

async function lackOfStore(app: App): ReturnType<typeof storeLack> {
  const control = await import('../control/index.ts');
  const [registry, runs, store] = await Promise.all([app.registry(), app.runs(), app.online()]);
  return control.storeLack({ registry, runs, store, storePlace: await app.storePlace() });
}

/** What is run is what was applied: where the repository says otherwise, it is told. */
async function lookForChanges(app: App): Promise<Finding[]> {
  try {
    const { manifest } = await app.repository();
    const plan = await (await app.registry()).definitions.plan(manifest);
    if (plan.baseRevision === 0 || plan.changes.length === 0) return [];
    const says = `the feature repository differs from revision ${plan.baseRevision}, which is applied`;
    return [{ check: 'definitions', state: 'warn', says, fix: 'headrace plan shows how; headrace apply takes it up' }];
  } catch {
    // Told by the checks of the one or the other.
    return [];
  }
}

/** By what is applied, or else by what the repository says; where that can't be read, its own check tells. */
async function lookForExtensions(app: App): Promise<Finding[]> {
  const known = await app.applied().catch(() => app.repository().catch(() => undefined));
  return lookAtAll('duckdb', 'check offline.path', async () =>
    lookAtExtensions(await app.duckdb(), known?.manifest ?? { sources: {} }),
  );
}

function describeDefinitions({ manifest, hash }: Awaited<ReturnType<App['repository']>>): string {
  const count = (section: object, noun: string): string => `${Object.keys(section).length} ${noun}`;
  return `${count(manifest.views, 'views')}, ${count(manifest.services, 'services')}, ${count(manifest.models, 'models')}, ${count(manifest.endpoints, 'endpoints')} (${hash.slice(0, 12)})`;
}

async function describeRegistry(app: App): Promise<string> {
  const current = await (await app.registry()).definitions.current();
  if (current === undefined) throw new HeadraceError('HR_NOTHING_APPLIED', 'answers, but nothing is applied yet');
  // With its code: what can't be loaded is told here.
  await app.applied();
  return `revision ${current.revision} is applied`;
}

// Servers would say it, too, once they start.
async function describeLogRules(values: App['config']['values']): Promise<string> {
  const { parseKeep, parseSampling } = await import('../monitoring/index.ts');
  const { length } = parseSampling(values['predictionLog.sample']);
  if (values['predictionLog.keep'] !== undefined) parseKeep(values['predictionLog.keep']);
  return `${counted(length, 'rule')} of its sample`;
}

async function describeDisk(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  const { bavail, bsize } = await statfs(path);
  const free = bavail * bsize;
  if (free < LOW_DISK_BYTES)
    throw new HeadraceError('HR_STORAGE_FULL', `only ${(free / 1e9).toFixed(1)} GB free at ${path}`);
  return `${(free / 1e9).toFixed(0)} GB free`;
}

async function lookForPython(): Promise<Finding> {
  try {
    const { stdout, stderr } = await promisify(execFile)('python3', ['--version']);
    return { check: 'python', state: 'ok', says: (stdout || stderr).trim() };
  } catch {
    return {
      check: 'python',
      state: 'warn',
      says: 'python3 was not found',
      fix: 'install Python 3 with venv to run Python steps of pipelines',
    };
  }
}
