import type { AugmentationName } from '../data/augment.ts'
import { type Variant, variants } from '../nn/alexnet.ts'
import { initNames } from '../nn/init.ts'
import { defaultRate, optimizers } from '../train/optimizers.ts'
import { schedules } from '../train/recipe/rates.ts'
import { FileButton, NumberField, RadioField, SelectField } from './fields.tsx'
import { defaultHead, isApplicable, type Settings, trainsTrunk } from './settings.ts'
import type { Prepared } from './workerApi.ts'

interface SetupProps {
  readonly settings: Settings
  readonly onChange: (change: Partial<Settings>) => void
  /** Layers after which the new one may go, as far as they are known. */
  readonly cuts: Prepared['cuts']
  /** Whether the folder says itself what is held out. */
  readonly divided: boolean
}

const starts = [
  {
    value: 'shipped',
    name: 'alexnet-64',
    text: 'comes with this page: 64 × 64 pixels, trained on 100 classes of Tiny ImageNet',
  },
  {
    value: 'file',
    name: 'a file of mine',
    text: 'safetensors, PyTorch, ONNX or npz of any AlexNet',
  },
  {
    value: 'random',
    name: 'nothing',
    text: 'every weight random: for comparison, or for very many images',
  },
] as const

const scenarios = [
  {
    value: 'auto',
    name: 'auto',
    text: 'count the images, probe the frozen network at several depths, and pick one',
  },
  {
    value: 'small-similar',
    name: 'few, similar',
    text: 'to photographs of things: a new last layer, all else frozen',
  },
  {
    value: 'small-different',
    name: 'few, different',
    text: 'drawings, scans, textures: a new layer on the frozen early layers',
  },
  {
    value: 'large-similar',
    name: 'many, similar',
    text: 'everything trains, from the trained weights',
  },
  {
    value: 'large-different',
    name: 'many, different',
    text: 'everything trains, from random weights',
  },
] as const

/** What happens to images to train on, anew in every epoch. */
const augmented = {
  none: 'each as it is',
  light: 'moved a little, mirrored',
  standard: 'moved, scaled, mirrored, turned, recolored',
  strong: 'all of that and more, parts erased',
} as const

/** What a person decides before training. */
export function Setup({ settings, onChange, cuts, divided }: SetupProps) {
  const { start, scenario, optimizer } = settings
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
        <NumberField
          label="Epochs"
          value={settings.epochs}
          min={1}
          onChange={(epochs) => onChange({ epochs: epochs ?? 1 })}
        />
        <NumberField
          label="Batch size"
          value={settings.batchSize}
          min={1}
          onChange={(batchSize) => onChange({ batchSize: batchSize ?? 1 })}
        />
        <SelectField
          label="Optimizer"
          value={optimizer}
          onChange={(optimizer) => onChange({ optimizer })}
          options={optimizers.map((name) => [name, name])}
        />
        <NumberField
          label="Learning rate"
          value={settings.lr}
          {...{ min: 0, step: 'any', placeholder: String(defaultRate(optimizer)) }}
          onChange={(lr) => onChange({ lr })}
        />
        <SelectField<AugmentationName | 'none'>
          label="Augmentation"
          value={settings.augment}
          onChange={(augment) => onChange({ augment })}
          hint={augmented[settings.augment]}
          options={(['none', 'light', 'standard', 'strong'] as const).map((name) => [name, name])}
        />
      </div>
      <More settings={settings} onChange={onChange} divided={divided} />
    </form>
  )
}

type PartProps = Pick<SetupProps, 'settings' | 'onChange'>

function OwnWeights({ settings: { file }, onChange }: PartProps) {
  return (
    <p class="row">
      <FileButton
        accept=".safetensors,.pth,.pt,.bin,.onnx,.npz"
        onFiles={({ currentTarget: { files } }) => {
          const chosen = files?.item(0)
          if (chosen) onChange({ file: chosen })
        }}
      >
        {file ? 'Choose another file' : 'Choose the file'}
      </FileButton>
      <span data-testid="weights-file">{file?.name ?? 'none chosen yet'}</span>
    </p>
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
        // Until the layers are known, what is set stays in sight.
        ...(known ? [] : [[head, `after ${head}`] as const]),
      ]}
    />
  )
}

/** What most people leave as it is. */
function More({ settings, onChange, divided }: Omit<SetupProps, 'cuts'>) {
  const { scenario, start } = settings
  const inits = ([...initNames, 'pretrained'] as const).filter((name) =>
    isApplicable(name, scenario, start),
  )
  return (
    <details>
      <summary>More settings</summary>
      <div class="fields">
        <SelectField
          label="Schedule"
          value={settings.schedule}
          onChange={(schedule) => onChange({ schedule })}
          options={schedules.map((name) => [name, name])}
        />
        <NumberField
          label="Weight decay"
          value={settings.weightDecay}
          {...{ min: 0, step: 'any', placeholder: 'default' }}
          onChange={(weightDecay) => onChange({ weightDecay })}
        />
        {trainsTrunk(scenario) && (
          <NumberField
            label="Epochs of the head alone"
            hint="then all layers, early ones slower"
            value={settings.headEpochs}
            min={0}
            onChange={(headEpochs) => onChange({ headEpochs: headEpochs ?? 0 })}
          />
        )}
        <NumberField
          label="Stop after epochs without gain"
          hint="0: never; else the best epoch is kept"
          value={settings.patience}
          min={0}
          onChange={(patience) => onChange({ patience: patience ?? 0 })}
        />
        <SelectField
          label="Rare classes"
          hint="balanced: they weigh as much as common ones"
          value={settings.balanced ? 'balanced' : 'as they are'}
          onChange={(value) => onChange({ balanced: value === 'balanced' })}
          options={[
            ['as they are', 'as they are'],
            ['balanced', 'balanced'],
          ]}
        />
        <NumberField
          label="Label smoothing"
          value={settings.labelSmoothing}
          {...{ min: 0, max: 1, step: 'any' }}
          onChange={(labelSmoothing) => onChange({ labelSmoothing: labelSmoothing ?? 0 })}
        />
        <NumberField
          label="Mixup"
          hint="0: off; 0.2 mixes images a little"
          value={settings.mixup}
          {...{ min: 0, step: 'any' }}
          onChange={(mixup) => onChange({ mixup: mixup ?? 0 })}
        />
        <SelectField
          label="First values of what is new"
          value={settings.init ?? ''}
          onChange={(init) => onChange({ init: init || null })}
          options={[['', 'default'], ...inits.map((name) => [name, name] as const)]}
        />
        {!divided && (
          <NumberField
            label="Share held out"
            value={settings.split}
            {...{ min: 0.01, max: 0.99, step: 'any' }}
            onChange={(split) => onChange({ split: split ?? 0.25 })}
          />
        )}
        <NumberField
          label="Seed"
          hint="the same one gives the same network"
          value={settings.seed}
          min={0}
          onChange={(seed) => onChange({ seed: seed ?? 0 })}
        />
      </div>
    </details>
  )
}
