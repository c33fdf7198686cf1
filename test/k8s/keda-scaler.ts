/**
 * How KEDA's scaler `nats-jetstream` (as of August 2026) finds out how much work waits, for holding our cluster to it.
 *
 * It asks the configured endpoint, which may be any node. If the cluster has several nodes it takes the host names of
 * `/varz` → `cluster.urls` (or `connect_urls`, if nodes advertise themselves), puts the part before the first dot in
 * front of the endpoint, and asks each until one says that the consumer's leader has that very name. One request that
 * fails ends the poll with an error. The leader's address is kept for the next poll.
 */
import * as z from 'zod';

export interface Trigger {
  readonly natsServerMonitoringEndpoint: string;
  readonly account: string;
  readonly stream: string;
  readonly consumer: string;
}

const Jsz = z.looseObject({
  meta_cluster: z.looseObject({ cluster_size: z.number() }),
  account_details: z
    .array(
      z.looseObject({
        name: z.string(),
        stream_detail: z
          .array(
            z.looseObject({
              name: z.string(),
              consumer_detail: z
                .array(
                  z.looseObject({
                    name: z.string(),
                    num_pending: z.number(),
                    num_ack_pending: z.number(),
                    cluster: z.looseObject({ leader: z.string().optional() }),
                  }),
                )
                .default([]),
            }),
          )
          .default([]),
      }),
    )
    .default([]),
});
const Varz = z.looseObject({
  server_name: z.string(),
  connect_urls: z.array(z.string()).default([]),
  cluster: z.looseObject({ urls: z.array(z.string()).default([]) }),
});

/** Answers a GET with JSON, or rejects. */
export type GetJson = (url: string) => Promise<unknown>;

export class KedaScaler {
  readonly #trigger: Trigger;
  readonly #get: GetJson;
  #leader = '';
  #leaderUrl: string | undefined;

  constructor(trigger: Trigger, get: GetJson) {
    this.#trigger = trigger;
    this.#get = get;
  }

  /** One poll: what is pending and running. Rejects when the scaler would report an error. */
  async poll(): Promise<number> {
    const { natsServerMonitoringEndpoint: endpoint, account, consumer } = this.#trigger;
    const query = `/jsz?acc=${account}&consumers=true&config=true`;
    const first = await this.look(this.#leaderUrl ?? `http://${endpoint}${query}`);
    if (first.found !== undefined && this.#leader !== '' && first.found.leader === this.#leader) return first.found.lag;
    if (this.#leader !== '' && first.found === undefined) this.#leaderUrl = undefined;
    if (first.size <= 1) return this.#lag(first.found);
    const varz = Varz.parse(await this.#get(`http://${endpoint}/varz`));
    const advertised = varz.connect_urls.length > 0;
    for (const url of advertised ? varz.connect_urls : varz.cluster.urls) {
      const [host = '', port] = advertised ? [url.split(':')[0], endpoint.split(':')[1]] : [url.split('.')[0]];
      const at = advertised ? `${host}:${port}` : `${host}.${endpoint}`;
      const node = advertised ? Varz.parse(await this.#get(`http://${at}/varz`)).server_name : host;
      const { found } = await this.look(`http://${at}${query}`);
      if (found?.leader !== node) continue;
      this.#leader = found.leader;
      this.#leaderUrl = `http://${at}${query}`;
      return found.lag;
    }
    throw new Error(`leader node not found for consumer ${consumer}`);
  }

  /** What one node says of the consumer. */
  async look(url: string): Promise<{ size: number; found: { leader: string; lag: number } | undefined }> {
    const { account, stream, consumer } = this.#trigger;
    const jsz = Jsz.parse(await this.#get(url));
    const detail = jsz.account_details
      .find((one) => one.name === account)
      ?.stream_detail.find((one) => one.name === stream)
      ?.consumer_detail.find((one) => one.name === consumer);
    return {
      size: jsz.meta_cluster.cluster_size,
      found: detail && {
        leader: detail.cluster.leader ?? '',
        lag: detail.num_pending + detail.num_ack_pending,
      },
    };
  }

  #lag(found: { lag: number } | undefined): number {
    if (found === undefined) throw new Error('stream not found');
    return found.lag;
  }
}
