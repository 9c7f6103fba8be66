import { stripTypeScriptTypes } from 'node:module';

/** Jest's transformer for TypeScript. It strips types as Node does. */
export default { process: (source) => ({ code: stripTypeScriptTypes(source, { mode: 'strip' }) }) };
