// What every executor holds to, on a real control plane of Kubernetes: each container is a process in a PID namespace of its own.

import { describe, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { openKubernetesJobs } from '../../src/orchestrator/executors/kubernetes/kubernetes-jobs.ts';
import { openClusterWorld } from '../support/cluster-world.ts';
import { holdToContract } from '../support/executor-contract.ts';
import { type StandInNode, startNode } from '../support/kubernetes-node.ts';
import { type KubernetesPrograms, kubernetesFor } from '../support/kubernetes-programs.ts';
import { type KubernetesServer, startKubernetes } from '../support/kubernetes-server.ts';

const programs = kubernetesFor('the contract of executors on Kubernetes');
const { PATH = '', HOME = '' } = process.env;

describe.skipIf(programs === undefined)('the executor of Kubernetes', () => {
  let server: KubernetesServer;
  let node: StandInNode;
  holdToContract({
    name: 'Kubernetes’',
    place: 'container',
    // kubernetes-executor.test.ts has what becomes of it.
    runsImages: true,
    reads: 'secretKeyRef',
    async start() {
      // Skipped where there are none.
      server = await startKubernetes(programs as KubernetesPrograms);
      vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver')));
      node = await startNode(server, { slots: 4, variables: { PATH, HOME } });
    },
    async open(options) {
      const namespace = await server.newNamespace();
      const jobs = (run: string) => openKubernetesJobs({ namespace, image: 'headrace', run, logger: silentLogger });
      return openClusterWorld('kubernetes', jobs, options);
    },
    async stop() {
      vi.unstubAllEnvs();
      await node?.stop();
      await server?.stop();
    },
  });
});
