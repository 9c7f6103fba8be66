import { SHARED, files } from './shared.mjs';

/** Tests in a browser: `npm run test:browser`. */
export default {
  ...SHARED,
  displayName: 'browser',
  testMatch: files('test/browser/*.test.ts'),
  globalSetup: '<rootDir>/test/jest/set-up-browser.mjs',
  setupFilesAfterEnv: ['<rootDir>/test/jest/each-file.mjs'],
  maxWorkers: 1,
  reporters: ['default', '<rootDir>/test/jest/count-reporter.mjs'],
};
