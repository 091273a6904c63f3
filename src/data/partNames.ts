/**
 * How folders and archives are called that hold a part of a dataset: to train on, to validate on,
 * or to test with. A name is cut into words, in any case, at everything that is no letter, between
 * letters and digits and where a capital follows a small letter. It names a part if exactly one
 * part is among its words: train, Training_Set, my-dataset-train, val2017, validImages.
 */

export type PartName = 'train' | 'val' | 'test'

const things = 'sets?|data|datasets?|images?|imgs?|pictures?|photos?|pics?|splits?|folders?|files?'
const partWords: Readonly<Record<PartName, RegExp>> = {
  train: new RegExp(`^train(ing)?(${things})?$`),
  val: new RegExp(`^(val(id(at(e|ion))?)?|dev|eval(uation)?)(${things})?$`),
  test: new RegExp(`^test(ing)?(${things})?$`),
}
const partNames = Object.keys(partWords) as PartName[]
/** Words that say nothing about which part it is, or of what. */
const plainWord = new RegExp(`^(${things}|part|the|of|for)$`)
/** How words of a part's name begin, in some languages: Trainingsdaten, validación, fold1. */
const beginning = new RegExp(
  '^(train|trein|tren|entren|entra[iî]n|addestra|apprenti|lern|обуч|трен|訓練|学習|训练|訓|训' +
    '|valid|convalid|валид|检验|验证|検証|驗證|test|тест|测试|測試|テスト|prueb|prüf|eval|评估|評価' +
    '|hold|held|folds?$|parts?$|partition|splits?$|sets?$|subsets?$|teil$)',
)

export interface NamedPart {
  readonly part: PartName
  /** The other words: 'my' in my-train-images; '' if the name says nothing else. */
  readonly of: string
}

/** The part that a name names, or null if it names none, or several. */
export function namedPart(name: string): NamedPart | null {
  const words = wordsOf(name)
  const found = partNames.filter((part) => words.some((word) => partWords[part].test(word)))
  const [part] = found
  if (part === undefined || found.length > 1) return null
  const others = words.filter((word) => !partWords[part].test(word) && !plainWord.test(word))
  // A number in front only gives the order: 01_train, 02_val.
  if (/^\d+$/.test(others[0] ?? '') && /^\d/.test(name)) others.shift()
  return { part, of: others.join(' ') }
}

/** Whether a name might be that of a part, though it does not plainly name one. */
export function resemblesPart(name: string): boolean {
  return wordsOf(name).some((word) => beginning.test(word) || partWords.val.test(word))
}

function wordsOf(name: string): string[] {
  return (
    name
      .normalize('NFC')
      .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
      .toLowerCase()
      .match(/\p{L}+|\d+/gu) ?? []
  )
}
