export type { AppendObserver } from './appender.js';
export { connectBroker, type Broker, type BrokerOptions } from './broker.js';
export { openToolPublisher, watchToolCatalogue } from './catalogue.js';
export type { FeedObserver } from './feed.js';
export { startLeaseKeeper, type LeaseKeeper, type LeaseKeeperOptions } from './lease-keeper.js';
export {
  CATALOGUE_BUCKET,
  cmdSubject,
  evtSubject,
  Header,
  anyItemSubject,
  holdSubject,
  lineConsumer,
  LINES,
  LIVE_PREFIX,
  queueConsumers,
  REST_PRIORITY,
  specSubject,
  stateSubject,
  streamName,
  WORK_STREAM,
  workSubject,
} from './names.js';
export { StoreOptions, storeOptionsOf, storeOptionsShape } from './options.js';
export { observeConnection, observeQueues, observeStreamFill, type GaugeFactory } from './scraped-metrics.js';
export { observeStore, type MetricFactory } from './store-metrics.js';
export { openFrontEndBus } from './front-end-bus.js';
export { provision, provisionQueue, type ProvisionReport } from './provision.js';
export { openQuestionLeases } from './question-leases.js';
export { openStore, SILENT_OBSERVER, type Store, type StoreObserver } from './store.js';
