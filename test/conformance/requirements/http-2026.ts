/** Streamable HTTP, subscriptions, cancellation and multi round-trip requests of 2026-07-28, where they touch tasks. */
import { ANSWERS, AUTH, BAD_INPUT, CANCELLATION, STREAM, SUBSCRIPTIONS, TASK_CLIENT, TASKS, TOOLS } from './files.js';
import type { Ledger } from './ledger.js';

const SUITE = 'test/conformance/mcp/suite.test.ts';
const EVERYTHING = 'the public suite finds nothing in either revision that is not expected';

export const HTTP_2026: Ledger = {
  title: 'Transport of 2026-07-28',
  url: 'https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http',
  leftOut: 'Streamable HTTP, subscriptions, cancellation and multi round-trip requests, where they touch tasks.',
  rows: {
    'HTTP26-ORIGIN': ['MUST', 'server', 'A foreign origin is 403.', [BAD_INPUT, 'origin %s is not served']],
    'HTTP26-LOCALHOST': [
      'SHOULD',
      'server',
      'Without authentication only the loopback interface is served.',
      [AUTH, 'without authentication no other interface than loopback is served'],
    ],
    'HTTP26-SINGLE-MESSAGE': [
      'MUST',
      'server',
      'A body is one message.',
      [BAD_INPUT, 'that is a batch is an invalid request, and nothing in it is done'],
    ],
    'HTTP26-NOTIFICATION-202': [
      'MUST',
      'server',
      'A notification is accepted with 202.',
      [STREAM, 'notifications/cancelled is accepted and has no effect: closing the response is the signal'],
    ],
    'HTTP26-NO-SERVER-REQUESTS': [
      'MUST',
      'server',
      'No request goes out on a response stream.',
      [STREAM, 'holds comments and data lines, nothing else: no id, no retry, no other event'],
    ],
    'HTTP26-RESPONSE-IS-LAST': [
      'SHOULD',
      'server',
      'The response ends its stream.',
      [
        'services/front-end/test/stream-writer.test.ts',
        'is a head, a comment, events in order, and a response as its last word',
      ],
    ],
    'HTTP26-CLOSE-CANCELS': [
      'MUST',
      'server',
      'Who closes a response has cancelled its request.',
      [TASKS, 'a caller that goes away cancels the task that it did not see'],
      [STREAM, 'a client that closes it frees its place and leaves the task alone'],
    ],
    'HTTP26-VERSION-HEADER': [
      'MUST',
      'server',
      'The version header agrees with the body, and is one that is served.',
      [BAD_INPUT, '%s: the standard headers are required and must agree'],
      [BAD_INPUT, '%s of a revision that is not served'],
    ],
    'HTTP26-UNKNOWN-METHOD': [
      'MUST',
      'server',
      'An unknown method is 404 and -32601.',
      [BAD_INPUT, 'the method %s does not exist in this revision'],
    ],
    'HTTP26-MIRRORED-HEADERS': [
      'MUST',
      'server',
      'Mirrored headers and parameters agree with the body, else 400 and -32020.',
      [BAD_INPUT, '%s: the standard headers are required and must agree'],
      [SUITE, EVERYTHING],
    ],
    'HTTP26-BASE64-SENTINEL': [
      'MUST',
      'server',
      'Encoded header values are decoded before they are compared.',
      [BAD_INPUT, 'Mcp-Name of tasks/stream may be absent, plain, padded, or behind the sentinel'],
    ],
    'HTTP26-CLIENT-MIRRORS': [
      'MUST',
      'client',
      'A client mirrors annotated parameters, and lists the tools again after a mismatch.',
      [TASK_CLIENT, 'mirrors parameters, and lists the tools again after a mismatch'],
    ],
    'HTTP26-CLIENT-REJECTS-TOOLS': [
      'MUST',
      'client',
      'A tool with annotations that are not valid is left out.',
      [TASK_CLIENT, 'reads all pages and leaves out tools that are not valid'],
    ],
    'HTTP26-SUBSCRIPTION-ACK-FIRST': [
      'MUST',
      'server',
      'A subscription begins with its acknowledgement.',
      [SUBSCRIPTIONS, 'the acknowledgement comes first and leaves out what is not the caller'],
    ],
    'HTTP26-SUBSCRIPTION-ID': [
      'MUST',
      'server',
      'Each of its messages carries its id.',
      [SUBSCRIPTIONS, 'the present state comes first, then every change, each the whole task as tasks/get has it'],
    ],
    'HTTP26-SUBSCRIPTION-TEARDOWN': [
      'MUST',
      'server',
      'One that the server tears down is announced by notifications/cancelled and ends with a result.',
      [SUBSCRIPTIONS, 'ends its subscriptions with a result when it drains, and another one goes on'],
    ],
    'HTTP26-SUBSCRIPTION-TOOLS': [
      'MUST',
      'server',
      'Changes of the tool list are told to who asked for them.',
      [SUBSCRIPTIONS, 'changes of the tool list are told beside those of tasks, and outlive them'],
      [TOOLS, 'a listening client hears of a tool that a new worker brings, on each front end; the tool works at once'],
    ],
    'HTTP26-MRTR-CAPABILITY': [
      'MUST',
      'server',
      'Nobody is asked what he did not declare: -32021 names what is missing.',
      [ANSWERS, 'cannot be sent to a page, and is told so'],
      ['test/integration/eras/plain-calls.test.ts', 'names what is missing and creates nothing'],
    ],
    'HTTP26-MRTR-STATE-INTEGRITY': [
      'MUST',
      'server',
      'The state of a call is signed, and refused when it was changed.',
      [ANSWERS, 'the state is of this call alone: another tool, other arguments, a forged one are refused'],
    ],
    'HTTP26-MRTR-STATE-BOUND': [
      'SHOULD',
      'server',
      'It is bound to owner, expiry, tool and arguments.',
      [ANSWERS, 'the state is of this call alone: another tool, other arguments, a forged one are refused'],
      [AUTH, 'a session of one owner is none of another'],
    ],
    'HTTP26-MRTR-VALIDATES': [
      'SHOULD',
      'server',
      'Answers are checked against what was asked.',
      [ANSWERS, 'an answer that breaks what was asked is refused by its field, and nothing is made'],
    ],
    'HTTP26-MRTR-ASKS-AGAIN': [
      'SHOULD',
      'server',
      'What is still missing is asked again; what nobody asked for is ignored.',
      [ANSWERS, 'partial answers are kept in the state of the call'],
    ],
    'HTTP26-MRTR-CLIENT-ECHOES': [
      'MUST',
      'client',
      'A client sends the state back as it was, under a new request id.',
      [TASK_CLIENT, 'answers questions of a call and sends the state back'],
    ],
    'HTTP26-CANCELLED-ONLY-SUBSCRIPTIONS': [
      'MUST',
      'server',
      'notifications/cancelled goes out for subscriptions alone.',
      [STREAM, 'holds comments and data lines, nothing else: no id, no retry, no other event'],
      [CANCELLATION, 'sends who waits for the result of a task elsewhere, and the task goes on'],
    ],
  },
};
