import type { ScenarioOptions } from '../transfer/scenario.ts'
import type { FitOptions } from './fitOptions.ts'

/** One training of the article's experiment, as its author's notebook does it. */
export interface Experiment {
  /** The run's folder is named after it. */
  readonly name: string
  /** What is trained, in a few words. */
  readonly what: string
  readonly scenario: Pick<ScenarioOptions, 'scenario' | 'replace'>
  readonly epochs: number
  readonly recipe: Pick<
    FitOptions,
    'optimizer' | 'lr' | 'momentum' | 'weightDecay' | 'batchSize' | 'keep' | 'monitor'
  >
  /** As the command line takes it. */
  readonly augment: string
}

/** torchvision's RandomResizedCrop and RandomHorizontalFlip, with their default values. */
const augment = 'crop=0.08-1,flip=0.5'
/** PyTorch's own defaults, which differ from Graft's; the weights of the best epoch are kept. */
const common = { weightDecay: 0, batchSize: 64, keep: 'best', monitor: 'loss' } as const

/**
 * The experiment of the article on transfer learning, on 133 breeds of dogs: the same network with
 * pretrained weights that stay, and from scratch. Source of the settings: its author's notebook,
 * https://github.com/jimohafeezco/Udacity-AWS-ML, capstone_project/dog_app.ipynb.
 */
export const experiments: readonly Experiment[] = [
  {
    name: 'frozen',
    what: 'frozen, a new last layer',
    scenario: { scenario: 'small-similar', replace: 'last' },
    epochs: 50,
    recipe: { ...common, optimizer: 'sgd', lr: 0.005, momentum: 0 },
    augment,
  },
  {
    name: 'scratch',
    what: 'from scratch',
    scenario: { scenario: 'large-different' },
    epochs: 200,
    recipe: { ...common, optimizer: 'adam', lr: 1e-3 },
    augment,
  },
]

/** An accuracy that somebody else reports, in 0..1 and whole percent, on 836 test images. */
export interface Reported {
  readonly what: string
  /** The experiment that it is beside, if it is one of these. */
  readonly experiment: string | null
  readonly article: number | null
  readonly notebook: number | null
  /** What is to be known of it. */
  readonly remark?: string
}

/** What the article tells and its author's notebook prints, both on Udacity's 133 breeds. */
export const reported: readonly Reported[] = [
  {
    what: 'AlexNet, frozen, a new last layer',
    experiment: 'frozen',
    article: 0.69,
    notebook: 0.53,
    remark: 'the article tells the 69 % of AlexNet; in the notebook they are those of VGG-19',
  },
  {
    what: 'AlexNet, from scratch',
    experiment: 'scratch',
    article: 0.1,
    notebook: 0.2,
    remark:
      'the article asks for more than 10 %; the notebook reaches 20 % with a slightly changed ' +
      'AlexNet after 150 to 250 epochs',
  },
  { what: 'VGG-19, frozen', experiment: null, article: null, notebook: 0.69 },
  {
    what: 'ResNet-50, frozen',
    experiment: null,
    article: null,
    notebook: 0.12,
    remark:
      'ResNet-50: 12 to 14 %, by the version of the notebook; its batch norms were in training ' +
      'mode',
  },
]
