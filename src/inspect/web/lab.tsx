import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint'
import { EditorState } from '@codemirror/state'
import { EditorView, keymap } from '@codemirror/view'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CheckRow } from '../../check/check.ts'
import { codeExtensions, scrollsByKeyboard } from './code.tsx'
import { errorOf, type Problem, runEdited, type Trial, timeTexts } from './labRun.ts'
import { inspection } from './model.ts'
import { go } from './route.ts'
import { Scroll } from './scroll.tsx'
import { number, shapeText, time } from './text.ts'

const files = Object.entries(inspection.shaders)
  .filter(([file, text]) => text.includes('fn main(') && !/^(probe|lib)\//.test(file))
  .map(([file]) => file)
  .sort()

/** A kernel to change and run in this browser, against the float64 reference. */
export function Lab({ args }: { readonly args: readonly string[] }) {
  const named = args.join('/')
  const file = files.includes(named) ? named : 'relu/forward.wgsl'
  return (
    <section>
      <h2>Edit a kernel and run it</h2>
      <p>
        Change the WGSL and run it on this browser's own GPU: every result is compared with the
        float64 reference, at the edges and at drawn shapes, and the kernel is timed before and
        after. Nothing is kept.
      </p>
      <label class="pick">
        Kernel{' '}
        <select
          value={file}
          onChange={(event) => go('lab', ...event.currentTarget.value.split('/'))}
        >
          {files.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <Bench key={file} file={file} />
    </section>
  )
}

function Bench({ file }: { readonly file: string }) {
  const host = useRef<HTMLDivElement>(null)
  const editor = useRef<EditorView | null>(null)
  const [busy, setBusy] = useState(false)
  const [original, setOriginal] = useState<Trial | null>(null)
  const [trial, setTrial] = useState<Trial | null>(null)
  /** Of the original and of the edited text, or of the original alone where nothing is edited. */
  const [times, setTimes] = useState<readonly (number | null)[]>([])
  const [problem, setProblem] = useState<Problem | null>(null)
  const text = inspection.shaders[file] ?? ''

  const run = async () => {
    const view = editor.current
    if (!view || busy) return
    setBusy(true)
    setProblem(null)
    try {
      const edited = view.state.doc.toString()
      const first = original ?? (await runEdited(file, text))
      setOriginal(first)
      const done = edited === text ? first : await runEdited(file, edited)
      setTimes(done.problem ? [] : await timeTexts(file, edited === text ? [text] : [text, edited]))
      setTrial(done)
      show(view, done.problem, file)
      setProblem(done.problem)
    } catch (error) {
      setTrial(null)
      setProblem(errorOf(error))
    } finally {
      setBusy(false)
    }
  }
  const latest = useRef(run)
  latest.current = run

  useEffect(() => {
    if (!host.current) return
    const runKey = {
      key: 'Mod-Enter',
      preventDefault: true,
      run: () => Boolean(void latest.current()) || true,
    }
    const view = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: text,
        extensions: [
          keymap.of([runKey, ...defaultKeymap, ...historyKeymap, indentWithTab]),
          history(),
          lintGutter(),
          ...codeExtensions('wgsl'),
          EditorView.contentAttributes.of({ 'aria-label': `shaders/${file}` }),
        ],
      }),
    })
    scrollsByKeyboard(view, `shaders/${file}, to scroll`)
    editor.current = view
    return () => view.destroy()
  }, [file, text])

  const reset = () => {
    const view = editor.current
    if (!view) return
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } })
    show(view, null, file)
    setTrial(null)
    setProblem(null)
  }
  return (
    <>
      <div class="code" ref={host} />
      <p class="actions">
        <button type="button" onClick={() => void run()} disabled={busy}>
          {busy ? 'Running…' : 'Run'}
        </button>{' '}
        <button type="button" onClick={reset}>
          Reset
        </button>{' '}
        <span class="quiet">Ctrl-Enter runs; Escape, then Tab, leaves the editor.</span>
      </p>
      <div aria-live="polite">
        {problem ? (
          <p class="error" data-testid="problem">
            {problem.file ? `${problem.file}, line ${problem.line}: ` : ''}
            {problem.message}
          </p>
        ) : null}
        {trial && !trial.problem ? (
          <Outcome trial={trial} original={original} times={times} file={file} />
        ) : null}
      </div>
    </>
  )
}

/** Marks the line that does not compile. */
function show(view: EditorView, problem: Problem | null, file: string): void {
  const diagnostics: Diagnostic[] = []
  if (problem?.file === file && problem.line >= 1 && problem.line <= view.state.doc.lines) {
    const { from, to } = view.state.doc.line(problem.line)
    diagnostics.push({ from, to, severity: 'error', message: problem.message })
  }
  view.dispatch(setDiagnostics(view.state, diagnostics))
  const [first] = diagnostics
  if (first) view.dispatch({ selection: { anchor: first.from }, scrollIntoView: true })
}

interface OutcomeProps {
  readonly trial: Trial
  readonly original: Trial | null
  readonly times: readonly (number | null)[]
  readonly file: string
}

function Outcome({ trial, original, times, file }: OutcomeProps) {
  const [before, now = before] = times
  const rows = trial.rows.filter((row) => row.files.includes(file))
  if (rows.length === 0)
    return (
      <p>
        This kernel does not run on this browser's adapter: it needs subgroups that can be relied
        on. The plain kernels do.
      </p>
    )
  const wrong = rows.filter(({ verdict }) => verdict !== 'ok')
  const first = (row: CheckRow) =>
    original?.rows.find(
      (one) => one.what === row.what && one.against === row.against && one.kernels === row.kernels,
    )
  return (
    <>
      <p class={wrong.length ? 'verdict wrong' : 'verdict right'} data-testid="verdict">
        {wrong.length
          ? `${wrong.length} of ${rows.length} results are wrong.`
          : 'Every result is within what float32 may be off by.'}
      </p>
      <p>
        {now ? `It takes ${time(now)} in a larger case` : 'Its time cannot be measured here'}
        {now && before && times.length > 1
          ? `; the original, in turns with it, takes ${time(before)}.`
          : '.'}
      </p>
      <Scroll label="Results">
        <table>
          <thead>
            <tr>
              <th scope="col">result</th>
              <th scope="col">against</th>
              <th scope="col" class="right">
                cases
              </th>
              <th scope="col" class="right">
                worst error
              </th>
              <th scope="col" class="right">
                before
              </th>
              <th scope="col">where</th>
              <th scope="col">verdict</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr
                key={`${row.kernels} ${row.what} ${row.against}`}
                class={row.verdict === 'ok' ? '' : 'wrong'}
              >
                <td>{row.what}</td>
                <td>{row.against === 'differences' ? 'finite differences' : 'float64'}</td>
                <td class="right">{row.cases}</td>
                <td class="right">{row.worst ? number(row.worst.relative) : ''}</td>
                <td class="right">
                  {first(row)?.worst ? number(first(row)?.worst?.relative ?? 0) : ''}
                </td>
                <td>{row.worst ? `${shapeText(row.worst.at)} of ${row.worst.case}` : ''}</td>
                <td>{row.verdict === 'ok' ? 'ok' : `${row.failed} wrong`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  )
}
