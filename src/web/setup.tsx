import { type Variant, variants } from '../nn/alexnet.ts'
import { initNames } from '../nn/init.ts'
import { setupOptions } from '../train/options/setup.ts'
import { specs } from '../train/options/table.ts'
import { FileButton, NumberField, RadioField, SelectField, TextField } from './fields.tsx'
import { OptionField } from './optionField.tsx'
import {
  defaultHead,
  defaults,
  isApplicable,
  type PageOption,
  pageOptions,
  type Settings,
  trainsTrunk,
} from './settings.ts'
import type { Prepared } from './workerApi.ts'

interface SetupProps {
  readonly settings: Settings
  readonly onChange: (change: Partial<Settings>) => void
  /** Layers after which the new one may be placed; empty until they are known. */
  readonly cuts: Prepared['cuts']
  /** Whether the folder itself is divided into train/ and val/. */
  readonly divided: boolean
}

const starts = [
  {
    value: 'shipped',
    name: 'the network of this page',
    text: 'alexnet-64: it sees 64 × 64 pixels, and knows 100 kinds of things on photographs',
  },
  {
    value: 'file',
    name: 'a file of mine',
    text: 'safetensors, PyTorch, ONNX or npz of any AlexNet',
  },
  {
    value: 'random',
    name: 'nothing',
    text: 'a network that knows nothing yet: for comparison, or for very many images',
  },
] as const

const scenarios = [
  {
    value: 'auto',
    name: 'let Graft find out',
    text: 'auto: it counts them, looks at how well the network tells them apart, and picks a way',
  },
  {
    value: 'small-similar',
    name: 'few, similar',
    text: 'to photographs of things: only a new last layer learns (small-similar)',
  },
  {
    value: 'small-different',
    name: 'few, different',
    text: 'drawings, scans, textures: a new layer on the early ones learns (small-different)',
  },
  {
    value: 'large-similar',
    name: 'many, similar',
    text: 'everything learns on from what the network knows (large-similar)',
  },
  {
    value: 'large-different',
    name: 'many, different',
    text: 'everything learns from nothing (large-different)',
  },
] as const

/** The settings that the user chooses before training. */
export function Setup({ settings, onChange, cuts, divided }: SetupProps) {
  const { start, scenario } = settings
  return (
    <form class="setup" onSubmit={(event) => event.preventDefault()}>
      <RadioField
        legend="Start from"
        value={start}
        onChange={(start) => onChange({ start, variant: null })}
        options={starts}
      />
      {start === 'file' && <OwnWeights settings={settings} onChange={onChange} />}
      {start !== 'shipped' && <VariantField settings={settings} onChange={onChange} />}
      <RadioField
        legend="Your images are"
        value={scenario}
        onChange={(scenario) => onChange({ scenario, head: defaultHead(scenario) })}
        options={scenarios}
      />
      {scenario !== 'auto' && <HeadField settings={settings} onChange={onChange} cuts={cuts} />}
      <div class="fields">
        {optionsUnder('main').map((name) => (
          <OptionField key={name} name={name} settings={settings} onChange={onChange} />
        ))}
      </div>
      <More settings={settings} onChange={onChange} divided={divided} />
    </form>
  )
}

type PartProps = Pick<SetupProps, 'settings' | 'onChange'>

function OwnWeights({ settings, onChange }: PartProps) {
  const { file } = settings
  return (
    <>
      <p class="row">
        <FileButton
          accept=".safetensors,.pth,.pt,.bin,.onnx,.npz"
          onFiles={({ currentTarget: { files } }) => {
            const chosen = files?.item(0)
            if (chosen) onChange({ file: chosen, weightsKey: null, weightsPrefix: null })
          }}
        >
          {file ? 'Choose another file' : 'Choose the file'}
        </FileButton>
        <span data-testid="weights-file">{file?.name ?? 'none chosen yet'}</span>
      </p>
      {file && (
        <div class="fields">
          {(['weightsKey', 'weightsPrefix'] as const).map((name) => (
            <TextField
              key={name}
              {...setupOptions[name].field}
              value={settings[name]}
              placeholder={setupOptions[name].defaultText}
              onChange={(value) => onChange({ [name]: value })}
            />
          ))}
        </div>
      )}
    </>
  )
}

function VariantField({ settings: { start, variant }, onChange }: PartProps) {
  const own = start === 'file'
  return (
    <SelectField<Variant | ''>
      label="Which AlexNet"
      value={variant ?? (own ? '' : 'alexnet-64')}
      onChange={(variant) => onChange({ variant: variant || null })}
      options={[
        ...(own ? [['', 'as the file says, or its shapes'] as const] : []),
        ...variants.map((name) => [name, name] as const),
      ]}
    />
  )
}

function HeadField({ settings: { scenario, head }, onChange, cuts }: Omit<SetupProps, 'divided'>) {
  const whole: readonly (readonly [Settings['head'], string])[] = [
    ['last', 'in the place of the last FC layer'],
    ['all', 'in the place of all FC layers'],
  ]
  const named = cuts.map(
    ({ name, description }) => [name as Settings['head'], `after ${name}: ${description}`] as const,
  )
  const known = named.some(([name]) => name === head) || head === 'last' || head === 'all'
  return (
    <SelectField<Settings['head']>
      label="Where the new layer goes"
      value={head}
      onChange={(head) => onChange({ head })}
      options={[
        ...(scenario === 'small-different' ? [] : whole),
        ...named,
        // Until the layers are known, the current setting is listed too.
        ...(known ? [] : [[head, `after ${head}`] as const]),
      ]}
    />
  )
}

/** The options of the table that are always visible, or under "More settings". */
function optionsUnder(part: 'main' | 'more'): readonly PageOption[] {
  return pageOptions.filter((name) => Boolean(specs[name].field?.more) === (part === 'more'))
}

/** The settings that most people do not change. */
function More({ settings, onChange, divided }: Omit<SetupProps, 'cuts'>) {
  const { scenario, start } = settings
  const inits = ([...initNames, 'pretrained'] as const).filter((name) =>
    isApplicable(name, scenario, start),
  )
  return (
    <details>
      <summary>More settings</summary>
      <div class="fields">
        {optionsUnder('more')
          .filter((name) => name !== 'headEpochs' || trainsTrunk(scenario))
          .map((name) => (
            <OptionField key={name} name={name} settings={settings} onChange={onChange} />
          ))}
        <SelectField
          label={setupOptions.init.field.label}
          value={settings.init ?? ''}
          onChange={(init) => onChange({ init: init || null })}
          options={[['', 'default'], ...inits.map((name) => [name, name] as const)]}
        />
        {!divided && (
          <NumberField
            label={setupOptions.split.field.label}
            rule={setupOptions.split.rule}
            value={settings.split}
            onChange={(split) => onChange({ split: split ?? defaults.split })}
          />
        )}
      </div>
    </details>
  )
}
