// A process that has a report made as a server does, and is made to be killed. Arguments: the project's folder, the experiment.

import { openApp, readEnvironment } from '../../src/app/index.ts';
import { createReportProcesses } from '../../src/app/start-report-process.ts';
import { silentLogger } from '../../src/core/index.ts';

const [workingDirectory = '', experiment = ''] = process.argv.slice(2);
const app = await openApp({ environment: { ...readEnvironment(), workingDirectory }, logger: silentLogger });
await createReportProcesses(app).make(experiment, undefined);
