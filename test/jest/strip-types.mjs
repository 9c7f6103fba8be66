import { stripTypeScriptTypes } from 'node:module';

/** Jest's transformer for TypeScript: what Node itself does when it runs such a file. */
export default { process: (source) => ({ code: stripTypeScriptTypes(source, { mode: 'strip' }) }) };
