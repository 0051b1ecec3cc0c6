// The list of commands: name, summary, and the file to import when the command is called, so starting stays quick.

import type { DefineCommand } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<DefineCommand>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'make a small project that works: features, a model, a pipeline, data',
    load: async () => (await import('./init.ts')).initCommand,
  },
  {
    name: 'plan',
    summary: 'show what apply would change, what that breaks and for whom',
    load: async () => (await import('./plan.ts')).planCommand,
  },
  {
    name: 'apply',
    summary: 'version the definitions in the registry',
    load: async () => (await import('./apply.ts')).applyCommand,
  },
  {
    name: 'dev',
    summary: 'on each save: check, plan, apply to a local store, and show a key’s features before and after',
    load: async () => (await import('./dev.ts')).devCommand,
  },
  {
    name: 'rollback',
    summary: 'apply a former revision again',
    load: async () => (await import('./rollback.ts')).rollbackCommand,
  },
  {
    name: 'history',
    summary: 'list what was applied, by whom and from which commit',
    load: async () => (await import('./history.ts')).historyCommand,
  },
  {
    name: 'doctor',
    summary: 'check everything that a project needs',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'sources',
    summary: 'look into files and tables, print the definition to paste; list what is declared',
    load: async () => (await import('./sources.ts')).sourcesCommand,
  },
  {
    name: 'materialize',
    summary: 'compute features into the online store',
    load: async () => (await import('./materialize.ts')).materializeCommand,
  },
  {
    name: 'training-set',
    summary: 'make, list, show and audit training sets',
    load: async () => (await import('./training-set.ts')).trainingSetCommand,
  },
  {
    name: 'features',
    summary: 'read features from the online store',
    load: async () => (await import('./features.ts')).featuresCommand,
  },
  {
    name: 'views',
    summary: 'show each view’s versions, how fresh they are and who reads them',
    load: async () => (await import('./views.ts')).viewsCommand,
  },
  {
    name: 'log',
    summary: 'list the event log’s writers, forget a lost one',
    load: async () => (await import('./log.ts')).logCommand,
  },
  {
    name: 'online',
    summary: 'show whose the online store is, take over that of a registry that is gone',
    load: async () => (await import('./online.ts')).onlineCommand,
  },
  { name: 'push', summary: 'push events from a file', load: async () => (await import('./push.ts')).pushCommand },
  {
    name: 'consume',
    summary: 'push a Kafka topic’s messages',
    load: async () => (await import('./consume.ts')).consumeCommand,
  },
  {
    name: 'quarantine',
    summary: 'list, show, put back and drop rows that rules set apart',
    load: async () => (await import('./quarantine.ts')).quarantineCommand,
  },
  {
    name: 'models',
    summary: 'register, list, show and alias models',
    load: async () => (await import('./models.ts')).modelsCommand,
  },
  {
    name: 'endpoints',
    summary: 'list and show endpoints, split their traffic, compare shadows',
    load: async () => (await import('./endpoints.ts')).endpointsCommand,
  },
  {
    name: 'experiments',
    summary: 'start, reweigh, stop and read experiments',
    load: async () => (await import('./experiments.ts')).experimentsCommand,
  },
  {
    name: 'rollout',
    summary: 'bring a version to all traffic step by step, or back by itself',
    load: async () => (await import('./rollout.ts')).rolloutCommand,
  },
  {
    name: 'keys',
    summary: 'make, list, rotate and revoke API keys',
    load: async () => (await import('./keys.ts')).keysCommand,
  },
  {
    name: 'audit',
    summary: 'list who changed what, when and why',
    load: async () => (await import('./audit.ts')).auditCommand,
  },
  {
    name: 'drift',
    summary: 'show how far what is served has moved from the training data',
    load: async () => (await import('./drift.ts')).driftCommand,
  },
  {
    name: 'quality',
    summary: 'show how good predictions were, as far as outcomes are known, and where they are worst',
    load: async () => (await import('./quality.ts')).qualityCommand,
  },
  {
    name: 'alerts',
    summary: 'list what is wrong by the monitors, silence what is known',
    load: async () => (await import('./alerts.ts')).alertsCommand,
  },
  {
    name: 'monitor',
    summary: 'what servers counted over time',
    load: async () => (await import('./monitor.ts')).monitorCommand,
  },
  {
    name: 'logs',
    summary: 'ask the prediction log in SQL',
    load: async () => (await import('./logs.ts')).logsCommand,
  },
  { name: 'run', summary: 'run a pipeline', load: async () => (await import('./run.ts')).runCommand },
  {
    name: 'runs',
    summary: 'list, show, sync, resume and cancel runs',
    load: async () => (await import('./runs.ts')).runsCommand,
  },
  {
    name: 'scheduler',
    summary: 'run pipelines by their schedules',
    load: async () => (await import('./scheduler.ts')).schedulerCommand,
  },
  {
    name: 'schedules',
    summary: 'show what runs by a schedule or a trigger, its next and last times',
    load: async () => (await import('./schedules.ts')).schedulesCommand,
  },
  {
    name: 'step',
    summary: 'run tasks of a step from its order, with the artifact store alone',
    load: async () => (await import('./step.ts')).stepCommand,
  },
  {
    name: 'worker',
    summary: 'run tasks of pipelines on this machine, for drivers elsewhere',
    load: async () => (await import('./worker.ts')).workerCommand,
  },
  {
    name: 'serve',
    summary: 'serve predictions over HTTP',
    load: async () => (await import('./serve.ts')).serveCommand,
  },
  {
    name: 'types',
    summary: 'write the types that a TypeScript client is made with',
    load: async () => (await import('./types.ts')).typesCommand,
  },
  {
    name: 'predict',
    summary: 'predict all rows of a file by an endpoint',
    load: async () => (await import('./predict.ts')).predictCommand,
  },
  {
    name: 'verify',
    summary: 'compute again what was served, and tell why it differs where it does',
    load: async () => (await import('./verify.ts')).verifyCommand,
  },
  {
    name: 'gc',
    summary: 'remove what is past its retention and needed by nothing',
    load: async () => (await import('./gc.ts')).gcCommand,
  },
  {
    name: 'backup',
    summary: 'keep the registry, the event log and the artifacts elsewhere, while servers serve',
    load: async () => (await import('./backup.ts')).backupCommand,
  },
  {
    name: 'restore',
    summary: 'bring a backup back, into SQLite or Postgres',
    load: async () => (await import('./restore.ts')).restoreCommand,
  },
];
