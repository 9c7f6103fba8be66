// Preloaded by the npm scripts: the one file here that an older Node must be able to read.
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `This project runs on Node 24, which its own 'npm ci' brings, but this is ${process.version}.\n` +
      "Run 'npm ci' (without --ignore-scripts), then this command again.",
  );
  process.exit(1);
}
