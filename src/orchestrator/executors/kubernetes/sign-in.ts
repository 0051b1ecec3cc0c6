// Signs in to a cluster as kubectl does: by a kubeconfig with certificates, a token, a file with one or a program that gives one, or
// in a pod by its service account.

import { readFileSync } from 'node:fs';
import { Agent, type RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig, User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { HeadraceError, messageOf } from '../../../core/index.ts';

export interface SignIn {
  readonly server: string;
  /** What each request carries. Throws HR_CONFIG where no waiting mends it. */
  optionsOf(): Promise<RequestOptions>;
  /** The server no longer takes what it carried: what it is made from is read again. */
  renew(): void;
  /** Connections that there are lead nowhere any more: they end, and others are made. */
  disconnect(): void;
}

/** By KUBECONFIG, ~/.kube/config, or in a pod its service account. Throws HR_CONFIG where none of them is there. */
export async function signIn(): Promise<SignIn> {
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  let config = load(new Config());
  const server = config.getCurrentCluster()?.server;
  if (server === undefined)
    throw new HeadraceError(
      'HR_CONFIG',
      'no cluster of Kubernetes is known here: set KUBECONFIG, or choose a context with `kubectl config use-context`',
    );
  // Connections are kept, apart for each certificate, so that one that is renewed is not stuck with the old one's.
  let agent = new Agent({ keepAlive: true });
  return {
    server,
    async optionsOf() {
      // Some ways to sign in take for granted that there are headers.
      const options: RequestOptions = { headers: {} };
      try {
        await config.applyToHTTPSOptions(options);
      } catch (error) {
        throw explain(error, config.getCurrentUser());
      }
      const headers = Object.fromEntries(
        // A token's file may end with a line's end.
        Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value).trim()]),
      );
      const isProxied = config.getCurrentCluster()?.proxyUrl !== undefined;
      return { ...options, headers, ...(server.startsWith('https:') && !isProxied ? { agent } : {}) };
    },
    renew() {
      try {
        config = load(new Config());
      } catch {
        // It is being written just now; the one before may do once more.
      }
    },
    disconnect() {
      agent.destroy();
      agent = new Agent({ keepAlive: true });
    },
  };
}

function load(config: KubeConfig): KubeConfig {
  try {
    config.loadFromDefault();
    config.users = config.users.map(completed);
  } catch (error) {
    throw new HeadraceError(
      'HR_CONFIG',
      `the kubeconfig cannot be read: ${messageOf(error)}; correct it, or what KUBECONFIG names`,
    );
  }
  // As `kubectl proxy` serves it: there is no certificate to check.
  config.clusters = config.clusters.map((cluster) =>
    cluster.server.startsWith('http:') ? { ...cluster, skipTLSVerify: true } : cluster,
  );
  return config;
}

interface WrittenConfig {
  readonly users?: readonly { readonly name?: string; readonly user?: { readonly tokenFile?: string } }[] | null;
}

/** With what the client leaves out: a file with a token, and what programs that sign in are told. */
function completed(user: User): User {
  if (user.exec !== undefined && user.exec !== null) {
    const { apiVersion = 'client.authentication.k8s.io/v1', env } = user.exec;
    const told = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
    const variable = { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(told) };
    return { ...user, exec: { ...user.exec, env: [variable, ...(env ?? [])] } };
  }
  if (hasToken(user)) return user;
  for (const file of kubeconfigs()) {
    const written = (parse(readFileSync(file, 'utf8')) ?? {}) as WrittenConfig; // which the client has read
    const found = written.users?.find(({ name }) => name === user.name)?.user?.tokenFile;
    if (found !== undefined)
      return {
        ...user,
        authProvider: { name: 'tokenFile', config: { tokenFile: resolve(dirname(file), found) } },
      };
  }
  return user;
}

function hasToken({ authProvider, token }: User): boolean {
  return (authProvider !== undefined && authProvider !== null) || (token ?? '') !== '';
}

function kubeconfigs(): readonly string[] {
  const named = process.env['KUBECONFIG'] ?? '';
  const files = named === '' ? [join(homedir(), '.kube', 'config')] : named.split(delimiter);
  return files.filter((file) => file !== '' && isReadable(file));
}

function isReadable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

/** Of what a program that signs in has written, nothing is told that could hold its token. */
function explain(error: unknown, user: User | null): Error {
  const { command } = (user?.exec ?? {}) as { readonly command?: string };
  const program = command ?? 'the kubeconfig’s user';
  const { code } = error as { readonly code?: unknown };
  if (code === 'ENOENT' || code === 'EACCES')
    return new HeadraceError(
      'HR_CONFIG',
      `${program} cannot sign in to Kubernetes: ${messageOf(error)}; install it, or correct the kubeconfig`,
    );
  if (error instanceof SyntaxError) return new Error(`${program} gave no JSON when it was to sign in to Kubernetes`);
  return new Error(`${program} cannot sign in to Kubernetes: ${messageOf(error).trim() || 'it failed'}`);
}
