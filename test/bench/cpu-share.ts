import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The memory size at which Lambda gives one whole vCPU. It gives others their share of that. */
export const MB_PER_VCPU = 1_769;

/** How often the quota is dealt out. Short, so that a delivery is not over before its quota is. */
const PERIOD_US = 20_000;

const ROOT = '/sys/fs/cgroup';
let groups = 0;

export interface CpuShare {
  /** From now on the process has this share, all its threads together. */
  limit(pid: number): void;
  /** For when the process has ended. */
  remove(): void;
}

/**
 * The share of a CPU that a Lambda of that memory size has, as a Linux control group.
 *
 * @throws where the machine doesn't allow it.
 */
export function cpuShare(memoryMb: number): CpuShare {
  const isVersion2 = existsSync(join(ROOT, 'cgroup.controllers'));
  const directory = join(ROOT, isVersion2 ? '' : 'cpu', `bench-${process.pid}-${(groups += 1)}`);
  const set = (file: string, value: string) => writeFileSync(join(directory, file), value);
  const quotaUs = Math.round((PERIOD_US * memoryMb) / MB_PER_VCPU);
  mkdirSync(directory);
  const remove = () => rmdirSync(directory);
  try {
    if (isVersion2) set('cpu.max', `${quotaUs} ${PERIOD_US}`);
    else {
      set('cpu.cfs_period_us', String(PERIOD_US));
      set('cpu.cfs_quota_us', String(quotaUs));
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { limit: (pid) => set('cgroup.procs', String(pid)), remove };
}

/** @returns undefined where the machine allows CPU shares. */
export function whyNoCpuShare(): string | undefined {
  try {
    cpuShare(MB_PER_VCPU).remove();
    return undefined;
  } catch (error) {
    return `this machine allows no CPU quota: ${(error as Error).message} (as root on Linux, outside of a container, it does)`;
  }
}
