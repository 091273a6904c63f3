import type { Command } from 'commander'

/** A command: its line in the help, and the module with all the rest. */
export interface LazyCommand {
  readonly name: string
  readonly description: string
  /** Loads its options, its help and what it does, for the one that is typed. */
  readonly load: () => Promise<(command: Command) => void>
}

/** Every command, in the order of the help. */
export const commands: readonly LazyCommand[] = [
  {
    name: 'train',
    description: 'Graft the classes of a folder of images onto AlexNet, and write a run folder.',
    load: async () => (await import('./commands/train.ts')).addTrain,
  },
  {
    name: 'lr-find',
    description:
      'Search for a learning rate: a hundred steps from 1e-7 to 10, a plot of the loss, and a ' +
      'suggestion. Nothing is kept.',
    load: async () => (await import('./commands/lrFind.ts')).addLrFind,
  },
  {
    name: 'explain',
    description:
      "Explain why a run's scenario was picked, by what evidence, and how it changed the network.",
    load: async () => (await import('./commands/explain.ts')).addExplain,
  },
  {
    name: 'compare',
    description:
      'Train all four scenarios on your images under one budget, and show accuracy against time.',
    load: async () => (await import('./commands/compare.ts')).addCompare,
  },
  {
    name: 'sweep',
    description:
      'Train with every choice of some options and several seeds: a table, a chart and a page.',
    load: async () => (await import('./commands/sweep.ts')).addSweep,
  },
  {
    name: 'report',
    description:
      'Write one HTML file about a trained run: scenario, curves, errors, confidence, occlusion.',
    load: async () => (await import('./commands/report.ts')).addReport,
  },
  {
    name: 'evaluate',
    description: 'Measure a trained run on a folder of labeled images.',
    load: async () => (await import('./commands/evaluate.ts')).addEvaluate,
  },
  {
    name: 'predict',
    description: 'Classify images with a trained run.',
    load: async () => (await import('./commands/predict.ts')).addPredict,
  },
  {
    name: 'worker',
    description: 'Take shards of images from a queue and compute them, on any number of machines.',
    load: async () => (await import('./commands/worker.ts')).addWorker,
  },
  {
    name: 'jobs',
    description: 'Show what a queue holds and who works on it; try again what failed.',
    load: async () => (await import('./commands/jobs.ts')).addJobs,
  },
  {
    name: 'export',
    description:
      'Export a trained run: as ONNX for any runtime, as a PyTorch state_dict, or as safetensors.',
    load: async () => (await import('./commands/export.ts')).addExport,
  },
  {
    name: 'weights',
    description: 'Show, fetch and check named weights, and give names to your own.',
    load: async () => (await import('./commands/weights.ts')).addWeightsCommand,
  },
  {
    name: 'data',
    description: 'Show and fetch datasets that have a name.',
    load: async () => (await import('./commands/data.ts')).addData,
  },
  {
    name: 'cache',
    description: 'Show what Graft keeps to be faster the next time, and clear it.',
    load: async () => (await import('./commands/cache.ts')).addCache,
  },
  {
    name: 'show-batch',
    description: 'Draw images as a network sees them: in validation, and augmented in each epoch.',
    load: async () => (await import('./commands/showBatch.ts')).addShowBatch,
  },
  {
    name: 'inspect',
    description:
      'Run one step and show its kernels on a page: the WGSL that ran, times, tensors, numbers.',
    load: async () => (await import('./commands/inspect.ts')).addInspect,
  },
  {
    name: 'web',
    description:
      'Open the page that trains in a browser: drop a folder of images, nothing is uploaded.',
    load: async () => (await import('./commands/web.ts')).addWeb,
  },
  {
    name: 'adapters',
    description: 'Show the GPU adapters of this machine, and how to get the missing ones.',
    load: async () => (await import('./commands/adapters.ts')).addAdapters,
  },
  {
    name: 'tune',
    description:
      "Measure which kernels are fastest on this machine's adapter, and use them from now on.",
    load: async () => (await import('./commands/tune.ts')).addTune,
  },
  {
    name: 'check',
    description:
      'Check every kernel on your own adapter against float64 and finite differences, at shapes ' +
      'drawn by a seed.',
    load: async () => (await import('./commands/check.ts')).addCheck,
  },
  {
    name: 'demo',
    description:
      'Graft fifteen kinds of emoji onto the shipped network, and compare with one from scratch ' +
      'and with a frozen trunk of random weights.',
    load: async () => (await import('./commands/demo.ts')).addDemo,
  },
  {
    name: 'reproduce',
    description:
      "Repeat the article's experiment on 133 breeds of dogs: AlexNet pretrained and frozen, " +
      'and from scratch.',
    load: async () => (await import('./commands/reproduce.ts')).addReproduce,
  },
]
