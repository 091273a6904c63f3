#!/usr/bin/env node
// The command as it is installed. Images are decoded on libuv's threads, of which there are 4 unless the environment says otherwise before
// the first is asked for: ECMAScript modules are loaded by them, so graft.js would come too late to say it.
const { availableParallelism } = require('node:os')

process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism?.() ?? 4))
import('./graft.js')
