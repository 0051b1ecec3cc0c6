// A real Iceberg REST catalog of the tests' own: Apache's, run by Java from jars that Maven brings once and that are kept beside
// node_modules' caches.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from './free-port.ts';
import { skipBecause } from './skips.ts';
import { untilAnswering } from './until-answering.ts';

const ICEBERG = '1.10.0';
const DEPENDENCIES = [
  `org.apache.iceberg:iceberg-core:${ICEBERG}`,
  `org.apache.iceberg:iceberg-core:${ICEBERG}:tests`,
  'org.eclipse.jetty.ee10:jetty-ee10-servlet:12.0.25',
  'org.xerial:sqlite-jdbc:3.50.3.0',
  'org.slf4j:slf4j-nop:2.0.17',
];
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const INSTALL_LIMIT_MS = 120_000;
const jars = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'headrace', `iceberg-catalog-${ICEBERG}`);

export type IcebergCatalog = Awaited<ReturnType<typeof startIcebergCatalog>>;

/** Whether there is one; said loudly where it can't be had. `suite` names the tests in the notice. */
export function findIcebergCatalog(suite: string): boolean {
  const hasJava = spawnSync('javac', ['-version'], { stdio: 'ignore' }).status === 0;
  if (hasJava && (existsSync(jars) || bring())) return true;
  skipBecause(`${suite} through a REST catalog: it needs a Java 17 development kit, and Maven to bring Apache Iceberg`);
  return false;
}

function bring(): boolean {
  mkdirSync(dirname(jars), { recursive: true });
  const scratch = mkdtempSync(`${jars}-`);
  try {
    writeFileSync(join(scratch, 'pom.xml'), pom());
    const got = join(scratch, 'jars');
    const words = ['-q', '-B', COPY, `-DoutputDirectory=${got}`, '-DincludeScope=runtime'];
    const run = spawnSync('mvn', words, { cwd: scratch, stdio: 'ignore', timeout: INSTALL_LIMIT_MS });
    if (run.status !== 0) return false;
    if (!existsSync(jars)) renameSync(got, jars);
    return true;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function pom(): string {
  const dependencies = DEPENDENCIES.map((name) => {
    const [group, artifact, version, classifier] = name.split(':');
    const more = classifier === undefined ? '' : `<classifier>${classifier}</classifier>`;
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${more}</dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headrace.test</groupId><artifactId>iceberg-catalog</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('')}</dependencies>
</project>
`;
}

/** Its tables lie in `folder`. */
export async function startIcebergCatalog() {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-catalog-'));
  const port = await freePort();
  const [client, secret] = ['headrace', 'a secret/of @ many:signs'];
  const program = join(import.meta.dirname, 'IcebergCatalog.java');
  const server: ChildProcess = spawn('java', ['-cp', join(jars, '*'), program, `${port}`, folder, secret], {
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    server.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  await untilAnswering(
    "Iceberg's REST catalog",
    () => fetch(`${url}/v1/config`),
    () => server,
    stop,
  );
  return { url, client, secret, folder, stop };
}
