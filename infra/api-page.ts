import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
// TypeScript 7 has no stable API yet. Its version is pinned, and a test compares the page.
import { API, SymbolFlags, type Checker, type InterfaceType, type Symbol } from 'typescript/unstable/sync';
import { createProgram, run } from './cli/command-line.ts';

const ROOT = join(import.meta.dirname, '..');
const SOURCE = join(import.meta.dirname, 'webhook.ts');
export const API_PAGE = join(import.meta.dirname, 'API.md');

const CONSTRUCT = 'TencentChatWebhook';
const PROPS = `${CONSTRUCT}Props`;
/** Types whose members are those of the props. */
const PARTS_OF_PROPS = new Set(['HostProps', 'WebhookOptions']);

const INTRODUCTION = `
<!-- Generated from the docstrings by npm run api. Change those. -->

# API of the construct

[The README](../README.md#as-a-construct) shows how to use the construct. This page lists all that the package exports.
`;

export const apiProgram = () =>
  createProgram('npm run api', 'Writes infra/API.md, the reference of the construct, from the docstrings.').action(
    async () => writeFileSync(API_PAGE, await apiPage()),
  );

/**
 * Returns the reference of the construct: each export, prop, property and method with its type, docstring and default.
 *
 * @throws if a docstring is missing, or the default of an optional prop.
 */
export async function apiPage(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'api-page-'));
  const config = join(directory, 'tsconfig.json');
  // Only the construct, because reading the whole project takes several times as long.
  writeFileSync(config, JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), files: [SOURCE], include: [] }));
  const api = new API({ cwd: ROOT });
  try {
    const [project] = api.updateSnapshot({ openProject: config }).getProjects();
    const source = project?.program.getSourceFile(SOURCE);
    const module = source && project?.checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`TypeScript can't read ${SOURCE}`);
    const page = [INTRODUCTION, ...sections(project!.checker, module)].join('\n\n');
    return await format(page, { ...(await resolveConfig(API_PAGE)), parser: 'markdown' });
  } finally {
    api.close();
    rmSync(directory, { recursive: true });
  }
}

function sections(checker: Checker, module: Symbol): string[] {
  const exported = new Map(
    checker
      .getExportsOfModule(module)
      .map((symbol) => (symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
      .filter(({ name }) => !PARTS_OF_PROPS.has(name))
      .map((symbol) => [symbol.name, symbol]),
  );
  const names = [...new Set([CONSTRUCT, PROPS, ...exported.keys()])];
  return names.flatMap((name) => {
    const symbol = exported.get(name);
    if (symbol === undefined) throw new Error(`${SOURCE} does not export ${name}`);
    const value = symbol.flags & SymbolFlags.Variable ? [`- Value: \`${typeOf(checker, symbol)}\``] : [];
    return [
      `## \`${name}\``,
      ...value,
      ...values(checker, symbol),
      ...description(checker, symbol),
      ...members(checker, symbol),
    ];
  });
}

/** TypeScript's flag that writes what a type alias stands for, instead of its name. */
const IN_TYPE_ALIAS = 1 << 23;

/** Describes what a type alias stands for. */
function values(checker: Checker, symbol: Symbol): string[] {
  if (!(symbol.flags & SymbolFlags.TypeAlias)) return [];
  const text = checker.typeToString(checker.getDeclaredTypeOfSymbol(symbol)!, undefined, IN_TYPE_ALIAS);
  return [`- Type: \`${text.replaceAll('"', "'")}\``];
}

/** Describes the members of a class or interface, except those that a class inherits or overrides. */
function members(checker: Checker, owner: Symbol): string[] {
  if (!(owner.flags & (SymbolFlags.Class | SymbolFlags.Interface))) return [];
  const type = checker.getDeclaredTypeOfSymbol(owner);
  const inherited = owner.flags & SymbolFlags.Class ? checker.getBaseTypes(type as InterfaceType) : [];
  const symbols = checker
    .getPropertiesOfType(type)
    .filter(({ name }) => !name.startsWith('__#')) // private
    .filter(({ name }) => !inherited.some((base) => checker.getPropertyOfType(base, name) !== undefined));
  return symbols.flatMap((symbol) => {
    const text = description(checker, symbol, owner.name);
    const isMethod = (symbol.flags & SymbolFlags.Method) !== 0;
    if (isMethod) {
      const signature = typeOf(checker, symbol).replace(') => ', '): ').replaceAll('? | undefined', '?');
      return [`### \`${symbol.name}()\``, ['```ts', symbol.name + signature, '```'].join('\n'), ...text];
    }
    const isOptional = (symbol.flags & SymbolFlags.Optional) !== 0;
    const byDefault = tag(checker, symbol, 'default');
    if (isOptional && byDefault === undefined) throw new Error(`${owner.name}.${symbol.name} has no @default`);
    const type = `- Type: \`${typeOf(checker, symbol, isOptional)}\``;
    const need = isOptional
      ? `- Default: ${code(byDefault?.replace(/^- /, '') ?? '')}`
      : owner.name === PROPS
        ? '- Required'
        : undefined;
    return [`### \`${symbol.name}\``, [type, need].filter(Boolean).join('\n'), ...text];
  });
}

function typeOf(checker: Checker, symbol: Symbol, isOptional = false): string {
  const type = checker.getTypeOfSymbol(symbol);
  const text = type === undefined ? 'unknown' : checker.typeToString(type).replaceAll('"', "'");
  return isOptional ? text.replace(/ \| undefined$/, '') : text;
}

/** Returns the docstring of a symbol, with its parameters and result. */
function description(checker: Checker, symbol: Symbol, owner = ''): string[] {
  const text = symbol.getDocumentationComment(checker);
  if (text === '') throw new Error(`${owner && `${owner}.`}${symbol.name} has no docstring`);
  const tags = symbol.getJsDocTags(checker).map(({ name, text: content }) => [name, plain(content ?? '')] as const);
  const lines = tags.flatMap(([name, content]) => {
    if (name === 'param') return `- ${content.replace(/^(\S+)\s/, '`$1`: ')}`;
    if (name === 'returns') return `- Returns: ${content}`;
    return name === 'throws' ? `- Throws: ${content}` : [];
  });
  return [plain(text), lines.join('\n')].filter(Boolean);
}

function tag(checker: Checker, symbol: Symbol, name: string): string | undefined {
  const text = symbol.getJsDocTags(checker).find((each) => each.name === name)?.text;
  return text && plain(text);
}

/** Marks a value as code, unless it is a description. */
function code(value: string): string {
  return /^('.*'|\d+|[A-Z]\w+\.\w+)$/.test(value) ? `\`${value}\`` : value;
}

/** Joins the lines of each paragraph. */
function plain(text: string): string {
  return text
    .replaceAll('\r', '')
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
    .replaceAll(/(?<!\n)\n(?![\n-])/g, ' ')
    .trim();
}

if (import.meta.main) await run(apiProgram());
