// Starts a script of this repository from a bare clone, with any Node from 20 on: installs the packages when they are
// missing or not those of package-lock.json, then hands over to the Node 24 that came with them; where this is Node 24
// already, in this very process. Plain JavaScript, no packages: it runs before there are any. What it says goes to
// stderr, since stdout is the script's.
//   node scripts/bootstrap.mjs SCRIPT [ARGUMENT…]     node scripts/bootstrap.mjs --install-only

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const lockFile = join(root, 'package-lock.json');
// Holds the hash of the package-lock.json that was installed.
const stampFile = join(modules, '.headrace-lock');
const wantedMajor = 24;

const [target, ...args] = process.argv.slice(2);
if (target === undefined) stop('usage: node scripts/bootstrap.mjs SCRIPT [ARGUMENT…] | --install-only', 2);
if (majorOf(process.versions.node) < 20)
  stop(`Headrace needs npm with Node 20 or newer, this is Node ${process.versions.node}.`);

install();
if (target !== '--install-only') await run(join(root, target), args);

function install() {
  const lock = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  if (read(stampFile) === lock) return;
  if (!isInstalled()) {
    const state = existsSync(modules)
      ? 'The packages in node_modules are not those of package-lock.json'
      : 'No packages yet';
    console.error(`${state}: npm ci …`);
    const started = Date.now();
    if (!npm('ci')) {
      console.error('npm ci failed (above is why); trying npm install, which may take other versions …');
      if (!npm('install', '--no-save'))
        stop('The packages could not be installed. Is there a network, and a registry in `npm config get registry`?');
    }
    console.error(`Packages installed in ${((Date.now() - started) / 1000).toFixed(1)} s.`);
  }
  try {
    mkdirSync(modules, { recursive: true });
    writeFileSync(stampFile, lock);
  } catch {
    // A folder that can't be written to is looked through the next time again.
  }
}

/** Whether node_modules holds what the lock says, whoever installed it; npm notes what it did in a lock of its own. */
function isInstalled() {
  const hidden = read(join(modules, '.package-lock.json'));
  if (hidden === undefined) return false;
  const here = JSON.parse(hidden).packages;
  return Object.entries(JSON.parse(readFileSync(lockFile, 'utf8')).packages).every(
    ([path, wanted]) =>
      path === '' ||
      wanted.link ||
      (here[path] === undefined ? wanted.optional || wanted.devOptional : here[path].version === wanted.version),
  );
}

function npm(...words) {
  const options = { cwd: root, stdio: ['inherit', 2, 2] };
  // npm 10 and older don't know package.json's `allowScripts`: no package's install script runs, whatever the npm.
  const line = [...words, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // Under `npm run` this names npm's own script: the surest way to the same npm, on every system.
  const script = process.env.npm_execpath;
  const { status } = script?.endsWith('.js')
    ? spawnSync(process.execPath, [script, ...line], options)
    : spawnSync('npm', line, { ...options, shell: process.platform === 'win32' });
  return status === 0;
}

async function run(script, line) {
  // What it starts by the name `node` must be the same one.
  process.env.PATH = [join(modules, '.bin'), process.env.PATH ?? ''].join(delimiter);
  if (majorOf(process.versions.node) >= wantedMajor) {
    process.argv = [process.execPath, script, ...line];
    stopWithNpm(() => process.kill(process.pid, 'SIGTERM'));
    await import(pathToFileURL(script).href);
    return;
  }
  const node = findNode();
  const child = spawn(node, [script, ...line], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  stopWithNpm(() => child.kill('SIGTERM'));
  child.on('error', (error) => stop(`could not start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal !== null) console.error(`ended by ${signal}`);
  });
}

function findNode() {
  const brought = join(modules, '.bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const { status, stdout } = spawnSync(brought, ['--version'], { encoding: 'utf8' });
  if (status === 0 && majorOf(stdout.trim().slice(1)) >= wantedMajor) return brought;
  return stop(
    `Headrace runs on Node ${wantedMajor} or newer; this is Node ${process.versions.node}, and npm has no Node ${wantedMajor} for ` +
      `${process.platform} ${process.arch} among the packages. Install Node ${wantedMajor} and run the command again.`,
  );
}

/** npm asked to stop ends its shell, which tells nobody: a script whose npm is gone stops by itself. */
function stopWithNpm(end) {
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, 500);
  timer.unref();
}

function majorOf(version) {
  return Number(version.split('.')[0]);
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function stop(sentence, code = 1) {
  console.error(sentence);
  process.exit(code);
}
