/**
 * The files of a run. The weights are the only .safetensors at the top level; checkpoints have a
 * folder of their own.
 */
export const runFiles = {
  weights: 'weights.safetensors',
  metrics: 'metrics.jsonl',
  config: 'config.json',
  timings: 'timings.json',
  trust: 'trust.json',
  checkpoints: 'checkpoints',
} as const
