import Sequencer from '@jest/test-sequencer';

/** The slowest files, the slowest first. At the end of a run, a slow file would leave the second worker idle. */
const SLOW = [
  'whole/faults',
  'infra/package',
  'infra/probe',
  'bench/main',
  'infra/bundle',
  'test/scripts',
  'whole/cold-start',
  'whole/monitoring',
  'local/main',
  'infra/nag',
];

/** Runs the unit tests first, then the slow ones. */
export default class UnitsFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path, context }) => {
      if (context.config.displayName?.name === 'unit') return -1;
      const index = SLOW.findIndex((name) => path.endsWith(`${name}.test.ts`));
      return index === -1 ? SLOW.length : index;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- the sequencer's own method, which returns a new array
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b));
  }
}
