/** Keys of S3 stay in the environment: no job, event, error or stored file has them. */
import { describe, expect, test } from 'vitest'
import { storedImages } from '../../src/data/storedImages.ts'
import { HereRunner } from '../../src/jobs/here.ts'
import { putModel } from '../../src/jobs/node/models.ts'
import { spreadPredictions } from '../../src/jobs/node/spreadPredictions.ts'
import type { JobEvent, Runner } from '../../src/jobs/runner.ts'
import { openStore } from '../../src/store/node/openStore.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { startS3Proxy } from '../support/s3Proxy.ts'
import { makeBucket, present, s3Environment, startS3 } from '../support/servers.ts'
import { drawnShapes } from '../support/shapes.ts'
import { placeOfTests, shapesNetwork } from '../support/stored.ts'

const keys = { AWS_ACCESS_KEY_ID: 'AKIAWELLKNOWN', AWS_SECRET_ACCESS_KEY: 'a-well-kept-secret' }

describe.skipIf(!present.s3)('keys of S3', () => {
  test('are in no job, event or error, and in nothing that is written', async () => {
    const server = await startS3()
    const proxy = await startS3Proxy(server.url)
    await makeBucket(server.url, 'photos')
    await makeBucket(server.url, 'work')
    Object.assign(process.env, s3Environment(proxy.url), keys)
    const photos = await openStore('s3://photos')
    const { train } = await drawnShapes()
    for (const { name, source } of train.slice(0, 3)) await photos.write(name, source as Uint8Array)
    const { model } = await shapesNetwork('small-different')
    const { architecture } = model
    const [work, out] = [await openStore('s3://work'), await openStore('s3://work/out')]
    const classes = ['a', 'b', 'c']
    const reference = await putModel(work, writeSafetensors(await model.stateDict()), {
      ...{ architecture, cut: 'features.7', replace: 'all', seed: 4, classes },
    })
    model.dispose()
    const said: unknown[] = []
    const here = new HereRunner(placeOfTests())
    const runner: Runner = {
      run: (jobs, options) => {
        const all = [...jobs]
        said.push(all)
        return here.run(all, options)
      },
      close: () => here.close(),
    }
    const question = { data: 's3://photos', model: reference, top: 1, tta: 1, trust: null }
    const predict = async () =>
      spreadPredictions(
        await storedImages('s3://photos'),
        's3://photos',
        { ...question, refuse: 0, format: 'json' },
        { runner, work, out, prefix: '', onEvent: (event: JobEvent) => said.push(event) },
      )
    const manifest = await predict()
    expect([manifest.predicted, manifest.failed]).toEqual([3, []])
    said.push(manifest)
    for await (const { path } of work.list('')) {
      const bytes = await work.read(path)
      if (!path.endsWith('.safetensors')) said.push(Buffer.from(bytes).toString())
    }
    // Servers repeat the key in what they answer to a wrong one.
    const body = `<Error><Code>InvalidAccessKeyId</Code><Message>${keys.AWS_ACCESS_KEY_ID}</Message>
      <AWSAccessKeyId>${keys.AWS_ACCESS_KEY_ID}</AWSAccessKeyId></Error>`
    proxy.fault = () => ({ status: 403, body })
    said.push(await predict().catch((error: Error) => [error.message, error.stack]))
    const all = JSON.stringify(said)
    expect(all).toContain('the server does not accept the keys (InvalidAccessKeyId)')
    for (const key of Object.values(keys)) expect(all).not.toContain(key)
    for (const store of [photos, work, out]) await store.close()
    await proxy.close()
    await server.stop()
  })
})
