/** Closes a run with one plain line, for whoever reads the count. A suite that did not even start counts as failed. */
export default class CountReporter {
  onRunComplete(_contexts, { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, numPendingTests }) {
    const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : '';
    const line = `${numPassedTests} passed, ${numFailedTests + numRuntimeErrorTestSuites} failed${skipped}`;
    // Jest's own summary comes last of all reporters.
    process.once('exit', () => console.log(line));
  }
}
