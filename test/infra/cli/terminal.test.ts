import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { askHidden } from '../../../infra/cli/terminal.ts';

test('a secret is not shown when the user types it', async () => {
  const secret = '5bd2850f';
  const [input, output] = [new PassThrough(), new PassThrough()];
  const asked = askHidden('key: ', input, output);
  input.write(`${secret}\r`);
  expect(await asked).toBe(secret);
  output.end();
  expect(await text(output)).toBe('key: \n');
});
