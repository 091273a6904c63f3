import type { VNode } from 'preact'
import { percent, percentRange, thousands } from '../base/format.ts'
import { PageHeader } from '../look/header.tsx'
import type { Report, RunFigures } from './figures.ts'
import { RightAndWrong } from './sections/cells.tsx'
import { trainCommand } from './trainCommand.ts'
import { type Finding, verdictOf } from './verdict.ts'

/** The first screen: what was trained, how good it is, what to do next, and images. */
export function Opening({ figures, cells }: Pick<Report, 'figures' | 'cells'>): VNode {
  const { run, data, plan, accuracy, baseline, options } = figures
  const findings = verdictOf({ scenario: plan.scenario, ...figures })
  const command = trainCommand(options)
  const images = `${thousands(data.train)} images to train on, ${thousands(data.val)} held out`
  return (
    <>
      <PageHeader kind="training report" title={`Report on ${run}`}>
        <p class="quiet">
          {figures.network} on <bdi>{data.root}</bdi>: {images}, {data.classes.length} classes.
          Trained on <span class="unbroken">{figures.trainedOn}</span>.
        </p>
        {command && (
          <p>
            <Command text={command} />
          </p>
        )}
      </PageHeader>
      <dl class="figures">
        <Headline
          name="accuracy on images held out"
          value={accuracy ? percent(accuracy.value) : 'none'}
          note={accuracy ? `95 % interval: ${percentRange(accuracy.low, accuracy.high)}` : ''}
        />
        <Headline
          name="baseline"
          value={percent(baseline.share)}
          note={
            <>
              always naming <bdi>{baseline.name}</bdi>
            </>
          }
        />
        {data.classes.length > 10 && figures.top5 && (
          <Headline
            name="among the first five"
            value={percent(figures.top5.value)}
            note={percentRange(figures.top5.low, figures.top5.high)}
          />
        )}
        <Headline
          name="calibration error"
          value={percent(figures.calibration.error)}
          note="how far confidence is off; 0 is best"
        />
        <Headline
          name="scenario"
          value={plan.scenario}
          note={figures.choice ? 'picked by auto' : 'set, not measured'}
        />
      </dl>
      {accuracy && <Scale {...{ accuracy, baseline }} />}
      <div class="halves">
        <section aria-labelledby="verdict">
          <h2 id="verdict">Verdict</h2>
          <ul class="verdict">
            {findings.map((finding) => (
              <Found key={finding.kind} {...{ finding, options, run }} />
            ))}
          </ul>
        </section>
        <section aria-labelledby="examples">
          <h2 id="examples">Right and wrong</h2>
          <RightAndWrong classes={data.classes} cells={cells} />
        </section>
      </div>
    </>
  )
}

/** A command whose words are not broken at their hyphens. */
function Command({ text }: { readonly text: string }): VNode {
  const words = text.split(' ').flatMap((word, i) => [
    ' ',
    <span key={i} class="word">
      {word}
    </span>,
  ])
  return <code>{words.slice(1)}</code>
}

/** What a finding says, what to try, and the command for it. */
function Found({
  finding: { kind, text, advice, changes },
  options,
  run,
}: { readonly finding: Finding } & Pick<RunFigures, 'options' | 'run'>): VNode {
  const command =
    kind === 'good'
      ? `npx graft-webgpu predict ${run} IMAGE`
      : changes && trainCommand(options, changes)
  return (
    <li class={kind === 'good' ? 'good' : undefined}>
      <p>{text}</p>
      <p>
        <strong>What to try:</strong> {advice}
      </p>
      {command && (
        <pre>
          <Command text={command} />
        </pre>
      )}
    </li>
  )
}

/** The accuracy with its interval, and the baseline, on a line from 0 to 100 %. */
function Scale({
  accuracy: { value, low, high },
  baseline,
}: {
  readonly accuracy: NonNullable<RunFigures['accuracy']>
  readonly baseline: RunFigures['baseline']
}): VNode {
  const place = (share: number) => `${100 * share}%`
  return (
    <figure aria-hidden="true">
      <div class="scale">
        <i class="bar" style={{ width: place(value) }} />
        <i class="interval" style={{ left: place(low), width: place(high - low) }} />
        <i class="baseline" style={{ left: place(baseline.share) }} />
      </div>
      <figcaption>
        From 0 to 100 %: the accuracy, its 95 % interval (line), and the baseline (dashed).
      </figcaption>
    </figure>
  )
}

function Headline({
  name,
  value,
  note,
}: {
  readonly name: string
  readonly value: string
  readonly note: string | VNode
}): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
      <dd class="quiet">{note}</dd>
    </div>
  )
}
