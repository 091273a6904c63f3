import { UsageError } from '../base/errors.ts'
import { describeOmission, type Recording } from '../gpu/recording.ts'

/**
 * A recording in Chrome's trace format, for chrome://tracing and ui.perfetto.dev: one complete
 * event for each dispatch. Source: "Trace Event Format", Google, 2016.
 * @param title names the process in it
 * @throws UsageError where the recording has no times
 * @example await writeFile('step.json', JSON.stringify(chromeTrace(recording, 'alexnet-64')))
 */
export function chromeTrace({ dispatches, omissions }: Recording, title: string): object {
  const events = dispatches.map((one) => {
    if (one.begin === null || one.milliseconds === null)
      throw new UsageError(
        'this adapter has no timestamps, and a trace is nothing but times: choose another adapter',
      )
    const {
      layer,
      operator,
      pass,
      kernel,
      workgroups,
      workgroup,
      idle,
      cost,
      params,
      compileMilliseconds,
    } = one
    return {
      name: [layer, operator, pass].filter(Boolean).join(' '),
      cat: pass ?? 'other',
      ph: 'X',
      ts: 1000 * one.begin,
      dur: 1000 * one.milliseconds,
      pid: 1,
      tid: 1,
      args: { kernel, workgroups, workgroup, idle, ...cost, params, compileMilliseconds },
    }
  })
  const named = (name: string, of: string) => ({
    name,
    ph: 'M',
    pid: 1,
    tid: 1,
    args: { name: of },
  })
  return {
    traceEvents: [named('process_name', title), named('thread_name', 'GPU'), ...events],
    displayTimeUnit: 'ms',
    otherData: { omissions: omissions.map(describeOmission) },
  }
}
