#!/usr/bin/env node
// The program's entry. Nothing that needs Node 24 is imported before this check.

if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `HR_USAGE: headrace needs Node 24 or newer, this is ${process.versions.node}. In a clone, run it by \`npm run -s headrace -- …\`: npm brings Node 24.`,
  );
  process.exit(1);
}
// ONNX Runtime's build for Linux can report to its makers: nothing of a server goes anywhere that nobody chose. Its native part reads this
// where it is loaded first, in a thread too, whose own variables it does not see.
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
// Node keeps the compiled code of what is imported from here on, and a command starts in half the time.
const { enableCompileCache } = await import('node:module');
enableCompileCache();
const { runCli } = await import('./run-cli.ts');
process.exitCode = await runCli(process.argv.slice(2));
