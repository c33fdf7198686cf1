export type { TestEvent } from './memory-task.js';
export { createTestTask, type TestChild, type TestOutcome, type TestTask, type TestTaskOptions } from './test-task.js';
