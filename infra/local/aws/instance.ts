import { pathToFileURL } from 'node:url';

/**
 * One instance of the function, in a process of its own as in Lambda: node infra/local/aws/instance.ts FILE HANDLER
 *
 * Takes invocations from its parent and answers them; init is over when it has sent `ready`.
 */
export type Invocation = { id: number; event: unknown; context: unknown };
export type Answer = 'ready' | { id: number; result: unknown } | { id: number; error: string };

const [file = '', handlerName = ''] = process.argv.slice(2);
const answer = (message: Answer) => process.send?.(message);

process.on('SIGINT', () => {}); // Ctrl-C reaches the whole process group; the parent decides when to end
process.on('disconnect', () => process.exit());

const { [handlerName]: handler } = await import(pathToFileURL(file).href);
process.on('message', async ({ id, event, context }: Invocation) => {
  try {
    answer({ id, result: await handler(event, context) });
  } catch (error) {
    console.error(error);
    answer({ id, error: String(error) });
  }
});
answer('ready');
