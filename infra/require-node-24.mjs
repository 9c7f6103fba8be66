// The npm scripts and cdk.json preload this file. Older versions of Node must be able to read it.
const INSTALL = "Run 'npm ci', without --ignore-scripts and without --omit=dev, then this command again.";

function stop(problem) {
  console.error(`${problem}\n${INSTALL}`);
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) < 24) {
  stop(`This project runs on Node 24, which 'npm ci' installs with it. This is Node ${process.versions.node}.`);
}
try {
  import.meta.resolve('dynalite'); // one of the devDependencies, which the commands need
} catch {
  stop('The packages of this project are not installed completely.');
}
