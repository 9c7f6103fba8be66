import { Server } from 'node:net';
import { afterAll, beforeAll } from '@jest/globals';

const { listen } = Server.prototype;

/** Keeps the unit tests fast: a test that starts a server must be listed in test/jest/shared.mjs. */
beforeAll(() => {
  Server.prototype.listen = () => {
    throw new Error('a unit test must not start a server: add it to START_SERVERS in test/jest/shared.mjs');
  };
});
afterAll(() => {
  Server.prototype.listen = listen; // the worker's next test file has the same module
});
