import { Server } from 'node:net';

/** Keeps the unit tests fast: what starts a server belongs to the other tests, in test/jest/shared.mjs. */
Server.prototype.listen = () => {
  throw new Error('a unit test must not start a server: take it out of UNIT_TESTS in test/jest/shared.mjs');
};
