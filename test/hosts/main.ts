import { execFile, type ExecFileOptions } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { OLDEST_CDK_MINOR } from '../../infra/cdk-version.ts';
import { createProgram, run } from '../../infra/cli/command-line.ts';
import { OperationError } from '../../infra/cli/errors.ts';
import packageJson from '../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../..');
const NODE = join(ROOT, 'node_modules/node/bin/node');
const { name: PACKAGE, devDependencies } = packageJson;
const NEWEST = { 'aws-cdk-lib': devDependencies['aws-cdk-lib'], constructs: devDependencies.constructs };
const OLDEST = {
  'aws-cdk-lib': `2.${OLDEST_CDK_MINOR}.0`,
  constructs: packageJson.peerDependencies.constructs.replace('^', ''),
};
const NAG_3 = { 'cdk-nag': devDependencies['cdk-nag'] };
/** The newest version for the oldest constructs. */
const NAG_2 = { 'cdk-nag': '2.36.23' };

const IMPORTS = {
  'aws-cdk-lib': ['App', 'Aspects', 'NestedStack', 'Stack', 'Stage'],
  'aws-cdk-lib/aws-dynamodb': ['Table'],
  'aws-cdk-lib/aws-events': ['EventBus'],
  'aws-cdk-lib/aws-events-targets': ['LambdaFunction'],
  'aws-cdk-lib/aws-kms': ['Key'],
  'aws-cdk-lib/aws-secretsmanager': ['Secret'],
  'aws-cdk-lib/aws-sns': ['Topic'],
  'aws-cdk-lib/aws-ssm': ['StringParameter'],
  'cdk-nag': ['AwsSolutionsChecks', 'ServerlessChecks'],
  [PACKAGE]: ['TencentChatWebhook'],
  'node:fs': ['readdirSync', 'readFileSync'],
  'node:path': ['join'],
};
const PACKS = ['AwsSolutionsChecks', 'ServerlessChecks'];
const WITH_NAG_2 = `const checkWithNag = (app) => { ${PACKS.map((pack) => `Aspects.of(app).add(new ${pack}());`).join(' ')} };\n`;
const WITH_NAG_3 = `const checkWithNag = (app) => Validations.of(app).addPlugins(${PACKS.map((pack) => `new ${pack}(app)`).join()});\n`;

interface Host {
  /** Path of the app in the folder of the host, with the extension that makes Node treat it as CommonJS or as ES modules. */
  file: string;
  dependencies: Readonly<Record<string, string>>;
  /** Folder in which the package manager runs, and its command. */
  install: readonly [string, ...string[]];
  /** Files besides the app's, for example of a workspace. */
  files?: Readonly<Record<string, string>>;
}

const NPM_INSTALL = ['npm', 'install', '--loglevel=error', '--no-audit', '--no-fund'] as const;
const HOSTS: Readonly<Record<string, Host>> = {
  'CommonJS, npm, oldest aws-cdk-lib, cdk-nag 2': {
    file: 'app.cjs',
    dependencies: { ...OLDEST, ...NAG_2 },
    install: NPM_INSTALL,
  },
  'TypeScript as ES modules, npm workspace, newest aws-cdk-lib, cdk-nag 3': {
    file: 'packages/infra/app.mts',
    dependencies: { ...NEWEST, ...NAG_3 },
    install: NPM_INSTALL,
    files: { 'package.json': '{ "private": true, "workspaces": ["packages/*"] }' },
  },
  'CommonJS, pnpm, newest aws-cdk-lib, cdk-nag 3': {
    file: 'app.cjs',
    dependencies: { ...NEWEST, ...NAG_3 },
    install: ['npx', '--yes', 'pnpm@9', 'install', '--silent'],
  },
};

function source(file: string, hasNag3: boolean): string {
  const imports = Object.entries(IMPORTS).map(([from, names]) => {
    const all = hasNag3 && from === 'aws-cdk-lib' ? [...names, 'Validations'] : names;
    return file.endsWith('.cjs')
      ? `const { ${all.join(', ')} } = require('${from}');\n`
      : `import { ${all.join(', ')} } from '${from}';\n`;
  });
  return [
    ...imports,
    hasNag3 ? WITH_NAG_3 : WITH_NAG_2,
    readFileSync(join(import.meta.dirname, 'app.js'), 'utf8'),
  ].join('');
}

async function synthesize({ file, dependencies, install, files = {} }: Host, tarball: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'host-'));
  // npm passes its own settings to what it runs.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  try {
    const app = join(folder, file);
    mkdirSync(dirname(app), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const manifest = { name: 'infra', private: true, dependencies: { ...dependencies, [PACKAGE]: `file:${tarball}` } };
    writeFileSync(join(dirname(app), 'package.json'), JSON.stringify(manifest));
    writeFileSync(app, source(file, dependencies['cdk-nag'] === NAG_3['cdk-nag']));
    const [command, ...args] = install;
    await execute(command, args, { cwd: folder, env });
    const outdir = join(folder, 'cdk.out');
    return await execute(NODE, [app, outdir], { cwd: dirname(app), env });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a program. @returns what it prints. @throws OperationError with what it prints if it fails. */
async function execute(command: string, args: readonly string[], options: ExecFileOptions): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { ...options, encoding: 'utf8' });
    return stdout.trim();
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new OperationError(`${[command, ...args].join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

const program = createProgram(
  'npm run hosts --',
  'Installs the packed construct in CDK apps of several kinds, from the npm registry, and synthesizes them under cdk-nag.',
).action(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hosts-'));
  try {
    const pack = ['run', '--silent', 'package', '--', '--to', folder];
    const tarball = await execute('npm', pack, { cwd: ROOT });
    for (const [name, host] of Object.entries(HOSTS)) console.log(`${name}: ${await synthesize(host, tarball)}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

await run(program);
