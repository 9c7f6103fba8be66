import { expect, test } from '@jest/globals';
import { readQuery, type Query } from '../../lambda/delivery.ts';
import { request } from '../delivery.ts';

test.each<[string, Record<string, string> | undefined, Query]>([
  [
    'reads every parameter of Chat',
    {
      SdkAppid: '1',
      CallbackCommand: 'c',
      contenttype: 'json',
      ClientIP: 'i',
      OptPlatform: 'o',
      Sign: 's',
      RequestTime: '2',
    },
    { sdkAppId: '1', callbackCommand: 'c', clientIp: 'i', optPlatform: 'o', sign: 's', requestTime: '2' },
  ],
  [
    'accepts names in any case',
    { SDKAPPID: '1', sign: 's', clientip: 'i' },
    { sdkAppId: '1', sign: 's', clientIp: 'i' },
  ],
  ['counts an empty parameter as absent', { SdkAppid: '', Sign: 's' }, { sign: 's' }],
  ['joins the values of a name in two cases', { SdkAppid: '1', sdkappid: '2' }, { sdkAppId: '1,2' }],
  ['ignores unknown parameters', { traceid: 't', ['__proto__']: 'p', constructor: 'c', sdkAppId_: '3' }, {}],
  ['accepts a URL without a query', undefined, {}],
])('the query reader %s', (_what, parameters, query) => {
  const { event } = request((delivery) => Object.assign(delivery, { queryStringParameters: parameters }));
  readQuery({ event });
  expect(event.query).toEqual(query);
});
