import { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, OutgoingHttpHeaders, Server } from 'node:http';

export interface HttpCall {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface HttpAnswer {
  status: number;
  headers: OutgoingHttpHeaders;
  body: string;
}

/** Sends a request to a server. */
export type Call = (call: HttpCall) => Promise<HttpAnswer>;

/**
 * Removes the request listener from a server, and returns a function that calls it without a connection. This takes a
 * third of the time of a call over HTTP. The listener gets substitutes for request and response, with the members that
 * dynalite uses. The function rejects if the listener throws.
 */
export function takeRequests(server: Server): Call {
  const listeners = server.listeners('request');
  server.removeAllListeners('request');
  return ({ body, ...head }) =>
    new Promise((resolve) => {
      const request = Object.assign(new EventEmitter(), head);
      const headers: OutgoingHttpHeaders = {};
      const response = {
        statusCode: 200,
        setHeader: (name: string, value: string | number) => void (headers[name] = value),
        end: (content = '') => resolve({ status: response.statusCode, headers, body: content }),
      };
      for (const listener of listeners) listener.call(server, request, response);
      if (body.length > 0) request.emit('data', body);
      request.emit('end');
    });
}
