// Where a real Kafka is for the tests: its jars in one folder that is kept between runs, and a Java that runs them.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

export const KAFKA_VERSION = '4.2.2';
const SERVER = 'org.apache.kafka:kafka_2.13';
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
export const LEAST_JAVA = 17;

export interface KafkaProgram {
  /** The folder of its jars. */
  readonly jars: string;
}

/** Undefined where it was not brought, or there is no Java that runs it. */
export function findKafka(): KafkaProgram | undefined {
  const jars = folder();
  return existsSync(join(jars, `kafka_2.13-${KAFKA_VERSION}.jar`)) && hasJava() ? { jars } : undefined;
}

/** What a suite says that runs without one. */
export const WITHOUT_KAFKA = `there is no Kafka ${KAFKA_VERSION} here: npm run test:heavy brings it where there are Java ${LEAST_JAVA} and Maven`;

/** Brings the jars by Maven, whole or not at all; a sentence that says why not. */
export function bringKafka(limitMs: number): string | undefined {
  if (!hasJava()) return `it needs Java ${LEAST_JAVA}`;
  if (spawnSync('mvn', ['--version'], { stdio: 'ignore' }).status !== 0) return 'it is brought by Maven (mvn)';
  const jars = folder();
  mkdirSync(dirname(jars), { recursive: true });
  const scratch = mkdtempSync(`${jars}-`);
  try {
    writeFileSync(join(scratch, 'pom.xml'), pom());
    const got = join(scratch, 'jars');
    const words = ['-q', '-B', COPY, `-DoutputDirectory=${got}`, '-DincludeScope=runtime'];
    const run = spawnSync('mvn', words, { cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'], timeout: limitMs });
    if (run.status !== 0 || readdirSync(got).length === 0)
      return run.signal === null ? 'Maven could not get it' : `Maven took longer than ${limitMs / 1000} s`;
    if (!existsSync(jars)) renameSync(got, jars);
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function folder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headrace', `kafka-${KAFKA_VERSION}`);
}

let isJavaHere: boolean | undefined;

export function hasJava(): boolean {
  if (isJavaHere !== undefined) return isJavaHere;
  const told = spawnSync('java', ['-version'], { encoding: 'utf8' });
  const [, version = '0'] = /version "(\d+)/.exec(told.stderr ?? '') ?? [];
  return (isJavaHere = Number(version) >= LEAST_JAVA);
}

function pom(): string {
  const [group = '', artifact = ''] = SERVER.split(':');
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headrace.test</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${KAFKA_VERSION}</version></dependency>
  </dependencies>
</project>
`;
}
