// Does what worker.ts does, in a worker thread whose environment is the process's ('shared') or a
// copy of it ('own').

import { SHARE_ENV, Worker } from 'node:worker_threads'

const [environment, ...choices] = process.argv.slice(2)
const start = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(new URL('./worker.ts', import.meta.url).href)}) })`
new Worker(start, {
  eval: true,
  argv: choices,
  env: environment === 'shared' ? SHARE_ENV : undefined,
})
