import { SHARED, UNIT_TESTS } from './shared.mjs';

/** Fast tests: `npm run test:unit`. */
export default {
  ...SHARED,
  displayName: 'unit',
  testMatch: UNIT_TESTS,
  globalSetup: '<rootDir>/test/jest/set-up.mjs',
  setupFilesAfterEnv: ['<rootDir>/test/jest/no-servers.mjs'],
};
