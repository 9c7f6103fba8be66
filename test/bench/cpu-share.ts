import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Memory size at which Lambda gives a whole vCPU. Other sizes get a proportional share. */
const MB_PER_VCPU = 1_769;
/** Period of the quota: short, so that a delivery does not end before its quota does. */
const PERIOD_US = 20_000;
const ROOT = '/sys/fs/cgroup';

/**
 * Creates a Linux control group with the CPU share that Lambda gives to a memory size. A process joins it by writing its
 * ID to `procsFile`. The group can be removed when the process has ended.
 *
 * @throws if the machine does not allow it.
 */
export function createCpuShare(memoryMb: number) {
  const isVersion2 = existsSync(join(ROOT, 'cgroup.controllers'));
  const directory = join(ROOT, isVersion2 ? '' : 'cpu', `bench-${process.pid}`);
  const set = (file: string, value: string) => writeFileSync(join(directory, file), value);
  const quotaUs = Math.round((PERIOD_US * memoryMb) / MB_PER_VCPU);
  const remove = () => rmdirSync(directory);
  mkdirSync(directory);
  try {
    set(isVersion2 ? 'cpu.max' : 'cpu.cfs_quota_us', isVersion2 ? `${quotaUs} ${PERIOD_US}` : `${quotaUs}`);
    if (!isVersion2) set('cpu.cfs_period_us', `${PERIOD_US}`);
  } catch (error) {
    remove();
    throw error;
  }
  return { procsFile: join(directory, 'cgroup.procs'), remove };
}

export function allowsCpuShares(): boolean {
  try {
    createCpuShare(512).remove();
    return true;
  } catch {
    return false;
  }
}
