// What `plan` and `apply` begin with: the repository's types are checked, its definitions loaded, and held against what is
// applied. The compiler is a process of its own, so both go on at once.

import { type App, definesNothing } from '../../app/index.ts';
import type { PlanReport } from '../../control/index.ts';
import type { Definitions, Manifest } from '../../definitions/index.ts';
import type { PlanOptions } from '../../registry/index.ts';
import type { CommandContext } from '../command.ts';

export interface PreparedPlan {
  readonly definitions: Definitions;
  readonly report: PlanReport;
}

/** Throws HR_DEFINITION with every mistake, HR_TYPESCRIPT_UNAVAILABLE. */
export async function preparePlan(context: CommandContext, app: App): Promise<PreparedPlan> {
  const { progress } = context;
  const { repo } = app.config.values;
  progress.start('Check the definitions');
  const { typeCheck } = await import('../../definitions/index.ts');
  const [checked, loaded, opened] = await Promise.allSettled([
    typeCheck({ repoDirectory: repo, configDirectory: app.config.directory }),
    app.repository(),
    openReport(app),
  ]);
  // What the definitions say of themselves is plainer than what the compiler says of the same mistake.
  if (loaded.status === 'rejected') throw loaded.reason;
  if (checked.status === 'rejected') throw checked.reason;
  if (opened.status === 'rejected') throw opened.reason;
  progress.done();
  const definitions = loaded.value;
  // Most often `repo` names another folder than was meant.
  if (definesNothing(definitions.manifest)) context.tell(`No definitions were found in ${repo}.`);
  return { definitions, report: await opened.value(definitions.manifest) };
}

/** The registry's database has all of it: the online store may be out of reach, as where pull requests are looked at. */
export async function openReport(
  app: App,
): Promise<(manifest: Manifest, options?: PlanOptions) => Promise<PlanReport>> {
  const [{ planReport }, { listTrainingSets }] = await Promise.all([
    import('../../control/index.ts'),
    import('../../offline/index.ts'),
  ]);
  const [registry, runs, trainingSets] = await Promise.all([
    app.registry(),
    app.runs(),
    app.database().then((database) => listTrainingSets({ database })),
  ]);
  return (manifest, options) => planReport({ registry, runs, trainingSets }, manifest, options);
}
