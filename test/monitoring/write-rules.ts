/** Writes deploy/prometheus/rules/taskstream.yml: `npm run alerts:write`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { prometheusRules } from './rules.js';

const root = new URL('../../', import.meta.url);
const manifest = readFileSync(new URL('k8s/components/monitoring/rules.yaml', root), 'utf8');
writeFileSync(new URL('deploy/prometheus/rules/taskstream.yml', root), prometheusRules(manifest));
