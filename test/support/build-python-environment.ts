// Builds a Python environment as a process of its own, to be killed in the midst, and says where its interpreter is.

import { openPythonEnvironments } from '../../src/orchestrator/index.ts';

const [, , directory = '', requirements = ''] = process.argv;
console.log(await openPythonEnvironments(directory, 'python3').interpreter(requirements));
