import { expect, it } from 'vitest';
import { Sensitive } from '../../src/core/sensitive.ts';
import { signedHeaders } from '../../src/services/sigv4.ts';

it('a request to AWS is signed as the published example says', () => {
  // `post-vanilla` of the Signature Version 4 test suite.
  const keys = {
    kind: 'kms',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: Sensitive.copyOf(Buffer.from('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')),
    sessionToken: undefined,
  } as const;
  const call = {
    host: 'example.amazonaws.com',
    region: 'us-east-1',
    service: 'service',
    headers: {},
    body: Buffer.of(),
  };
  expect(signedHeaders(call, keys, new Date('2015-08-30T12:36:00Z'))).toEqual({
    host: 'example.amazonaws.com',
    'x-amz-date': '20150830T123600Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  });
});
