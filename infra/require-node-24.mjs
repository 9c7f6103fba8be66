// Preloaded by the npm scripts and by cdk.json: the one file here that an older Node must be able to read.
const INSTALL = "Run 'npm ci', without --ignore-scripts and without --omit=dev, then this command again.";

function stop(problem) {
  console.error(`${problem}\n${INSTALL}`);
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) < 24) {
  stop(`This project runs on Node 24, which its own 'npm ci' brings, but this is v${process.versions.node}.`);
}
try {
  import.meta.resolve('dynalite'); // one of the devDependencies, all of which these commands may need
} catch {
  stop('The packages of this project are not installed, or only a part of them.');
}
