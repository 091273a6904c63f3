#!/usr/bin/env node
// The installed command. Images are decoded on libuv's threads, whose number (4 by default) has to
// be set before the first one starts. Loading an ECMAScript module starts one, so graft.js would be
// too late.
const { availableParallelism } = require('node:os')

process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism?.() ?? 4))
import('./graft.js')
