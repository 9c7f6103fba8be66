import { MEASURES, NAMES, withUnit, type ContestantName, type Result } from './result.ts';

const SHOWN = ['instructions', 'toFirstMsAt512', 'toFirstMsAt256', 'firstMsAt256', 'warmCpuUs', 'entryBytes'] as const;
/** Legible on white and on black. */
const TEXT = '#7a818c';
const COLOURS = { floor: '#9aa1ab', plain: '#c98a2b', same: '#b5533c', ours: '#2f8fd8' };
const [WIDTH, LEFT, LONGEST, BAR] = [720, 280, 360, 14];

/** Returns an SVG of horizontal bars. Each measure has its own scale from zero. */
export function plot({ measures, date, node, cpu }: Pick<Result, 'measures' | 'date' | 'node' | 'cpu'>): string {
  const shapes: string[] = [];
  let y = 16;
  for (const name of SHOWN) {
    const medians = measures[name];
    if (medians === undefined) continue;
    const figureOf = (contestant: ContestantName) => medians[contestant] ?? 0;
    const largest = Math.max(...NAMES.map(figureOf));
    shapes.push(text(LEFT - 54, y + BAR * 2 + 4, MEASURES[name].what, 'text-anchor="end"'));
    for (const contestant of NAMES) {
      const length = Math.max(1, Math.round((figureOf(contestant) / largest) * LONGEST));
      const weight = contestant === 'ours' ? 'bold' : 'normal';
      shapes.push(
        text(LEFT - 8, y + BAR - 3, contestant.toUpperCase(), `text-anchor="end" font-weight="${weight}"`),
        `<rect x="${LEFT}" y="${y}" width="${length}" height="${BAR - 2}" fill="${COLOURS[contestant]}"/>`,
        text(LEFT + length + 6, y + BAR - 3, withUnit(name, figureOf(contestant)), `font-weight="${weight}"`),
      );
      y += BAR;
    }
    y += 18;
  }
  shapes.push(text(8, y + 4, `Medians, less is better. Node ${node}, ${cpu}, ${date}.`));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 16}" width="${WIDTH}" role="img" font-family="sans-serif" font-size="11" fill="${TEXT}">
<title>OURS compared with FLOOR, PLAIN and SAME</title>
${shapes.join('\n')}
</svg>
`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
}
