/** FLOOR: does nothing. What it costs is Node's own start, and no function can cost less. */
export const handler = async () => ({ statusCode: 200, body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}' });
