import { CONTESTANTS, OTHER_NAMES, OTHERS, type ContestantName } from './contestants.ts';
import { MEASURES, withUnit, type MeasureName } from './measures.ts';
import type { Result } from './result.ts';

const GROUPS: readonly { measure: MeasureName; title: string }[] = [
  { measure: 'instructions', title: 'cold start, instructions' },
  { measure: 'toFirstMsAt512', title: 'cold start to first reply, 512 MB' },
  { measure: 'toFirstMsAt256', title: 'cold start to first reply, 256 MB' },
  { measure: 'firstMsAt256', title: 'first invocation, 256 MB' },
  { measure: 'warmCpuUs', title: 'warm delivery, CPU' },
  { measure: 'entryBytes', title: 'bundle' },
];

/** Legible on white as on black: an image in a README can't know which it stands on. */
const TEXT = '#7a818c';
const COLOURS: Record<ContestantName, string> = {
  floor: '#9aa1ab',
  plain: '#c98a2b',
  same: '#b5533c',
  ours: '#2f8fd8',
};

const WIDTH = 720;
const LEFT = 260;
const LONGEST = 360;
const BAR = 14;
const GAP = 18;

/** Horizontal bars: each group has a scale of its own, from zero. */
export function plot({ measures, date, node, cpu }: Pick<Result, 'measures' | 'date' | 'node' | 'cpu'>): string {
  const shapes: string[] = [];
  let y = 16;
  for (const { measure: name, title } of GROUPS) {
    const measure = measures[name];
    if (measure === undefined) continue;
    const largest = Math.max(...CONTESTANTS.map((contestant) => measure.of[contestant].median));
    shapes.push(text(LEFT - 64, y + (BAR * CONTESTANTS.length) / 2 + 4, title, 'text-anchor="end"'));
    for (const contestant of CONTESTANTS) {
      const { median } = measure.of[contestant];
      const length = Math.max(1, (median / largest) * LONGEST).toFixed(1);
      const weight = contestant === 'ours' ? 'font-weight="bold"' : '';
      shapes.push(
        text(LEFT - 8, y + BAR - 3, contestant.toUpperCase(), `text-anchor="end" ${weight}`),
        `<rect x="${LEFT}" y="${y}" width="${length}" height="${BAR - 2}" fill="${COLOURS[contestant]}"/>`,
        text(LEFT + Number(length) + 6, y + BAR - 3, withUnit(median, MEASURES[name].unit), weight),
      );
      y += BAR;
    }
    y += GAP;
  }
  shapes.push(text(8, y + 4, `Medians, less is better. Node ${node}, ${cpu}, ${date}.`));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 16}" width="${WIDTH}" role="img" font-family="sans-serif" font-size="11" fill="${TEXT}">
<title>This function (OURS) against ${OTHER_NAMES.map((name) => `one that ${OTHERS[name]} (${name.toUpperCase()})`).join(', ')}</title>
${shapes.join('\n')}
</svg>
`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}"${attributes && ` ${attributes.trim()}`}>${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
