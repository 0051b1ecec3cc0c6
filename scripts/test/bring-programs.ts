// Brings the real programs that a tier's tests run on: as root on a Debian-like system it installs what is missing,
// elsewhere it says what to install. The suites start and stop their own instances.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBrowser } from '../../test/support/browser.ts';
import { findFakeTime } from '../../test/support/fake-time.ts';
import { SWIFTSHADER } from '../../test/support/gpu.ts';
import { bringKafka, findKafka } from '../../test/support/kafka-program.ts';
import { bringKubernetes, findKubernetes } from '../../test/support/kubernetes-programs.ts';
import { bringVersitygw, findVersitygw } from '../../test/support/versitygw-program.ts';
import { bringRegistry, findRegistry } from '../../test/support/registry-program.ts';

/** How long one download by Maven, or one build by Go, may take; it is kept for the next run. */
const LIMITS_MS: Readonly<Record<string, number>> = { quick: 75_000, full: 600_000, heavy: 1_200_000 };

const APT_LOCK = join(tmpdir(), 'headrace-apt.lock');

const POSTGRES_ROOT = '/usr/lib/postgresql';

interface Program {
  readonly name: string;
  readonly debianPackage: string;
  isHere(): boolean;
}

// What Schemathesis, the Python client's tests and the writers of a lake are installed into.
const python: Program = {
  name: 'Python',
  debianPackage: 'python3-venv',
  isHere: () => exitsWell('python3', ['-c', 'import ensurepip']),
};

const servers: readonly Program[] = [
  { name: 'Redis', debianPackage: 'redis-server', isHere: () => onPath('redis-server') },
  {
    name: 'Postgres',
    debianPackage: 'postgresql',
    isHere: () => onPath('initdb') || (existsSync(POSTGRES_ROOT) && readdirSync(POSTGRES_ROOT).length > 0),
  },
  // Of MySQL's protocol.
  {
    name: 'MariaDB',
    debianPackage: 'mariadb-server',
    isHere: () => onPath('mariadbd') || existsSync('/usr/sbin/mariadbd'),
  },
  // Two servers behind it are restarted in turn.
  { name: 'HAProxy', debianPackage: 'haproxy', isHere: () => onPath('haproxy') },
  // Its promtool checks alert rules.
  { name: 'Prometheus', debianPackage: 'prometheus', isHere: () => onPath('promtool') },
  python,
];

/** Of the full tier: a server's clock runs ahead by it. */
const clocks: readonly Program[] = [
  { name: 'libfaketime', debianPackage: 'libfaketime', isHere: () => findFakeTime() !== undefined },
];

/** Of the heavy tier: the image is built by the first two, and a model runs on what the others take for a GPU. */
const builders: readonly Program[] = [
  { name: 'Buildah', debianPackage: 'buildah', isHere: () => onPath('buildah') },
  { name: 'debootstrap', debianPackage: 'debootstrap', isHere: () => onPath('debootstrap') },
  {
    name: 'Vulkan',
    debianPackage: 'libvulkan1',
    isHere: () => exitsWell('sh', ['-c', 'ldconfig -p | grep -q libvulkan.so.1']),
  },
  { name: 'SwiftShader', debianPackage: 'chromium-common', isHere: () => existsSync(SWIFTSHADER) },
];

/** Beside the servers. */
const OF_TIER: Readonly<Record<string, readonly Program[]>> = { full: clocks, heavy: builders };

const clients: readonly Program[] = [
  { name: 'Chromium', debianPackage: 'chromium', isHere: () => findBrowser() !== undefined },
  python,
];

/** Installs what is missing where that takes no questions; never fails: a suite without its program is skipped loudly. */
export function bringPrograms(tier: string): void {
  bringDebianPrograms(tier);
  if (isInterop(tier)) return;
  const limitMs = LIMITS_MS[tier] ?? 0;
  for (const { name, find, bring, tiers } of bringable) {
    if (!tiers.includes(tier) || find() !== undefined) continue;
    console.log(`Bringing ${name} for the tests…`);
    const failure = bring(limitMs);
    if (failure !== undefined) console.log(`${name} was not brought, its suites will be skipped: ${failure}.`);
  }
}

const bringable = [
  { name: 'Kafka', find: findKafka, bring: bringKafka, tiers: ['quick', 'full', 'heavy'] },
  { name: 'versitygw', find: findVersitygw, bring: bringVersitygw, tiers: ['full', 'heavy'] },
  { name: 'a schema registry', find: findRegistry, bring: bringRegistry, tiers: ['heavy'] },
  { name: 'Kubernetes', find: findKubernetes, bring: bringKubernetes, tiers: ['heavy'] },
];

/** Of other people's clients, whole or its smoke. */
function isInterop(tier: string): boolean {
  return tier === 'interop' || tier === 'smoke';
}

function bringDebianPrograms(tier: string): void {
  const needed = isInterop(tier) ? clients : [...servers, ...(OF_TIER[tier] ?? [])];
  const missing = needed.filter((program) => !program.isHere());
  if (missing.length === 0) return;
  const names = missing.map((program) => program.name).join(' and ');
  const packages = missing.map((program) => program.debianPackage);
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    console.log(`${names} not found: their suites will be skipped. Install ${packages.join(', ')} to run them.`);
    return;
  }
  console.log(`Installing ${packages.join(', ')} for the tests…`);
  aptGet('update', '-qq');
  // Debian starts a server on install unless a policy forbids it; the suites start their own.
  const failed = packages.filter((name) => !aptGet('install', '-y', '-qq', '--no-install-recommends', name));
  if (failed.length > 0)
    console.log(`Could not install ${failed.join(', ')}: the suites that need them will be skipped.`);
}

// One at a time on a machine: two tiers may be brought for side by side, and apt-get fails where another one is at work. Both
// limits are of the lock's own program, so that none goes on unseen.
function aptGet(...args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const line = ['--timeout', '360', APT_LOCK, 'timeout', '180', 'apt-get', ...args];
  return spawnSync('flock', line, { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
}

function onPath(program: string): boolean {
  return exitsWell('sh', ['-c', `command -v ${program}`]);
}

function exitsWell(program: string, words: readonly string[]): boolean {
  return spawnSync(program, words, { stdio: 'ignore' }).status === 0;
}
